//! Max, average and global average pooling of NHWC images.
//!
//! Max pooling remembers for each output which number of its image it took: backward scatters to
//! it, and the tangent gathers from it. The first of equal numbers wins, and what is not a number
//! wins over all, as in `PyTorch`. Average pooling divides by the places of the window that count: those
//! of the image, and those of its padding if asked (`count_include_pad`).
//!
//! The loops run over neighbouring channels in plain Rust; the compiler makes vectors of them for
//! each instruction set.

use super::Isa;
use super::vector::Simd;
use crate::engine::backend::{AverageWindow, Inside, Window};

/// The geometry of a pooling of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolingShape {
    /// Channels.
    pub channels: usize,
    /// Rows read.
    pub in_height: usize,
    /// Columns read.
    pub in_width: usize,
    /// The window.
    pub window: Window,
}

impl PoolingShape {
    /// Rows written.
    ///
    /// # Panics
    /// When the window does not fit, or one lies beside the image.
    #[must_use]
    pub fn out_height(&self) -> usize {
        self.outputs(0)
    }

    /// Columns written.
    ///
    /// # Panics
    /// When the window does not fit, or one lies beside the image.
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
        let windows = self.window.windows(axis, self.input(axis));
        windows.unwrap_or_else(|| panic!("a window that does not fit: {self:?}"))
    }

    /// Calls `visit(output, input)` with the first channel of every output and of every number in
    /// its window, in order.
    #[inline(always)]
    fn windows(&self, mut visit: impl FnMut(usize, usize)) {
        let [down, right] = self.window.dilation;
        let columns = 0..self.out_width();
        let columns: Vec<Inside> = columns
            .map(|column| self.window.inside(1, column, self.in_width))
            .collect();
        let mut output = 0;
        for row in 0..self.out_height() {
            let rows = self.window.inside(0, row, self.in_height);
            for column in &columns {
                for y in 0..rows.count {
                    let line = (rows.first + y * down) * self.in_width;
                    for x in 0..column.count {
                        let place = line + column.first + x * right;
                        visit(output, place * self.channels);
                    }
                }
                output += self.channels;
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

/// What the sum of each window is divided by.
#[derive(Debug, Clone, PartialEq)]
enum Counts {
    /// The same for all.
    One(f32),
    /// Of each window, row by row.
    Each(Vec<f32>),
}

impl Counts {
    fn of(shape: &PoolingShape, counts_padding: bool) -> Self {
        let window = shape.window;
        let average = AverageWindow {
            window,
            counts_padding,
        };
        let along = |axis: usize| -> Vec<usize> {
            let windows = 0..shape.outputs(axis);
            let counted = |place| average.counted(axis, place, shape.input(axis));
            windows.map(counted).collect()
        };
        let (rows, columns) = (along(0), along(1));
        let [height, width] = window.kernel;
        if rows.iter().all(|&count| count == height) && columns.iter().all(|&count| count == width)
        {
            return Self::One((height * width) as f32);
        }
        let each = rows
            .iter()
            .flat_map(|row| columns.iter().map(move |column| (row * column) as f32));
        Self::Each(each.collect())
    }

    /// Whether all windows count as many places.
    const fn is_one(&self) -> bool {
        matches!(self, Self::One(_))
    }

    /// Divides what each window of an image holds by its count.
    fn divide(&self, image: &mut [f32], channels: usize) {
        match self {
            Self::One(count) => image.iter_mut().for_each(|value| *value /= count),
            Self::Each(counts) => {
                for (place, count) in image.chunks_exact_mut(channels).zip(counts) {
                    place.iter_mut().for_each(|value| *value /= count);
                }
            }
        }
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

/// Mean of each window, with the places of its padding or without; its own tangent.
///
/// # Panics
/// When the lengths do not fit.
pub fn average_pool(
    isa: Isa,
    shape: &PoolingShape,
    counts_padding: bool,
    (x, y): (&[f32], &mut [f32]),
) {
    shape.check(x.len(), y.len());
    y.fill(0.0);
    let counts = Counts::of(shape, counts_padding);
    let images = x.chunks_exact(shape.in_elements());
    for (x, y) in images.zip(y.chunks_exact_mut(shape.out_elements())) {
        dispatch!(isa, sums_of_image(shape: &PoolingShape, x: &[f32], y: &mut [f32]));
        counts.divide(y, shape.channels);
    }
}

#[inline(always)]
fn sums_of_image<S: Simd>(_: S, shape: &PoolingShape, x: &[f32], y: &mut [f32]) {
    shape.windows(
        #[inline(always)]
        |output, input| {
            let x = &x[input..][..shape.channels];
            for (y, x) in y[output..][..shape.channels].iter_mut().zip(x) {
                *y += x;
            }
        },
    );
}

/// Gradient of the input of [`average_pool`]; overwrites `dx`.
///
/// # Panics
/// When the lengths do not fit.
pub fn average_pool_backward(
    isa: Isa,
    shape: &PoolingShape,
    counts_padding: bool,
    (dy, dx): (&[f32], &mut [f32]),
) {
    shape.check(dx.len(), dy.len());
    dx.fill(0.0);
    let counts = Counts::of(shape, counts_padding);
    let mut shares = Vec::new();
    let images = dx.chunks_exact_mut(shape.in_elements());
    for (dx, dy) in images.zip(dy.chunks_exact(shape.out_elements())) {
        let dy = if counts.is_one() {
            dy
        } else {
            shares.clear();
            shares.extend_from_slice(dy);
            counts.divide(&mut shares, shape.channels);
            &shares
        };
        dispatch!(isa, spread_over_image(shape: &PoolingShape, dy: &[f32], dx: &mut [f32]));
        if counts.is_one() {
            counts.divide(dx, shape.channels);
        }
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
}

/// Mean over all positions of each image, of `pixels` positions by `channels`; its own tangent.
///
/// # Panics
/// When the lengths do not fit.
pub fn global_average_pool(isa: Isa, [pixels, channels]: [usize; 2], x: &[f32], y: &mut [f32]) {
    average_pool(isa, &whole_image(pixels, channels), true, (x, y));
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
    average_pool_backward(isa, &whole_image(pixels, channels), true, (dy, dx));
}

/// One window over all positions.
const fn whole_image(pixels: usize, channels: usize) -> PoolingShape {
    PoolingShape {
        channels,
        in_height: 1,
        in_width: pixels,
        window: Window::new([1, pixels], [1, 1]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::Pads;
    use crate::engine::backend::cpu::check::{assert_close, dot, random};

    const IMAGES: usize = 3;

    fn window(kernel: [usize; 2], stride: [usize; 2], (pads, ceil): ([usize; 4], bool)) -> Window {
        Window {
            padding: Pads::onnx(pads),
            ceil,
            ..Window::new(kernel, stride)
        }
    }

    fn shapes() -> Vec<PoolingShape> {
        let dilated = Window {
            dilation: [2, 3],
            ..window([3, 2], [2, 1], ([2, 1, 0, 3], false))
        };
        let geometry = [
            ([8, 8], window([2, 2], [2, 2], ([0, 0, 0, 0], false))),
            ([7, 9], window([3, 3], [2, 2], ([1, 1, 1, 1], false))),
            ([5, 6], window([2, 3], [1, 2], ([1, 0, 1, 0], false))),
            ([4, 7], window([3, 2], [3, 1], ([2, 1, 2, 1], false))),
            ([6, 5], window([1, 1], [2, 3], ([0, 0, 0, 0], false))),
            ([3, 4], window([3, 4], [1, 1], ([0, 0, 0, 0], false))),
            // Pads of four kinds, windows that reach beyond them, steps longer than windows.
            ([7, 6], window([3, 3], [2, 2], ([0, 0, 1, 1], false))),
            ([7, 6], window([3, 3], [2, 2], ([0, 1, 2, 0], true))),
            ([6, 9], window([3, 3], [2, 2], ([0, 0, 0, 0], true))),
            ([5, 5], window([2, 2], [3, 4], ([1, 0, 0, 1], true))),
            ([6, 8], window([2, 3], [3, 4], ([0, 2, 1, 0], true))),
            ([5, 8], dilated),
            (
                [6, 8],
                Window {
                    ceil: true,
                    ..dilated
                },
            ),
        ];
        let shape = |(size, window): ([usize; 2], Window), channels| PoolingShape {
            channels,
            in_height: size[0],
            in_width: size[1],
            window,
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

    /// What one window holds, written from the definition.
    struct Held {
        /// Indices into `x`, in order.
        image: Vec<usize>,
        /// Places of the padding.
        padding: usize,
    }

    /// Windows along an axis, by walking: from the first on while they fit, and with `ceil` one more if
    /// it begins in the image or before it.
    fn windows_along(shape: &PoolingShape, axis: usize) -> usize {
        let of = &shape.window;
        let input = [shape.in_height, shape.in_width][axis];
        let (before, after) = (of.padding.list()[axis], of.padding.list()[axis + 2]);
        let last = of.dilation[axis] * (of.kernel[axis] - 1);
        let (mut count, mut start) = (0, 0);
        while start + last < before + input + after {
            count += 1;
            start += of.stride[axis];
        }
        let uncovered = start - of.stride[axis] + last + 1 < before + input + after;
        count + usize::from(of.ceil && uncovered && start < before + input)
    }

    /// The windows of all outputs, in order.
    fn windows(shape: &PoolingShape) -> Vec<Held> {
        let of = &shape.window;
        let [rows, columns] = [0, 1].map(|axis| windows_along(shape, axis));
        assert_eq!(
            [shape.out_height(), shape.out_width()],
            [rows, columns],
            "{shape:?}"
        );
        let mut windows = Vec::new();
        for output in 0..IMAGES * shape.out_elements() {
            let channel = output % shape.channels;
            let pixel = output / shape.channels;
            let (pixel, column) = (pixel / columns, pixel % columns);
            let (image, row) = (pixel / rows, pixel % rows);
            let mut held = Held {
                image: Vec::new(),
                padding: 0,
            };
            for i in 0..of.kernel[0] * of.kernel[1] {
                let (kh, kw) = (i / of.kernel[1], i % of.kernel[1]);
                let y = row * of.stride[0] + kh * of.dilation[0];
                let x = column * of.stride[1] + kw * of.dilation[1];
                let Pads {
                    top,
                    left,
                    bottom,
                    right,
                } = of.padding;
                let inside = (top..top + shape.in_height).contains(&y)
                    && (left..left + shape.in_width).contains(&x);
                if inside {
                    let position = (image * shape.in_height + y - top) * shape.in_width + x - left;
                    held.image.push(position * shape.channels + channel);
                } else if y < top + shape.in_height + bottom && x < left + shape.in_width + right {
                    held.padding += 1;
                }
            }
            windows.push(held);
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
            for (output, held) in windows(&shape).into_iter().enumerate() {
                let window = held.image;
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
        let both = cases().flat_map(|case| [(case, true), (case, false)]);
        for ((isa, shape), counts_padding) in both {
            let what = format!("{isa} {shape:?} {counts_padding}");
            let x = random(IMAGES * shape.in_elements(), 1);
            let dy = random(IMAGES * shape.out_elements(), 2);
            let (mut want, mut want_dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
            for (output, held) in windows(&shape).into_iter().enumerate() {
                let padding = if counts_padding { held.padding } else { 0 };
                let size = (held.image.len() + padding) as f64;
                for i in held.image {
                    want[output] += f64::from(x[i]) / size;
                    want_dx[i] += f64::from(dy[output]) / size;
                }
            }
            let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
            average_pool(isa, &shape, counts_padding, (&x, &mut y));
            average_pool_backward(isa, &shape, counts_padding, (&dy, &mut dx));
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
            window: window([2, 2], [2, 2], ([2, 2, 2, 2], false)),
            ..shapes()[0]
        };
        let _ = shape.out_height();
    }
}
