//! The parameters of an operation, arranged for the device.

use crate::engine::backend::{Backend, Grid};
use crate::engine::graph::Parameters;
use crate::engine::graph::operations::BatchNormMode;

/// What is at hand to arrange an operation's parameters.
#[derive(Debug)]
pub struct Preparation<'a, B: Backend> {
    /// The device.
    pub backend: &'a B,
    /// The values.
    pub parameters: &'a Parameters,
    /// How batch normalisation behaves.
    pub mode: BatchNormMode,
}

/// An operation's parameters, arranged for the device.
#[derive(Debug)]
pub enum Prepared<B: Backend> {
    /// It has none.
    Nothing,
    /// Weights and bias of a layer.
    Product {
        /// Weights.
        weights: B::Weights,
        /// Bias.
        bias: Option<B::Channels>,
    },
    /// Batch normalisation as `x * scale + shift`.
    Norm(Norm<B>),
    /// The grid of fake quantization.
    Grid(Grid),
    /// Numbers of each channel.
    Scale {
        /// What it is multiplied by.
        factor: B::Channels,
        /// What is added.
        shift: B::Channels,
        /// Zeros.
        zero: B::Channels,
    },
    /// Slopes of an activation function, one per channel.
    Slopes(B::Channels),
}

/// Coefficients of batch normalisation.
#[derive(Debug)]
pub struct Norm<B: Backend> {
    /// gamma / deviation.
    pub scale: B::Channels,
    /// beta - mean * gamma / deviation.
    pub shift: B::Channels,
    /// Mean of each channel.
    pub mean: B::Channels,
    /// 1 / deviation of each channel.
    pub inverse: Vec<f64>,
    /// Coefficients of the input gradient on batch statistics, once known; see
    /// [`NormGradient`](crate::engine::backend::NormGradient).
    pub batch: Option<BatchGradient<B>>,
}

/// The part of [`NormGradient`](crate::engine::backend::NormGradient) known after the gradient has
/// arrived.
#[derive(Debug)]
pub struct BatchGradient<B: Backend> {
    /// Mean of dy.
    pub offset: B::Channels,
    /// Mean of `dy * (x - mean)` over the variance.
    pub slope: B::Channels,
}
