//! Pooling, flattening, and parts of maps.

use super::Cpu;
use crate::engine::Result;
use crate::engine::backend::cpu::layout::{self, Part};
use crate::engine::backend::cpu::pooling::{self, PoolingShape};
use crate::engine::backend::cpu::{Array, Workspace};
use crate::engine::backend::{AverageWindow, Pooling, Region, Window};
use crate::engine::shape::Shape;

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

fn pooling_shape(window: &Window, input: Shape) -> PoolingShape {
    let [in_height, in_width, channels] = sizes(input);
    PoolingShape {
        channels,
        in_height,
        in_width,
        window: *window,
    }
}

/// Rows, columns and channels.
const fn sizes(shape: Shape) -> [usize; 3] {
    match shape {
        Shape::Map {
            channels,
            height,
            width,
        } => [height, width, channels],
        Shape::Features(features) => [1, 1, features],
    }
}

fn pooled(shape: &PoolingShape) -> Shape {
    Shape::map(shape.channels, shape.out_height(), shape.out_width())
}

fn part(region: &Region, whole: Shape) -> Part {
    Part {
        whole: sizes(whole),
        region: *region,
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

    fn average_pool(
        &self,
        ws: &mut Workspace,
        average: &AverageWindow,
        x: &Array,
    ) -> Result<Array> {
        let shape = pooling_shape(&average.window, x.shape);
        let mut y = ws.array(pooled(&shape), x.images);
        let values = (&x.values[..], &mut y.values[..]);
        pooling::average_pool(self.isa, &shape, average.counts_padding, values);
        Ok(y)
    }

    fn average_pool_backward(
        &self,
        ws: &mut Workspace,
        average: &AverageWindow,
        input: Shape,
        dy: &Array,
    ) -> Result<Array> {
        let mut dx = ws.array(input, dy.images);
        let shape = pooling_shape(&average.window, input);
        let values = (&dy.values[..], &mut dx.values[..]);
        pooling::average_pool_backward(self.isa, &shape, average.counts_padding, values);
        Ok(dx)
    }

    fn global_average_pool(&self, ws: &mut Workspace, x: &Array) -> Result<Array> {
        let mut y = ws.array(Shape::map(x.channels(), 1, 1), x.images);
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

    fn slice(&self, ws: &mut Workspace, region: &Region, x: &Array) -> Result<Array> {
        let shape = region.of(x.shape);
        let shape = shape.expect("invariant: a region lies within its whole");
        let mut y = ws.array(shape, x.images);
        part(region, x.shape).read(&x.values, &mut y.values);
        Ok(y)
    }

    fn embed(&self, ws: &mut Workspace, region: &Region, whole: Shape, x: &Array) -> Result<Array> {
        let mut y = ws.array(whole, x.images);
        part(region, whole).write(&x.values, &mut y.values);
        Ok(y)
    }
}
