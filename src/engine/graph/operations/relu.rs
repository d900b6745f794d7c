//! Rectifier: `max(x, 0)`, with derivative 0 at 0.

use super::rules::{Backward, Forward, Mismatch, Purpose, Rules, Saves, Tangent};
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::graph::Shape;

/// Rectifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relu;

impl Rules for Relu {
    const NAME: &'static str = "relu";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        match inputs {
            [shape] => Ok(*shape),
            _ => Err(Mismatch::new("one input", inputs)),
        }
    }

    fn saves(&self, purpose: Purpose) -> Saves {
        match purpose {
            Purpose::Evaluate | Purpose::Distill => Saves::NOTHING,
            Purpose::Analyse | Purpose::Train => Saves::OUTPUT,
        }
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let x = step.take_input(0)?;
        step.backend.relu(step.workspace, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let dx = step.take_input(0)?;
        step.backend
            .relu_mask(step.workspace, step.primal_output(), dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let output = step.primal_output();
        let dx = step.backend.relu_mask(step.workspace, output, gradient)?;
        step.send(0, dx)
    }
}
