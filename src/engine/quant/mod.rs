//! Quantizers of weights and activations.

mod bits;

pub use bits::Bits;
