//! What a device must be able to do, so that every rule of every operation is written once.
//!
//! A backend computes on a *chunk* of images at a time and serially; the walks of
//! [`autodiff`](crate::engine::autodiff) run chunks in parallel and reduce their results in a fixed
//! order, so nothing depends on the number of threads. The layout of an array is the backend's
//! own affair (rows of channels on the CPU, candle's order in candle); at the border every map is in
//! channel, row, column order and every convolution weight in out, in, row, column order, as in
//! weights files.
//!
//! Host numbers are `f64`, whatever the device computes in.

mod arrays;
pub mod candle;
pub mod cpu;
mod elementwise;
mod geometry;
mod pooling;
mod products;
mod quantization;

pub use arrays::{Arrays, ROOMIEST, Reuse};
pub use elementwise::{Elementwise, NormGradient, Parts, Unary};
pub use geometry::{
    AverageWindow, ConvolutionShape, Grid, Inside, LinearShape, Pads, Region, Span, WeightShape,
    Window,
};
pub use pooling::Pooling;
pub use products::Products;
pub use quantization::{Activation, Quantization, Rectified};

/// A device that can do everything.
pub trait Backend: Products + Elementwise + Pooling + Quantization {}

impl<B: Products + Elementwise + Pooling + Quantization> Backend for B {}
