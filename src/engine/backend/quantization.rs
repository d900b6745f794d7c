//! Numbers on a grid, and rectifiers whose result goes there.

use super::{Arrays, Elementwise, Grid};
use crate::engine::Result;

/// What surrounds a rectifier: `r = max(x * scale + shift + residual, 0)`, and `r` on a grid.
#[derive(Debug)]
pub struct Activation<'a, B: Arrays> {
    /// Scale and shift of each channel.
    pub norm: Option<[&'a B::Channels; 2]>,
    /// Added before rectifying.
    pub residual: Option<&'a B::Array>,
    /// The grid.
    pub grid: Option<Grid>,
}

/// Fake quantization, forward and backward.
pub trait Quantization: Elementwise {
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
