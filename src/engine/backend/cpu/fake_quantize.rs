//! Fake quantization with one step size: forward, straight-through gradient, and the gradient of
//! the step (LSQ: Esser et al., "Learned Step Size Quantization", arXiv 1902.08153, equations 1-3).
//!
//! With `v = x / step`, `y = round(clamp(v, low, high)) * step`, rounding half to even. As `low` and
//! `high` are whole, clamping before or after rounding is the same. What is not a number stays so.

use super::Isa;
use super::rows::Rows;
use super::vector::Simd;

/// Vectors whose sum is taken in float32.
const RUN: usize = 64;

/// A uniform quantizer: whole multiples `low..=high` of `step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UniformQuantizer {
    step: f32,
    low: f32,
    high: f32,
}

impl UniformQuantizer {
    /// Whole multiples `low..=high` of `step`.
    ///
    /// # Panics
    /// Unless `step` is positive and finite, and `low <= high` are below 2^22 in magnitude.
    #[must_use]
    pub fn new(step: f32, low: i32, high: i32) -> Self {
        const LIMIT: i32 = 1 << 22;
        assert!(step > 0.0 && step.is_finite(), "a step of {step}");
        assert!(
            -LIMIT < low && low <= high && high < LIMIT,
            "levels {low} to {high}"
        );
        Self {
            step,
            low: low as f32,
            high: high as f32,
        }
    }

    /// `v` clamped to the levels.
    #[inline(always)]
    fn clamp<S: Simd>(&self, simd: S, v: S::Vector) -> S::Vector {
        simd.min(simd.splat(self.high), simd.max(simd.splat(self.low), v))
    }
}

/// `y = round(clamp(x / step)) * step`.
///
/// # Panics
/// When the lengths differ.
pub fn fake_quantize(isa: Isa, quantizer: &UniformQuantizer, x: &[f32], y: &mut [f32]) {
    #[inline(always)]
    fn kernel<S: Simd>(simd: S, quantizer: &UniformQuantizer, x: &[f32], y: &mut [f32]) {
        let step = simd.splat(quantizer.step);
        Rows::<1, 0>::new([x], [], y.len()).write(
            simd,
            y,
            #[inline(always)]
            |[x], []| simd.mul(simd.round(quantizer.clamp(simd, simd.div(x, step))), step),
        );
    }
    dispatch!(isa, kernel(quantizer: &UniformQuantizer, x: &[f32], y: &mut [f32]));
}

/// Straight-through gradient of the input in place of `gradient`, `dx = dy` where
/// `low <= x / step <= high`, else 0; and the gradient of the step: the sum of `dy` times
/// `round(v) - v` inside, `low` or `high` outside.
///
/// Call it image by image, and add up in order, for a sum that does not depend on chunks.
///
/// # Panics
/// When the lengths differ.
pub fn fake_quantize_backward(
    isa: Isa,
    quantizer: &UniformQuantizer,
    x: &[f32],
    gradient: &mut [f32],
) -> f64 {
    assert_eq!(
        x.len(),
        gradient.len(),
        "inputs and gradients differ in length"
    );
    dispatch!(
        isa,
        backward(quantizer: &UniformQuantizer, x: &[f32], gradient: &mut [f32]) -> f64
    )
}

/// The kernel of [`fake_quantize_backward`], for slices of one length.
#[inline(always)]
fn backward<S: Simd>(
    simd: S,
    quantizer: &UniformQuantizer,
    x: &[f32],
    gradient: &mut [f32],
) -> f64 {
    let run = RUN * S::WIDTH;
    let mut total = 0.0;
    for (x, gradient) in x.chunks(run).zip(gradient.chunks_mut(run)) {
        let mut sum = simd.splat(0.0);
        for (x, gradient) in x.chunks(S::WIDTH).zip(gradient.chunks_mut(S::WIDTH)) {
            let [pass, step] = quantizer.gradient(simd, [simd.load(x), simd.load(gradient)]);
            sum = simd.add(sum, step);
            simd.store(gradient, pass);
        }
        total += f64::from(simd.sum(sum));
    }
    total
}

impl UniformQuantizer {
    /// Of `[x, dy]`: the gradient of the input, and the term of the gradient of the step.
    #[inline(always)]
    fn gradient<S: Simd>(&self, simd: S, [x, dy]: [S::Vector; 2]) -> [S::Vector; 2] {
        let zero = simd.splat(0.0);
        let v = simd.div(x, simd.splat(self.step));
        let clamped = self.clamp(simd, v);
        let inside = simd.where_equal([v, clamped], v, zero);
        let slope = simd.sub(simd.round(clamped), inside);
        [
            simd.where_equal([v, clamped], dy, zero),
            simd.mul(dy, slope),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::cpu::check::random;

    fn quantizers() -> [UniformQuantizer; 4] {
        [
            UniformQuantizer::new(0.25, -1, 1),
            UniformQuantizer::new(0.125, 0, 15),
            UniformQuantizer::new(0.007, -127, 127),
            UniformQuantizer::new(0.1, 0, 3),
        ]
    }

    /// Numbers of which some are ties and some lie exactly on the ends of the range.
    fn inputs(quantizer: &UniformQuantizer, count: usize) -> Vec<f32> {
        let mut x = random(count, 1);
        for (i, x) in x.iter_mut().enumerate().step_by(3) {
            *x = quantizer.step * (i as f32 / 2.0 - 4.0);
        }
        x
    }

    #[test]
    fn values_agree_with_scalar_code_exactly() {
        for isa in Isa::available() {
            for quantizer in quantizers() {
                for count in [0, 1, 7, 16, 33, 1000] {
                    let x = inputs(&quantizer, count);
                    let want: Vec<f32> = x
                        .iter()
                        .map(|x| (x / quantizer.step).round_ties_even())
                        .map(|v| v.clamp(quantizer.low, quantizer.high) * quantizer.step)
                        .collect();
                    let mut y = vec![f32::NAN; count];
                    fake_quantize(isa, &quantizer, &x, &mut y);
                    assert_eq!(y, want, "{isa} {quantizer:?}");
                }
            }
        }
    }

    #[test]
    fn gradients_agree_with_scalar_code() {
        for isa in Isa::available() {
            for quantizer in quantizers() {
                for count in [0, 1, 7, 16, 33, 5000] {
                    let (x, dy) = (inputs(&quantizer, count), random(count, 2));
                    let mut dx = dy.clone();
                    let got = fake_quantize_backward(isa, &quantizer, &x, &mut dx);
                    let mut want = 0.0;
                    for i in 0..count {
                        let v = x[i] / quantizer.step;
                        let inside = quantizer.low <= v && v <= quantizer.high;
                        assert_eq!(
                            dx[i],
                            if inside { dy[i] } else { 0.0 },
                            "{isa} {quantizer:?}"
                        );
                        let level = v.clamp(quantizer.low, quantizer.high).round_ties_even();
                        let slope = if inside { level - v } else { level };
                        want += f64::from(dy[i]) * f64::from(slope);
                    }
                    assert!(
                        (got - want).abs() < 1e-6 * want.abs().max(100.0),
                        "{got} {want}"
                    );
                }
            }
        }
    }

    #[test]
    fn quantizing_twice_changes_nothing() {
        for isa in Isa::available() {
            let quantizer = UniformQuantizer::new(0.125, -8, 7);
            let x = inputs(&quantizer, 100);
            let (mut once, mut twice) = (vec![0.0; 100], vec![0.0; 100]);
            fake_quantize(isa, &quantizer, &x, &mut once);
            fake_quantize(isa, &quantizer, &once, &mut twice);
            assert_eq!(once, twice);
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for isa in Isa::available() {
            let mut y = [0.0; 20];
            fake_quantize(
                isa,
                &UniformQuantizer::new(0.5, 0, 3),
                &[f32::NAN; 20],
                &mut y,
            );
            assert!(y.iter().all(|y| y.is_nan()), "{isa}");
        }
    }

    #[test]
    #[should_panic(expected = "a step of 0")]
    fn a_step_of_zero_is_refused() {
        let _ = UniformQuantizer::new(0.0, 0, 3);
    }
}
