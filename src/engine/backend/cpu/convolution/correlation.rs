//! The kernel of forward and of the input gradient: one pass over one padded image.

use super::pass::{Pass, blocks};
use crate::engine::backend::cpu::Isa;
use crate::engine::backend::cpu::vector::Simd;

/// Carries out `pass` with the instructions of `isa`: every output it names is overwritten.
pub(super) fn run(isa: Isa, pass: &Pass, source: &[f32], weights: &[f32], target: &mut [f32]) {
    dispatch!(
        isa,
        correlate(pass: &Pass, source: &[f32], weights: &[f32], target: &mut [f32])
    );
}

#[inline(always)]
pub(super) fn correlate<S: Simd>(
    simd: S,
    pass: &Pass,
    source: &[f32],
    weights: &[f32],
    target: &mut [f32],
) {
    let lanes = pass.channels.next_multiple_of(S::WIDTH);
    pass.check([source.len(), weights.len(), target.len()], lanes);
    for (start, vectors) in blocks(S::WIDTH, lanes) {
        let block = Block {
            pass,
            lanes: (vectors * S::WIDTH).min(pass.channels - start),
            weights: weights[pass.weights + start * pass.field()..].as_ptr(),
        };
        for row in 0..pass.rows {
            // SAFETY: `check` has shown that the reads and writes of every row lie in the slices.
            unsafe {
                let source = source.as_ptr().add(pass.source + row * pass.source_row);
                let target = target
                    .as_mut_ptr()
                    .add(pass.target + row * pass.target_row + start);
                match (vectors, pass.channelwise) {
                    (2, false) => block.row::<S, 2, false>(simd, source, target),
                    (_, false) => block.row::<S, 1, false>(simd, source, target),
                    (2, true) => block.row::<S, 2, true>(simd, source.add(start), target),
                    (_, true) => block.row::<S, 1, true>(simd, source.add(start), target),
                }
            }
        }
    }
}

/// One block of output channels.
struct Block<'a> {
    pass: &'a Pass,
    /// Channels of the block.
    lanes: usize,
    /// Packed weights of the block.
    weights: *const f32,
}

impl Block<'_> {
    /// One row of outputs, in tiles of nearly equal width.
    ///
    /// # Safety
    /// The reads and writes of the row must be valid.
    #[inline(always)]
    unsafe fn row<S: Simd, const VECTORS: usize, const CHANNELWISE: bool>(
        &self,
        simd: S,
        mut source: *const f32,
        mut target: *mut f32,
    ) {
        let widest = S::TILE[VECTORS - 1].min(16);
        let tiles = self.pass.columns.div_ceil(widest);
        for tile in 0..tiles {
            let pixels = (self.pass.columns + tile) / tiles;
            macro_rules! tile_of {
                ($($width:literal)*) => {
                    match pixels {
                        $($width if $width <= widest => {
                            self.tile::<S, $width, VECTORS, CHANNELWISE>(simd, source, target);
                        })*
                        _ => unreachable!("tiles are at most as wide as the registers hold"),
                    }
                };
            }
            // SAFETY: the tiles make up the row, whose reads and writes are valid.
            unsafe {
                tile_of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
                source = source.add(pixels * self.pass.source_pixel);
                target = target.wrapping_add(pixels * self.pass.target_pixel);
            }
        }
    }

    /// A few neighbouring outputs: `PIXELS` by `VECTORS` accumulators.
    ///
    /// # Safety
    /// The reads and writes of the tile must be valid.
    #[inline(always)]
    unsafe fn tile<S: Simd, const PIXELS: usize, const VECTORS: usize, const CHANNELWISE: bool>(
        &self,
        simd: S,
        source: *const f32,
        target: *mut f32,
    ) {
        let pass = self.pass;
        let mut sums = [[simd.splat(0.0); VECTORS]; PIXELS];
        let mut weights = self.weights;
        for row in 0..pass.field_rows {
            for column in 0..pass.field_columns {
                // SAFETY: the caller vouches for the receptive fields and the weights of the block.
                unsafe {
                    let field = source.add(row * pass.field_row + column * pass.field_column);
                    for i in 0..pass.field_run {
                        let mut weight = [simd.splat(0.0); VECTORS];
                        for (vector, weight) in weight.iter_mut().enumerate() {
                            *weight = simd.read(weights.add(vector * S::WIDTH));
                        }
                        weights = weights.add(VECTORS * S::WIDTH);
                        for (pixel, sums) in sums.iter_mut().enumerate() {
                            let at = field.add(pixel * pass.source_pixel + i);
                            let mut value = simd.splat(*at);
                            for (vector, (sum, weight)) in sums.iter_mut().zip(weight).enumerate() {
                                if CHANNELWISE {
                                    value = simd.read(at.add(vector * S::WIDTH));
                                }
                                *sum = simd.fma(value, weight, *sum);
                            }
                        }
                    }
                }
            }
        }
        // By reference: an array that is taken apart by value is kept in memory.
        for (pixel, &sums) in sums.iter().enumerate() {
            // SAFETY: the caller vouches for the outputs of the tile.
            unsafe { self.store(simd, sums, target.add(pixel * pass.target_pixel)) };
        }
    }

    /// The channels of one output.
    ///
    /// # Safety
    /// `target` must be valid for writing the channels of the block.
    #[inline(always)]
    unsafe fn store<S: Simd, const VECTORS: usize>(
        &self,
        simd: S,
        sums: [S::Vector; VECTORS],
        target: *mut f32,
    ) {
        for (vector, &sum) in sums.iter().enumerate() {
            let left = self.lanes - vector * S::WIDTH;
            // SAFETY: as the caller says; only the last vector can be partial.
            unsafe {
                let target = target.add(vector * S::WIDTH);
                if left >= S::WIDTH {
                    simd.write(target, sum);
                } else {
                    simd.write_partial(target, left, sum);
                }
            }
        }
    }
}
