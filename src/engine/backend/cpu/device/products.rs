//! Convolutions and linear products by the kernels beside this folder.

use super::{Cpu, Gradient, Weights, narrow};
use crate::engine::Result;
use crate::engine::backend::cpu::convolution::{Convolution, Winograd};
use crate::engine::backend::cpu::linear::Linear;
use crate::engine::backend::cpu::{Array, Workspace, outer};
use crate::engine::backend::{ConvolutionShape, LinearShape, Products, WeightShape};
use crate::engine::shape::Shape;

impl Cpu {
    /// Kernels of a convolution.
    pub(super) fn convolution(self, shape: &ConvolutionShape) -> Convolution {
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
    fn linear(self, shape: &LinearShape) -> Linear {
        Linear::new(self.isa, shape.inputs, shape.outputs)
    }
}

fn add_bias(y: &mut Array, bias: Option<&Vec<f32>>) {
    if let Some(bias) = bias {
        for place in y.values.chunks_exact_mut(bias.len()) {
            place.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
        }
    }
}

impl Products for Cpu {
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
}
