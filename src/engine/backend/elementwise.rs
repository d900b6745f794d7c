//! What is done number by number, or channel by channel.

use std::ops::Range;

use super::Arrays;
use crate::engine::Result;
use crate::engine::graph::Shape;

/// Coefficients of the input gradient of batch normalisation on batch statistics:
/// `dx = scale * (dy - offset - (x - mean) * slope)`, each per channel.
#[derive(Debug)]
pub struct NormGradient<'a, B: Arrays> {
    /// gamma / standard deviation.
    pub scale: &'a B::Channels,
    /// Mean of dy.
    pub offset: &'a B::Channels,
    /// Mean of x.
    pub mean: &'a B::Channels,
    /// Mean of `dy * (x - mean)` over the variance.
    pub slope: &'a B::Channels,
}

/// Arrays that are put after each other: one number of images, and all but the channels the same.
#[derive(Debug)]
pub struct Parts<'a, B: Arrays> {
    /// Shape of all together.
    pub whole: Shape,
    /// Shape and values of each; zeros where there are no values. At least one has values.
    pub parts: Vec<(Shape, Option<&'a B::Array>)>,
}

impl<B: Arrays> Parts<'_, B> {
    /// The number of images.
    ///
    /// # Panics
    /// When no part has values.
    pub fn images(&self, backend: &B) -> usize {
        let given = self.parts.iter().find_map(|(_, values)| *values);
        backend.image_count(given.expect("invariant: one of the parts has values"))
    }
}

/// Sums, rectifiers, channels and their statistics.
pub trait Elementwise: Arrays {
    /// `x * scale (+ shift)`, per channel.
    ///
    /// # Errors
    /// When the device fails.
    fn scale_shift(
        &self,
        ws: &mut Self::Workspace,
        x: &Self::Array,
        scale: &Self::Channels,
        shift: Option<&Self::Channels>,
    ) -> Result<Self::Array>;
    /// `max(x, 0)`.
    ///
    /// # Errors
    /// When the device fails.
    fn relu(&self, ws: &mut Self::Workspace, x: Self::Array) -> Result<Self::Array>;
    /// `x` where `output > 0`, else 0: backward and tangent of [`relu`](Self::relu).
    ///
    /// # Errors
    /// When the device fails.
    fn relu_mask(
        &self,
        ws: &mut Self::Workspace,
        output: &Self::Array,
        x: Self::Array,
    ) -> Result<Self::Array>;
    /// `a + b`.
    ///
    /// # Errors
    /// When the device fails.
    fn add(&self, ws: &mut Self::Workspace, a: Self::Array, b: &Self::Array)
    -> Result<Self::Array>;
    /// Channels (or features) of several arrays, one after another.
    ///
    /// # Errors
    /// When the device fails.
    fn concat(&self, ws: &mut Self::Workspace, parts: &Parts<Self>) -> Result<Self::Array>;
    /// Some of the channels (or features) of an array.
    ///
    /// # Errors
    /// When the device fails.
    fn channel_range(
        &self,
        ws: &mut Self::Workspace,
        x: &Self::Array,
        range: Range<usize>,
    ) -> Result<Self::Array>;
    /// Per channel, sums of `x - pivot` and of its square over images and places.
    ///
    /// # Errors
    /// When the device fails.
    fn channel_moments(&self, x: &Self::Array, pivot: &Self::Channels) -> Result<[Vec<f64>; 2]>;
    /// Per channel, sums of `dy` and of `dy * (x - mean)` over images and places.
    ///
    /// # Errors
    /// When the device fails.
    fn channel_products(
        &self,
        x: &Self::Array,
        mean: &Self::Channels,
        dy: &Self::Array,
    ) -> Result<[Vec<f64>; 2]>;
    /// Per channel, the sum of `x` over images and places.
    ///
    /// # Errors
    /// When the device fails.
    fn channel_sums(&self, x: &Self::Array) -> Result<Vec<f64>>;
    /// See [`NormGradient`].
    ///
    /// # Errors
    /// When the device fails.
    fn norm_grad_input(
        &self,
        ws: &mut Self::Workspace,
        x: &Self::Array,
        dy: Self::Array,
        gradient: &NormGradient<Self>,
    ) -> Result<Self::Array>;
}
