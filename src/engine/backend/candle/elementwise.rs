//! Sums, activation functions, channels and their statistics.

use candle_core::Tensor;

use super::taps::indicator;
use super::{Candle, extents, host, per_channel};
use crate::engine::Result;
use crate::engine::backend::{Elementwise, NormGradient, Parts, Unary};
use crate::engine::shape::Shape;

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

    fn activate(&self, (): &mut (), function: &Unary<Self>, x: Tensor) -> Result<Tensor> {
        Ok(match function {
            Unary::Relu => x.relu()?,
            Unary::Clip { low, high } => x.clamp(*low, *high)?,
            Unary::LeakyRelu(slope) => (x.relu()? - (x.neg()?.relu()? * *slope)?)?,
            Unary::PRelu(slopes) => {
                let below = x.neg()?.relu()?.broadcast_mul(&per_channel(slopes, &x)?)?;
                (x.relu()? - below)?
            }
        })
    }

    fn activate_slope(
        &self,
        (): &mut (),
        function: &Unary<Self>,
        at: &Tensor,
        d: Tensor,
    ) -> Result<Tensor> {
        let where_true = |holds: Tensor| indicator(&holds, self.dtype);
        let above = where_true(at.gt(0.0)?)?;
        let below = || 1.0 - &above;
        let slope = match function {
            Unary::Relu => above,
            Unary::Clip { low, high } => (where_true(at.gt(*low)?)? * where_true(at.lt(*high)?)?)?,
            Unary::LeakyRelu(slope) => (&above + (below()? * *slope)?)?,
            Unary::PRelu(slopes) => {
                let below = below()?.broadcast_mul(&per_channel(slopes, &d)?)?;
                (&above + below)?
            }
        };
        Ok((slope * d)?)
    }

    fn negative_products(&self, x: &Tensor, dy: &Tensor) -> Result<Vec<f64>> {
        channel_sum(&(x.minimum(&x.zeros_like()?)? * dy)?)
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
