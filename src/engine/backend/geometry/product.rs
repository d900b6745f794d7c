//! Convolutions and linear layers.

use serde::{Deserialize, Serialize};

use super::{Axis, Pads, span};
use crate::engine::shape::Shape;

/// Geometry of a convolution over one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// Zeros around the map.
    pub padding: Pads,
    /// Distance between the positions of the kernel, down and right; 1 where they are neighbours
    /// (arXiv 1511.07122).
    pub dilation: [usize; 2],
    /// Equal groups that the channels are divided into: an output reads the inputs of its own group.
    pub groups: usize,
}

impl ConvolutionShape {
    /// Whether the kernel fits into the padded map, the channels are equal groups, and every number
    /// that the shape implies can be held.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.padded_elements().is_some()
    }

    /// Numbers of the largest image that a kernel of any direction works on, if all sizes are sound.
    fn padded_elements(&self) -> Option<usize> {
        let channels = [self.in_channels, self.out_channels];
        if self.groups == 0 || channels.iter().any(|c| *c == 0 || c % self.groups != 0) {
            return None;
        }
        let mut places = [1usize; 2];
        for axis in [0, 1] {
            let input = [self.in_height, self.in_width][axis];
            let extent = span(self.kernel[axis], self.dilation[axis])?;
            let (before, after) = (self.padding.before(axis), self.padding.after(axis));
            let windows = Axis {
                input,
                extent,
                stride: self.stride[axis],
                before,
                after,
                ceil: false,
            };
            windows.windows()?;
            // The gradient of the input reads an image with a border of at most a kernel's reach.
            let padded = input.checked_add(before)?.checked_add(after)?;
            let length = padded.checked_add(extent.checked_mul(2)?)?;
            places[axis] = length;
        }
        let widest = self.in_channels.max(self.out_channels).checked_add(16)?;
        let elements = Shape::map(widest, places[0], places[1]).checked_elements()?;
        let [rows, columns] = self.kernel;
        let filter = Shape::map(self.group_inputs(), rows, columns).checked_elements()?;
        Shape::map(self.out_channels, filter, 1).checked_elements()?;
        Some(elements)
    }

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
        (self.in_height + self.padding.both(0) - self.extent(0)) / self.stride[0] + 1
    }

    /// Columns written.
    #[must_use]
    pub const fn out_width(&self) -> usize {
        (self.in_width + self.padding.both(1) - self.extent(1)) / self.stride[1] + 1
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
