//! Linear layer: `y = W x + b`.

use super::convolution::product;
use super::rules::{
    Backward, Forward, Mismatch, Preparation, Prepared, Purpose, Rules, Saves, Tangent,
};
use crate::engine::Result;
use crate::engine::backend::{Backend, LinearShape, WeightShape};
use crate::engine::graph::{ParameterId, Shape};

/// Product of features with a weight tensor `out, in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Geometry.
    pub shape: LinearShape,
    /// Weights.
    pub weight: ParameterId,
    /// Bias.
    pub bias: Option<ParameterId>,
}

impl Rules for Linear {
    const NAME: &'static str = "linear";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        let input = Shape::Features(self.shape.inputs);
        if inputs == [input] {
            Ok(Shape::Features(self.shape.outputs))
        } else {
            Err(Mismatch::new(input.to_string(), inputs))
        }
    }

    fn parameters(&self) -> Vec<ParameterId> {
        [Some(self.weight), self.bias]
            .into_iter()
            .flatten()
            .collect()
    }

    fn saves(&self, purpose: Purpose) -> Saves {
        product::saves(purpose)
    }

    fn prepare<B: Backend>(&self, with: &Preparation<B>) -> Result<Prepared<B>> {
        product::prepare(
            with,
            &WeightShape::Linear(self.shape),
            self.weight,
            self.bias,
        )
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        product::forward(step)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        product::tangent(step)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let shape = WeightShape::Linear(self.shape);
        product::backward(step, &gradient, &shape, (self.weight, self.bias))?;
        step.backend.recycle(step.workspace, gradient);
        Ok(())
    }
}
