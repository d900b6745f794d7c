//! Quantizers of weights and activations, and networks that use them.

pub mod grids;
pub mod histogram;
pub mod insert;
pub mod network;
pub mod weights;

pub use super::bits::Bits;
pub use super::scale_rule::ScaleRule;
pub use grids::Grids;
pub use insert::LayerBits;
pub use network::{QuantizedNetwork, WeightQuantizer};
