//! Fake quantization, alone and in one pass with an activation function.

use super::Cpu;
use super::elementwise::kernel;
use crate::engine::backend::cpu::elementwise::Affine;
use crate::engine::backend::cpu::fake_quantize::{self, UniformQuantizer};
use crate::engine::backend::cpu::{Array, Workspace, activation};
use crate::engine::backend::{Activation, Grid, Quantization, Rectified};
use crate::engine::{Error, Result};

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

impl Quantization for Cpu {
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
            function: kernel(&with.function),
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
        rectified: &Rectified<Self>,
        mut gradient: Array,
        direct: Option<Array>,
    ) -> Result<(Array, f64)> {
        let values = direct.as_ref().map(|direct| &direct.values[..]);
        let written = activation::Written {
            function: kernel(&rectified.function),
            r: &rectified.output.values,
            quantizer: &quantizer(rectified.grid)?,
        };
        let slope = activation::backward(self.isa, &written, &mut gradient.values, values);
        if let Some(direct) = direct {
            ws.recycle(direct);
        }
        Ok((gradient, slope))
    }
}
