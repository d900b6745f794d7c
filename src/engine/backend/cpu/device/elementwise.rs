//! Sums, activation functions, channels and their statistics.

use super::Cpu;
use crate::engine::Result;
use crate::engine::backend::cpu::elementwise::{self, Affine};
use crate::engine::backend::cpu::functions::{self, Function};
use crate::engine::backend::cpu::normalization::{self, BatchNormGradient, ChannelSums};
use crate::engine::backend::cpu::{Array, Workspace, layout};
use crate::engine::backend::{Elementwise, NormGradient, Parts, Unary};

/// The kernel of a function.
pub(super) fn kernel<'a>(function: &Unary<'a, Cpu>) -> Function<'a> {
    match *function {
        Unary::Relu => Function::Relu,
        Unary::Clip { low, high } => Function::Clip {
            low: low as f32,
            high: high as f32,
        },
        Unary::LeakyRelu(slope) => Function::Leaky(slope as f32),
        Unary::PRelu(slopes) => Function::Channels(slopes),
    }
}

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

    fn activate(&self, _: &mut Workspace, function: &Unary<Self>, mut x: Array) -> Result<Array> {
        functions::apply(self.isa, kernel(function), &mut x.values);
        Ok(x)
    }

    fn activate_slope(
        &self,
        _: &mut Workspace,
        function: &Unary<Self>,
        at: &Array,
        mut d: Array,
    ) -> Result<Array> {
        functions::slope(self.isa, kernel(function), &at.values, &mut d.values);
        Ok(d)
    }

    fn negative_products(&self, x: &Array, dy: &Array) -> Result<Vec<f64>> {
        let channels = x.channels();
        let (mut first, mut second) = (vec![0.0; channels], vec![0.0; channels]);
        let mut sums = ChannelSums {
            first: &mut first,
            second: &mut second,
        };
        normalization::negative_products(self.isa, [&dy.values, &x.values], &mut sums);
        Ok(first)
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
