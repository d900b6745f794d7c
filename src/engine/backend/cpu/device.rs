//! The CPU as a [`Backend`]: arrays are rows of channels, the kernels beside this file do the work.

use std::ops::Range;
use std::sync::OnceLock;

use super::activation;
use super::convolution::{Convolution, FrequencyWeights, PackedWeights, Winograd};
use super::elementwise::{self, Affine};
use super::fake_quantize::{self, UniformQuantizer};
use super::layout::{self, Shortcut};
use super::linear::Linear;
use super::normalization::{self, BatchNormGradient, ChannelSums};
use super::outer;
use super::pooling::{self, PoolingShape};
use super::{Array, Isa, Workspace};
use crate::engine::backend::{
    Activation, Backend, Grid, NormGradient, Parts, ShortcutShape, WeightShape, Window,
};
use crate::engine::graph::Shape;
use crate::engine::{Error, Result};

/// Images in a chunk: its activations stay in a core's cache.
const CHUNK: usize = 16;

/// The CPU, with one of its instruction sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    isa: Isa,
}

impl Cpu {
    /// The CPU with the instructions of `isa`.
    #[must_use]
    pub const fn new(isa: Isa) -> Self {
        Self { isa }
    }

    /// Kernels of a convolution.
    fn convolution(self, shape: &super::convolution::ConvolutionShape) -> Convolution {
        Convolution::new(self.isa, *shape)
    }

    /// Faster and less exact kernels, where the shape has them.
    fn winograd(self, shape: &WeightShape) -> Option<Winograd> {
        match shape {
            WeightShape::Convolution(shape) => self.convolution(shape).winograd(),
            WeightShape::Linear(_) => None,
        }
    }

    /// Kernels of a linear layer.
    fn linear(self, shape: &crate::engine::backend::LinearShape) -> Linear {
        Linear::new(self.isa, shape.inputs, shape.outputs)
    }

    /// Largest value of each window, and where it lies.
    fn taken(self, ws: &mut Workspace, window: &Window, x: &Array) -> (Array, Vec<u32>) {
        let shape = pooling_shape(window, x.shape);
        let mut y = ws.array(pooled(&shape), x.images);
        let mut taken = vec![0; y.values.len()];
        pooling::max_pool(self.isa, &shape, &x.values, (&mut y.values, &mut taken));
        (y, taken)
    }
}

/// Weights arranged for products; every arrangement but the first is made when it is first needed.
#[derive(Debug)]
pub struct Weights {
    shape: WeightShape,
    values: Vec<f32>,
    forward: PackedWeights,
    grad_input: OnceLock<PackedWeights>,
    fast_forward: OnceLock<FrequencyWeights>,
    fast_grad_input: OnceLock<FrequencyWeights>,
}

impl Weights {
    fn grad_input(&self, kernel: &Convolution) -> &PackedWeights {
        self.grad_input.get_or_init(|| {
            let mut packed = PackedWeights::new();
            kernel.pack_grad_input(&self.values, &mut packed);
            packed
        })
    }
}

/// A sum of weight gradients, in the kernels' order.
#[derive(Debug)]
pub struct Gradient {
    shape: WeightShape,
    values: Vec<f32>,
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

fn add_bias(y: &mut Array, bias: Option<&Vec<f32>>) {
    if let Some(bias) = bias {
        for place in y.values.chunks_exact_mut(bias.len()) {
            place.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
        }
    }
}

fn map_shape(shape: Shape) -> [usize; 3] {
    match shape {
        Shape::Map {
            channels,
            height,
            width,
        } => [channels, height, width],
        Shape::Features(features) => [features, 1, 1],
    }
}

fn pooling_shape(window: &Window, input: Shape) -> PoolingShape {
    let [channels, in_height, in_width] = map_shape(input);
    let Window {
        kernel,
        stride,
        padding,
    } = *window;
    PoolingShape {
        channels,
        in_height,
        in_width,
        kernel,
        stride,
        padding,
    }
}

fn pooled(shape: &PoolingShape) -> Shape {
    Shape::map(shape.channels, shape.out_height(), shape.out_width())
}

fn shortcut(shape: &ShortcutShape, input: Shape) -> Shortcut {
    let [in_channels, in_height, in_width] = map_shape(input);
    let ShortcutShape {
        stride,
        out_channels,
    } = *shape;
    Shortcut {
        in_channels,
        out_channels,
        in_height,
        in_width,
        stride,
    }
}

fn quantizer(grid: Grid) -> Result<UniformQuantizer> {
    let step = grid.step as f32;
    if step > 0.0 && step.is_finite() {
        Ok(UniformQuantizer::new(
            step,
            grid.low as i32,
            grid.high as i32,
        ))
    } else {
        Err(Error::NotFinite(format!("a step size ({})", grid.step)))
    }
}

impl Backend for Cpu {
    type Array = Array;
    type Channels = Vec<f32>;
    type Weights = Weights;
    type Gradient = Gradient;
    type Workspace = Workspace;

    fn describe(&self) -> String {
        format!("cpu ({})", self.isa)
    }

    fn chunk(&self) -> usize {
        CHUNK
    }

    fn bytes_per_number(&self) -> usize {
        size_of::<f32>()
    }

    fn upload(&self, ws: &mut Workspace, shape: Shape, images: &[f64]) -> Result<Array> {
        let mut x = ws.array(shape, images.len() / shape.elements());
        let [pixels, channels] = x.pixels();
        if pixels == 1 || channels == 1 {
            x.values
                .iter_mut()
                .zip(images)
                .for_each(|(x, &image)| *x = image as f32);
        } else {
            layout::nchw_to_nhwc([pixels, channels], &narrow(images), &mut x.values);
        }
        Ok(x)
    }

    fn download(&self, x: &Array) -> Result<Vec<f64>> {
        let [pixels, channels] = x.pixels();
        let mut values = vec![0.0; x.values.len()];
        layout::nhwc_to_nchw([pixels, channels], &x.values, &mut values);
        Ok(values.into_iter().map(f64::from).collect())
    }

    fn copy(&self, ws: &mut Workspace, x: &Array) -> Result<Array> {
        let mut y = ws.array(x.shape, x.images);
        y.values.copy_from_slice(&x.values);
        Ok(y)
    }

    fn images(&self, ws: &mut Workspace, x: &Array, range: Range<usize>) -> Result<Array> {
        let size = x.shape.elements();
        let mut y = ws.array(x.shape, range.len());
        y.values
            .copy_from_slice(&x.values[range.start * size..range.end * size]);
        Ok(y)
    }

    fn recycle(&self, ws: &mut Workspace, x: Array) {
        ws.recycle(x);
    }

    fn image_count(&self, x: &Array) -> usize {
        x.images
    }

    fn channels(&self, values: &[f64]) -> Result<Vec<f32>> {
        Ok(narrow(values))
    }

    fn weights(&self, shape: &WeightShape, values: &[f64]) -> Result<Weights> {
        let values = narrow(values);
        let mut forward = PackedWeights::new();
        if let WeightShape::Convolution(shape) = shape {
            self.convolution(shape).pack_forward(&values, &mut forward);
        }
        Ok(Weights {
            shape: *shape,
            values,
            forward,
            grad_input: OnceLock::new(),
            fast_forward: OnceLock::new(),
            fast_grad_input: OnceLock::new(),
        })
    }

    fn product(
        &self,
        ws: &mut Workspace,
        x: &Array,
        weights: &Weights,
        bias: Option<&Vec<f32>>,
    ) -> Result<Array> {
        let mut y = ws.array(weights.shape.output(), x.images);
        match &weights.shape {
            WeightShape::Convolution(shape) => {
                let kernel = self.convolution(shape);
                kernel.forward(&x.values, &weights.forward, &mut y.values, &mut ws.scratch);
                add_bias(&mut y, bias);
            }
            WeightShape::Linear(shape) => {
                let bias = bias.map_or(&[] as &[f32], Vec::as_slice);
                self.linear(shape)
                    .forward(&x.values, [&weights.values, bias], &mut y.values);
            }
        }
        Ok(y)
    }

    fn product_grad_input(
        &self,
        ws: &mut Workspace,
        dy: &Array,
        weights: &Weights,
    ) -> Result<Array> {
        match &weights.shape {
            WeightShape::Convolution(shape) => {
                let kernel = self.convolution(shape);
                let packed = weights.grad_input(&kernel);
                let mut dx = ws.array(shape.input(), dy.images);
                kernel.grad_input(&dy.values, packed, &mut dx.values, &mut ws.scratch);
                Ok(dx)
            }
            WeightShape::Linear(shape) => {
                let mut dx = ws.array(Shape::Features(shape.inputs), dy.images);
                self.linear(shape)
                    .grad_input(&dy.values, &weights.values, &mut dx.values);
                Ok(dx)
            }
        }
    }

    fn fast_product(
        &self,
        ws: &mut Workspace,
        x: &Array,
        weights: &Weights,
        bias: Option<&Vec<f32>>,
    ) -> Result<Array> {
        let Some(kernel) = self.winograd(&weights.shape) else {
            return self.product(ws, x, weights, bias);
        };
        let transformed = weights
            .fast_forward
            .get_or_init(|| kernel.forward_weights(&weights.forward));
        let mut y = ws.array(weights.shape.output(), x.images);
        kernel.forward(&x.values, transformed, &mut y.values, &mut ws.scratch);
        add_bias(&mut y, bias);
        Ok(y)
    }

    fn fast_product_grad_input(
        &self,
        ws: &mut Workspace,
        dy: &Array,
        weights: &Weights,
    ) -> Result<Array> {
        let Some(kernel) = self.winograd(&weights.shape) else {
            return self.product_grad_input(ws, dy, weights);
        };
        let direct = kernel.convolution();
        let transformed = weights
            .fast_grad_input
            .get_or_init(|| kernel.grad_input_weights(weights.grad_input(direct)));
        let mut dx = ws.array(direct.shape().input(), dy.images);
        kernel.grad_input(&dy.values, transformed, &mut dx.values, &mut ws.scratch);
        Ok(dx)
    }

    fn gradient(&self, shape: &WeightShape) -> Result<Gradient> {
        let length = match shape {
            WeightShape::Convolution(shape) => self.convolution(shape).grad_weight_length(),
            WeightShape::Linear(shape) => shape.inputs * shape.outputs,
        };
        Ok(Gradient {
            shape: *shape,
            values: vec![0.0; length],
        })
    }

    fn fast_product_grad_weight(
        &self,
        ws: &mut Workspace,
        x: &Array,
        dy: &Array,
        sum: &mut Gradient,
    ) -> Result<()> {
        let Some(kernel) = self.winograd(&sum.shape) else {
            return self.product_grad_weight(ws, x, dy, sum);
        };
        kernel.grad_weight(&x.values, &dy.values, &mut sum.values, &mut ws.scratch);
        Ok(())
    }

    fn product_grad_weight(
        &self,
        ws: &mut Workspace,
        x: &Array,
        dy: &Array,
        sum: &mut Gradient,
    ) -> Result<()> {
        match &sum.shape {
            WeightShape::Convolution(shape) => {
                let kernel = self.convolution(shape);
                kernel.grad_weight(&x.values, &dy.values, &mut sum.values, &mut ws.scratch);
            }
            WeightShape::Linear(shape) => {
                self.linear(shape)
                    .grad_weight(&x.values, &dy.values, &mut sum.values);
            }
        }
        Ok(())
    }

    fn drain_gradients(&self, sums: &mut [&mut Gradient], total: &mut [f64]) -> Result<()> {
        let Some(first) = sums.first() else {
            return Ok(());
        };
        let shape = first.shape;
        let mut added = vec![0.0; first.values.len()];
        for sum in sums {
            for (added, g) in added.iter_mut().zip(&mut sum.values) {
                *added += f64::from(std::mem::take(g));
            }
        }
        if let WeightShape::Convolution(shape) = &shape {
            let mut ordered = vec![0.0; total.len()];
            let kernel = self.convolution(shape);
            kernel.unpack_grad_weight(&added, &mut ordered);
            added = ordered;
        }
        total
            .iter_mut()
            .zip(&added)
            .for_each(|(total, g)| *total += g);
        Ok(())
    }

    fn row_length(&self, shape: &WeightShape) -> usize {
        match shape {
            WeightShape::Convolution(shape) => self.convolution(shape).grad_weight_length(),
            WeightShape::Linear(_) => shape.weights(),
        }
    }

    fn grad_weight_rows(
        &self,
        ws: &mut Workspace,
        shape: &WeightShape,
        (x, dy): (&Array, &Array),
        rows: &mut [f32],
    ) -> Result<()> {
        let x = x.values.chunks_exact(x.shape.elements());
        let dy = dy.values.chunks_exact(dy.shape.elements());
        let images = x.zip(dy);
        for ((x, dy), row) in images.zip(rows.chunks_exact_mut(self.row_length(shape))) {
            row.fill(0.0);
            match shape {
                WeightShape::Convolution(shape) => {
                    let kernel = self.convolution(shape);
                    kernel.grad_weight(x, dy, row, &mut ws.scratch);
                }
                WeightShape::Linear(shape) => self.linear(shape).grad_weight(x, dy, row),
            }
        }
        Ok(())
    }

    fn row_from_weights(&self, shape: &WeightShape, weights: &[f64]) -> Vec<f32> {
        let weights = narrow(weights);
        match shape {
            WeightShape::Convolution(shape) => self.convolution(shape).pack_grad_weight(&weights),
            WeightShape::Linear(_) => weights,
        }
    }

    fn weights_from_row(&self, shape: &WeightShape, row: &[f64]) -> Vec<f64> {
        let mut weights = vec![0.0; shape.weights()];
        match shape {
            WeightShape::Convolution(shape) => {
                self.convolution(shape)
                    .unpack_grad_weight(row, &mut weights);
            }
            WeightShape::Linear(_) => weights.copy_from_slice(row),
        }
        weights
    }

    fn add_outer_products(&self, rows: &[f32], v: &[f32], sum: &mut [f32]) {
        outer::add_outer_products(self.isa, rows, v, sum);
    }

    fn squared_norm(&self, row: &[f32]) -> f64 {
        outer::squared_norm(row)
    }

    fn scale_shift(
        &self,
        ws: &mut Workspace,
        x: &Array,
        scale: &Vec<f32>,
        shift: Option<&Vec<f32>>,
    ) -> Result<Array> {
        let mut y = ws.array(x.shape, x.images);
        let (x, values) = (&x.values, &mut y.values);
        match shift {
            Some(shift) => elementwise::affine(self.isa, x, &Affine { scale, shift }, values),
            None => elementwise::scale(self.isa, x, scale, values),
        }
        Ok(y)
    }

    fn relu(&self, _: &mut Workspace, mut x: Array) -> Result<Array> {
        elementwise::relu_assign(self.isa, &mut x.values);
        Ok(x)
    }

    fn relu_mask(&self, _: &mut Workspace, output: &Array, mut x: Array) -> Result<Array> {
        elementwise::relu_gate_assign(self.isa, &output.values, &mut x.values);
        Ok(x)
    }

    fn add(&self, _: &mut Workspace, mut a: Array, b: &Array) -> Result<Array> {
        elementwise::add_assign(self.isa, &b.values, &mut a.values);
        Ok(a)
    }

    fn concat(&self, ws: &mut Workspace, parts: &Parts<Self>) -> Result<Array> {
        let mut y = ws.array(parts.whole, parts.images(self));
        let channels = y.channels();
        let mut start = 0;
        for (shape, values) in &parts.parts {
            let values = values.map(|array| &array.values[..]);
            let range = start..start + shape.channels();
            layout::write_channels(values, (&mut y.values, channels), range.clone());
            start = range.end;
        }
        Ok(y)
    }

    fn channel_range(&self, ws: &mut Workspace, x: &Array, range: Range<usize>) -> Result<Array> {
        let shape = match x.shape {
            Shape::Map { height, width, .. } => Shape::map(range.len(), height, width),
            Shape::Features(_) => Shape::Features(range.len()),
        };
        let mut y = ws.array(shape, x.images);
        layout::read_channels((&x.values, x.channels()), range, &mut y.values);
        Ok(y)
    }

    fn channel_moments(&self, x: &Array, pivot: &Vec<f32>) -> Result<[Vec<f64>; 2]> {
        let (mut first, mut second) = (vec![0.0; pivot.len()], vec![0.0; pivot.len()]);
        let mut sums = ChannelSums {
            first: &mut first,
            second: &mut second,
        };
        normalization::channel_moments(self.isa, &x.values, pivot, &mut sums);
        Ok([first, second])
    }

    fn channel_products(&self, x: &Array, mean: &Vec<f32>, dy: &Array) -> Result<[Vec<f64>; 2]> {
        let (mut first, mut second) = (vec![0.0; mean.len()], vec![0.0; mean.len()]);
        let mut sums = ChannelSums {
            first: &mut first,
            second: &mut second,
        };
        normalization::gradient_moments(self.isa, [&dy.values, &x.values], mean, &mut sums);
        Ok([first, second])
    }

    fn channel_sums(&self, x: &Array) -> Result<Vec<f64>> {
        let zero = vec![0.0; x.channels()];
        let [sums, _] = self.channel_moments(x, &zero)?;
        Ok(sums)
    }

    fn norm_grad_input(
        &self,
        ws: &mut Workspace,
        x: &Array,
        dy: Array,
        gradient: &NormGradient<Self>,
    ) -> Result<Array> {
        let by = BatchNormGradient {
            mean: gradient.mean,
            gain: gradient.scale,
            offset: gradient.offset,
            slope: gradient.slope,
        };
        let mut dx = ws.array(x.shape, x.images);
        let values = [&dy.values[..], &x.values];
        normalization::batch_norm_grad_input(self.isa, values, &by, &mut dx.values);
        ws.recycle(dy);
        Ok(dx)
    }

    fn max_pool(&self, ws: &mut Workspace, window: &Window, x: &Array) -> Result<Array> {
        Ok(self.taken(ws, window, x).0)
    }

    fn max_pool_tangent(
        &self,
        ws: &mut Workspace,
        window: &Window,
        x: &Array,
        tangent: &Array,
    ) -> Result<Array> {
        let (mut y, taken) = self.taken(ws, window, x);
        let shape = pooling_shape(window, x.shape);
        pooling::max_pool_tangent(&shape, &tangent.values, &taken, &mut y.values);
        Ok(y)
    }

    fn max_pool_backward(
        &self,
        ws: &mut Workspace,
        window: &Window,
        x: &Array,
        dy: &Array,
    ) -> Result<Array> {
        let (y, taken) = self.taken(ws, window, x);
        ws.recycle(y);
        let mut dx = ws.array(x.shape, x.images);
        let shape = pooling_shape(window, x.shape);
        pooling::max_pool_backward(&shape, &dy.values, &taken, &mut dx.values);
        Ok(dx)
    }

    fn average_pool(&self, ws: &mut Workspace, window: &Window, x: &Array) -> Result<Array> {
        let shape = pooling_shape(window, x.shape);
        let mut y = ws.array(pooled(&shape), x.images);
        pooling::average_pool(self.isa, &shape, &x.values, &mut y.values);
        Ok(y)
    }

    fn average_pool_backward(
        &self,
        ws: &mut Workspace,
        window: &Window,
        input: Shape,
        dy: &Array,
    ) -> Result<Array> {
        let mut dx = ws.array(input, dy.images);
        let shape = pooling_shape(window, input);
        pooling::average_pool_backward(self.isa, &shape, &dy.values, &mut dx.values);
        Ok(dx)
    }

    fn global_average_pool(&self, ws: &mut Workspace, x: &Array) -> Result<Array> {
        let mut y = ws.array(Shape::Features(x.channels()), x.images);
        pooling::global_average_pool(self.isa, x.pixels(), &x.values, &mut y.values);
        Ok(y)
    }

    fn global_average_pool_backward(
        &self,
        ws: &mut Workspace,
        input: Shape,
        dy: &Array,
    ) -> Result<Array> {
        let mut dx = ws.array(input, dy.images);
        let pixels = dx.pixels();
        pooling::global_average_pool_backward(self.isa, pixels, &dy.values, &mut dx.values);
        Ok(dx)
    }

    fn flatten(&self, ws: &mut Workspace, x: &Array) -> Result<Array> {
        let mut y = ws.array(Shape::Features(x.shape.elements()), x.images);
        layout::nhwc_to_nchw(x.pixels(), &x.values, &mut y.values);
        Ok(y)
    }

    fn unflatten(&self, ws: &mut Workspace, input: Shape, dy: &Array) -> Result<Array> {
        let mut dx = ws.array(input, dy.images);
        layout::nchw_to_nhwc(dx.pixels(), &dy.values, &mut dx.values);
        Ok(dx)
    }

    fn shortcut(&self, ws: &mut Workspace, shape: &ShortcutShape, x: &Array) -> Result<Array> {
        let kernel = shortcut(shape, x.shape);
        let output = Shape::map(kernel.out_channels, kernel.out_height(), kernel.out_width());
        let mut y = ws.array(output, x.images);
        kernel.forward(&x.values, &mut y.values);
        Ok(y)
    }

    fn shortcut_backward(
        &self,
        ws: &mut Workspace,
        shape: &ShortcutShape,
        input: Shape,
        dy: &Array,
    ) -> Result<Array> {
        let mut dx = ws.array(input, dy.images);
        shortcut(shape, input).backward(&dy.values, &mut dx.values);
        Ok(dx)
    }

    fn quantize(&self, ws: &mut Workspace, grid: Grid, x: &Array) -> Result<Array> {
        let mut y = ws.array(x.shape, x.images);
        fake_quantize::fake_quantize(self.isa, &quantizer(grid)?, &x.values, &mut y.values);
        Ok(y)
    }

    fn quantize_mask(&self, ws: &mut Workspace, grid: Grid, x: &Array, d: Array) -> Result<Array> {
        Ok(self.quantize_backward(ws, grid, x, d)?.0)
    }

    fn quantize_grad_step(&self, grid: Grid, x: &Array, dy: &Array) -> Result<f64> {
        let (_, slope) = self.quantize_backward(&mut Workspace::default(), grid, x, dy.clone())?;
        Ok(slope)
    }

    fn quantize_backward(
        &self,
        _: &mut Workspace,
        grid: Grid,
        x: &Array,
        mut dy: Array,
    ) -> Result<(Array, f64)> {
        let quantizer = quantizer(grid)?;
        let dx = &mut dy.values;
        let slope = fake_quantize::fake_quantize_backward(self.isa, &quantizer, &x.values, dx);
        Ok((dy, slope))
    }

    fn activation(
        &self,
        ws: &mut Workspace,
        x: &Array,
        with: &Activation<Self>,
    ) -> Result<(Array, Option<Array>)> {
        let mut r = ws.array(x.shape, x.images);
        let quantizer = with.grid.map(quantizer).transpose()?;
        let mut quantized = quantizer.map(|_| ws.array(x.shape, x.images));
        let source = activation::Source {
            x: &x.values,
            by: with.norm.map(|[scale, shift]| Affine { scale, shift }),
            residual: with.residual.map(|residual| &residual.values[..]),
        };
        let values = quantized.as_mut().map(|array| &mut array.values[..]);
        let grid = quantizer.as_ref().zip(values);
        activation::forward(self.isa, &source, &mut r.values, grid);
        Ok((r, quantized))
    }

    fn activation_backward(
        &self,
        ws: &mut Workspace,
        (grid, r): (Grid, &Array),
        mut gradient: Array,
        direct: Option<Array>,
    ) -> Result<(Array, f64)> {
        let values = direct.as_ref().map(|direct| &direct.values[..]);
        let rectified = (&r.values[..], &quantizer(grid)?);
        let slope = activation::backward(self.isa, rectified, &mut gradient.values, values);
        if let Some(direct) = direct {
            ws.recycle(direct);
        }
        Ok((gradient, slope))
    }
}
