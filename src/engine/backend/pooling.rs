//! What maps are reduced and laid out anew by.

use super::{Arrays, ShortcutShape, Window};
use crate::engine::Result;
use crate::engine::graph::Shape;

/// Pooling, flattening and shortcuts.
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
}
