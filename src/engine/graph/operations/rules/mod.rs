//! What the rules of an operation are given, and what they answer.

mod backward;
mod forward;
mod prepared;
mod purpose;
mod tangent;
mod wires;

pub use backward::{Backward, Collected, Wanted};
pub use forward::Forward;
pub use prepared::{BatchGradient, Norm, Preparation, Prepared};
pub use purpose::{Accuracy, Purpose};
pub use tangent::Tangent;
pub use wires::{Lifetimes, Wires};

use crate::engine::backend::Backend;
use crate::engine::graph::{ParameterId, Role, Shape};
use crate::engine::{Error, Result};

/// The rules of an operation.
pub trait Rules {
    /// The operation in a word.
    const NAME: &'static str;
    /// See [`Operation::is_piecewise_linear`](super::Operation::is_piecewise_linear).
    const PIECEWISE_LINEAR: bool = true;

    /// What it writes when it reads wires of these shapes.
    ///
    /// # Errors
    /// When it cannot read them.
    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch>;

    /// The parameters that it reads, which no other node does.
    fn parameters(&self) -> Vec<Declared> {
        Vec::new()
    }

    /// Whether what it writes cannot be negative, given which of its inputs cannot be.
    fn is_nonnegative(&self, _inputs: &[bool]) -> bool {
        false
    }

    /// Whether all numbers that it writes are numbers that it reads, or zeros: what is in the image is
    /// in it.
    fn only_moves(&self) -> bool {
        false
    }

    /// The wires that must outlive the forward walk.
    fn saves(&self, _purpose: Purpose) -> Saves {
        Saves::NOTHING
    }

    /// Arranges its parameters for the device.
    ///
    /// # Errors
    /// When the device fails.
    fn prepare<B: Backend>(&self, _with: &Preparation<B>) -> Result<Prepared<B>> {
        Ok(Prepared::Nothing)
    }

    /// Its value.
    ///
    /// # Errors
    /// When the device fails.
    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array>;

    /// The derivative of its value along the tangents that reach it.
    ///
    /// # Errors
    /// When the device fails.
    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array>;

    /// Sends the gradient of its value on to its inputs and parameters.
    ///
    /// # Errors
    /// When the device fails.
    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()>;
}

/// A parameter that an operation reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Which.
    pub id: ParameterId,
    /// What it is for.
    pub role: Role,
    /// The shape that it must have.
    pub shape: Vec<usize>,
}

impl Declared {
    /// A parameter of this shape.
    #[must_use]
    pub fn new(id: ParameterId, role: Role, shape: &[usize]) -> Self {
        let shape = shape.to_vec();
        Self { id, role, shape }
    }
}

/// The weights and the bias of a product.
#[must_use]
pub fn product_parameters(
    weight: (ParameterId, &[usize]),
    bias: Option<ParameterId>,
) -> Vec<Declared> {
    let (weight, shape) = weight;
    let bias = bias.map(|bias| Declared::new(bias, Role::Bias, &shape[..1]));
    let weight = Declared::new(weight, Role::Weight, shape);
    [Some(weight), bias].into_iter().flatten().collect()
}

/// Why an operation cannot read its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What it can read.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl Mismatch {
    /// `expected`, but these shapes came.
    pub fn new(expected: impl Into<String>, inputs: &[Shape]) -> Self {
        let got: Vec<String> = inputs.iter().map(Shape::to_string).collect();
        let got = if got.is_empty() {
            "no input".to_owned()
        } else {
            got.join(" and ")
        };
        Self {
            expected: expected.into(),
            got,
        }
    }

    /// The error of an operation at the node of this name.
    #[must_use]
    pub fn at(self, operation: &'static str, node: &str) -> Error {
        Error::Shape {
            operation,
            node: node.to_owned(),
            expected: self.expected,
            got: self.got,
        }
    }
}

/// Wires that an operation's tangent and backward rules read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Saves {
    /// Its inputs.
    pub inputs: bool,
    /// Its output.
    pub output: bool,
}

impl Saves {
    /// Nothing.
    pub const NOTHING: Self = Self {
        inputs: false,
        output: false,
    };
    /// Its inputs.
    pub const INPUTS: Self = Self {
        inputs: true,
        output: false,
    };
    /// Its output.
    pub const OUTPUT: Self = Self {
        inputs: false,
        output: true,
    };
}
