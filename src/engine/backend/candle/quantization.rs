//! Fake quantization.

use candle_core::{DType, Tensor};

use super::taps::indicator;
use super::{Candle, host};
use crate::engine::Result;
use crate::engine::backend::{Grid, Quantization};

impl Candle {
    /// Every number moved to the nearest integer, half to even: adding a number so large that it has
    /// no fraction digits left rounds as the device rounds.
    fn rounded(&self, x: &Tensor) -> Result<Tensor> {
        let large = match self.dtype {
            DType::F64 => 1.5 * 2f64.powi(52),
            _ => 1.5 * 2f64.powi(23),
        };
        Ok(((x + large)? - large)?)
    }

    /// 1 where `x / step` is within the range of the codes, else 0.
    fn within(&self, grid: Grid, x: &Tensor) -> Result<Tensor> {
        let scaled = (x / grid.step)?;
        let inside = (scaled.ge(grid.low)? * scaled.le(grid.high)?)?;
        Ok(indicator(&inside, self.dtype)?)
    }
}

impl Quantization for Candle {
    fn quantize(&self, (): &mut (), grid: Grid, x: &Tensor) -> Result<Tensor> {
        let scaled = (x / grid.step)?.clamp(grid.low, grid.high)?;
        Ok((self.rounded(&scaled)? * grid.step)?)
    }

    fn quantize_mask(&self, (): &mut (), grid: Grid, x: &Tensor, d: Tensor) -> Result<Tensor> {
        Ok((self.within(grid, x)? * d)?)
    }

    fn quantize_grad_step(&self, grid: Grid, x: &Tensor, dy: &Tensor) -> Result<f64> {
        let scaled = (x / grid.step)?;
        let clamped = scaled.clamp(grid.low, grid.high)?;
        // Outside the range the clamped value is the bound itself and nothing is subtracted.
        let inside = (self.within(grid, x)? * &scaled)?;
        let slope = (self.rounded(&clamped)? - inside)?;
        Ok(host(&(slope * dy)?.sum_all()?)?[0])
    }
}
