//! Linear layers: `y = x W^T + b`, weights `[out][in]` as in `PyTorch`. For the small matrices at the
//! end of a convolutional network: vectors run along the inputs, no packing.

use super::Isa;
use super::vector::Simd;

/// Outputs whose sums are held in registers at once.
const OUTPUTS: usize = 4;

/// A linear layer for one instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    isa: Isa,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// A layer from `inputs` to `outputs` features.
    ///
    /// # Panics
    /// When either is zero.
    #[must_use]
    pub fn new(isa: Isa, inputs: usize, outputs: usize) -> Self {
        assert!(inputs > 0 && outputs > 0, "a linear layer of nothing");
        Self {
            isa,
            inputs,
            outputs,
        }
    }

    /// `y = x W^T + bias`; an empty bias is none.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn forward(&self, x: &[f32], [weights, bias]: [&[f32]; 2], y: &mut [f32]) {
        self.check(x.len(), weights.len(), y.len());
        assert!(
            bias.is_empty() || bias.len() == self.outputs,
            "bias of {self:?}"
        );
        for (x, y) in x
            .chunks_exact(self.inputs)
            .zip(y.chunks_exact_mut(self.outputs))
        {
            dispatch!(self.isa, products(x: &[f32], weights: &[f32], y: &mut [f32]));
            for (y, bias) in y.iter_mut().zip(bias) {
                *y += bias;
            }
        }
    }

    /// `dx = dy W`.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn grad_input(&self, dy: &[f32], weights: &[f32], dx: &mut [f32]) {
        self.check(dx.len(), weights.len(), dy.len());
        for (dy, dx) in dy
            .chunks_exact(self.outputs)
            .zip(dx.chunks_exact_mut(self.inputs))
        {
            dispatch!(self.isa, combination(dy: &[f32], weights: &[f32], dx: &mut [f32]));
        }
    }

    /// `dw += dy^T x`, image by image.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn grad_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        self.check(x.len(), dw.len(), dy.len());
        for (x, dy) in x
            .chunks_exact(self.inputs)
            .zip(dy.chunks_exact(self.outputs))
        {
            for (&dy, dw) in dy.iter().zip(dw.chunks_exact_mut(self.inputs)) {
                dispatch!(self.isa, add_scaled(dy: f32, x: &[f32], dw: &mut [f32]));
            }
        }
    }

    /// `db += sum of dy`, image by image.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn grad_bias(&self, dy: &[f32], db: &mut [f32]) {
        assert!(
            db.len() == self.outputs && dy.len().is_multiple_of(self.outputs),
            "bias gradient of {self:?}"
        );
        for dy in dy.chunks_exact(self.outputs) {
            for (db, dy) in db.iter_mut().zip(dy) {
                *db += dy;
            }
        }
    }

    fn check(&self, x: usize, weights: usize, y: usize) {
        assert_eq!(weights, self.inputs * self.outputs, "weights of {self:?}");
        let images = x / self.inputs;
        assert!(
            x == images * self.inputs && y == images * self.outputs,
            "{x} inputs and {y} outputs are not the same whole images of {self:?}"
        );
    }
}

/// `y[o] = x . weights[o]` for one image.
#[inline(always)]
fn products<S: Simd>(simd: S, x: &[f32], weights: &[f32], y: &mut [f32]) {
    let rows = weights.chunks(OUTPUTS * x.len());
    for (rows, y) in rows.zip(y.chunks_mut(OUTPUTS)) {
        let mut sums = [simd.splat(0.0); OUTPUTS];
        for (block, values) in x.chunks(S::WIDTH).enumerate() {
            let value = simd.load(values);
            for (row, sum) in rows.chunks_exact(x.len()).zip(&mut sums) {
                let weights = &row[block * S::WIDTH..][..values.len()];
                *sum = simd.fma(value, simd.load(weights), *sum);
            }
        }
        for (y, sum) in y.iter_mut().zip(sums) {
            *y = simd.sum(sum);
        }
    }
}

/// `dx[i] = sum over o of dy[o] weights[o][i]` for one image.
#[inline(always)]
fn combination<S: Simd>(simd: S, dy: &[f32], weights: &[f32], dx: &mut [f32]) {
    let inputs = dx.len();
    for (block, dx) in dx.chunks_mut(S::WIDTH).enumerate() {
        let mut sum = simd.splat(0.0);
        for (&dy, row) in dy.iter().zip(weights.chunks_exact(inputs)) {
            let weights = &row[block * S::WIDTH..][..dx.len()];
            sum = simd.fma(simd.splat(dy), simd.load(weights), sum);
        }
        simd.store(dx, sum);
    }
}

/// `y += factor * x`.
#[inline(always)]
fn add_scaled<S: Simd>(simd: S, factor: f32, x: &[f32], y: &mut [f32]) {
    let factor = simd.splat(factor);
    for (x, y) in x.chunks(S::WIDTH).zip(y.chunks_mut(S::WIDTH)) {
        let sum = simd.fma(factor, simd.load(x), simd.load(y));
        simd.store(y, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::cpu::check::{assert_close, dot, random};

    const SIZES: [[usize; 2]; 7] = [
        [64, 10],
        [1, 1],
        [3, 5],
        [17, 16],
        [100, 7],
        [16, 33],
        [7, 4],
    ];
    const IMAGES: usize = 3;

    /// `[x, w, dy]` for every instruction set and size.
    fn cases() -> impl Iterator<Item = (Linear, [Vec<f32>; 3])> {
        Isa::available().into_iter().flat_map(|isa| {
            SIZES.into_iter().map(move |[inputs, outputs]| {
                let sizes = [IMAGES * inputs, inputs * outputs, IMAGES * outputs];
                let numbers = [0, 1, 2].map(|i| random(sizes[i], i as u64));
                (Linear::new(isa, inputs, outputs), numbers)
            })
        })
    }

    #[test]
    fn forward_agrees_with_the_definition() {
        for (linear, [x, w, _]) in cases() {
            let bias = random(linear.outputs, 4);
            let want: Vec<f64> = x
                .chunks(linear.inputs)
                .flat_map(|x| w.chunks(linear.inputs).map(move |w| dot(x, w)))
                .zip(bias.iter().cycle())
                .map(|(product, &bias)| product + f64::from(bias))
                .collect();
            let mut y = vec![f32::NAN; want.len()];
            linear.forward(&x, [&w, &bias], &mut y);
            assert_close(&y, &want, 1e-6, &format!("{linear:?}"));
        }
    }

    #[test]
    fn gradients_are_adjoint_and_agree_with_the_definition() {
        for (linear, [x, w, dy]) in cases() {
            let what = format!("{linear:?}");
            let mut y = vec![f32::NAN; dy.len()];
            linear.forward(&x, [&w, &[]], &mut y);
            let mut dx = vec![f32::NAN; x.len()];
            linear.grad_input(&dy, &w, &mut dx);
            let mut want = vec![1.0; w.len()];
            for (i, want) in want.iter_mut().enumerate() {
                let (o, i) = (i / linear.inputs, i % linear.inputs);
                for n in 0..IMAGES {
                    let x = f64::from(x[n * linear.inputs + i]);
                    *want += x * f64::from(dy[n * linear.outputs + o]);
                }
            }
            let mut dw = vec![1.0; w.len()];
            linear.grad_weight(&x, &dy, &mut dw);
            assert_close(&dw, &want, 1e-6, &what);
            let (output, input) = (dot(&y, &dy), dot(&x, &dx));
            assert!((output - input).abs() < 1e-4, "{what}: {output} {input}");
        }
    }

    #[test]
    fn the_bias_gradient_is_added() {
        let mut db = vec![1.0; 2];
        Linear::new(Isa::detect(), 3, 2).grad_bias(&[1.0, 2.0, 3.0, 4.0], &mut db);
        assert_eq!(db, [5.0, 7.0]);
    }

    #[test]
    fn results_do_not_depend_on_how_images_are_split() {
        for (linear, [x, w, dy]) in cases() {
            let (inputs, outputs) = (linear.inputs, linear.outputs);
            let (mut whole, mut parts) = (vec![0.0; dy.len()], vec![0.0; dy.len()]);
            linear.forward(&x, [&w, &[]], &mut whole);
            linear.forward(&x[..inputs], [&w, &[]], &mut parts[..outputs]);
            linear.forward(&x[inputs..], [&w, &[]], &mut parts[outputs..]);
            assert_eq!(whole, parts);
            let (mut whole, mut parts) = (vec![0.0; w.len()], vec![0.0; w.len()]);
            linear.grad_weight(&x, &dy, &mut whole);
            linear.grad_weight(&x[..inputs], &dy[..outputs], &mut parts);
            linear.grad_weight(&x[inputs..], &dy[outputs..], &mut parts);
            assert_eq!(whole, parts);
        }
    }

    #[test]
    #[should_panic(expected = "weights of")]
    fn weights_of_another_size_are_refused() {
        Linear::new(Isa::detect(), 3, 2).forward(&[0.0; 3], [&[0.0; 5], &[]], &mut [0.0; 2]);
    }
}
