//! A map as a vector of features in channel, row, column order, whatever the device's layout.

use serde::{Deserialize, Serialize};

use super::rules::{Backward, Forward, Mismatch, Rules, Tangent};
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::graph::Shape;

/// Map to features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flatten;

impl Rules for Flatten {
    const NAME: &'static str = "flatten";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        match inputs {
            [shape @ Shape::Map { .. }] => Ok(Shape::Features(shape.elements())),
            _ => Err(Mismatch::new("one map", inputs)),
        }
    }

    fn is_nonnegative(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|&input| input)
    }

    fn only_moves(&self) -> bool {
        true
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, x) = step.input(0);
        backend.flatten(workspace, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let backend = step.backend;
        let (workspace, dx) = step.input(0);
        backend.flatten(workspace, dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let shape = step.input_shape(0);
        let dx = step.backend.unflatten(step.workspace, shape, &gradient)?;
        step.backend.recycle(step.workspace, gradient);
        step.send(0, dx)
    }
}
