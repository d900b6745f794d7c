//! Features as a map of one row and column, so that convolutions can read them.

use serde::{Deserialize, Serialize};

use super::rules::{Backward, Forward, Mismatch, Rules, Tangent};
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::graph::Shape;

/// Features to a map of one row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unflatten;

const fn map(features: Shape) -> Shape {
    Shape::map(features.channels(), 1, 1)
}

impl Rules for Unflatten {
    const NAME: &'static str = "unflatten";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        match inputs {
            [shape @ Shape::Features(_)] => Ok(map(*shape)),
            _ => Err(Mismatch::new("features", inputs)),
        }
    }

    fn is_nonnegative(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|&input| input)
    }

    fn only_moves(&self) -> bool {
        true
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let (backend, shape) = (step.backend, map(step.input_shape(0)));
        let (workspace, x) = step.input(0);
        backend.unflatten(workspace, shape, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let (backend, shape) = (step.backend, map(step.input_shape(0)));
        let (workspace, dx) = step.input(0);
        backend.unflatten(workspace, shape, dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let dx = step.backend.flatten(step.workspace, &gradient)?;
        step.backend.recycle(step.workspace, gradient);
        step.send(0, dx)
    }
}
