//! Pooling, flattening, and parts of maps.

use candle_core::{D, Device, Tensor};

use super::taps::Windows;
use super::{Candle, extents};
use crate::engine::Result;
use crate::engine::backend::{AverageWindow, Pooling, Region, Span, Window};
use crate::engine::shape::Shape;

/// Rows and columns of an array of maps.
fn map_of(x: &Tensor) -> Result<[usize; 2]> {
    let (_, _, rows, columns) = x.dims4()?;
    Ok([rows, columns])
}

/// The sum of all taps.
fn total(taps: &[Tensor]) -> candle_core::Result<Tensor> {
    let mut sum = taps[0].zeros_like()?;
    for tap in taps {
        sum = (sum + tap)?;
    }
    Ok(sum)
}

/// Channels, rows and columns.
const fn spans(region: &Region) -> [Span; 3] {
    [region.channels, region.rows, region.columns]
}

fn places(span: Span, device: &Device) -> candle_core::Result<Tensor> {
    Tensor::from_iter(span.places().map(|place| place as u32), device)
}

impl Candle {
    /// Places that count in each window: those of a map of ones, and of its padding where it counts.
    fn counts(&self, average: &AverageWindow, windows: &Windows) -> Result<Tensor> {
        let [rows, columns] = windows.map;
        let ones = Tensor::ones((1, 1, rows, columns), self.dtype, &self.device)?;
        let padding = if average.counts_padding { 1.0 } else { 0.0 };
        Ok(total(&windows.taps_between(&ones, [padding, 0.0])?)?)
    }
}

impl Pooling for Candle {
    fn max_pool(&self, (): &mut (), window: &Window, x: &Tensor) -> Result<Tensor> {
        let taps = Windows::of_pooling(window, map_of(x)?).taps(x, f64::NEG_INFINITY)?;
        let mut largest = taps[0].clone();
        for tap in &taps[1..] {
            largest = largest.maximum(tap)?;
        }
        Ok(largest)
    }

    fn max_pool_tangent(
        &self,
        (): &mut (),
        window: &Window,
        x: &Tensor,
        tangent: &Tensor,
    ) -> Result<Tensor> {
        let windows = Windows::of_pooling(window, map_of(x)?);
        let masks = windows.largest(x)?;
        let taps = windows.taps(tangent, 0.0)?;
        let mut sum = taps[0].zeros_like()?;
        for (mask, tap) in masks.iter().zip(&taps) {
            sum = (sum + (mask * tap)?)?;
        }
        Ok(sum)
    }

    fn max_pool_backward(
        &self,
        (): &mut (),
        window: &Window,
        x: &Tensor,
        dy: &Tensor,
    ) -> Result<Tensor> {
        let windows = Windows::of_pooling(window, map_of(x)?);
        let taken = windows.largest(x)?;
        let taps: Vec<Tensor> = taken
            .iter()
            .map(|mask| mask * dy)
            .collect::<candle_core::Result<_>>()?;
        Ok(windows.untaps(&taps)?)
    }

    fn average_pool(&self, (): &mut (), average: &AverageWindow, x: &Tensor) -> Result<Tensor> {
        let windows = Windows::of_pooling(&average.window, map_of(x)?);
        let sum = total(&windows.taps(x, 0.0)?)?;
        Ok(sum.broadcast_div(&self.counts(average, &windows)?)?)
    }

    fn average_pool_backward(
        &self,
        (): &mut (),
        average: &AverageWindow,
        input: Shape,
        dy: &Tensor,
    ) -> Result<Tensor> {
        let extents = extents(input, 1);
        let windows = Windows::of_pooling(&average.window, [extents[2], extents[3]]);
        let share = dy.broadcast_div(&self.counts(average, &windows)?)?;
        let [rows, columns] = windows.kernel;
        Ok(windows.untaps(&vec![share; rows * columns])?)
    }

    fn global_average_pool(&self, (): &mut (), x: &Tensor) -> Result<Tensor> {
        Ok(x.mean_keepdim((D::Minus2, D::Minus1))?)
    }

    fn global_average_pool_backward(
        &self,
        (): &mut (),
        input: Shape,
        dy: &Tensor,
    ) -> Result<Tensor> {
        let extents = extents(input, dy.dims()[0]);
        let share = (dy / (extents[2] * extents[3]) as f64)?;
        Ok(share.broadcast_as(extents)?.contiguous()?)
    }

    fn flatten(&self, (): &mut (), x: &Tensor) -> Result<Tensor> {
        Ok(x.flatten_from(1)?)
    }

    fn unflatten(&self, (): &mut (), input: Shape, dy: &Tensor) -> Result<Tensor> {
        Ok(dy.reshape(extents(input, dy.dims()[0]))?)
    }

    fn slice(&self, (): &mut (), region: &Region, x: &Tensor) -> Result<Tensor> {
        let mut x = x.contiguous()?;
        for (axis, span) in spans(region).into_iter().take(x.rank() - 1).enumerate() {
            x = x.index_select(&places(span, x.device())?, 1 + axis)?;
        }
        Ok(x)
    }

    fn embed(&self, (): &mut (), region: &Region, whole: Shape, x: &Tensor) -> Result<Tensor> {
        let whole = extents(whole, x.dims()[0]);
        let mut x = x.contiguous()?;
        for (axis, span) in spans(region).into_iter().take(x.rank() - 1).enumerate() {
            let mut wide = x.dims().to_vec();
            wide[1 + axis] = whole[1 + axis];
            let zeros = Tensor::zeros(wide, x.dtype(), x.device())?;
            x = zeros.index_add(&places(span, x.device())?, &x, 1 + axis)?;
        }
        Ok(x)
    }
}
