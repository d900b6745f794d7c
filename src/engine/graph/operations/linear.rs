//! Linear layer: `y = W x + b`.

use serde::{Deserialize, Serialize};

use super::convolution::product;
use super::rules::{
    Backward, Declared, Forward, Mismatch, Preparation, Prepared, Purpose, Rules, Saves, Tangent,
    product_parameters,
};
use crate::engine::Result;
use crate::engine::backend::{Backend, LinearShape, WeightShape};
use crate::engine::graph::{ParameterId, Shape};

/// Product of features, or of a map of one row and column, with a weight tensor `out, in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
        let LinearShape {
            inputs: read,
            outputs,
        } = self.shape;
        match *inputs {
            [input] if input.is_vector() && input.channels() == read => {
                Ok(Shape::Features(outputs))
            }
            _ => {
                let expected = format!("{read} features, or a map of {read}x1x1");
                Err(Mismatch::new(expected, inputs))
            }
        }
    }

    fn parameters(&self) -> Vec<Declared> {
        let LinearShape { inputs, outputs } = self.shape;
        product_parameters((self.weight, &[outputs, inputs]), self.bias)
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
