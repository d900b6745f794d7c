//! Which outputs read which inputs: the passes of a convolution and of its input gradient.
//!
//! With stride `s`, kernel `k` and padding `p`, an input position `i` receives
//! `sum over t of w[t] dy[(i + p - t) / s]`, over the taps `t` for which the division is exact:
//! those with `t = a + s j`, where `a = (i + p) mod s`. All positions with the same residue `a`
//! therefore form a correlation of stride 1 of `dy` with the mirrored taps `a + s j`:
//! one pass per residue of each axis. A residue with no tap leaves zeros.

use super::padding::Padding;
use super::{Convolution, ConvolutionShape};

/// One correlation over a padded image: strides and counts in numbers of floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pass {
    /// Where the receptive field of the first output begins.
    pub source: usize,
    /// From one output row to the next, in the padded image.
    pub source_row: usize,
    /// From one output column to the next, in the padded image.
    pub source_pixel: usize,
    /// From one row of the receptive field to the next.
    pub field_row: usize,
    /// Rows of the receptive field.
    pub field_rows: usize,
    /// Neighbouring numbers in a row of the receptive field.
    pub field_run: usize,
    /// Where the first output lies.
    pub target: usize,
    /// From one output row to the next, in the output.
    pub target_row: usize,
    /// From one output column to the next, in the output.
    pub target_pixel: usize,
    /// Output rows.
    pub rows: usize,
    /// Output columns.
    pub columns: usize,
    /// Output channels.
    pub channels: usize,
    /// Where the weights of this pass begin.
    pub weights: usize,
}

impl Pass {
    /// Products per output.
    pub const fn field(&self) -> usize {
        self.field_rows * self.field_run
    }

    /// The pass of a residue without taps: it reads nothing.
    const fn of_zeros(self) -> Self {
        Self {
            source: 0,
            source_row: 0,
            source_pixel: 0,
            field_rows: 0,
            ..self
        }
    }

    /// The same pass with its rows joined into one, where they follow each other in memory.
    fn joined(mut self) -> Self {
        if self.source_row == self.columns * self.source_pixel
            && self.target_row == self.columns * self.target_pixel
        {
            self.columns *= self.rows;
            self.rows = 1;
        }
        self
    }

    /// Panics unless every access of the pass lies inside slices of these lengths, with weights of
    /// `lanes` output channels.
    pub fn check(&self, [source, weights, target]: [usize; 3], lanes: usize) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        let (down, right) = (self.rows - 1, self.columns - 1);
        let field = (self.field_rows.max(1) - 1) * self.field_row + self.field_run;
        let source_end = self.source + down * self.source_row + right * self.source_pixel + field;
        let target_end =
            self.target + down * self.target_row + right * self.target_pixel + self.channels;
        let weights_end = self.weights + self.field() * lanes;
        assert!(
            (self.field() == 0 || source_end <= source)
                && target_end <= target
                && weights_end <= weights,
            "a convolution pass leaves its slices: {self:?}"
        );
    }
}

/// The taps along one axis that one pass uses, in the order in which it reads its padded image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taps {
    first: usize,
    step: usize,
    pub count: usize,
    mirrored: bool,
}

impl Taps {
    /// The tap read at position `i` of the receptive field.
    pub const fn at(&self, i: usize) -> usize {
        let i = if self.mirrored { self.count - 1 - i } else { i };
        self.first + i * self.step
    }
}

/// One axis of one pass of the input gradient.
#[derive(Debug, Clone, Copy)]
struct Residue {
    taps: Taps,
    /// The first input position of this residue.
    start: usize,
    /// Input positions of this residue.
    count: usize,
    /// The output position that tap `taps.first` brings to `start`.
    reach: usize,
}

impl Residue {
    fn new(shape: &ConvolutionShape, axis: usize, residue: usize) -> Self {
        let (kernel, stride, padding) =
            (shape.kernel[axis], shape.stride[axis], shape.padding[axis]);
        let input = [shape.in_height, shape.in_width][axis];
        let start = (residue + stride - padding % stride) % stride;
        Self {
            taps: Taps {
                first: residue,
                step: stride,
                count: kernel.saturating_sub(residue).div_ceil(stride),
                mirrored: true,
            },
            start,
            count: input.saturating_sub(start).div_ceil(stride),
            reach: (start + padding - residue) / stride,
        }
    }

    /// Zeros needed before the output gradient.
    fn before(&self) -> usize {
        self.taps.count.saturating_sub(1 + self.reach)
    }

    /// Zeros needed after the output gradient of `outputs` positions.
    fn after(&self, outputs: usize) -> usize {
        (self.reach + self.count).saturating_sub(outputs)
    }
}

impl Convolution {
    /// The border of the input that forward and the weight gradient read.
    pub(super) fn input_padding(&self) -> Padding {
        let shape = &self.shape;
        Padding {
            height: shape.in_height,
            width: shape.in_width,
            channels: shape.in_channels,
            rows: [shape.padding[0]; 2],
            columns: [shape.padding[1]; 2],
        }
    }

    /// The border of the output gradient that the input gradient reads.
    pub(super) fn gradient_padding(&self) -> Padding {
        let (height, width) = (self.shape.out_height(), self.shape.out_width());
        Padding {
            height,
            width,
            channels: self.shape.out_channels,
            rows: self.gradient_border(0, height),
            columns: self.gradient_border(1, width),
        }
    }

    fn gradient_border(&self, axis: usize, outputs: usize) -> [usize; 2] {
        let mut border = [0, 0];
        for a in 0..self.shape.stride[axis] {
            let residue = Residue::new(&self.shape, axis, a);
            border[0] = border[0].max(residue.before());
            border[1] = border[1].max(residue.after(outputs));
        }
        border
    }

    /// The one pass of forward, whose taps are those of the kernel.
    pub(super) fn forward_pass(&self) -> (Pass, [Taps; 2]) {
        let shape = &self.shape;
        let row = self.input_padding().row();
        let taps = shape.kernel.map(|count| Taps {
            first: 0,
            step: 1,
            count,
            mirrored: false,
        });
        let pass = Pass {
            source: 0,
            source_row: shape.stride[0] * row,
            source_pixel: shape.stride[1] * shape.in_channels,
            field_row: row,
            field_rows: shape.kernel[0],
            field_run: shape.kernel[1] * shape.in_channels,
            target: 0,
            target_row: shape.out_width() * shape.out_channels,
            target_pixel: shape.out_channels,
            rows: shape.out_height(),
            columns: shape.out_width(),
            channels: shape.out_channels,
            weights: 0,
        };
        (pass.joined(), taps)
    }

    /// The passes of the input gradient, one per residue of the input position.
    pub(super) fn gradient_passes(&self) -> impl Iterator<Item = (Pass, [Taps; 2])> {
        let convolution = *self;
        let [down, right] = self.shape.stride;
        let lanes = self.lanes(self.shape.in_channels);
        let mut weights = 0;
        (0..down * right).map(move |i| {
            let (mut pass, taps) = convolution.gradient_pass(i / right, i % right);
            pass.weights = weights;
            weights += pass.field() * lanes;
            (pass, taps)
        })
    }

    fn gradient_pass(&self, down: usize, right: usize) -> (Pass, [Taps; 2]) {
        let shape = &self.shape;
        let rows = Residue::new(shape, 0, down);
        let columns = Residue::new(shape, 1, right);
        let padding = self.gradient_padding();
        let first = |border: usize, residue: &Residue| {
            (border + residue.reach + 1).saturating_sub(residue.taps.count.max(1))
        };
        let row = padding.row();
        let pass = Pass {
            source: first(padding.rows[0], &rows) * row
                + first(padding.columns[0], &columns) * shape.out_channels,
            source_row: row,
            source_pixel: shape.out_channels,
            field_row: row,
            field_rows: rows.taps.count,
            field_run: columns.taps.count * shape.out_channels,
            target: (rows.start * shape.in_width + columns.start) * shape.in_channels,
            target_row: shape.stride[0] * shape.in_width * shape.in_channels,
            target_pixel: shape.stride[1] * shape.in_channels,
            rows: rows.count,
            columns: columns.count,
            channels: shape.in_channels,
            weights: 0,
        };
        let pass = if pass.field() == 0 {
            pass.of_zeros()
        } else {
            pass
        };
        (pass.joined(), [rows.taps, columns.taps])
    }

    /// `channels` rounded up to whole vectors.
    pub(super) fn lanes(&self, channels: usize) -> usize {
        channels.next_multiple_of(self.isa.width())
    }
}

/// The blocks of one or two vectors of `width` that `lanes` are split into: first lane, vectors.
#[inline(always)]
pub(super) fn blocks(width: usize, lanes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..lanes)
        .step_by(2 * width)
        .map(move |start| (start, if lanes - start >= 2 * width { 2 } else { 1 }))
}
