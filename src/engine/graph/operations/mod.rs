//! One file per operation: its shape rule and its three rules - forward, tangent, backward - side by
//! side, written once over [`Backend`].
//!
//! To add an operation, write one file like its siblings and name it in the list below; a test
//! fails until the operation has a row in the gradient-check table.

mod activate;
mod add;
pub mod batch_norm;
mod concat;
mod convolution;
mod flatten;
mod input;
mod linear;
mod pad;
mod pooling;
mod quantize;
pub mod rules;
mod scale;
mod slice;
mod unflatten;

pub use activate::{Activate, Function};
pub use add::Add;
pub use batch_norm::{BatchNorm, BatchNormMode};
pub use concat::Concat;
pub use convolution::Convolution;
pub use flatten::Flatten;
pub use input::Input;
pub use linear::Linear;
pub use pad::Pad;
pub use pooling::{AveragePool, GlobalAveragePool, MaxPool};
pub use quantize::{Codes, Quantize};
pub use scale::Scale;
pub use slice::Slice;
pub use unflatten::Unflatten;

use serde::{Deserialize, Serialize};

use self::rules::{
    Backward, Declared, Forward, Mismatch, Preparation, Prepared, Purpose, Rules, Saves, Tangent,
};
use super::{ParameterId, Shape};
use crate::engine::Result;
use crate::engine::backend::{Backend, WeightShape};

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident),* $(,)?) => {
        /// What a node computes.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        pub enum Operation {
            $($(#[$doc])* $variant($variant),)*
        }

        $(impl From<$variant> for Operation {
            fn from(operation: $variant) -> Self {
                Self::$variant(operation)
            }
        })*

        impl Operation {
            /// Names of every operation, in declaration order.
            pub const NAMES: &[&str] = &[$($variant::NAME),*];

            /// The operation in a word.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $variant::NAME,)* }
            }

            /// What it writes when it reads wires of these shapes.
            ///
            /// # Errors
            /// When it cannot read them.
            pub fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch> {
                match self { $(Self::$variant(op) => op.shape(inputs),)* }
            }

            /// Whether it is piecewise linear in its input and, apart from it, in its weights:
            /// what makes Hessian blocks equal to Gauss-Newton blocks.
            #[must_use]
            pub const fn is_piecewise_linear(&self) -> bool {
                match self { $(Self::$variant(_) => $variant::PIECEWISE_LINEAR,)* }
            }

            /// The parameters that it reads, which no other node does.
            #[must_use]
            pub fn declared(&self) -> Vec<Declared> {
                match self { $(Self::$variant(op) => op.parameters(),)* }
            }

            /// Whether what it writes cannot be negative, given which of its inputs cannot be.
            #[must_use]
            pub fn is_nonnegative(&self, inputs: &[bool]) -> bool {
                match self { $(Self::$variant(op) => op.is_nonnegative(inputs),)* }
            }

            /// Whether all numbers that it writes are numbers that it reads, or zeros.
            #[must_use]
            pub fn only_moves(&self) -> bool {
                match self { $(Self::$variant(op) => op.only_moves(),)* }
            }

            /// The wires that must outlive the forward walk.
            #[must_use]
            pub fn saves(&self, purpose: Purpose) -> Saves {
                match self { $(Self::$variant(op) => op.saves(purpose),)* }
            }

            /// Arranges its parameters for the device.
            ///
            /// # Errors
            /// When the device fails.
            pub fn prepare<B: Backend>(&self, with: &Preparation<B>) -> Result<Prepared<B>> {
                match self { $(Self::$variant(op) => op.prepare(with),)* }
            }

            /// Its value.
            ///
            /// # Errors
            /// When the device fails.
            pub fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array> {
                match self { $(Self::$variant(op) => op.forward(step),)* }
            }

            /// The derivative of its value along the tangents that reach it.
            ///
            /// # Errors
            /// When the device fails.
            pub fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array> {
                match self { $(Self::$variant(op) => op.tangent(step),)* }
            }

            /// Sends the gradient of its value on to its inputs and parameters.
            ///
            /// # Errors
            /// When the device fails.
            pub fn backward<B: Backend>(
                &self,
                step: &mut Backward<B>,
                gradient: B::Array,
            ) -> Result<()> {
                match self { $(Self::$variant(op) => op.backward(step, gradient),)* }
            }
        }
    };
}

operations! {
    /// The image.
    Input,
    /// Convolution.
    Convolution,
    /// Linear layer.
    Linear,
    /// Batch normalisation.
    BatchNorm,
    /// A factor and a summand for each channel.
    Scale,
    /// A function of every number.
    Activate,
    /// Sum of two wires.
    Add,
    /// Channels of several wires, one after another.
    Concat,
    /// Maximum pooling.
    MaxPool,
    /// Average pooling.
    AveragePool,
    /// Mean of each channel.
    GlobalAveragePool,
    /// Map to features.
    Flatten,
    /// Features to a map of one row and column.
    Unflatten,
    /// Zeros around a map.
    Pad,
    /// Some channels of some places.
    Slice,
    /// Fake quantization of an activation.
    Quantize,
}

impl Operation {
    /// Its trainable parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<ParameterId> {
        let declared = self.declared().into_iter();
        let trained = declared.filter(|parameter| parameter.role.is_trainable());
        trained.map(|parameter| parameter.id).collect()
    }

    /// Weight tensor and geometry, if the operation is a layer.
    #[must_use]
    pub const fn weight(&self) -> Option<(ParameterId, WeightShape)> {
        match self {
            Self::Convolution(op) => Some((op.weight, WeightShape::Convolution(op.shape))),
            Self::Linear(op) => Some((op.weight, WeightShape::Linear(op.shape))),
            _ => None,
        }
    }
}
