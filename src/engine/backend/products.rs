//! Products of arrays and weights, and their gradients.

use super::{Arrays, WeightShape};
use crate::engine::Result;

/// Convolutions and linear products.
pub trait Products: Arrays {
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
}
