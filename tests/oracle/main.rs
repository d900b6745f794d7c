//! The rules of the engine against independent yardsticks, in float64: finite differences, adjoint
//! identities, candle's own double backward, and the definitions of the quantizers; and the CPU's
//! kernels of every instruction set against plain tensor operations.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a test"
)]

mod agreement;
mod cases;
mod closer;
mod double_backward;
mod forward;
mod gradients;
mod products;
mod quantizer;
