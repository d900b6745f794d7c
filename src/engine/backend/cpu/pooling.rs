//! Max, average and global average pooling of NHWC images.
//!
//! Max pooling remembers for each output which number of its image it took: backward scatters to
//! it, and the tangent gathers from it. The first of equal numbers wins, and what is not a number
//! wins over all, as in `PyTorch`. Average pooling divides by the whole window, its padding counted
//! (`count_include_pad`).
//!
//! The loops run over neighbouring channels in plain Rust; the compiler makes vectors of them for
//! each instruction set.

use std::ops::Range;

use super::Isa;
use super::vector::Simd;

/// The geometry of a pooling of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolingShape {
    /// Channels.
    pub channels: usize,
    /// Rows read.
    pub in_height: usize,
    /// Columns read.
    pub in_width: usize,
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Steps down and right.
    pub stride: [usize; 2],
    /// Rows above and below, columns left and right, that count as nothing.
    pub padding: [usize; 2],
}

impl PoolingShape {
    /// Rows written.
    ///
    /// # Panics
    /// When the window does not fit, or is no larger than the padding.
    #[must_use]
    pub fn out_height(&self) -> usize {
        self.outputs(0)
    }

    /// Columns written.
    ///
    /// # Panics
    /// When the window does not fit, or is no larger than the padding.
    #[must_use]
    pub fn out_width(&self) -> usize {
        self.outputs(1)
    }

    /// Numbers read per image.
    #[must_use]
    pub const fn in_elements(&self) -> usize {
        self.in_height * self.in_width * self.channels
    }

    /// Numbers written per image.
    #[must_use]
    pub fn out_elements(&self) -> usize {
        self.out_height() * self.out_width() * self.channels
    }

    fn input(&self, axis: usize) -> usize {
        [self.in_height, self.in_width][axis]
    }

    fn outputs(&self, axis: usize) -> usize {
        let (kernel, stride, padding) = (self.kernel[axis], self.stride[axis], self.padding[axis]);
        let padded = self.input(axis) + 2 * padding;
        assert!(
            stride > 0 && padding < kernel && kernel <= padded,
            "a window of {kernel} with stride {stride} and padding {padding} does not fit into {padded}"
        );
        (padded - kernel) / stride + 1
    }

    /// The part of window `position` along `axis` that lies inside the image; never empty.
    #[inline(always)]
    fn window(&self, axis: usize, position: usize) -> Range<usize> {
        let start = position * self.stride[axis];
        let end = (start + self.kernel[axis] - self.padding[axis]).min(self.input(axis));
        start.saturating_sub(self.padding[axis])..end
    }

    /// Calls `visit(output, input)` with the first channel of every output and of every number in
    /// its window, in order.
    #[inline(always)]
    fn windows(&self, mut visit: impl FnMut(usize, usize)) {
        let columns = self.out_width();
        for row in 0..self.out_height() {
            for column in 0..columns {
                let output = (row * columns + column) * self.channels;
                for y in self.window(0, row) {
                    for x in self.window(1, column) {
                        visit(output, (y * self.in_width + x) * self.channels);
                    }
                }
            }
        }
    }

    /// Panics unless `inputs` and `outputs` are the same whole images.
    fn check(&self, inputs: usize, outputs: usize) {
        let (input, output) = (self.in_elements(), self.out_elements());
        assert!(input > 0, "pooling of nothing: {self:?}");
        assert!(
            inputs.is_multiple_of(input) && outputs == inputs / input * output,
            "{inputs} inputs and {outputs} outputs are not the same whole images of {self:?}"
        );
    }
}

/// Largest number of each window, and where it lies in its image.
///
/// # Panics
/// When the lengths do not fit.
pub fn max_pool(isa: Isa, shape: &PoolingShape, x: &[f32], (y, taken): (&mut [f32], &mut [u32])) {
    shape.check(x.len(), y.len());
    assert_eq!(y.len(), taken.len(), "one index per output");
    assert!(
        u32::try_from(shape.in_elements()).is_ok(),
        "an image too large for its indices"
    );
    let outputs = shape.out_elements();
    let images = x
        .chunks_exact(shape.in_elements())
        .zip(y.chunks_exact_mut(outputs));
    for ((x, y), taken) in images.zip(taken.chunks_exact_mut(outputs)) {
        dispatch!(
            isa,
            max_of_image(shape: &PoolingShape, x: &[f32], y: &mut [f32], taken: &mut [u32])
        );
    }
}

#[inline(always)]
fn max_of_image<S: Simd>(_: S, shape: &PoolingShape, x: &[f32], y: &mut [f32], taken: &mut [u32]) {
    let channels = shape.channels;
    let mut started = usize::MAX;
    shape.windows(
        #[inline(always)]
        |output, input| {
            let x = &x[input..][..channels];
            let y = &mut y[output..][..channels];
            let taken = &mut taken[output..][..channels];
            let first = started != output;
            started = output;
            for channel in 0..channels {
                let better = first || x[channel] > y[channel] || x[channel].is_nan();
                y[channel] = if better { x[channel] } else { y[channel] };
                let index = (input + channel) as u32;
                taken[channel] = if better { index } else { taken[channel] };
            }
        },
    );
}

/// Gradient of the input of [`max_pool`]; overwrites `dx`.
///
/// # Panics
/// When the lengths do not fit.
pub fn max_pool_backward(shape: &PoolingShape, dy: &[f32], taken: &[u32], dx: &mut [f32]) {
    shape.check(dx.len(), dy.len());
    assert_eq!(dy.len(), taken.len(), "one index per output");
    dx.fill(0.0);
    let outputs = shape.out_elements();
    let images = dx.chunks_exact_mut(shape.in_elements());
    for ((dx, dy), taken) in images
        .zip(dy.chunks_exact(outputs))
        .zip(taken.chunks_exact(outputs))
    {
        for (&dy, &taken) in dy.iter().zip(taken) {
            dx[taken as usize] += dy;
        }
    }
}

/// Tangent of [`max_pool`]: the tangents of the numbers that were taken.
///
/// # Panics
/// When the lengths do not fit.
pub fn max_pool_tangent(shape: &PoolingShape, tangent: &[f32], taken: &[u32], y: &mut [f32]) {
    shape.check(tangent.len(), y.len());
    assert_eq!(y.len(), taken.len(), "one index per output");
    let outputs = shape.out_elements();
    let images = tangent.chunks_exact(shape.in_elements());
    for ((tangent, y), taken) in images
        .zip(y.chunks_exact_mut(outputs))
        .zip(taken.chunks_exact(outputs))
    {
        for (y, &taken) in y.iter_mut().zip(taken) {
            *y = tangent[taken as usize];
        }
    }
}

/// Mean of each window, padding counted as zeros; its own tangent.
///
/// # Panics
/// When the lengths do not fit.
pub fn average_pool(isa: Isa, shape: &PoolingShape, x: &[f32], y: &mut [f32]) {
    shape.check(x.len(), y.len());
    y.fill(0.0);
    let images = x.chunks_exact(shape.in_elements());
    for (x, y) in images.zip(y.chunks_exact_mut(shape.out_elements())) {
        dispatch!(isa, average_of_image(shape: &PoolingShape, x: &[f32], y: &mut [f32]));
    }
}

#[inline(always)]
fn average_of_image<S: Simd>(_: S, shape: &PoolingShape, x: &[f32], y: &mut [f32]) {
    shape.windows(
        #[inline(always)]
        |output, input| {
            let x = &x[input..][..shape.channels];
            for (y, x) in y[output..][..shape.channels].iter_mut().zip(x) {
                *y += x;
            }
        },
    );
    let window = (shape.kernel[0] * shape.kernel[1]) as f32;
    for y in y {
        *y /= window;
    }
}

/// Gradient of the input of [`average_pool`]; overwrites `dx`.
///
/// # Panics
/// When the lengths do not fit.
pub fn average_pool_backward(isa: Isa, shape: &PoolingShape, dy: &[f32], dx: &mut [f32]) {
    shape.check(dx.len(), dy.len());
    dx.fill(0.0);
    let images = dx.chunks_exact_mut(shape.in_elements());
    for (dx, dy) in images.zip(dy.chunks_exact(shape.out_elements())) {
        dispatch!(isa, spread_over_image(shape: &PoolingShape, dy: &[f32], dx: &mut [f32]));
    }
}

#[inline(always)]
fn spread_over_image<S: Simd>(_: S, shape: &PoolingShape, dy: &[f32], dx: &mut [f32]) {
    shape.windows(
        #[inline(always)]
        |output, input| {
            let dy = &dy[output..][..shape.channels];
            for (dx, dy) in dx[input..][..shape.channels].iter_mut().zip(dy) {
                *dx += dy;
            }
        },
    );
    let window = (shape.kernel[0] * shape.kernel[1]) as f32;
    for dx in dx {
        *dx /= window;
    }
}

/// Mean over all positions of each image, of `pixels` positions by `channels`; its own tangent.
///
/// # Panics
/// When the lengths do not fit.
pub fn global_average_pool(isa: Isa, [pixels, channels]: [usize; 2], x: &[f32], y: &mut [f32]) {
    average_pool(isa, &whole_image(pixels, channels), x, y);
}

/// Gradient of the input of [`global_average_pool`]; overwrites `dx`.
///
/// # Panics
/// When the lengths do not fit.
pub fn global_average_pool_backward(
    isa: Isa,
    [pixels, channels]: [usize; 2],
    dy: &[f32],
    dx: &mut [f32],
) {
    average_pool_backward(isa, &whole_image(pixels, channels), dy, dx);
}

/// One window over all positions.
const fn whole_image(pixels: usize, channels: usize) -> PoolingShape {
    PoolingShape {
        channels,
        in_height: 1,
        in_width: pixels,
        kernel: [1, pixels],
        stride: [1, 1],
        padding: [0, 0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::cpu::check::{assert_close, dot, random};

    const IMAGES: usize = 3;

    fn shapes() -> Vec<PoolingShape> {
        let geometry = [
            ([8, 8], [2, 2], [2, 2], [0, 0]),
            ([7, 9], [3, 3], [2, 2], [1, 1]),
            ([5, 6], [2, 3], [1, 2], [1, 0]),
            ([4, 7], [3, 2], [3, 1], [2, 1]),
            ([6, 5], [1, 1], [2, 3], [0, 0]),
            ([3, 4], [3, 4], [1, 1], [0, 0]),
        ];
        let shape =
            |(size, kernel, stride, padding): ([usize; 2], _, _, _), channels| PoolingShape {
                channels,
                in_height: size[0],
                in_width: size[1],
                kernel,
                stride,
                padding,
            };
        [1, 3, 10, 16, 17, 64]
            .into_iter()
            .flat_map(|channels| geometry.map(|geometry| shape(geometry, channels)))
            .collect()
    }

    fn cases() -> impl Iterator<Item = (Isa, PoolingShape)> {
        let sets = Isa::available().into_iter();
        sets.flat_map(|isa| shapes().into_iter().map(move |shape| (isa, shape)))
    }

    /// Indices into `x` of the window of every output, in order, written from the definition.
    fn windows(shape: &PoolingShape) -> Vec<Vec<usize>> {
        let mut windows = Vec::new();
        for output in 0..IMAGES * shape.out_elements() {
            let channel = output % shape.channels;
            let pixel = output / shape.channels;
            let (pixel, column) = (pixel / shape.out_width(), pixel % shape.out_width());
            let (image, row) = (pixel / shape.out_height(), pixel % shape.out_height());
            let mut window = Vec::new();
            for i in 0..shape.kernel[0] * shape.kernel[1] {
                let (kh, kw) = (i / shape.kernel[1], i % shape.kernel[1]);
                let y = (row * shape.stride[0] + kh).wrapping_sub(shape.padding[0]);
                let x = (column * shape.stride[1] + kw).wrapping_sub(shape.padding[1]);
                if y < shape.in_height && x < shape.in_width {
                    let position = (image * shape.in_height + y) * shape.in_width + x;
                    window.push(position * shape.channels + channel);
                }
            }
            windows.push(window);
        }
        windows
    }

    #[test]
    fn max_pooling_takes_the_first_largest() {
        for (isa, shape) in cases() {
            // Few distinct values: many ties.
            let x: Vec<f32> = random(IMAGES * shape.in_elements(), 1)
                .into_iter()
                .map(|x| (x * 3.0).round())
                .collect();
            let outputs = IMAGES * shape.out_elements();
            let (mut y, mut taken) = (vec![f32::NAN; outputs], vec![u32::MAX; outputs]);
            max_pool(isa, &shape, &x, (&mut y, &mut taken));
            for (output, window) in windows(&shape).into_iter().enumerate() {
                let largest = window
                    .iter()
                    .map(|&i| x[i])
                    .fold(f32::NEG_INFINITY, f32::max);
                let first = window.iter().find(|&&i| x[i] >= largest).unwrap();
                let index = first - output / shape.out_elements() * shape.in_elements();
                assert_eq!(
                    (y[output], taken[output]),
                    (largest, index as u32),
                    "{isa} {shape:?}"
                );
            }
        }
    }

    #[test]
    fn max_pooling_keeps_what_is_not_a_number() {
        for isa in Isa::available() {
            let shape = shapes()[0];
            let mut x = random(shape.in_elements(), 1);
            x[1] = f32::NAN;
            let (mut y, mut taken) = ([0.0; 16], [0; 16]);
            max_pool(isa, &shape, &x, (&mut y, &mut taken));
            assert!(y[0].is_nan() && taken[0] == 1 && !y[1].is_nan());
        }
    }

    #[test]
    fn max_pooling_backward_and_tangent_are_adjoint() {
        for (isa, shape) in cases() {
            let x = random(IMAGES * shape.in_elements(), 1);
            let tangent = random(x.len(), 2);
            let outputs = IMAGES * shape.out_elements();
            let dy = random(outputs, 3);
            let (mut y, mut taken) = (vec![0.0; outputs], vec![0; outputs]);
            max_pool(isa, &shape, &x, (&mut y, &mut taken));
            let (mut dx, mut along) = (vec![f32::NAN; x.len()], vec![f32::NAN; outputs]);
            max_pool_backward(&shape, &dy, &taken, &mut dx);
            max_pool_tangent(&shape, &tangent, &taken, &mut along);
            assert!(
                (dot(&along, &dy) - dot(&tangent, &dx)).abs() < 1e-4,
                "{shape:?}"
            );
            max_pool_tangent(&shape, &x, &taken, &mut along);
            assert_eq!(along, y);
        }
    }

    #[test]
    fn average_pooling_agrees_with_the_definition_and_its_adjoint() {
        for (isa, shape) in cases() {
            let what = format!("{isa} {shape:?}");
            let x = random(IMAGES * shape.in_elements(), 1);
            let dy = random(IMAGES * shape.out_elements(), 2);
            let size = (shape.kernel[0] * shape.kernel[1]) as f64;
            let (mut want, mut want_dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
            for (output, window) in windows(&shape).into_iter().enumerate() {
                for i in window {
                    want[output] += f64::from(x[i]) / size;
                    want_dx[i] += f64::from(dy[output]) / size;
                }
            }
            let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
            average_pool(isa, &shape, &x, &mut y);
            average_pool_backward(isa, &shape, &dy, &mut dx);
            assert_close(&y, &want, 1e-6, &what);
            assert_close(&dx, &want_dx, 1e-6, &what);
        }
    }

    #[test]
    fn global_pooling_is_the_mean_and_its_gradient_is_even() {
        for isa in Isa::available() {
            let x: Vec<f32> = (0..24).map(|i| i as f32).collect();
            let (mut y, mut dx) = ([0.0; 6], [0.0; 24]);
            global_average_pool(isa, [4, 3], &x, &mut y);
            assert_eq!(y, [4.5, 5.5, 6.5, 16.5, 17.5, 18.5]);
            global_average_pool_backward(isa, [4, 3], &y, &mut dx);
            let even: Vec<f32> = (0..24).map(|i| y[i / 12 * 3 + i % 3] / 4.0).collect();
            assert_eq!(dx, *even);
        }
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn padding_as_large_as_the_window_is_refused() {
        let shape = PoolingShape {
            padding: [2, 2],
            ..shapes()[0]
        };
        let _ = shape.out_height();
    }
}
