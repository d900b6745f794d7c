//! The gradient of the weights:
//! `dw[tap, channel] = sum over pixels of x[pixel, tap] dy[pixel, channel]`.
//!
//! Private layout, independent of the instruction set: `[kernel row][kernel column][input channel]`
//! by output channels rounded up to sixteen. The taps of one kernel row are neighbours in the
//! padded image, so a tile of accumulators takes several at once even for three input channels.

use super::Convolution;
use super::pass::{Pass, blocks};
use crate::engine::backend::cpu::Scratch;
use crate::engine::backend::cpu::scratch::grown;
use crate::engine::backend::cpu::vector::{MAX_WIDTH, Simd};

impl Convolution {
    /// Numbers in the private layout of the weight gradient.
    #[must_use]
    pub fn grad_weight_length(&self) -> usize {
        self.shape.taps() * self.shape.in_channels * self.gradient_lanes()
    }

    fn gradient_lanes(&self) -> usize {
        self.shape.out_channels.next_multiple_of(MAX_WIDTH)
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
        let (pass, _) = self.forward_pass();
        let pass = Pass {
            target_pixel: self.gradient_lanes(),
            target_row: pass.columns * self.gradient_lanes(),
            channels: self.gradient_lanes(),
            ..pass
        };
        let images = x.chunks_exact(self.shape.in_elements());
        for (x, dy) in images.zip(dy.chunks_exact(self.shape.out_elements())) {
            let dy = self.whole_vectors(dy, &mut scratch.channels);
            let (isa, x) = (self.isa, padding.place(x, padded));
            let pass = &pass;
            let (pass, values) = ((pass, Sums::Fresh), [x, dy]);
            dispatch!(
                isa,
                accumulate(pass: (&Pass, Sums), values: [&[f32]; 2], dw: &mut [f32])
            );
        }
    }

    /// The output gradient of an image with its channels rounded up to sixteen.
    fn whole_vectors<'a>(&self, dy: &'a [f32], buffer: &'a mut Vec<f32>) -> &'a [f32] {
        let (channels, lanes) = (self.shape.out_channels, self.gradient_lanes());
        if channels == lanes {
            return dy;
        }
        let widened = grown(buffer, dy.len() / channels * lanes);
        for (pixel, wide) in dy
            .chunks_exact(channels)
            .zip(widened.chunks_exact_mut(lanes))
        {
            wide[..channels].copy_from_slice(pixel);
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
        let (inputs, taps, lanes) = (
            self.shape.in_channels,
            self.shape.taps(),
            self.gradient_lanes(),
        );
        (0..self.shape.out_channels).flat_map(move |output| {
            (0..inputs).flat_map(move |input| {
                (0..taps).map(move |tap| (tap * inputs + input) * lanes + output)
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
    for (start, vectors) in blocks(S::WIDTH, lanes) {
        for row in 0..pass.field_rows {
            // SAFETY: `check` has shown that every receptive field lies in `x`; `dy` and `dw` hold
            // `lanes` numbers per pixel and per tap.
            unsafe {
                let x = x.as_ptr().add(pass.source + row * pass.field_row);
                let dy = dy.as_ptr().add(start);
                let dw = dw.as_mut_ptr().add(row * pass.field_run * lanes + start);
                if vectors == 2 {
                    taps::<S, 2>(simd, (pass, start_from), [x, dy], dw);
                } else {
                    taps::<S, 1>(simd, (pass, start_from), [x, dy], dw);
                }
            }
        }
    }
}

/// One row of the kernel by one block of output channels, in tiles of nearly equal width.
///
/// # Safety
/// The pointers must be valid for the receptive fields, the output gradient and the weights.
#[inline(always)]
unsafe fn taps<S: Simd, const VECTORS: usize>(
    simd: S,
    (pass, start_from): (&Pass, Sums),
    [mut x, dy]: [*const f32; 2],
    mut dw: *mut f32,
) {
    let widest = S::TILE[VECTORS - 1].min(24);
    let tiles = pass.field_run.div_ceil(widest);
    for tile in 0..tiles {
        let width = (pass.field_run + tile) / tiles;
        macro_rules! tile_of {
            ($($width:literal)*) => {
                match width {
                    $($width if $width <= widest => {
                        tile_of_taps::<S, $width, VECTORS>(simd, (pass, start_from), [x, dy], dw);
                    })*
                    _ => unreachable!("tiles are at most as wide as the registers hold"),
                }
            };
        }
        // SAFETY: the tiles make up the row of the kernel.
        unsafe {
            tile_of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24);
            x = x.add(width);
            dw = dw.wrapping_add(width * pass.target_pixel);
        }
    }
}

/// `TAPS` by `VECTORS` accumulators over all pixels of the image, then added to `dw`.
///
/// # Safety
/// As for [`taps`].
#[inline(always)]
unsafe fn tile_of_taps<S: Simd, const TAPS: usize, const VECTORS: usize>(
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
                    let value = simd.splat(*x.add(tap));
                    for (sum, gradient) in sums.iter_mut().zip(gradient) {
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
