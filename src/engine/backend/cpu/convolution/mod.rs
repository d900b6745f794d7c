//! Convolution of NHWC images: forward, gradient of the input, gradient of the weights.
//!
//! All three are direct, without a matrix of patches. The image is copied once into scratch memory
//! with its border of zeros, so that inner loops have no conditions; a row of the receptive field
//! is then `kernel width * channels` neighbouring numbers.
//!
//! Forward keeps a tile of accumulators in registers, a few output pixels of one row by one or two
//! vectors of output channels, and walks the receptive field once:
//!
//! ```text
//!               output channels ->
//! pixel 0   [ accumulator ][ accumulator ]      += x[pixel 0, tap] * w[tap, channels]
//! pixel 1   [ accumulator ][ accumulator ]      += x[pixel 1, tap] * w[tap, channels]
//!   ...
//! ```
//!
//! The input gradient is the same walk over the output gradient with mirrored weights, once per
//! residue of the input position modulo the stride (`pass.rs`), so no product with an inserted zero
//! is ever computed. Groups of channels are walks of their own; a depthwise convolution reads
//! vectors of channels where the others read one number. The weight gradient keeps a tile of taps by
//! output channels and walks the pixels of an image.
//!
//! Beside them, `winograd` computes many of the same results with a quarter of the products, less
//! exactly.

mod correlation;
mod forward;
mod grad_input;
mod grad_weight;
mod pack;
mod padding;
mod pass;
#[cfg(test)]
mod tests;
mod winograd;

use super::Isa;
pub use crate::engine::backend::ConvolutionShape;
pub use pack::PackedWeights;
pub use winograd::{FrequencyWeights, Winograd};

/// The three convolution routines of one shape, for one instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    isa: Isa,
    shape: ConvolutionShape,
}

impl Convolution {
    /// The routines of `shape` with the instructions of `isa`.
    ///
    /// # Panics
    /// When the kernel does not fit into the padded image, or a size is zero.
    #[must_use]
    pub fn new(isa: Isa, shape: ConvolutionShape) -> Self {
        assert!(
            shape.in_channels > 0 && shape.out_elements() > 0,
            "a convolution of nothing: {shape:?}"
        );
        let divide =
            [shape.in_channels, shape.out_channels].map(|c| c.is_multiple_of(shape.groups));
        assert!(divide == [true, true], "groups of unequal size: {shape:?}");
        Self { isa, shape }
    }

    /// The geometry.
    #[must_use]
    pub const fn shape(&self) -> &ConvolutionShape {
        &self.shape
    }

    /// Splits a chunk of inputs and a chunk of outputs into as many images.
    fn images(&self, inputs: usize, outputs: usize) -> usize {
        let images = inputs / self.shape.in_elements();
        assert!(
            inputs == images * self.shape.in_elements()
                && outputs == images * self.shape.out_elements(),
            "{inputs} inputs and {outputs} outputs are not the same whole images of {:?}",
            self.shape
        );
        images
    }
}
