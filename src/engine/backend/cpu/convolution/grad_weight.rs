//! The gradient of the weights:
//! `dw[tap, channel] = sum over pixels of x[pixel, tap] dy[pixel, channel]`.
//!
//! Private layout, independent of the instruction set: `[group][kernel row][kernel column][input
//! channel]` by output channels of the group rounded up to sixteen; a depthwise convolution is one
//! group of one input channel. The taps of one kernel row are neighbours in the
//! padded image, so a tile of accumulators takes several at once even for three input channels.

use super::Convolution;
use super::pack::Direction;
use super::pass::{Division, Pass, blocks};
use crate::engine::backend::cpu::Scratch;
use crate::engine::backend::cpu::scratch::grown;
use crate::engine::backend::cpu::vector::{MAX_WIDTH, Simd};

impl Convolution {
    /// Numbers in the private layout of the weight gradient.
    #[must_use]
    pub fn grad_weight_length(&self) -> usize {
        self.division().groups * self.group_gradient_length()
    }

    /// The same of one group.
    fn group_gradient_length(&self) -> usize {
        self.shape.taps() * self.division().inputs * self.gradient_lanes()
    }

    fn division(&self) -> Division {
        Division::new(&self.shape, Direction::Forward)
    }

    fn gradient_lanes(&self) -> usize {
        self.division().outputs.next_multiple_of(MAX_WIDTH)
    }

    /// Adds the weight gradients of a chunk into `dw`, image by image, in the private layout.
    ///
    /// # Panics
    /// When `x` and `dy` are not the same whole images, or `dw` is not of
    /// [`grad_weight_length`](Self::grad_weight_length).
    pub fn grad_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32], scratch: &mut Scratch) {
        self.images(x.len(), dy.len());
        assert_eq!(
            dw.len(),
            self.grad_weight_length(),
            "weight gradient of {self:?}"
        );
        let padding = self.input_padding();
        let padded = padding.prepare(&mut scratch.padded);
        let images = x.chunks_exact(self.shape.in_elements());
        for (x, dy) in images.zip(dy.chunks_exact(self.shape.out_elements())) {
            let x = padding.place(x, padded);
            let groups = dw.chunks_exact_mut(self.group_gradient_length());
            for ((pass, dw), group) in self.weight_passes().zip(groups).zip(0..) {
                let dy = self.whole_vectors(dy, group, &mut scratch.channels);
                let (isa, pass, values) = (self.isa, (&pass, Sums::Fresh), [x, dy]);
                dispatch!(
                    isa,
                    accumulate(pass: (&Pass, Sums), values: [&[f32]; 2], dw: &mut [f32])
                );
            }
        }
    }

    /// The passes of forward over whole vectors of the gradients of a group.
    fn weight_passes(&self) -> impl Iterator<Item = Pass> {
        let lanes = self.gradient_lanes();
        self.forward_passes().map(move |(pass, _)| Pass {
            target: 0,
            target_pixel: lanes,
            target_row: pass.columns * lanes,
            channels: lanes,
            weights: 0,
            ..pass
        })
    }

    /// The output gradient of the channels of a group of an image, rounded up to sixteen.
    fn whole_vectors<'a>(
        &self,
        dy: &'a [f32],
        group: usize,
        buffer: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        let all = self.shape.out_channels;
        let (channels, lanes) = (self.division().outputs, self.gradient_lanes());
        if lanes == all {
            return dy;
        }
        let widened = grown(buffer, dy.len() / all * lanes);
        for (pixel, wide) in dy.chunks_exact(all).zip(widened.chunks_exact_mut(lanes)) {
            wide[..channels].copy_from_slice(&pixel[group * channels..][..channels]);
            wide[channels..].fill(0.0);
        }
        widened
    }

    /// Writes a weight gradient from the private layout as OIHW.
    ///
    /// # Panics
    /// When a length does not fit the shape.
    pub fn unpack_grad_weight<T: Copy>(&self, dw: &[T], oihw: &mut [T]) {
        assert_eq!(
            dw.len(),
            self.grad_weight_length(),
            "weight gradient of {self:?}"
        );
        assert_eq!(oihw.len(), self.shape.weights(), "weights of {self:?}");
        for (weight, place) in oihw.iter_mut().zip(self.private_places()) {
            *weight = dw[place];
        }
    }

    /// OIHW weights in the private layout of the weight gradient.
    ///
    /// # Panics
    /// When `oihw` is not one number per weight.
    #[must_use]
    pub fn pack_grad_weight(&self, oihw: &[f32]) -> Vec<f32> {
        assert_eq!(oihw.len(), self.shape.weights(), "weights of {self:?}");
        let mut packed = vec![0.0; self.grad_weight_length()];
        for (weight, place) in oihw.iter().zip(self.private_places()) {
            packed[place] = *weight;
        }
        packed
    }

    /// Where each OIHW weight lies in the private layout.
    fn private_places(&self) -> impl Iterator<Item = usize> {
        let (division, taps) = (self.division(), self.shape.taps());
        let (inputs, lanes) = (division.inputs, self.gradient_lanes());
        (0..self.shape.out_channels).flat_map(move |output| {
            let (group, output) = (output / division.outputs, output % division.outputs);
            let first = group * inputs * taps * lanes + output;
            (0..inputs).flat_map(move |input| {
                (0..taps).map(move |tap| (tap * inputs + input) * lanes + first)
            })
        })
    }
}

/// How the products of a call are added to the gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sums {
    /// Summed on their own, then added.
    Fresh,
    /// Summed on their own; what was there is overwritten.
    Written,
    /// One after another, each to what is there.
    Continued,
}

/// Adds the weight gradient of the pixels of one pass.
#[inline(always)]
pub(super) fn accumulate<S: Simd>(
    simd: S,
    (pass, start_from): (&Pass, Sums),
    [x, dy]: [&[f32]; 2],
    dw: &mut [f32],
) {
    let lanes = pass.target_pixel;
    pass.check([x.len(), dw.len(), dy.len()], lanes);
    // Taps of a row of the kernel that are as far from each other as neighbours.
    let (runs, run) = if pass.channelwise {
        (1, pass.field_columns)
    } else {
        (pass.field_columns, pass.field_run)
    };
    for (start, vectors) in blocks(S::WIDTH, lanes) {
        for i in 0..pass.field_rows * runs {
            let (row, column) = (i / runs, i % runs);
            // SAFETY: `check` has shown that every receptive field lies in `x`; `dy` and `dw` hold
            // `lanes` numbers per pixel and per tap.
            unsafe {
                let x = x.as_ptr().add(pass.source + row * pass.field_row);
                let x = x.add(column * pass.field_column);
                let dy = dy.as_ptr().add(start);
                let dw = dw.as_mut_ptr().add(i * run * lanes + start);
                let (how, run) = ((pass, start_from), (run, dw));
                match (vectors, pass.channelwise) {
                    (2, false) => taps::<S, 2, false>(simd, how, [x, dy], run),
                    (_, false) => taps::<S, 1, false>(simd, how, [x, dy], run),
                    (2, true) => taps::<S, 2, true>(simd, how, [x.add(start), dy], run),
                    (_, true) => taps::<S, 1, true>(simd, how, [x.add(start), dy], run),
                }
            }
        }
    }
}

/// One run of taps by one block of output channels, in tiles of nearly equal width.
///
/// # Safety
/// The pointers must be valid for the receptive fields, the output gradient and the weights.
#[inline(always)]
unsafe fn taps<S: Simd, const VECTORS: usize, const CHANNELWISE: bool>(
    simd: S,
    (pass, start_from): (&Pass, Sums),
    [mut x, dy]: [*const f32; 2],
    (run, mut dw): (usize, *mut f32),
) {
    let step = if CHANNELWISE { pass.field_column } else { 1 };
    let widest = S::TILE[VECTORS - 1].min(24);
    let tiles = run.div_ceil(widest);
    for tile in 0..tiles {
        let width = (run + tile) / tiles;
        macro_rules! tile_of {
            ($($width:literal)*) => {
                match width {
                    $($width if $width <= widest => {
                        tile_of_taps::<S, $width, VECTORS, CHANNELWISE>(
                            simd,
                            (pass, start_from),
                            [x, dy],
                            dw,
                        );
                    })*
                    _ => unreachable!("tiles are at most as wide as the registers hold"),
                }
            };
        }
        // SAFETY: the tiles make up the row of the kernel.
        unsafe {
            tile_of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24);
            x = x.wrapping_add(width * step);
            dw = dw.wrapping_add(width * pass.target_pixel);
        }
    }
}

/// `TAPS` by `VECTORS` accumulators over all pixels of the image, then added to `dw`.
///
/// # Safety
/// As for [`taps`].
#[inline(always)]
unsafe fn tile_of_taps<
    S: Simd,
    const TAPS: usize,
    const VECTORS: usize,
    const CHANNELWISE: bool,
>(
    simd: S,
    (pass, start_from): (&Pass, Sums),
    [x, dy]: [*const f32; 2],
    dw: *mut f32,
) {
    let mut sums = [[simd.splat(0.0); VECTORS]; TAPS];
    if start_from == Sums::Continued {
        for (tap, sums) in sums.iter_mut().enumerate() {
            for (vector, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the caller vouches for the weights of the tile.
                *sum = unsafe { simd.read(dw.add(tap * pass.target_pixel + vector * S::WIDTH)) };
            }
        }
    }
    for row in 0..pass.rows {
        // SAFETY: the caller vouches for every pixel.
        unsafe {
            let x = x.add(row * pass.source_row);
            let dy = dy.add(row * pass.target_row);
            for column in 0..pass.columns {
                let x = x.add(column * pass.source_pixel);
                let dy = dy.add(column * pass.target_pixel);
                let mut gradient = [simd.splat(0.0); VECTORS];
                for (vector, gradient) in gradient.iter_mut().enumerate() {
                    *gradient = simd.read(dy.add(vector * S::WIDTH));
                }
                for (tap, sums) in sums.iter_mut().enumerate() {
                    let at = x.add(tap * if CHANNELWISE { pass.field_column } else { 1 });
                    let mut value = simd.splat(*at);
                    for (vector, (sum, gradient)) in sums.iter_mut().zip(gradient).enumerate() {
                        if CHANNELWISE {
                            value = simd.read(at.add(vector * S::WIDTH));
                        }
                        *sum = simd.fma(value, gradient, *sum);
                    }
                }
            }
        }
    }
    // By reference: an array that is taken apart by value is kept in memory.
    for (tap, sums) in sums.iter().enumerate() {
        for (vector, &sum) in sums.iter().enumerate() {
            // SAFETY: the caller vouches for the weights of the tile.
            unsafe {
                let dw = dw.add(tap * pass.target_pixel + vector * S::WIDTH);
                let sum = match start_from {
                    Sums::Fresh => simd.add(simd.read(dw), sum),
                    Sums::Written | Sums::Continued => sum,
                };
                simd.write(dw, sum);
            }
        }
    }
}
