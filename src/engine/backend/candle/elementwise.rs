//! Sums, rectifiers, channels and their statistics.

use std::ops::Range;

use candle_core::Tensor;

use super::taps::indicator;
use super::{Candle, extents, host, per_channel};
use crate::engine::Result;
use crate::engine::backend::{Elementwise, NormGradient, Parts};
use crate::engine::graph::Shape;

/// Sums over images and places.
fn channel_sum(x: &Tensor) -> Result<Vec<f64>> {
    let sums = match x.rank() {
        4 => x.sum((0, 2, 3))?,
        _ => x.sum(0)?,
    };
    host(&sums)
}

impl Elementwise for Candle {
    fn scale_shift(
        &self,
        (): &mut (),
        x: &Tensor,
        scale: &Tensor,
        shift: Option<&Tensor>,
    ) -> Result<Tensor> {
        let y = x.broadcast_mul(&per_channel(scale, x)?)?;
        match shift {
            Some(shift) => Ok(y.broadcast_add(&per_channel(shift, &y)?)?),
            None => Ok(y),
        }
    }

    fn relu(&self, (): &mut (), x: Tensor) -> Result<Tensor> {
        Ok(x.relu()?)
    }

    fn relu_mask(&self, (): &mut (), output: &Tensor, x: Tensor) -> Result<Tensor> {
        Ok((indicator(&output.gt(0.0)?, self.dtype)? * x)?)
    }

    fn add(&self, (): &mut (), a: Tensor, b: &Tensor) -> Result<Tensor> {
        Ok((a + b)?)
    }

    fn concat(&self, (): &mut (), parts: &Parts<Self>) -> Result<Tensor> {
        let images = parts.images(self);
        let part = |(shape, values): &(Shape, Option<&Tensor>)| match values {
            Some(values) => Ok((*values).clone()),
            None => Tensor::zeros(extents(*shape, images), self.dtype, &self.device),
        };
        let tensors = parts.parts.iter().map(part);
        let tensors = tensors.collect::<candle_core::Result<Vec<_>>>()?;
        Ok(Tensor::cat(&tensors, 1)?)
    }

    fn channel_range(&self, (): &mut (), x: &Tensor, range: Range<usize>) -> Result<Tensor> {
        Ok(x.narrow(1, range.start, range.len())?.contiguous()?)
    }

    fn channel_moments(&self, x: &Tensor, pivot: &Tensor) -> Result<[Vec<f64>; 2]> {
        let centred = x.broadcast_sub(&per_channel(pivot, x)?)?;
        Ok([channel_sum(&centred)?, channel_sum(&centred.sqr()?)?])
    }

    fn channel_products(&self, x: &Tensor, mean: &Tensor, dy: &Tensor) -> Result<[Vec<f64>; 2]> {
        let centred = x.broadcast_sub(&per_channel(mean, x)?)?;
        Ok([channel_sum(dy)?, channel_sum(&(dy * centred)?)?])
    }

    fn channel_sums(&self, x: &Tensor) -> Result<Vec<f64>> {
        channel_sum(x)
    }

    fn norm_grad_input(
        &self,
        (): &mut (),
        x: &Tensor,
        dy: Tensor,
        gradient: &NormGradient<Self>,
    ) -> Result<Tensor> {
        let wide = |values: &Tensor| per_channel(values, x);
        let slope = x
            .broadcast_sub(&wide(gradient.mean)?)?
            .broadcast_mul(&wide(gradient.slope)?)?;
        let inner = (dy.broadcast_sub(&wide(gradient.offset)?)? - slope)?;
        Ok(inner.broadcast_mul(&wide(gradient.scale)?)?)
    }
}
