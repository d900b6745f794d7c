//! What maps are reduced and laid out anew by.

use super::{Arrays, AverageWindow, Region, Window};
use crate::engine::Result;
use crate::engine::shape::Shape;

/// Pooling, flattening, and parts of maps.
pub trait Pooling: Arrays {
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
    /// Mean of each window.
    ///
    /// # Errors
    /// When the device fails.
    fn average_pool(
        &self,
        ws: &mut Self::Workspace,
        average: &AverageWindow,
        x: &Self::Array,
    ) -> Result<Self::Array>;
    /// Adjoint of [`average_pool`](Self::average_pool) over maps of shape `input`.
    ///
    /// # Errors
    /// When the device fails.
    fn average_pool_backward(
        &self,
        ws: &mut Self::Workspace,
        average: &AverageWindow,
        input: Shape,
        dy: &Self::Array,
    ) -> Result<Self::Array>;
    /// Mean of each channel, as a map of one row and column.
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
    /// A region of every image.
    ///
    /// # Errors
    /// When the device fails.
    fn slice(
        &self,
        ws: &mut Self::Workspace,
        region: &Region,
        x: &Self::Array,
    ) -> Result<Self::Array>;
    /// Images of shape `whole` that are zero but for a region, which is `x`: the adjoint of
    /// [`slice`](Self::slice).
    ///
    /// # Errors
    /// When the device fails.
    fn embed(
        &self,
        ws: &mut Self::Workspace,
        region: &Region,
        whole: Shape,
        x: &Self::Array,
    ) -> Result<Self::Array>;
}
