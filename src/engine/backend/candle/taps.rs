//! Windows over maps as plain index operations: every tap of a kernel is the padded map, at every
//! `stride`-th row and column from the tap on.

use candle_core::{DType, Device, Result, Tensor};

use crate::engine::backend::{ConvolutionShape, Pads, Window};

/// Where windows lie on a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    /// Rows and columns read.
    pub map: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: Pads,
    /// Distance between the positions of the kernel.
    pub dilation: [usize; 2],
    /// Rows and columns written.
    pub out: [usize; 2],
}

impl Windows {
    pub const fn of_convolution(shape: &ConvolutionShape) -> Self {
        Self {
            map: [shape.in_height, shape.in_width],
            kernel: shape.kernel,
            stride: shape.stride,
            padding: shape.padding,
            dilation: shape.dilation,
            out: [shape.out_height(), shape.out_width()],
        }
    }

    /// The windows of a map that they fit; their number was found when the graph was built.
    pub fn of_pooling(window: &Window, map: [usize; 2]) -> Self {
        let windows = |axis: usize| {
            let windows = window.windows(axis, map[axis]);
            windows.expect("invariant: windows fit the map")
        };
        Self {
            map,
            kernel: window.kernel,
            stride: window.stride,
            padding: window.padding,
            dilation: window.dilation,
            out: [windows(0), windows(1)],
        }
    }

    /// Rows or columns after the padding that the last windows reach, in which there is nothing.
    const fn beyond(&self, axis: usize) -> usize {
        let spanned = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
        let reached = (self.out[axis] - 1) * self.stride[axis] + spanned;
        reached.saturating_sub(self.map[axis] + self.padding.both(axis))
    }

    /// Rows or columns of the padded map, with what lies beyond it.
    const fn padded(&self, axis: usize) -> usize {
        self.map[axis] + self.padding.both(axis) + self.beyond(axis)
    }

    /// Positions in the kernel, row by row.
    fn positions(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let [rows, columns] = self.kernel;
        (0..rows).flat_map(move |row| (0..columns).map(move |column| [row, column]))
    }

    /// Places along an axis of the padded map that a tap reads.
    fn places(&self, axis: usize, tap: usize, device: &Device) -> Result<Tensor> {
        let (stride, tap) = (self.stride[axis], tap * self.dilation[axis]);
        let places = (0..self.out[axis]).map(|out| (out * stride + tap) as u32);
        Tensor::from_iter(places, device)
    }

    /// What each tap reads from `x` (images, channels, rows, columns), with `fill` around it; one
    /// tensor (images, channels, rows written, columns written) per position.
    pub fn taps(&self, x: &Tensor, fill: f64) -> Result<Vec<Tensor>> {
        self.taps_between(x, [fill, fill])
    }

    /// The same with one number in the padding, and another beyond it.
    pub fn taps_between(&self, x: &Tensor, [fill, beyond]: [f64; 2]) -> Result<Vec<Tensor>> {
        let mut padded = x.clone();
        for axis in [0, 1] {
            let edges = [self.padding.before(axis), self.padding.after(axis)];
            padded = pad(&padded, (2 + axis, edges), fill)?;
        }
        for axis in [0, 1] {
            padded = pad(&padded, (2 + axis, [0, self.beyond(axis)]), beyond)?;
        }
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
        let zeros = |rows, columns| Tensor::zeros((images, channels, rows, columns), dtype, device);
        let mut sum = zeros(self.padded(0), self.padded(1))?;
        for ([row, column], tap) in self.positions().zip(taps) {
            let columns = self.places(1, column, device)?;
            let wide =
                zeros(out_rows, self.padded(1))?.index_add(&columns, &tap.contiguous()?, 3)?;
            sum = sum.index_add(&self.places(0, row, device)?, &wide, 2)?;
        }
        let sum = sum.narrow(2, self.padding.top, self.map[0])?;
        sum.narrow(3, self.padding.left, self.map[1])?.contiguous()
    }

    /// Taps as columns of a matrix product: (images, channels * taps, places written).
    pub fn columns(&self, x: &Tensor) -> Result<Tensor> {
        let (images, channels, ..) = x.dims4()?;
        let taps: Vec<Tensor> = self
            .taps(x, 0.0)?
            .iter()
            .map(|tap| tap.unsqueeze(2))
            .collect::<Result<_>>()?;
        let [rows, columns] = self.out;
        Tensor::cat(&taps, 2)?.reshape((images, channels * taps.len(), rows * columns))
    }

    /// Adjoint of [`columns`](Self::columns).
    pub fn uncolumns(&self, columns: &Tensor) -> Result<Tensor> {
        let (images, mixed, _) = columns.dims3()?;
        let taps = self.kernel[0] * self.kernel[1];
        let [rows, width] = self.out;
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

/// `x` with values of `fill` before and after it along an axis.
fn pad(x: &Tensor, (axis, edges): (usize, [usize; 2]), fill: f64) -> Result<Tensor> {
    let edge = |width: usize| {
        let mut dims = x.dims().to_vec();
        dims[axis] = width;
        Tensor::full(fill, dims, x.device())?.to_dtype(x.dtype())
    };
    match edges {
        [0, 0] => Ok(x.clone()),
        [0, after] => Tensor::cat(&[x, &edge(after)?], axis),
        [before, 0] => Tensor::cat(&[&edge(before)?, x], axis),
        [before, after] => Tensor::cat(&[&edge(before)?, x, &edge(after)?], axis),
    }
}

/// 1 where `holds` is not 0, as numbers of `dtype`.
pub(super) fn indicator(holds: &Tensor, dtype: DType) -> Result<Tensor> {
    holds.to_dtype(dtype)
}
