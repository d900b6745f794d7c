//! Pooling, flattening and shortcuts.

use candle_core::{D, Tensor};

use super::taps::Windows;
use super::{Candle, extents};
use crate::engine::Result;
use crate::engine::backend::{Pooling, ShortcutShape, Window};
use crate::engine::graph::Shape;

/// Rows and columns of an array of maps.
fn map_of(x: &Tensor) -> Result<[usize; 2]> {
    let (_, _, rows, columns) = x.dims4()?;
    Ok([rows, columns])
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

    fn average_pool(&self, (): &mut (), window: &Window, x: &Tensor) -> Result<Tensor> {
        let taps = Windows::of_pooling(window, map_of(x)?).taps(x, 0.0)?;
        let mut sum = taps[0].zeros_like()?;
        for tap in &taps {
            sum = (sum + tap)?;
        }
        Ok((sum / taps.len() as f64)?)
    }

    fn average_pool_backward(
        &self,
        (): &mut (),
        window: &Window,
        input: Shape,
        dy: &Tensor,
    ) -> Result<Tensor> {
        let extents = extents(input, 1);
        let windows = Windows::of_pooling(window, [extents[2], extents[3]]);
        let count = window.kernel[0] * window.kernel[1];
        let share = (dy / count as f64)?;
        Ok(windows.untaps(&vec![share; count])?)
    }

    fn global_average_pool(&self, (): &mut (), x: &Tensor) -> Result<Tensor> {
        Ok(x.mean((D::Minus2, D::Minus1))?)
    }

    fn global_average_pool_backward(
        &self,
        (): &mut (),
        input: Shape,
        dy: &Tensor,
    ) -> Result<Tensor> {
        let (images, channels) = dy.dims2()?;
        let extents = extents(input, images);
        let share = (dy / (extents[2] * extents[3]) as f64)?;
        let share = share.reshape((images, channels, 1, 1))?;
        Ok(share.broadcast_as(extents)?.contiguous()?)
    }

    fn flatten(&self, (): &mut (), x: &Tensor) -> Result<Tensor> {
        Ok(x.flatten_from(1)?)
    }

    fn unflatten(&self, (): &mut (), input: Shape, dy: &Tensor) -> Result<Tensor> {
        Ok(dy.reshape(extents(input, dy.dims()[0]))?)
    }

    fn shortcut(&self, (): &mut (), shape: &ShortcutShape, x: &Tensor) -> Result<Tensor> {
        let read = x.dims()[1];
        let before = (shape.out_channels - read) / 2;
        let after = shape.out_channels - read - before;
        let taps = Windows::of_shortcut(shape, map_of(x)?).taps(x, 0.0)?;
        Ok(taps[0].pad_with_zeros(1, before, after)?)
    }

    fn shortcut_backward(
        &self,
        (): &mut (),
        shape: &ShortcutShape,
        input: Shape,
        dy: &Tensor,
    ) -> Result<Tensor> {
        let extents = extents(input, 1);
        let before = (shape.out_channels - extents[1]) / 2;
        let tap = dy.narrow(1, before, extents[1])?;
        let windows = Windows::of_shortcut(shape, [extents[2], extents[3]]);
        Ok(windows.untaps(&[tap])?)
    }
}
