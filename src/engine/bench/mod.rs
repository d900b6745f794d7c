//! The works of the benchmark: what a front end does once to warm up and then again and again, to
//! time it. The clock is the front end's.
//!
//! - the network's: [`Forward`], [`ForwardBackward`], [`Training`], [`Products`], [`Sweep`]
//! - a convolution's: [`Convolution`]

mod convolution;
mod settle;
mod walks;

pub use convolution::{Convolution, SHAPES, Which, label};
pub use settle::settle;
pub use walks::{Forward, ForwardBackward, Products, Sweep, Training};
