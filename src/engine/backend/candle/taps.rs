//! Windows over maps as plain index operations: every tap of a kernel is the padded map, at every
//! `stride`-th row and column from the tap on.

use candle_core::{DType, Device, Result, Tensor};

use crate::engine::backend::{ConvolutionShape, ShortcutShape, Window};

/// Where windows lie on a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    /// Rows and columns read.
    pub map: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    /// Distance between the positions of the kernel.
    pub dilation: [usize; 2],
}

impl Windows {
    pub const fn of_convolution(shape: &ConvolutionShape) -> Self {
        Self {
            map: [shape.in_height, shape.in_width],
            kernel: shape.kernel,
            stride: shape.stride,
            padding: shape.padding,
            dilation: shape.dilation,
        }
    }

    pub const fn of_pooling(window: &Window, map: [usize; 2]) -> Self {
        Self {
            map,
            kernel: window.kernel,
            stride: window.stride,
            padding: window.padding,
            dilation: [1, 1],
        }
    }

    pub const fn of_shortcut(shape: &ShortcutShape, map: [usize; 2]) -> Self {
        Self {
            map,
            kernel: [1, 1],
            stride: [shape.stride, shape.stride],
            padding: [0, 0],
            dilation: [1, 1],
        }
    }

    /// Rows and columns written.
    pub const fn out(&self) -> [usize; 2] {
        [self.extent(0), self.extent(1)]
    }

    const fn extent(&self, axis: usize) -> usize {
        let spanned = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
        (self.map[axis] + 2 * self.padding[axis] - spanned) / self.stride[axis] + 1
    }

    /// Positions in the kernel, row by row.
    fn positions(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let [rows, columns] = self.kernel;
        (0..rows).flat_map(move |row| (0..columns).map(move |column| [row, column]))
    }

    /// Places along an axis of the padded map that a tap reads.
    fn places(&self, axis: usize, tap: usize, device: &Device) -> Result<Tensor> {
        let (stride, tap) = (self.stride[axis], tap * self.dilation[axis]);
        let places = (0..self.extent(axis)).map(|out| (out * stride + tap) as u32);
        Tensor::from_iter(places, device)
    }

    /// What each tap reads from `x` (images, channels, rows, columns), padded with `fill`; one
    /// tensor (images, channels, rows written, columns written) per position.
    pub fn taps(&self, x: &Tensor, fill: f64) -> Result<Vec<Tensor>> {
        let padded = pad(
            &pad(x, (2, self.padding[0]), fill)?,
            (3, self.padding[1]),
            fill,
        )?;
        let padded = padded.contiguous()?;
        let device = x.device();
        self.positions()
            .map(|[row, column]| {
                padded
                    .index_select(&self.places(0, row, device)?, 2)?
                    .index_select(&self.places(1, column, device)?, 3)
            })
            .collect()
    }

    /// Adjoint of [`taps`](Self::taps).
    pub fn untaps(&self, taps: &[Tensor]) -> Result<Tensor> {
        let (images, channels, out_rows, _) = taps[0].dims4()?;
        let (device, dtype) = (taps[0].device(), taps[0].dtype());
        let padded = |axis: usize| self.map[axis] + 2 * self.padding[axis];
        let zeros = |rows, columns| Tensor::zeros((images, channels, rows, columns), dtype, device);
        let mut sum = zeros(padded(0), padded(1))?;
        for ([row, column], tap) in self.positions().zip(taps) {
            let columns = self.places(1, column, device)?;
            let wide = zeros(out_rows, padded(1))?.index_add(&columns, &tap.contiguous()?, 3)?;
            sum = sum.index_add(&self.places(0, row, device)?, &wide, 2)?;
        }
        let sum = sum.narrow(2, self.padding[0], self.map[0])?;
        sum.narrow(3, self.padding[1], self.map[1])?.contiguous()
    }

    /// Taps as columns of a matrix product: (images, channels * taps, places written).
    pub fn columns(&self, x: &Tensor) -> Result<Tensor> {
        let (images, channels, ..) = x.dims4()?;
        let taps: Vec<Tensor> = self
            .taps(x, 0.0)?
            .iter()
            .map(|tap| tap.unsqueeze(2))
            .collect::<Result<_>>()?;
        let [rows, columns] = self.out();
        Tensor::cat(&taps, 2)?.reshape((images, channels * taps.len(), rows * columns))
    }

    /// Adjoint of [`columns`](Self::columns).
    pub fn uncolumns(&self, columns: &Tensor) -> Result<Tensor> {
        let (images, mixed, _) = columns.dims3()?;
        let taps = self.kernel[0] * self.kernel[1];
        let [rows, width] = self.out();
        let split = columns.reshape((images, mixed / taps, taps, rows * width))?;
        let taps: Vec<Tensor> = (0..taps)
            .map(|tap| {
                split
                    .narrow(2, tap, 1)?
                    .reshape((images, mixed / taps, rows, width))
            })
            .collect::<Result<_>>()?;
        self.untaps(&taps)
    }

    /// For each position, 1 where it holds the largest value of its window (the first of equals).
    pub fn largest(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let taps = self.taps(x, f64::NEG_INFINITY)?;
        let mut best = taps[0].clone();
        for tap in &taps[1..] {
            best = best.maximum(tap)?;
        }
        let mut free = best.ones_like()?;
        let mut masks = Vec::with_capacity(taps.len());
        for tap in &taps {
            let mask = (tap.eq(&best)?.to_dtype(x.dtype())? * &free)?;
            free = (free - &mask)?;
            masks.push(mask);
        }
        Ok(masks)
    }
}

/// `x` with `width` values of `fill` on both sides of an axis.
fn pad(x: &Tensor, (axis, width): (usize, usize), fill: f64) -> Result<Tensor> {
    if width == 0 {
        return Ok(x.clone());
    }
    let mut dims = x.dims().to_vec();
    dims[axis] = width;
    let edge = Tensor::full(fill, dims, x.device())?.to_dtype(x.dtype())?;
    Tensor::cat(&[&edge, x, &edge], axis)
}

/// 1 where `holds` is not 0, as numbers of `dtype`.
pub(super) fn indicator(holds: &Tensor, dtype: DType) -> Result<Tensor> {
    holds.to_dtype(dtype)
}
