//! Which outputs read which inputs: the passes of a convolution and of its input gradient.
//!
//! With stride `s`, kernel `k` and `p` zeros before the image, an input position `i` receives
//! `sum over t of w[t] dy[(i + p - t) / s]`, over the taps `t` for which the division is exact:
//! those with `t = a + s j`, where `a = (i + p) mod s`. All positions with the same residue `a`
//! therefore form a correlation of stride 1 of `dy` with the mirrored taps `a + s j`:
//! one pass per residue of each axis. A residue with no tap leaves zeros. With dilation `d`, `d t` takes
//! the place of `t`: taps with `d t = a (mod s)` are `s / gcd(d, s)` apart, and read `dy` at
//! positions `d / gcd(d, s)` apart.
//!
//! Groups of channels are passes of their own over the same image, but for depthwise convolutions:
//! theirs is one pass in which every channel reads itself.

use super::pack::Direction;
use super::padding::Padding;
use super::{Convolution, ConvolutionShape};
use crate::engine::backend::cpu::vector::MAX_WIDTH;

/// One correlation over a padded image: strides and counts in numbers of floats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    /// From one column of the receptive field to the next.
    pub field_column: usize,
    /// Columns of the receptive field; one where columns are neighbours, and one run.
    pub field_columns: usize,
    /// Neighbouring numbers read in a column of the receptive field.
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
    /// Whether each output channel reads only its own input channel.
    pub channelwise: bool,
    /// Where the weights of this pass begin.
    pub weights: usize,
}

impl Pass {
    /// Products per output.
    pub const fn field(&self) -> usize {
        self.field_rows * self.field_columns * self.field_run
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
        let run = if self.channelwise {
            lanes
        } else {
            self.field_run
        };
        let field = (self.field_rows.max(1) - 1) * self.field_row
            + (self.field_columns.max(1) - 1) * self.field_column
            + run;
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
    /// The output position that tap `taps.first` brings to `start`; before the first one if negative.
    reach: isize,
    /// Output positions from one tap to the next.
    spread: usize,
}

impl Residue {
    fn new(shape: &ConvolutionShape, axis: usize, residue: usize) -> Self {
        let (kernel, stride) = (shape.kernel[axis], shape.stride[axis]);
        let padding = shape.padding.before(axis);
        let (dilation, input) = (
            shape.dilation[axis],
            [shape.in_height, shape.in_width][axis],
        );
        let start = (residue + stride - padding % stride) % stride;
        let common = gcd(dilation, stride);
        let step = stride / common;
        let first = (0..step.min(kernel)).find(|tap| tap * dilation % stride == residue);
        let count = first.map_or(0, |first| (kernel - first).div_ceil(step));
        let first = first.unwrap_or(0);
        Self {
            taps: Taps {
                first,
                step,
                count,
                mirrored: true,
            },
            start,
            count: input.saturating_sub(start).div_ceil(stride),
            reach: ((start + padding) as isize - (dilation * first) as isize) / stride as isize,
            spread: dilation / common,
        }
    }

    /// How far before the first tap's output position the last tap's lies.
    fn depth(&self) -> isize {
        (self.taps.count.max(1) - 1).cast_signed() * self.spread.cast_signed()
    }

    /// Zeros needed before the output gradient.
    fn before(&self) -> usize {
        clipped(self.depth() - self.reach)
    }

    /// Zeros needed after the output gradient of `outputs` positions.
    fn after(&self, outputs: usize) -> usize {
        clipped(self.reach + self.count.cast_signed() - outputs.cast_signed())
    }

    /// Where the receptive field of the first position begins, behind `border` zeros.
    fn first(&self, border: usize) -> usize {
        clipped(border.cast_signed() + self.reach - self.depth())
    }
}

/// `number`, or 0 if it is negative.
fn clipped(number: isize) -> usize {
    usize::try_from(number).unwrap_or(0)
}

const fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// How channels are divided into correlations that share nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Division {
    /// Correlations.
    pub groups: usize,
    /// Channels that an output of one reads.
    pub inputs: usize,
    /// Channels that one writes.
    pub outputs: usize,
    /// Whether each channel reads only itself.
    pub channelwise: bool,
}

impl Division {
    pub fn new(shape: &ConvolutionShape, direction: Direction) -> Self {
        if shape.is_depthwise() {
            return Self {
                groups: 1,
                inputs: 1,
                outputs: shape.groups,
                channelwise: true,
            };
        }
        let [inputs, outputs] = match direction {
            Direction::Forward => [shape.group_inputs(), shape.group_outputs()],
            Direction::GradInput => [shape.group_outputs(), shape.group_inputs()],
        };
        Self {
            groups: shape.groups,
            inputs,
            outputs,
            channelwise: false,
        }
    }

    /// A pass whose receptive field is `taps` of an image of `channels`, neighbouring columns of it
    /// `distance` columns apart, joined into one run where nothing lies between them.
    fn field(
        &self,
        pass: Pass,
        [rows, columns]: [usize; 2],
        (channels, distance): Columns,
    ) -> Pass {
        let joined = distance == 1 && self.inputs == channels;
        Pass {
            field_rows: rows,
            field_column: distance * channels,
            field_columns: if joined { columns.min(1) } else { columns },
            field_run: if joined {
                columns * self.inputs
            } else {
                self.inputs
            },
            channels: self.outputs,
            channelwise: self.channelwise,
            ..pass
        }
    }

    /// The pass of each group, from that of the first.
    fn each(self, first: Pass) -> impl Iterator<Item = (Pass, usize)> {
        (0..self.groups).map(move |group| {
            let pass = Pass {
                source: first.source + group * self.inputs,
                target: first.target + group * self.outputs,
                ..first
            };
            (pass, group)
        })
    }
}

/// Channels of an image, and columns from one that is read to the next.
type Columns = (usize, usize);

/// Which weights a pass reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Selection {
    /// The taps.
    pub taps: [Taps; 2],
    /// The group of channels.
    pub group: usize,
}

impl Convolution {
    /// The border of the input that forward and the weight gradient read.
    pub(super) fn input_padding(&self) -> Padding {
        let shape = &self.shape;
        Padding {
            height: shape.in_height,
            width: shape.in_width,
            channels: shape.in_channels,
            rows: [shape.padding.top, shape.padding.bottom],
            columns: [shape.padding.left, shape.padding.right],
            beyond: self.beyond(),
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
            beyond: self.beyond(),
        }
    }

    /// Numbers after an image that whole vectors of its last channels reach.
    fn beyond(&self) -> usize {
        let channels = self.shape.groups;
        if self.shape.is_depthwise() {
            channels.next_multiple_of(MAX_WIDTH) - channels
        } else {
            0
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

    /// The passes of forward, one per group, whose taps are those of the kernel.
    pub(super) fn forward_passes(&self) -> impl Iterator<Item = (Pass, Selection)> {
        let shape = self.shape;
        let row = self.input_padding().row();
        let division = Division::new(&shape, Direction::Forward);
        let taps = shape.kernel.map(|count| Taps {
            first: 0,
            step: 1,
            count,
            mirrored: false,
        });
        let pass = Pass {
            source_row: shape.stride[0] * row,
            source_pixel: shape.stride[1] * shape.in_channels,
            field_row: shape.dilation[0] * row,
            target_row: shape.out_width() * shape.out_channels,
            target_pixel: shape.out_channels,
            rows: shape.out_height(),
            columns: shape.out_width(),
            ..Pass::default()
        };
        let columns = (shape.in_channels, shape.dilation[1]);
        let pass = division.field(pass, shape.kernel, columns).joined();
        let weights = pass.field() * self.lanes(pass.channels);
        division.each(pass).map(move |(pass, group)| {
            let pass = Pass {
                weights: group * weights,
                ..pass
            };
            (pass, Selection { taps, group })
        })
    }

    /// The passes of the input gradient, one per residue of the input position and group.
    pub(super) fn gradient_passes(&self) -> impl Iterator<Item = (Pass, Selection)> {
        let convolution = *self;
        let [down, right] = self.shape.stride;
        let division = Division::new(&self.shape, Direction::GradInput);
        let residues = (0..down * right).flat_map(move |i| {
            let (pass, taps) = convolution.gradient_pass(&division, [i / right, i % right]);
            let passes = division.each(pass);
            passes.map(move |(pass, group)| (pass, Selection { taps, group }))
        });
        let mut weights = 0;
        residues.map(move |(pass, selection)| {
            let placed = Pass { weights, ..pass };
            weights += pass.field() * convolution.lanes(pass.channels);
            (placed, selection)
        })
    }

    fn gradient_pass(&self, division: &Division, [down, right]: [usize; 2]) -> (Pass, [Taps; 2]) {
        let shape = &self.shape;
        let rows = Residue::new(shape, 0, down);
        let columns = Residue::new(shape, 1, right);
        let padding = self.gradient_padding();
        let row = padding.row();
        let pass = Pass {
            source: rows.first(padding.rows[0]) * row
                + columns.first(padding.columns[0]) * shape.out_channels,
            source_row: row,
            source_pixel: shape.out_channels,
            field_row: rows.spread * row,
            target: (rows.start * shape.in_width + columns.start) * shape.in_channels,
            target_row: shape.stride[0] * shape.in_width * shape.in_channels,
            target_pixel: shape.stride[1] * shape.in_channels,
            rows: rows.count,
            columns: columns.count,
            ..Pass::default()
        };
        let taps = [rows.taps, columns.taps];
        let read = (shape.out_channels, columns.spread);
        let pass = division.field(pass, taps.map(|taps| taps.count), read);
        let pass = if pass.field() == 0 {
            pass.of_zeros()
        } else {
            pass
        };
        (pass.joined(), taps)
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
