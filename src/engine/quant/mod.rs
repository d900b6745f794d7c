//! Quantizers of weights and activations.

mod bits;
pub mod weights;

pub use bits::Bits;
pub use weights::ScaleRule;
