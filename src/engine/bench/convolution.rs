//! A convolution on its own, on the calling thread.

use crate::engine::Result;
use crate::engine::backend::{Backend, ConvolutionShape, Pads, WeightShape};
use crate::engine::graph::operations::rules::Accuracy;

/// Multiplications and additions that one run does at least.
const LEAST_OPERATIONS: u64 = 1_000_000_000;

/// A square kernel on a square map, without change of size.
const fn same(kernel: usize, channels: (usize, usize), side: usize) -> ConvolutionShape {
    ConvolutionShape {
        in_channels: channels.0,
        out_channels: channels.1,
        in_height: side,
        in_width: side,
        kernel: [kernel, kernel],
        stride: [1, 1],
        padding: Pads::even([kernel / 2, kernel / 2]),
        dilation: [1, 1],
        groups: 1,
    }
}

/// The same in groups.
const fn grouped(groups: usize, channels: usize, side: usize) -> ConvolutionShape {
    ConvolutionShape {
        groups,
        ..same(3, (channels, channels), side)
    }
}

/// Shapes of residual networks for CIFAR and `ImageNet`, of `ResNeXt` and of `MobileNet`.
pub const SHAPES: [ConvolutionShape; 10] = [
    same(3, (16, 16), 32),
    same(3, (32, 32), 16),
    same(3, (64, 64), 8),
    same(3, (3, 16), 32),
    same(1, (256, 64), 56),
    same(3, (128, 128), 28),
    same(3, (512, 512), 7),
    same(1, (2048, 512), 7),
    grouped(32, 128, 28),
    grouped(144, 144, 28),
];

/// A shape in words, such as `3x3 16@32`, `1x1 256->64@56` or, in 32 groups, `3x3 128/32@28`.
#[must_use]
pub fn label(shape: &ConvolutionShape) -> String {
    let ConvolutionShape {
        in_channels,
        out_channels,
        in_width,
        kernel: [rows, columns],
        groups,
        ..
    } = *shape;
    let channels = if in_channels == out_channels {
        in_channels.to_string()
    } else {
        format!("{in_channels}->{out_channels}")
    };
    let divided = if groups == 1 {
        String::new()
    } else {
        format!("/{groups}")
    };
    format!("{rows}x{columns} {channels}{divided}@{in_width}")
}

/// One of the three products of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The output.
    Forward,
    /// The gradient of the input.
    GradInput,
    /// The gradient of the weights.
    GradWeight,
}

impl Which {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Forward, Self::GradInput, Self::GradWeight];
}

/// A convolution with everything its products need.
pub struct Convolution<'a, B: Backend> {
    backend: &'a B,
    workspace: B::Workspace,
    weights: B::Weights,
    x: B::Array,
    dy: B::Array,
    sum: B::Gradient,
    runs: usize,
    operations: u64,
}

/// Numbers between -0.5 and 0.5 without a pattern that matters.
fn values(count: usize, factor: f64) -> Vec<f64> {
    let value = |k: usize| ((k + 1) as f64 * factor).fract() - 0.5;
    (0..count).map(value).collect()
}

impl<'a, B: Backend> Convolution<'a, B> {
    /// Of a shape, on as many images as the device walks at once.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(shape: ConvolutionShape, backend: &'a B) -> Result<Self> {
        let mut workspace = B::Workspace::default();
        let images = backend.chunk();
        let product = WeightShape::Convolution(shape);
        let x = values(images * shape.in_elements(), 0.618_034);
        let dy = values(images * shape.out_elements(), 0.414_214);
        let macs = images * shape.weights() * shape.out_height() * shape.out_width();
        let operations = 2 * macs as u64;
        let runs = LEAST_OPERATIONS.div_ceil(operations);
        Ok(Self {
            x: backend.upload(&mut workspace, shape.input(), &x)?,
            dy: backend.upload(&mut workspace, shape.output(), &dy)?,
            weights: backend.weights(&product, &values(shape.weights(), 0.732_051))?,
            sum: backend.gradient(&product)?,
            backend,
            workspace,
            runs: runs as usize,
            operations: runs * operations,
        })
    }

    /// Multiplications and additions of [`once`](Self::once), as the definition of the product counts
    /// them.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// Computes a product some times.
    ///
    /// # Errors
    /// When the device fails.
    pub fn once(&mut self, which: Which, accuracy: Accuracy) -> Result<()> {
        for _ in 0..self.runs {
            if let Some(written) = self.product(which, accuracy)? {
                self.backend.recycle(&mut self.workspace, written);
            }
        }
        Ok(())
    }

    /// What a product writes; nothing where it adds to a sum.
    fn product(&mut self, which: Which, accuracy: Accuracy) -> Result<Option<B::Array>> {
        let (backend, ws) = (self.backend, &mut self.workspace);
        let (x, dy, weights, sum) = (&self.x, &self.dy, &self.weights, &mut self.sum);
        match (which, accuracy) {
            (Which::Forward, Accuracy::Exact) => backend.product(ws, x, weights, None).map(Some),
            (Which::Forward, Accuracy::Fast) => {
                backend.fast_product(ws, x, weights, None).map(Some)
            }
            (Which::GradInput, Accuracy::Exact) => {
                backend.product_grad_input(ws, dy, weights).map(Some)
            }
            (Which::GradInput, Accuracy::Fast) => {
                backend.fast_product_grad_input(ws, dy, weights).map(Some)
            }
            (Which::GradWeight, Accuracy::Exact) => {
                backend.product_grad_weight(ws, x, dy, sum).map(|()| None)
            }
            (Which::GradWeight, Accuracy::Fast) => {
                let added = backend.fast_product_grad_weight(ws, x, dy, sum);
                added.map(|()| None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_named_by_kernel_channels_and_side() {
        let names: Vec<String> = SHAPES.iter().map(label).collect();
        assert_eq!(names[0], "3x3 16@32");
        assert_eq!(names[3], "3x3 3->16@32");
        assert_eq!(names[7], "1x1 2048->512@7");
        assert_eq!(names[9], "3x3 144/144@28");
    }
}
