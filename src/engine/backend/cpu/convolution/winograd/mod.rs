//! Convolution of 3x3 with stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, "Fast
//! Algorithms for Convolutional Neural Networks", arXiv 1509.09308): 36 products where the direct
//! kernels take 144.
//!
//! ```text
//! y  = A^T [ (G w G^T) . (B^T x B) ] A      tile by tile of 4x4 outputs, from 6x6 inputs
//! dw = G^T [ sum (B^T x B) . (A dy A^T) ] G   summed over tiles before the last transform
//! ```
//! The input gradient is the first line with mirrored weights. Each of the 36 frequencies is a
//! product of matrices, tiles by channels, for which the direct kernels serve as they are:
//! a group of tiles is transformed, multiplied frequency by frequency, and transformed back.
//!
//! Results are within 1e-5 of the direct ones, relative to the largest. Tiles are independent, so that
//! outputs do not depend, bit for bit, on how images are split into chunks; weight gradients are
//! summed chunk by chunk.

mod grad_weight;
mod product;
#[cfg(test)]
mod tests;
mod tiles;
mod transform;
mod weights;

use super::Convolution;
use crate::engine::backend::Pads;
use crate::engine::backend::cpu::vector::MAX_WIDTH;
pub use weights::FrequencyWeights;

/// Numbers in a transformed tile.
const FREQUENCIES: usize = 36;

/// The Winograd routines of one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Winograd {
    convolution: Convolution,
}

impl Convolution {
    /// The Winograd routines, where they serve: kernels of 3x3 with stride 1, a border of 1 and one
    /// group, whole sixteens of channels on both sides, and maps that tiles of 4x4 cover well enough for at most
    /// half the products of the direct kernels.
    #[must_use]
    pub fn winograd(&self) -> Option<Winograd> {
        let shape = &self.shape;
        let tiles =
            shape.in_height.div_ceil(tiles::OUTPUTS) * shape.in_width.div_ceil(tiles::OUTPUTS);
        let serves = shape.kernel == [3, 3]
            && shape.stride == [1, 1]
            && shape.padding == Pads::even([1, 1])
            && shape.dilation == [1, 1]
            && shape.groups == 1
            && shape.in_channels.is_multiple_of(MAX_WIDTH)
            && shape.out_channels.is_multiple_of(MAX_WIDTH)
            && 2 * FREQUENCIES * tiles <= shape.taps() * shape.in_height * shape.in_width;
        serves.then_some(Winograd { convolution: *self })
    }
}

impl Winograd {
    /// The direct routines of the same shape.
    #[must_use]
    pub const fn convolution(&self) -> &Convolution {
        &self.convolution
    }
}
