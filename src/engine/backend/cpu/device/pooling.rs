//! Pooling, flattening and shortcuts.

use super::Cpu;
use crate::engine::Result;
use crate::engine::backend::cpu::layout::{self, Shortcut};
use crate::engine::backend::cpu::pooling::{self, PoolingShape};
use crate::engine::backend::cpu::{Array, Workspace};
use crate::engine::backend::{Pooling, ShortcutShape, Window};
use crate::engine::graph::Shape;

impl Cpu {
    /// Largest value of each window, and where it lies.
    fn taken(self, ws: &mut Workspace, window: &Window, x: &Array) -> (Array, Vec<u32>) {
        let shape = pooling_shape(window, x.shape);
        let mut y = ws.array(pooled(&shape), x.images);
        let mut taken = vec![0; y.values.len()];
        pooling::max_pool(self.isa, &shape, &x.values, (&mut y.values, &mut taken));
        (y, taken)
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

impl Pooling for Cpu {
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
}
