//! candle as a [`Backend`]: plain tensor operations on arrays of (images, channels, rows, columns),
//! or (images, features). In float64 on the CPU it is the yardstick of every other path; with the
//! cargo feature `cuda` it runs on an NVIDIA GPU in float32.
//!
//! Nothing here uses candle's own gradients, so the tests can hold them against ours.

mod taps;

use std::ops::Range;

use candle_core::{D, DType, Device, Tensor};

use super::{
    Backend, ConvolutionShape, Grid, NormGradient, Parts, ShortcutShape, WeightShape, Window,
};
use crate::engine::Result;
use crate::engine::graph::Shape;
use taps::{Windows, indicator};

/// Images in a chunk, unless asked otherwise.
const CHUNK: usize = 16;

/// A device of candle's, and the numbers it works with.
#[derive(Debug, Clone)]
pub struct Candle {
    device: Device,
    dtype: DType,
    chunk: usize,
}

/// Weights as a matrix: output channels by everything that one of them reads.
#[derive(Debug)]
pub struct Weights {
    matrix: Tensor,
    shape: WeightShape,
}

/// A sum of weight gradients, as a matrix; nothing yet at first.
#[derive(Debug)]
pub struct Gradient {
    sum: Option<Tensor>,
    shape: WeightShape,
}

impl Candle {
    /// Float64 on the CPU.
    #[must_use]
    pub const fn float64_cpu() -> Self {
        Self {
            device: Device::Cpu,
            dtype: DType::F64,
            chunk: CHUNK,
        }
    }

    /// Float32 on an NVIDIA GPU.
    ///
    /// # Errors
    /// When the program was built without the feature `cuda`, or there is no such GPU.
    pub fn cuda(ordinal: usize) -> Result<Self> {
        Ok(Self {
            device: Device::new_cuda(ordinal)?,
            dtype: DType::F32,
            chunk: CHUNK,
        })
    }

    /// Walks this many images at once.
    #[must_use]
    pub fn with_chunk(self, chunk: usize) -> Self {
        Self { chunk, ..self }
    }

    fn tensor(&self, values: &[f64], dims: &[usize]) -> Result<Tensor> {
        Ok(Tensor::from_slice(values, dims, &self.device)?.to_dtype(self.dtype)?)
    }

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

fn host(x: &Tensor) -> Result<Vec<f64>> {
    Ok(x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

/// One number per channel, ready to meet `like`.
fn per_channel(values: &Tensor, like: &Tensor) -> Result<Tensor> {
    let channels = values.elem_count();
    Ok(match like.rank() {
        4 => values.reshape((1, channels, 1, 1))?,
        _ => values.reshape((1, channels))?,
    })
}

/// Sums over images and places.
fn channel_sum(x: &Tensor) -> Result<Vec<f64>> {
    let sums = match x.rank() {
        4 => x.sum((0, 2, 3))?,
        _ => x.sum(0)?,
    };
    host(&sums)
}

fn extents(shape: Shape, images: usize) -> Vec<usize> {
    match shape {
        Shape::Map {
            channels,
            height,
            width,
        } => vec![images, channels, height, width],
        Shape::Features(features) => vec![images, features],
    }
}

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

/// Rows and columns of an array of maps.
fn map_of(x: &Tensor) -> Result<[usize; 2]> {
    let (_, _, rows, columns) = x.dims4()?;
    Ok([rows, columns])
}

fn flat(x: &Tensor) -> Result<Tensor> {
    let (images, channels, rows, columns) = x.dims4()?;
    Ok(x.reshape((images, channels, rows * columns))?)
}

impl Backend for Candle {
    type Array = Tensor;
    type Channels = Tensor;
    type Weights = Weights;
    type Gradient = Gradient;
    type Workspace = ();

    fn describe(&self) -> String {
        let kind = if self.device.is_cpu() { "cpu" } else { "cuda" };
        let numbers = match self.dtype {
            DType::F64 => "float64",
            _ => "float32",
        };
        format!("candle {kind} {numbers}")
    }

    fn chunk(&self) -> usize {
        self.chunk
    }

    fn bytes_per_number(&self) -> usize {
        self.dtype.size_in_bytes()
    }

    fn upload(&self, (): &mut (), shape: Shape, images: &[f64]) -> Result<Tensor> {
        self.tensor(
            images,
            &extents(shape, images.len() / shape.elements().max(1)),
        )
    }

    fn download(&self, x: &Tensor) -> Result<Vec<f64>> {
        host(x)
    }

    fn copy(&self, (): &mut (), x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn images(&self, (): &mut (), x: &Tensor, range: Range<usize>) -> Result<Tensor> {
        Ok(x.narrow(0, range.start, range.len())?.contiguous()?)
    }

    fn recycle(&self, (): &mut (), _: Tensor) {}

    fn image_count(&self, x: &Tensor) -> usize {
        x.dims()[0]
    }

    fn channels(&self, values: &[f64]) -> Result<Tensor> {
        self.tensor(values, &[values.len()])
    }

    fn weights(&self, shape: &WeightShape, values: &[f64]) -> Result<Weights> {
        let outputs = shape.output_channels();
        let matrix = self.tensor(values, &[outputs, values.len() / outputs.max(1)])?;
        let shape = *shape;
        Ok(Weights { matrix, shape })
    }

    fn product(
        &self,
        (): &mut (),
        x: &Tensor,
        weights: &Weights,
        bias: Option<&Tensor>,
    ) -> Result<Tensor> {
        let y = match &weights.shape {
            WeightShape::Linear(_) => x.matmul(&weights.matrix.t()?)?,
            WeightShape::Convolution(shape) => {
                let windows = Windows::of_convolution(shape);
                let columns = windows.columns(x)?;
                let y = by_group(shape, [(&weights.matrix, 0), (&columns, 1)], 1, |[w, x]| {
                    w.broadcast_matmul(x)
                })?;
                let [rows, columns] = windows.out();
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
            WeightShape::Linear(_) => dy.t()?.contiguous()?.matmul(x)?,
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
