//! How layers are placed.

use crate::engine::backend::Pads;
use crate::engine::graph::BATCH_NORM_EPSILON;

/// How a convolution layer is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvolutionOptions {
    /// Channels written.
    pub out_channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Step down and right.
    pub stride: [usize; 2],
    /// Zeros around the map.
    pub padding: Pads,
    /// Distance between the positions of the kernel, down and right.
    pub dilation: [usize; 2],
    /// Equal groups that the channels are divided into.
    pub groups: usize,
    /// Whether it has a bias.
    pub bias: bool,
}

impl ConvolutionOptions {
    /// A kernel of `[rows, columns]` that keeps the size of the map where `rows` and `columns` are odd:
    /// stride 1, one group, no bias.
    #[must_use]
    pub const fn same(out_channels: usize, kernel: [usize; 2]) -> Self {
        Self {
            out_channels,
            kernel,
            stride: [1, 1],
            padding: Pads::even([kernel[0] / 2, kernel[1] / 2]),
            dilation: [1, 1],
            groups: 1,
            bias: false,
        }
    }
}

/// How a linear layer is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearOptions {
    /// Features written.
    pub outputs: usize,
    /// Whether it has a bias.
    pub bias: bool,
}

/// How batch normalisation is placed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormOptions {
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether it has a gamma.
    pub scale: bool,
    /// Whether it has a beta.
    pub shift: bool,
}

impl Default for NormOptions {
    /// As `PyTorch` does unless told otherwise.
    fn default() -> Self {
        Self {
            epsilon: BATCH_NORM_EPSILON,
            scale: true,
            shift: true,
        }
    }
}

/// The parameter-free shortcut of CIFAR residual networks (option A of arXiv 1512.03385 section 4.2):
/// every `stride`-th row and column, channels of zeros evenly on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionA {
    /// Step down and right.
    pub stride: usize,
    /// Channels written.
    pub out_channels: usize,
}
