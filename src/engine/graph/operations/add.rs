//! Sum of two wires of one shape.

use serde::{Deserialize, Serialize};

use super::rules::{Backward, Forward, Mismatch, Rules, Tangent};
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::graph::Shape;

/// Sum of two wires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add;

impl Rules for Add {
    const NAME: &'static str = "add";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        match inputs {
            [a, b] if a == b => Ok(*a),
            _ => Err(Mismatch::new("two inputs of one shape", inputs)),
        }
    }

    fn is_nonnegative(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|&input| input)
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let a = step.take_input(0)?;
        let backend = step.backend;
        let (workspace, b) = step.input(1);
        backend.add(workspace, a, b)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        match (step.moves(0), step.moves(1)) {
            (true, true) => {
                let a = step.take_input(0)?;
                let backend = step.backend;
                let (workspace, b) = step.input(1);
                backend.add(workspace, a, b)
            }
            (true, false) => step.take_input(0),
            _ => step.take_input(1),
        }
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        if step.wants_input(0) && step.wants_input(1) {
            let copy = step.backend.copy(step.workspace, &gradient)?;
            step.send(0, copy)?;
            return step.send(1, gradient);
        }
        let k = usize::from(!step.wants_input(0));
        step.send(k, gradient)
    }
}
