//! Quantizers of weights and activations, and networks that use them.

mod bits;
pub mod grids;
pub mod histogram;
pub mod insert;
pub mod network;
pub mod post_training;
pub mod weights;

pub use bits::Bits;
pub use grids::Grids;
pub use insert::LayerBits;
pub use network::{QuantizedNetwork, WeightQuantizer};
pub use weights::ScaleRule;
