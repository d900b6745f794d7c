//! Maximum, average and global average pooling.

use serde::{Deserialize, Serialize};

use super::rules::{Backward, Forward, Mismatch, Purpose, Rules, Saves, Tangent};
use crate::engine::Result;
use crate::engine::backend::{AverageWindow, Backend, Window};
use crate::engine::graph::Shape;

/// Largest value of each window; ties go to the first place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxPool {
    /// Geometry.
    pub window: Window,
}

/// Mean of each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AveragePool {
    /// Geometry, and what counts.
    pub average: AverageWindow,
}

/// Mean of each channel, as a map of one row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalAveragePool;

fn pooled(window: &Window, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
    let shape = || match *inputs {
        [
            Shape::Map {
                channels,
                height,
                width,
            },
        ] => {
            let (rows, columns) = (window.windows(0, height)?, window.windows(1, width)?);
            Some(Shape::map(channels, rows, columns))
        }
        _ => None,
    };
    shape().ok_or_else(|| {
        let [rows, columns] = window.kernel;
        let expected =
            format!("a map that {rows}x{columns} windows fit, each holding a place of the map");
        Mismatch::new(expected, inputs)
    })
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

    fn is_nonnegative(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|&input| input)
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
        pooled(&self.average.window, inputs)
    }

    fn is_nonnegative(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|&input| input)
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, x) = step.input(0);
        backend.average_pool(workspace, &self.average, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, dx) = step.input(0);
        backend.average_pool(workspace, &self.average, dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let input = step.input_shape(0);
        let backend = step.backend;
        let dx = backend.average_pool_backward(step.workspace, &self.average, input, &gradient)?;
        backend.recycle(step.workspace, gradient);
        step.send(0, dx)
    }
}

impl Rules for GlobalAveragePool {
    const NAME: &'static str = "global average pooling";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        match *inputs {
            [Shape::Map { channels, .. }] => Ok(Shape::map(channels, 1, 1)),
            _ => Err(Mismatch::new("one map", inputs)),
        }
    }

    fn is_nonnegative(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|&input| input)
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
