//! Convolutions as products of matrices, and linear products.

use candle_core::Tensor;

use super::taps::Windows;
use super::{Candle, Gradient, Weights, host, per_channel};
use crate::engine::Result;
use crate::engine::backend::{ConvolutionShape, Products, WeightShape};

/// A product of each group on its own: its shares of two tensors, cut along an axis each, and the
/// results put together along `along`.
fn by_group(
    shape: &ConvolutionShape,
    factors: [(&Tensor, usize); 2],
    along: usize,
    product: impl Fn([&Tensor; 2]) -> candle_core::Result<Tensor>,
) -> candle_core::Result<Tensor> {
    let share = |group: usize, (tensor, axis): (&Tensor, usize)| {
        let length = tensor.dim(axis)? / shape.groups;
        tensor.narrow(axis, group * length, length)?.contiguous()
    };
    let products = (0..shape.groups).map(|group| {
        let [a, b] = factors.map(|factor| share(group, factor));
        product([&a?, &b?])
    });
    Tensor::cat(&products.collect::<candle_core::Result<Vec<_>>>()?, along)
}

fn flat(x: &Tensor) -> Result<Tensor> {
    let (images, channels, rows, columns) = x.dims4()?;
    Ok(x.reshape((images, channels, rows * columns))?)
}

impl Products for Candle {
    fn product(
        &self,
        (): &mut (),
        x: &Tensor,
        weights: &Weights,
        bias: Option<&Tensor>,
    ) -> Result<Tensor> {
        let y = match &weights.shape {
            WeightShape::Linear(_) => x.flatten_from(1)?.matmul(&weights.matrix.t()?)?,
            WeightShape::Convolution(shape) => {
                let windows = Windows::of_convolution(shape);
                let columns = windows.columns(x)?;
                let y = by_group(shape, [(&weights.matrix, 0), (&columns, 1)], 1, |[w, x]| {
                    w.broadcast_matmul(x)
                })?;
                let [rows, columns] = windows.out;
                y.reshape((x.dims()[0], shape.out_channels, rows, columns))?
            }
        };
        match bias {
            Some(bias) => Ok(y.broadcast_add(&per_channel(bias, &y)?)?),
            None => Ok(y),
        }
    }

    fn product_grad_input(&self, (): &mut (), dy: &Tensor, weights: &Weights) -> Result<Tensor> {
        Ok(match &weights.shape {
            WeightShape::Linear(_) => dy.matmul(&weights.matrix)?,
            WeightShape::Convolution(shape) => {
                let dy = flat(dy)?;
                let columns = by_group(shape, [(&weights.matrix, 0), (&dy, 1)], 1, |[w, dy]| {
                    w.t()?.contiguous()?.broadcast_matmul(dy)
                })?;
                Windows::of_convolution(shape).uncolumns(&columns)?
            }
        })
    }

    fn gradient(&self, shape: &WeightShape) -> Result<Gradient> {
        let shape = *shape;
        Ok(Gradient { sum: None, shape })
    }

    fn product_grad_weight(
        &self,
        (): &mut (),
        x: &Tensor,
        dy: &Tensor,
        sum: &mut Gradient,
    ) -> Result<()> {
        let gradient = match &sum.shape {
            WeightShape::Linear(_) => dy.t()?.contiguous()?.matmul(&x.flatten_from(1)?)?,
            WeightShape::Convolution(shape) => {
                let columns = Windows::of_convolution(shape).columns(x)?;
                let dy = flat(dy)?;
                by_group(shape, [(&dy, 1), (&columns, 1)], 0, |[dy, x]| {
                    dy.matmul(&x.t()?.contiguous()?)?.sum(0)
                })?
            }
        };
        sum.sum = Some(match sum.sum.take() {
            Some(sum) => (sum + gradient)?,
            None => gradient,
        });
        Ok(())
    }

    fn drain_gradients(&self, sums: &mut [&mut Gradient], total: &mut [f64]) -> Result<()> {
        for sum in sums.iter_mut().filter_map(|sum| sum.sum.take()) {
            for (total, value) in total.iter_mut().zip(host(&sum)?) {
                *total += value;
            }
        }
        Ok(())
    }
}
