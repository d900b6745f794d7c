//! Routines that only move numbers: the option A shortcut, channels side by side, and changes of
//! layout.

use std::ops::Range;

/// The option A shortcut of the residual networks for CIFAR (He et al., arXiv 1512.03385, section
/// 4.2): every `stride`-th pixel, with channels of zeros on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shortcut {
    /// Channels read.
    pub in_channels: usize,
    /// Channels written; half of the new ones come first.
    pub out_channels: usize,
    /// Rows read.
    pub in_height: usize,
    /// Columns read.
    pub in_width: usize,
    /// Step down and right.
    pub stride: usize,
}

impl Shortcut {
    /// Rows written.
    #[must_use]
    pub const fn out_height(&self) -> usize {
        self.in_height.div_ceil(self.stride)
    }

    /// Columns written.
    #[must_use]
    pub const fn out_width(&self) -> usize {
        self.in_width.div_ceil(self.stride)
    }

    /// Numbers read per image.
    #[must_use]
    pub const fn in_elements(&self) -> usize {
        self.in_height * self.in_width * self.in_channels
    }

    /// Numbers written per image.
    #[must_use]
    pub const fn out_elements(&self) -> usize {
        self.out_height() * self.out_width() * self.out_channels
    }

    /// Overwrites `y`; its own tangent.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        self.check(x.len(), y.len());
        y.fill(0.0);
        let images = x.chunks_exact(self.in_elements());
        for (x, y) in images.zip(y.chunks_exact_mut(self.out_elements())) {
            for (input, output) in self.pixels() {
                let x = &x[input..][..self.in_channels];
                y[output..][..self.in_channels].copy_from_slice(x);
            }
        }
    }

    /// Gradient of the input; overwrites `dx`.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn backward(&self, dy: &[f32], dx: &mut [f32]) {
        self.check(dx.len(), dy.len());
        dx.fill(0.0);
        let images = dy.chunks_exact(self.out_elements());
        for (dy, dx) in images.zip(dx.chunks_exact_mut(self.in_elements())) {
            for (input, output) in self.pixels() {
                let dy = &dy[output..][..self.in_channels];
                dx[input..][..self.in_channels].copy_from_slice(dy);
            }
        }
    }

    /// Where the channels of each output pixel are read and written.
    fn pixels(&self) -> impl Iterator<Item = (usize, usize)> {
        let shape = *self;
        let before = (shape.out_channels - shape.in_channels) / 2;
        (0..shape.out_height() * shape.out_width()).map(move |pixel| {
            let (row, column) = (pixel / shape.out_width(), pixel % shape.out_width());
            let input = (row * shape.in_width + column) * shape.stride;
            (
                input * shape.in_channels,
                pixel * shape.out_channels + before,
            )
        })
    }

    fn check(&self, inputs: usize, outputs: usize) {
        assert!(
            self.stride > 0 && self.in_elements() > 0 && self.in_channels <= self.out_channels,
            "a shortcut that cannot be: {self:?}"
        );
        let images = inputs / self.in_elements();
        assert!(
            inputs == images * self.in_elements() && outputs == images * self.out_elements(),
            "{inputs} inputs and {outputs} outputs are not the same whole images of {self:?}"
        );
    }
}

/// Writes some of the `channels` of each place: `values` place by place, or zeros.
///
/// # Panics
/// When the lengths do not fit.
pub fn write_channels(
    values: Option<&[f32]>,
    (to, channels): (&mut [f32], usize),
    range: Range<usize>,
) {
    let places = to.len() / channels;
    assert!(
        values.is_none_or(|values| values.len() == places * range.len()),
        "channels {range:?} of {places} places"
    );
    for (place, to) in to.chunks_exact_mut(channels).enumerate() {
        let to = &mut to[range.clone()];
        match values {
            Some(values) => to.copy_from_slice(&values[place * to.len()..][..to.len()]),
            None => to.fill(0.0),
        }
    }
}

/// Reads some of the `channels` of each place.
///
/// # Panics
/// When the lengths do not fit.
pub fn read_channels((from, channels): (&[f32], usize), range: Range<usize>, to: &mut [f32]) {
    assert_eq!(
        from.len() / channels * range.len(),
        to.len(),
        "channels {range:?} of {channels}"
    );
    let places = from.chunks_exact(channels);
    for (from, to) in places.zip(to.chunks_exact_mut(range.len().max(1))) {
        to.copy_from_slice(&from[range.clone()]);
    }
}

/// From `[image][pixel][channel]` to `[image][channel][pixel]`.
///
/// # Panics
/// When the lengths do not fit.
pub fn nhwc_to_nchw([pixels, channels]: [usize; 2], nhwc: &[f32], nchw: &mut [f32]) {
    transpose([pixels, channels], nhwc, nchw);
}

/// From `[image][channel][pixel]` to `[image][pixel][channel]`.
///
/// # Panics
/// When the lengths do not fit.
pub fn nchw_to_nhwc([pixels, channels]: [usize; 2], nchw: &[f32], nhwc: &mut [f32]) {
    transpose([channels, pixels], nchw, nhwc);
}

/// Rows and columns of a block that stays in the cache.
const BLOCK: usize = 16;

/// Transposes each `rows` by `columns` matrix of `from`.
fn transpose([rows, columns]: [usize; 2], from: &[f32], to: &mut [f32]) {
    let matrix = rows * columns;
    assert!(
        from.len() == to.len() && matrix > 0 && from.len().is_multiple_of(matrix),
        "{} and {} numbers are not the same whole images of {rows}x{columns}",
        from.len(),
        to.len()
    );
    for (from, to) in from.chunks_exact(matrix).zip(to.chunks_exact_mut(matrix)) {
        for row in (0..rows).step_by(BLOCK) {
            let row_end = rows.min(row + BLOCK);
            for column in 0..columns {
                let column_of_from = from[column..].iter().step_by(columns);
                let to = &mut to[column * rows..][row..row_end];
                for (to, from) in to.iter_mut().zip(column_of_from.skip(row)) {
                    *to = *from;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::cpu::check::{dot, random};

    fn shortcuts() -> Vec<Shortcut> {
        let mut shortcuts = Vec::new();
        for (in_channels, out_channels) in [(16, 32), (3, 8), (1, 1), (10, 17)] {
            for (in_height, in_width) in [(8, 8), (5, 7), (4, 9)] {
                for stride in [1, 2, 3] {
                    shortcuts.push(Shortcut {
                        in_channels,
                        out_channels,
                        in_height,
                        in_width,
                        stride,
                    });
                }
            }
        }
        shortcuts
    }

    #[test]
    fn the_shortcut_takes_every_strideth_pixel_between_zeros() {
        for shape in shortcuts() {
            let x = random(2 * shape.in_elements(), 1);
            let mut y = vec![f32::NAN; 2 * shape.out_elements()];
            shape.forward(&x, &mut y);
            let before = (shape.out_channels - shape.in_channels) / 2;
            for (i, &y) in y.iter().enumerate() {
                let (pixel, channel) = (i / shape.out_channels, i % shape.out_channels);
                let (row, column) = (pixel / shape.out_width(), pixel % shape.out_width());
                let (image, row) = (row / shape.out_height(), row % shape.out_height());
                let input = (image * shape.in_height + row * shape.stride) * shape.in_width
                    + column * shape.stride;
                let want = match channel.checked_sub(before) {
                    Some(c) if c < shape.in_channels => x[input * shape.in_channels + c],
                    _ => 0.0,
                };
                assert_eq!(y, want, "{shape:?}");
            }
        }
    }

    #[test]
    fn the_shortcut_and_its_backward_are_adjoint() {
        for shape in shortcuts() {
            let x = random(2 * shape.in_elements(), 1);
            let dy = random(2 * shape.out_elements(), 2);
            let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
            shape.forward(&x, &mut y);
            shape.backward(&dy, &mut dx);
            assert!((dot(&y, &dy) - dot(&x, &dx)).abs() < 1e-9, "{shape:?}");
        }
    }

    #[test]
    fn layouts_are_transposed_and_back() {
        for size in [[1, 1], [6, 2], [1024, 3], [49, 17], [16, 16], [33, 64]] {
            let [pixels, channels] = size;
            let nhwc = random(3 * pixels * channels, 1);
            let (mut nchw, mut back) = (vec![0.0; nhwc.len()], vec![0.0; nhwc.len()]);
            nhwc_to_nchw(size, &nhwc, &mut nchw);
            nchw_to_nhwc(size, &nchw, &mut back);
            assert_eq!(nhwc, back);
            for (i, &value) in nhwc.iter().enumerate() {
                let (pixel, channel) = (i / channels, i % channels);
                let (image, pixel) = (pixel / pixels, pixel % pixels);
                assert_eq!(nchw[(image * channels + channel) * pixels + pixel], value);
            }
        }
    }

    #[test]
    #[should_panic(expected = "whole images")]
    fn a_broken_image_is_refused() {
        nhwc_to_nchw([4, 2], &[0.0; 7], &mut [0.0; 7]);
    }
}
