//! Fake quantization of an activation: values move to a uniform grid, gradients pass straight through
//! inside its range (arXiv 1308.3432), and its step size is learned (LSQ, arXiv 1902.08153).

use serde::{Deserialize, Serialize};

use super::rules::{
    Backward, Declared, Forward, Mismatch, Preparation, Prepared, Purpose, Rules, Saves, Tangent,
};
use crate::engine::Result;
use crate::engine::backend::{Backend, Grid};
use crate::engine::bits::Bits;
use crate::engine::graph::{ParameterId, Role, Shape};

/// The integer codes of a quantizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codes {
    /// `0 ..= 2^bits - 1`: activations after a rectifier.
    Unsigned(Bits),
    /// `-(2^(bits-1) - 1) ..= 2^(bits-1) - 1`: weights and other activations.
    Signed(Bits),
}

impl Codes {
    /// Bit-width of a code.
    #[must_use]
    pub const fn bits(self) -> Bits {
        match self {
            Self::Unsigned(bits) | Self::Signed(bits) => bits,
        }
    }

    /// Smallest and largest code.
    #[must_use]
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::Unsigned(bits) => (0.0, 2f64.powi(i32::from(bits.get())) - 1.0),
            Self::Signed(bits) => {
                let high = 2f64.powi(i32::from(bits.get()) - 1) - 1.0;
                (-high, high)
            }
        }
    }

    /// The grid of these codes, `step` apart.
    #[must_use]
    pub fn grid(self, step: f64) -> Grid {
        let (low, high) = self.range();
        Grid { step, low, high }
    }
}

/// Fake quantization of an activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantize {
    /// The codes.
    pub codes: Codes,
    /// The step size, one number.
    pub step: ParameterId,
}

fn grid<B: Backend>(prepared: &Prepared<B>) -> Grid {
    match prepared {
        Prepared::Grid(grid) => *grid,
        _ => unreachable!("invariant: fake quantization is prepared as a grid"),
    }
}

impl Rules for Quantize {
    const NAME: &'static str = "fake quantization";
    const PIECEWISE_LINEAR: bool = false;

    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
        match inputs {
            [shape] => Ok(*shape),
            _ => Err(Mismatch::new("one input", inputs)),
        }
    }

    fn parameters(&self) -> Vec<Declared> {
        vec![Declared::new(self.step, Role::Step, &[1])]
    }

    fn saves(&self, purpose: Purpose) -> Saves {
        match purpose {
            Purpose::Evaluate | Purpose::Distill => Saves::NOTHING,
            Purpose::Analyse | Purpose::Train => Saves::INPUTS,
        }
    }

    fn prepare<B: Backend>(&self, with: &Preparation<B>) -> Result<Prepared<B>> {
        Ok(Prepared::Grid(
            self.codes.grid(with.parameters.get(self.step)[0]),
        ))
    }

    fn is_nonnegative(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|&input| input)
    }

    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
        let (backend, grid) = (step.backend, grid(step.prepared));
        let (workspace, x) = step.input(0);
        backend.quantize(workspace, grid, x)
    }

    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
        let dx = step.take_input(0)?;
        let x = step.primal_input(0);
        step.backend
            .quantize_mask(step.workspace, grid(step.prepared), x, dx)
    }

    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()> {
        let (x, grid) = (step.primal_input(0), grid(step.prepared));
        let (dx, slope) = step
            .backend
            .quantize_backward(step.workspace, grid, x, gradient)?;
        step.collect_vector(self.step, &[slope]);
        step.send(0, dx)
    }
}
