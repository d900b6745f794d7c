//! What a product, a window, a shortcut and a quantizer look like, whatever computes them.

use crate::engine::graph::Shape;

/// Geometry of a convolution over one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvolutionShape {
    /// Channels read.
    pub in_channels: usize,
    /// Channels written.
    pub out_channels: usize,
    /// Rows read.
    pub in_height: usize,
    /// Columns read.
    pub in_width: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Step of the kernel, down and right.
    pub stride: [usize; 2],
    /// Zeros around the map: above and below, left and right.
    pub padding: [usize; 2],
    /// Distance between the positions of the kernel, down and right; 1 where they are neighbours
    /// (arXiv 1511.07122).
    pub dilation: [usize; 2],
    /// Equal groups that the channels are divided into: an output reads the inputs of its own group.
    pub groups: usize,
}

impl ConvolutionShape {
    /// Rows (axis 0) or columns (axis 1) that the kernel spans.
    #[must_use]
    pub const fn extent(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    /// Channels that an output reads.
    #[must_use]
    pub const fn group_inputs(&self) -> usize {
        self.in_channels / self.groups
    }

    /// Channels of a group that are written.
    #[must_use]
    pub const fn group_outputs(&self) -> usize {
        self.out_channels / self.groups
    }

    /// Whether every channel is convolved on its own (arXiv 1704.04861 section 3.1).
    #[must_use]
    pub const fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.in_channels == self.groups && self.out_channels == self.groups
    }

    /// Rows written.
    #[must_use]
    pub const fn out_height(&self) -> usize {
        (self.in_height + 2 * self.padding[0] - self.extent(0)) / self.stride[0] + 1
    }

    /// Columns written.
    #[must_use]
    pub const fn out_width(&self) -> usize {
        (self.in_width + 2 * self.padding[1] - self.extent(1)) / self.stride[1] + 1
    }

    /// The map read.
    #[must_use]
    pub const fn input(&self) -> Shape {
        Shape::map(self.in_channels, self.in_height, self.in_width)
    }

    /// The map written.
    #[must_use]
    pub const fn output(&self) -> Shape {
        Shape::map(self.out_channels, self.out_height(), self.out_width())
    }

    /// Numbers read for one image.
    #[must_use]
    pub const fn in_elements(&self) -> usize {
        self.input().elements()
    }

    /// Numbers written for one image.
    #[must_use]
    pub const fn out_elements(&self) -> usize {
        self.output().elements()
    }

    /// Positions in the kernel.
    #[must_use]
    pub const fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Number of weights.
    #[must_use]
    pub const fn weights(&self) -> usize {
        self.out_channels * self.group_inputs() * self.taps()
    }
}

/// Geometry of a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinearShape {
    /// Features read.
    pub inputs: usize,
    /// Features written.
    pub outputs: usize,
}

/// Which product a weight tensor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WeightShape {
    /// Weights `out, in of the group, row, column`.
    Convolution(ConvolutionShape),
    /// Weights `out, in`.
    Linear(LinearShape),
}

impl WeightShape {
    /// Number of weights.
    #[must_use]
    pub const fn weights(&self) -> usize {
        match self {
            Self::Convolution(shape) => shape.weights(),
            Self::Linear(shape) => shape.inputs * shape.outputs,
        }
    }

    /// Output channels, or features.
    #[must_use]
    pub const fn output_channels(&self) -> usize {
        match self {
            Self::Convolution(shape) => shape.out_channels,
            Self::Linear(shape) => shape.outputs,
        }
    }

    /// What the product writes for one image.
    #[must_use]
    pub const fn output(&self) -> Shape {
        match self {
            Self::Convolution(shape) => shape.output(),
            Self::Linear(shape) => Shape::Features(shape.outputs),
        }
    }
}

/// Geometry of a pooling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Step of the window, down and right.
    pub stride: [usize; 2],
    /// Padding above and below, left and right: minus infinity for a maximum, zeros that count for
    /// an average.
    pub padding: [usize; 2],
}

/// Geometry of the parameter-free shortcut of CIFAR residual networks (option A of arXiv
/// 1512.03385 section 4.2): every `stride`-th row and column, channels padded with zeros evenly
/// on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShortcutShape {
    /// Step down and right.
    pub stride: usize,
    /// Channels written.
    pub out_channels: usize,
}

/// A uniform quantizer: `clamp(round(x / step), low, high) * step`, rounding half to even.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Distance between neighbouring values.
    pub step: f64,
    /// Smallest integer code.
    pub low: f64,
    /// Largest integer code.
    pub high: f64,
}
