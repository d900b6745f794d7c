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

pub mod candle;
pub mod cpu;
mod geometry;

use std::fmt::Debug;
use std::ops::Range;

pub use geometry::{ConvolutionShape, Grid, LinearShape, ShortcutShape, WeightShape, Window};

use super::Result;
use super::graph::Shape;

/// Coefficients of the input gradient of batch normalisation on batch statistics:
/// `dx = scale * (dy - offset - (x - mean) * slope)`, each per channel.
#[derive(Debug)]
pub struct NormGradient<'a, B: Backend> {
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
pub struct Parts<'a, B: Backend> {
    /// Shape of all together.
    pub whole: Shape,
    /// Shape and values of each; zeros where there are no values. At least one has values.
    pub parts: Vec<(Shape, Option<&'a B::Array>)>,
}

impl<B: Backend> Parts<'_, B> {
    /// The number of images.
    ///
    /// # Panics
    /// When no part has values.
    pub fn images(&self, backend: &B) -> usize {
        let given = self.parts.iter().find_map(|(_, values)| *values);
        backend.image_count(given.expect("invariant: one of the parts has values"))
    }
}

/// What surrounds a rectifier: `r = max(x * scale + shift + residual, 0)`, and `r` on a grid.
#[derive(Debug)]
pub struct Activation<'a, B: Backend> {
    /// Scale and shift of each channel.
    pub norm: Option<[&'a B::Channels; 2]>,
    /// Added before rectifying.
    pub residual: Option<&'a B::Array>,
    /// The grid.
    pub grid: Option<Grid>,
}

/// Memory reused from call to call.
pub trait Reuse: Debug + Default + Send {
    /// The same for another thread: what one of them takes back, the others may hand out.
    #[must_use]
    fn beside(&self) -> Self;
}

/// Of a device that keeps its own memory.
impl Reuse for () {
    fn beside(&self) {}
}

/// A device.
pub trait Backend: Debug + Send + Sync + Sized + 'static {
    /// The numbers of one wire for the images of a chunk.
    type Array: Debug + Send + Sync;
    /// One number per channel (or feature).
    type Channels: Debug + Send + Sync;
    /// Weights arranged for products.
    type Weights: Debug + Send + Sync;
    /// A sum of weight gradients.
    type Gradient: Debug + Send + Sync;
    /// Memory reused from call to call; one per thread of work.
    type Workspace: Reuse;

    /// The device in words, such as `cpu (AVX-512)`.
    fn describe(&self) -> String;

    /// Images in a chunk.
    fn chunk(&self) -> usize;

    /// Bytes of one number.
    fn bytes_per_number(&self) -> usize;

    /// Takes `images` images, `shape` numbers each, in channel, row, column order.
    ///
    /// # Errors
    /// When the device fails.
    fn upload(&self, ws: &mut Self::Workspace, shape: Shape, images: &[f64])
    -> Result<Self::Array>;
    /// The numbers in channel, row, column order, image by image.
    ///
    /// # Errors
    /// When the device fails.
    fn download(&self, x: &Self::Array) -> Result<Vec<f64>>;
    /// A copy.
    ///
    /// # Errors
    /// When the device fails.
    fn copy(&self, ws: &mut Self::Workspace, x: &Self::Array) -> Result<Self::Array>;
    /// Some images of an array.
    ///
    /// # Errors
    /// When the device fails.
    fn images(
        &self,
        ws: &mut Self::Workspace,
        x: &Self::Array,
        range: Range<usize>,
    ) -> Result<Self::Array>;
    /// Takes an array back for reuse.
    fn recycle(&self, ws: &mut Self::Workspace, x: Self::Array);
    /// Images in an array.
    fn image_count(&self, x: &Self::Array) -> usize;

    /// Takes one number per channel.
    ///
    /// # Errors
    /// When the device fails.
    fn channels(&self, values: &[f64]) -> Result<Self::Channels>;
    /// Takes weights, in the order of weights files.
    ///
    /// # Errors
    /// When the device fails.
    fn weights(&self, shape: &WeightShape, values: &[f64]) -> Result<Self::Weights>;

    /// `x * w (+ bias)`: convolution or linear product.
    ///
    /// # Errors
    /// When the device fails.
    fn product(
        &self,
        ws: &mut Self::Workspace,
        x: &Self::Array,
        weights: &Self::Weights,
        bias: Option<&Self::Channels>,
    ) -> Result<Self::Array>;
    /// Gradient of [`product`](Self::product) in `x`.
    ///
    /// # Errors
    /// When the device fails.
    fn product_grad_input(
        &self,
        ws: &mut Self::Workspace,
        dy: &Self::Array,
        weights: &Self::Weights,
    ) -> Result<Self::Array>;
    /// [`product`](Self::product), faster and less exact where the device knows how: within 1e-5 of
    /// the largest number. For training only: what is measured or exported is computed exactly.
    ///
    /// # Errors
    /// When the device fails.
    fn fast_product(
        &self,
        ws: &mut Self::Workspace,
        x: &Self::Array,
        weights: &Self::Weights,
        bias: Option<&Self::Channels>,
    ) -> Result<Self::Array> {
        self.product(ws, x, weights, bias)
    }
    /// [`product_grad_input`](Self::product_grad_input), faster and less exact; see
    /// [`fast_product`](Self::fast_product).
    ///
    /// # Errors
    /// When the device fails.
    fn fast_product_grad_input(
        &self,
        ws: &mut Self::Workspace,
        dy: &Self::Array,
        weights: &Self::Weights,
    ) -> Result<Self::Array> {
        self.product_grad_input(ws, dy, weights)
    }
    /// An empty sum of gradients of weights of this shape.
    ///
    /// # Errors
    /// When the device fails.
    fn gradient(&self, shape: &WeightShape) -> Result<Self::Gradient>;
    /// Adds the gradient of [`product`](Self::product) in the weights, over all images.
    ///
    /// # Errors
    /// When the device fails.
    fn product_grad_weight(
        &self,
        ws: &mut Self::Workspace,
        x: &Self::Array,
        dy: &Self::Array,
        sum: &mut Self::Gradient,
    ) -> Result<()>;
    /// [`product_grad_weight`](Self::product_grad_weight), faster and less exact; see
    /// [`fast_product`](Self::fast_product).
    ///
    /// # Errors
    /// When the device fails.
    fn fast_product_grad_weight(
        &self,
        ws: &mut Self::Workspace,
        x: &Self::Array,
        dy: &Self::Array,
        sum: &mut Self::Gradient,
    ) -> Result<()> {
        self.product_grad_weight(ws, x, dy, sum)
    }
    /// Adds sums of gradients of weights of one shape, one after another, to `total`, in the order of
    /// weights files, and empties them.
    ///
    /// # Errors
    /// When the device fails.
    fn drain_gradients(&self, sums: &mut [&mut Self::Gradient], total: &mut [f64]) -> Result<()>;
    /// Numbers in a row of [`grad_weight_rows`](Self::grad_weight_rows).
    fn row_length(&self, shape: &WeightShape) -> usize {
        shape.weights()
    }
    /// The weight gradients of the first images on their own, one row an image, as many as `rows`
    /// holds. A row is in an order that is the device's own affair; numbers that belong to no weight
    /// are zero.
    ///
    /// # Errors
    /// When the device fails.
    fn grad_weight_rows(
        &self,
        ws: &mut Self::Workspace,
        shape: &WeightShape,
        (x, dy): (&Self::Array, &Self::Array),
        rows: &mut [f32],
    ) -> Result<()> {
        let mut sum = self.gradient(shape)?;
        for (image, row) in rows.chunks_exact_mut(self.row_length(shape)).enumerate() {
            let x = self.images(ws, x, image..image + 1)?;
            let dy = self.images(ws, dy, image..image + 1)?;
            self.product_grad_weight(ws, &x, &dy, &mut sum)?;
            self.recycle(ws, x);
            self.recycle(ws, dy);
            let mut gradient = vec![0.0; shape.weights()];
            self.drain_gradients(&mut [&mut sum], &mut gradient)?;
            row.copy_from_slice(&self.row_from_weights(shape, &gradient));
        }
        Ok(())
    }
    /// Weights as a row.
    fn row_from_weights(&self, _: &WeightShape, weights: &[f64]) -> Vec<f32> {
        weights.iter().map(|&w| w as f32).collect()
    }
    /// A row in the order of weights files.
    fn weights_from_row(&self, _: &WeightShape, row: &[f64]) -> Vec<f64> {
        row.to_vec()
    }
    /// Adds `sum over rows of row (row . v)`.
    fn add_outer_products(&self, rows: &[f32], v: &[f32], sum: &mut [f32]) {
        for row in rows.chunks_exact(v.len()) {
            let part: f64 = row.iter().zip(v).map(|(r, v)| f64::from(r * v)).sum();
            for (sum, r) in sum.iter_mut().zip(row) {
                *sum += part as f32 * r;
            }
        }
    }
    /// The squared norm of a row.
    fn squared_norm(&self, row: &[f32]) -> f64 {
        row.iter().map(|&r| f64::from(r) * f64::from(r)).sum()
    }

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

    /// Largest value of each window.
    ///
    /// # Errors
    /// When the device fails.
    fn max_pool(
        &self,
        ws: &mut Self::Workspace,
        window: &Window,
        x: &Self::Array,
    ) -> Result<Self::Array>;
    /// The values of `tangent` where `x` is largest in each window (the first of equals).
    ///
    /// # Errors
    /// When the device fails.
    fn max_pool_tangent(
        &self,
        ws: &mut Self::Workspace,
        window: &Window,
        x: &Self::Array,
        tangent: &Self::Array,
    ) -> Result<Self::Array>;
    /// Adjoint of [`max_pool_tangent`](Self::max_pool_tangent).
    ///
    /// # Errors
    /// When the device fails.
    fn max_pool_backward(
        &self,
        ws: &mut Self::Workspace,
        window: &Window,
        x: &Self::Array,
        dy: &Self::Array,
    ) -> Result<Self::Array>;
    /// Mean of each window, padding counted.
    ///
    /// # Errors
    /// When the device fails.
    fn average_pool(
        &self,
        ws: &mut Self::Workspace,
        window: &Window,
        x: &Self::Array,
    ) -> Result<Self::Array>;
    /// Adjoint of [`average_pool`](Self::average_pool) over maps of shape `input`.
    ///
    /// # Errors
    /// When the device fails.
    fn average_pool_backward(
        &self,
        ws: &mut Self::Workspace,
        window: &Window,
        input: Shape,
        dy: &Self::Array,
    ) -> Result<Self::Array>;
    /// Mean of each channel.
    ///
    /// # Errors
    /// When the device fails.
    fn global_average_pool(&self, ws: &mut Self::Workspace, x: &Self::Array)
    -> Result<Self::Array>;
    /// Adjoint of [`global_average_pool`](Self::global_average_pool) over maps of shape `input`.
    ///
    /// # Errors
    /// When the device fails.
    fn global_average_pool_backward(
        &self,
        ws: &mut Self::Workspace,
        input: Shape,
        dy: &Self::Array,
    ) -> Result<Self::Array>;
    /// A map as features in channel, row, column order.
    ///
    /// # Errors
    /// When the device fails.
    fn flatten(&self, ws: &mut Self::Workspace, x: &Self::Array) -> Result<Self::Array>;
    /// Inverse of [`flatten`](Self::flatten) to maps of shape `input`.
    ///
    /// # Errors
    /// When the device fails.
    fn unflatten(
        &self,
        ws: &mut Self::Workspace,
        input: Shape,
        dy: &Self::Array,
    ) -> Result<Self::Array>;
    /// See [`ShortcutShape`].
    ///
    /// # Errors
    /// When the device fails.
    fn shortcut(
        &self,
        ws: &mut Self::Workspace,
        shape: &ShortcutShape,
        x: &Self::Array,
    ) -> Result<Self::Array>;
    /// Adjoint of [`shortcut`](Self::shortcut) over maps of shape `input`.
    ///
    /// # Errors
    /// When the device fails.
    fn shortcut_backward(
        &self,
        ws: &mut Self::Workspace,
        shape: &ShortcutShape,
        input: Shape,
        dy: &Self::Array,
    ) -> Result<Self::Array>;

    /// Every number moved to the grid.
    ///
    /// # Errors
    /// When the device fails.
    fn quantize(
        &self,
        ws: &mut Self::Workspace,
        grid: Grid,
        x: &Self::Array,
    ) -> Result<Self::Array>;
    /// `d` where `x / step` is within `low..=high`, else 0: the straight-through rule, backward
    /// and tangent.
    ///
    /// # Errors
    /// When the device fails.
    fn quantize_mask(
        &self,
        ws: &mut Self::Workspace,
        grid: Grid,
        x: &Self::Array,
        d: Self::Array,
    ) -> Result<Self::Array>;
    /// Gradient of the step size (LSQ, arXiv 1902.08153 equation 3, before its scaling): sum of
    /// `dy * (round(x/step) - x/step)` inside the range, `dy * low` below, `dy * high` above.
    ///
    /// # Errors
    /// When the device fails.
    fn quantize_grad_step(&self, grid: Grid, x: &Self::Array, dy: &Self::Array) -> Result<f64>;
    /// [`quantize_mask`](Self::quantize_mask) and
    /// [`quantize_grad_step`](Self::quantize_grad_step) at once.
    ///
    /// # Errors
    /// When the device fails.
    fn quantize_backward(
        &self,
        ws: &mut Self::Workspace,
        grid: Grid,
        x: &Self::Array,
        dy: Self::Array,
    ) -> Result<(Self::Array, f64)> {
        let slope = self.quantize_grad_step(grid, x, &dy)?;
        Ok((self.quantize_mask(ws, grid, x, dy)?, slope))
    }

    /// What is rectified, and the same on the grid if there is one; see [`Activation`].
    ///
    /// # Errors
    /// When the device fails.
    fn activation(
        &self,
        ws: &mut Self::Workspace,
        x: &Self::Array,
        with: &Activation<Self>,
    ) -> Result<(Self::Array, Option<Self::Array>)> {
        let mut sum = match with.norm {
            Some([scale, shift]) => self.scale_shift(ws, x, scale, Some(shift))?,
            None => self.copy(ws, x)?,
        };
        if let Some(residual) = with.residual {
            sum = self.add(ws, sum, residual)?;
        }
        let r = self.relu(ws, sum)?;
        let quantized = with.grid.map(|grid| self.quantize(ws, grid, &r));
        Ok((r, quantized.transpose()?))
    }
    /// Gradient of what is rectified, from that of `r` on the grid and, where `r` is read itself, from
    /// that of `r`; and the gradient of the step size.
    ///
    /// # Errors
    /// When the device fails.
    fn activation_backward(
        &self,
        ws: &mut Self::Workspace,
        (grid, r): (Grid, &Self::Array),
        gradient: Self::Array,
        direct: Option<Self::Array>,
    ) -> Result<(Self::Array, f64)> {
        let (mut gradient, slope) = self.quantize_backward(ws, grid, r, gradient)?;
        if let Some(direct) = direct {
            gradient = self.add(ws, gradient, &direct)?;
            self.recycle(ws, direct);
        }
        Ok((self.relu_mask(ws, r, gradient)?, slope))
    }
}
