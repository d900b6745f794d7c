//! Maximum, average and global average pooling.

use super::rules::{Backward, Forward, Mismatch, Purpose, Rules, Saves, Tangent};
use crate::engine::Result;
use crate::engine::backend::{Backend, Window};
use crate::engine::graph::Shape;

/// Largest value of each window; ties go to the first place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Geometry.
    pub window: Window,
}

/// Mean of each window, padding counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AveragePool {
    /// Geometry.
    pub window: Window,
}

/// Mean of each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalAveragePool;

fn pooled(window: &Window, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
    let Window {
        kernel,
        stride,
        padding,
    } = *window;
    match *inputs {
        [
            Shape::Map {
                channels,
                height,
                width,
            },
        ] if height + 2 * padding[0] >= kernel[0]
            && width + 2 * padding[1] >= kernel[1]
            && padding[0] * 2 <= kernel[0]
            && padding[1] * 2 <= kernel[1]
            && !stride.contains(&0)
            && !kernel.contains(&0) =>
        {
            let rows = (height + 2 * padding[0] - kernel[0]) / stride[0] + 1;
            let columns = (width + 2 * padding[1] - kernel[1]) / stride[1] + 1;
            Ok(Shape::map(channels, rows, columns))
        }
        _ => {
            let [rows, columns] = kernel;
            Err(Mismatch::new(
                format!("a map that a {rows}x{columns} window fits"),
                inputs,
            ))
        }
    }
}

impl Rules for MaxPool {
    const NAME: &'static str = "max pooling";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        pooled(&self.window, inputs)
    }

    fn saves(&self, purpose: Purpose) -> Saves {
        match purpose {
            Purpose::Evaluate | Purpose::Distill => Saves::NOTHING,
            Purpose::Analyse | Purpose::Train => Saves::INPUTS,
        }
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, x) = step.input(0);
        backend.max_pool(workspace, &self.window, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let (backend, x) = (step.backend, step.primal_input(0));
        let (workspace, dx) = step.input(0);
        backend.max_pool_tangent(workspace, &self.window, x, dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let x = step.primal_input(0);
        let dx = step
            .backend
            .max_pool_backward(step.workspace, &self.window, x, &gradient)?;
        step.backend.recycle(step.workspace, gradient);
        step.send(0, dx)
    }
}

impl Rules for AveragePool {
    const NAME: &'static str = "average pooling";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        pooled(&self.window, inputs)
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, x) = step.input(0);
        backend.average_pool(workspace, &self.window, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, dx) = step.input(0);
        backend.average_pool(workspace, &self.window, dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let input = step.input_shape(0);
        let backend = step.backend;
        let dx = backend.average_pool_backward(step.workspace, &self.window, input, &gradient)?;
        backend.recycle(step.workspace, gradient);
        step.send(0, dx)
    }
}

impl Rules for GlobalAveragePool {
    const NAME: &'static str = "global average pooling";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        match *inputs {
            [Shape::Map { channels, .. }] => Ok(Shape::Features(channels)),
            _ => Err(Mismatch::new("one map", inputs)),
        }
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, x) = step.input(0);
        backend.global_average_pool(workspace, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, dx) = step.input(0);
        backend.global_average_pool(workspace, dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let input = step.input_shape(0);
        let dx = step
            .backend
            .global_average_pool_backward(step.workspace, input, &gradient)?;
        step.backend.recycle(step.workspace, gradient);
        step.send(0, dx)
    }
}
