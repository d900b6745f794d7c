//! Sums, rectifiers, channels and their statistics.

use std::ops::Range;

use super::Cpu;
use crate::engine::Result;
use crate::engine::backend::cpu::elementwise::{self, Affine};
use crate::engine::backend::cpu::normalization::{self, BatchNormGradient, ChannelSums};
use crate::engine::backend::cpu::{Array, Workspace, layout};
use crate::engine::backend::{Elementwise, NormGradient, Parts};
use crate::engine::graph::Shape;

impl Elementwise for Cpu {
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
}
