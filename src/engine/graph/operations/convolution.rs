//! Convolution: `y = x * W + b`.

use serde::{Deserialize, Serialize};

use super::rules::{
    Accuracy, Backward, Declared, Forward, Mismatch, Preparation, Prepared, Purpose, Rules, Saves,
    Tangent, product_parameters,
};
use crate::engine::Result;
use crate::engine::backend::{Backend, ConvolutionShape, WeightShape};
use crate::engine::graph::builder::ConvolutionOptions;
use crate::engine::graph::{ParameterId, Shape};

/// Convolution of a map with a weight tensor `out, in, row, column`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Convolution {
    /// Geometry.
    pub shape: ConvolutionShape,
    /// Weights.
    pub weight: ParameterId,
    /// Bias.
    pub bias: Option<ParameterId>,
}

impl Convolution {
    /// Geometry over maps of shape `input`.
    ///
    /// # Errors
    /// When `input` is not a map, or the kernel does not fit it.
    pub fn geometry(
        input: Shape,
        options: &ConvolutionOptions,
    ) -> std::result::Result<ConvolutionShape, Mismatch> {
        let ConvolutionOptions {
            out_channels,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            bias: _,
        } = *options;
        let Shape::Map {
            channels,
            height,
            width,
        } = input
        else {
            return Err(Mismatch::new("a map", &[input]));
        };
        if groups == 0 || !channels.is_multiple_of(groups) || !out_channels.is_multiple_of(groups) {
            let expected = format!(
                "a map whose channels, and the {out_channels} written, are {groups} groups"
            );
            return Err(Mismatch::new(expected, &[input]));
        }
        let shape = ConvolutionShape {
            in_channels: channels,
            out_channels,
            in_height: height,
            in_width: width,
            kernel,
            stride,
            padding,
            dilation,
            groups,
        };
        if shape.is_sound() {
            return Ok(shape);
        }
        let [rows, columns] = kernel;
        let expected =
            format!("a map that a {rows}x{columns} kernel fits, of a size that can be computed");
        Err(Mismatch::new(expected, &[input]))
    }

    /// What the geometry was made of.
    const fn options(&self) -> ConvolutionOptions {
        let ConvolutionShape {
            out_channels,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            ..
        } = self.shape;
        ConvolutionOptions {
            out_channels,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            bias: self.bias.is_some(),
        }
    }
}

impl Rules for Convolution {
    const NAME: &'static str = "convolution";

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        match *inputs {
            [input] if Self::geometry(input, &self.options())? == self.shape => {
                Ok(self.shape.output())
            }
            _ => Err(Mismatch::new(self.shape.input().to_string(), inputs)),
        }
    }

    fn parameters(&self) -> Vec<Declared> {
        let [rows, columns] = self.shape.kernel;
        let shape = [
            self.shape.out_channels,
            self.shape.group_inputs(),
            rows,
            columns,
        ];
        product_parameters((self.weight, &shape), self.bias)
    }

    fn saves(&self, purpose: Purpose) -> Saves {
        product::saves(purpose)
    }

    fn prepare<B: Backend>(&self, with: &Preparation<B>) -> Result<Prepared<B>> {
        product::prepare(
            with,
            &WeightShape::Convolution(self.shape),
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
        let shape = WeightShape::Convolution(self.shape);
        product::backward(step, &gradient, &shape, (self.weight, self.bias))?;
        step.backend.recycle(step.workspace, gradient);
        Ok(())
    }
}

/// The rules that convolution and linear layers share: both are bilinear in input and weights.
pub(super) mod product {
    use super::{
        Accuracy, Backend, Backward, Forward, ParameterId, Preparation, Prepared, Purpose, Result,
        Saves, Shape, Tangent, WeightShape,
    };

    pub const fn saves(purpose: Purpose) -> Saves {
        match purpose {
            Purpose::Evaluate | Purpose::Distill => Saves::NOTHING,
            Purpose::Analyse | Purpose::Train => Saves::INPUTS,
        }
    }

    pub fn prepare<B: Backend>(
        with: &Preparation<B>,
        shape: &WeightShape,
        weight: ParameterId,
        bias: Option<ParameterId>,
    ) -> Result<Prepared<B>> {
        let weights = with.backend.weights(shape, with.parameters.get(weight))?;
        let bias = bias
            .map(|bias| with.backend.channels(with.parameters.get(bias)))
            .transpose()?;
        Ok(Prepared::Product { weights, bias })
    }

    fn parts<B: Backend>(prepared: &Prepared<B>) -> (&B::Weights, Option<&B::Channels>) {
        match prepared {
            Prepared::Product { weights, bias } => (weights, bias.as_ref()),
            _ => unreachable!("invariant: a layer is prepared as a product"),
        }
    }

    pub fn forward<B: Backend>(step: &mut Forward<B>) -> Result<B::Array> {
        let (backend, accuracy) = (step.backend, step.accuracy);
        let (weights, bias) = parts(step.prepared);
        let (workspace, x) = step.input(0);
        product(backend, accuracy, (workspace, x), (weights, bias))
    }

    fn product<B: Backend>(
        backend: &B,
        accuracy: Accuracy,
        (workspace, x): (&mut B::Workspace, &B::Array),
        (weights, bias): (&B::Weights, Option<&B::Channels>),
    ) -> Result<B::Array> {
        match accuracy {
            Accuracy::Exact => backend.product(workspace, x, weights, bias),
            Accuracy::Fast => backend.fast_product(workspace, x, weights, bias),
        }
    }

    /// `dy = dx * W + x * dW`.
    pub fn tangent<B: Backend>(step: &mut Tangent<B>) -> Result<B::Array> {
        let (backend, accuracy) = (step.backend, step.accuracy);
        let (weights, _) = parts(step.prepared);
        let by_weights = step
            .direction
            .map(|direction| {
                let x = step.primal_input(0);
                product(backend, accuracy, (step.workspace, x), (direction, None))
            })
            .transpose()?;
        if !step.moves(0) {
            return Ok(by_weights.expect("invariant: an input or the weights move"));
        }
        let (workspace, dx) = step.input(0);
        let by_input = product(backend, accuracy, (workspace, dx), (weights, None))?;
        let Some(by_weights) = by_weights else {
            return Ok(by_input);
        };
        let sum = backend.add(step.workspace, by_input, &by_weights)?;
        backend.recycle(step.workspace, by_weights);
        Ok(sum)
    }

    pub fn backward<B: Backend>(
        step: &mut Backward<B>,
        dy: &B::Array,
        shape: &WeightShape,
        (weight, bias): (ParameterId, Option<ParameterId>),
    ) -> Result<()> {
        step.collect_weight(weight, shape, dy)?;
        if let Some(bias) = bias.filter(|&bias| step.wants(bias)) {
            let sums = step.backend.channel_sums(dy)?;
            step.collect_vector(bias, &sums);
        }
        if step.wants_input(0) {
            let (weights, _) = parts(step.prepared);
            let (backend, workspace) = (step.backend, &mut *step.workspace);
            let dx = match step.accuracy {
                Accuracy::Exact => backend.product_grad_input(workspace, dy, weights),
                Accuracy::Fast => backend.fast_product_grad_input(workspace, dy, weights),
            }?;
            let input = step.input_shape(0);
            let dx = match (shape, input) {
                // Features, where a map of one row and column was read.
                (WeightShape::Linear(_), Shape::Map { .. }) => {
                    let map = backend.unflatten(step.workspace, input, &dx)?;
                    backend.recycle(step.workspace, dx);
                    map
                }
                _ => dx,
            };
            step.send(0, dx)?;
        }
        Ok(())
    }
}
