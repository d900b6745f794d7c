//! What is done number by number, or channel by channel.

use super::Arrays;
use crate::engine::Result;
use crate::engine::shape::Shape;

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

/// A function of every number: a straight line in pieces. At a kink, slopes are those of `PyTorch`'s
/// modules: that below 0 at 0, and 0 at the bounds of a clip.
#[derive(Debug)]
pub enum Unary<'a, B: Arrays> {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, low), high)`.
    Clip {
        /// The smallest value.
        low: f64,
        /// The largest value.
        high: f64,
    },
    /// `x` above 0, else `x` times a slope.
    LeakyRelu(f64),
    /// `x` above 0, else `x` times the slope of its channel (arXiv 1502.01852).
    PRelu(&'a B::Channels),
}

impl<B: Arrays> Clone for Unary<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Arrays> Copy for Unary<'_, B> {}

impl<B: Arrays> Unary<'_, B> {
    /// Whether the output tells on which piece the input lies.
    #[must_use]
    pub fn is_seen_behind(&self) -> bool {
        match self {
            Self::Relu | Self::Clip { .. } => true,
            Self::LeakyRelu(slope) => *slope >= 0.0,
            Self::PRelu(_) => false,
        }
    }
}

/// Sums, activation functions, channels and their statistics.
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
    /// A function of every number.
    ///
    /// # Errors
    /// When the device fails.
    fn activate(
        &self,
        ws: &mut Self::Workspace,
        function: &Unary<Self>,
        x: Self::Array,
    ) -> Result<Self::Array>;
    /// `d` times the slope of a function, `at` its input or, where [`Unary::is_seen_behind`], its output:
    /// backward and tangent of [`activate`](Self::activate).
    ///
    /// # Errors
    /// When the device fails.
    fn activate_slope(
        &self,
        ws: &mut Self::Workspace,
        function: &Unary<Self>,
        at: &Self::Array,
        d: Self::Array,
    ) -> Result<Self::Array>;
    /// Per channel, the sum of `dy * min(x, 0)` over images and places: the gradient of the slopes of
    /// [`Unary::PRelu`].
    ///
    /// # Errors
    /// When the device fails.
    fn negative_products(&self, x: &Self::Array, dy: &Self::Array) -> Result<Vec<f64>>;
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
