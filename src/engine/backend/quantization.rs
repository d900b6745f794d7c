//! Numbers on a grid, and activation functions whose result goes there.

use super::{Arrays, Elementwise, Grid, Unary};
use crate::engine::Result;

/// An activation function and what surrounds it: `r = f(x * scale + shift + residual)`, and `r` on a
/// grid.
#[derive(Debug)]
pub struct Activation<'a, B: Arrays> {
    /// The function.
    pub function: Unary<'a, B>,
    /// Scale and shift of each channel.
    pub norm: Option<[&'a B::Channels; 2]>,
    /// Added before the function.
    pub residual: Option<&'a B::Array>,
    /// The grid.
    pub grid: Option<Grid>,
}

/// What an activation function has written, and where it goes.
#[derive(Debug)]
pub struct Rectified<'a, B: Arrays> {
    /// The function, whose output tells its slope; see [`Unary::is_seen_behind`].
    pub function: Unary<'a, B>,
    /// Its output.
    pub output: &'a B::Array,
    /// The grid of what reads it.
    pub grid: Grid,
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

    /// The value of the function, and the same on the grid if there is one; see [`Activation`].
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
        let r = self.activate(ws, &with.function, sum)?;
        let quantized = with.grid.map(|grid| self.quantize(ws, grid, &r));
        Ok((r, quantized.transpose()?))
    }
    /// Gradient of what the function reads, from that of its output on the grid and, where the output is
    /// read itself, from that of the output; and the gradient of the step size.
    ///
    /// # Errors
    /// When the device fails.
    fn activation_backward(
        &self,
        ws: &mut Self::Workspace,
        rectified: &Rectified<Self>,
        gradient: Self::Array,
        direct: Option<Self::Array>,
    ) -> Result<(Self::Array, f64)> {
        let Rectified {
            function,
            output,
            grid,
        } = *rectified;
        let (mut gradient, slope) = self.quantize_backward(ws, grid, output, gradient)?;
        if let Some(direct) = direct {
            gradient = self.add(ws, gradient, &direct)?;
            self.recycle(ws, direct);
        }
        Ok((self.activate_slope(ws, &function, output, gradient)?, slope))
    }
}
