//! The image: what every graph starts from.

use serde::{Deserialize, Serialize};

use super::rules::{Backward, Forward, Mismatch, Rules, Tangent};
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::graph::Shape;

/// The image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input;

impl Rules for Input {
    const NAME: &'static str = "input";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        Err(Mismatch::new("to be the first node of the graph", inputs))
    }

    fn forward<B: Backend>(&self, _: &mut Forward<B>) -> Result<B::Array> {
        unreachable!("invariant: the walk starts after the image")
    }

    fn tangent<B: Backend>(&self, _: &mut Tangent<B>) -> Result<B::Array> {
        unreachable!("invariant: the image does not move")
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        step.backend.recycle(step.workspace, gradient);
        Ok(())
    }
}
