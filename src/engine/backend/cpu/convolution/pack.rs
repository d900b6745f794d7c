//! Weights in the order in which the kernels read them.
//!
//! ```text
//! [pass and group][block of output channels][kernel row][kernel column][input channel][lane of the block]
//! ```
//! Lanes beyond the last channel are zero. For the input gradient "input" and "output" channels
//! change places and the taps are mirrored.

use super::pass::{Division, Pass, Selection, Taps, blocks};
use super::{Convolution, ConvolutionShape};
use crate::engine::backend::cpu::scratch::grown;

/// What packed weights are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Forward.
    Forward,
    /// Gradient of the input.
    GradInput,
}

/// Weights of one convolution, packed for one direction; the memory is reused by the next packing.
#[derive(Debug, Clone, Default)]
pub struct PackedWeights {
    values: Vec<f32>,
    packed_for: Option<(Convolution, Direction)>,
}

impl PackedWeights {
    /// Nothing packed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The packed numbers.
    pub(super) fn values(&self, convolution: &Convolution, direction: Direction) -> &[f32] {
        assert!(
            self.packed_for == Some((*convolution, direction)),
            "weights packed for {:?} used for {direction:?} of {convolution:?}",
            self.packed_for
        );
        &self.values
    }
}

/// OIHW weights as one direction reads them: weight `[output][input][tap]` lies at
/// `output * output_step + input * input_step + tap` of its group.
#[derive(Clone, Copy)]
struct Source<'a> {
    weights: &'a [f32],
    outputs: usize,
    inputs: usize,
    output_step: usize,
    input_step: usize,
    kernel_width: usize,
}

impl<'a> Source<'a> {
    fn new(weights: &'a [f32], shape: &ConvolutionShape, direction: Direction) -> Self {
        let Division {
            inputs, outputs, ..
        } = Division::new(shape, direction);
        let [near, far] = [shape.taps(), shape.group_inputs() * shape.taps()];
        let [input_step, output_step] = match direction {
            Direction::Forward => [near, far],
            Direction::GradInput => [far, near],
        };
        Self {
            weights,
            outputs,
            inputs,
            output_step,
            input_step,
            kernel_width: shape.kernel[1],
        }
    }

    /// The weights of one group.
    fn of_group(self, group: usize, taps: usize) -> Self {
        let weights = self.inputs * self.outputs * taps;
        Self {
            weights: &self.weights[group * weights..][..weights],
            ..self
        }
    }

    /// Packs the output channels from `start` into `block`, whose lines hold `width` lanes.
    fn pack_block(&self, taps: [Taps; 2], [start, width]: [usize; 2], block: &mut [f32]) {
        let used = width.min(self.outputs - start);
        let mut lines = block.chunks_exact_mut(width);
        for i in 0..taps[0].count * taps[1].count {
            let (row, column) = (i / taps[1].count, i % taps[1].count);
            let tap = taps[0].at(row) * self.kernel_width + taps[1].at(column);
            for (input, line) in lines.by_ref().take(self.inputs).enumerate() {
                let (lanes, tail) = line.split_at_mut(used);
                let values =
                    &self.weights[start * self.output_step + input * self.input_step + tap..];
                for (lane, value) in lanes
                    .iter_mut()
                    .zip(values.iter().step_by(self.output_step))
                {
                    *lane = *value;
                }
                tail.fill(0.0);
            }
        }
    }
}

impl Convolution {
    /// Packs OIHW weights for [`forward`](Self::forward).
    ///
    /// # Panics
    /// When `weights` is not one number per weight.
    pub fn pack_forward(&self, weights: &[f32], packed: &mut PackedWeights) {
        let passes = self.forward_passes();
        self.pack(weights, Direction::Forward, packed, passes);
    }

    /// Packs OIHW weights for [`grad_input`](Self::grad_input).
    ///
    /// # Panics
    /// When `weights` is not one number per weight.
    pub fn pack_grad_input(&self, weights: &[f32], packed: &mut PackedWeights) {
        let passes = self.gradient_passes();
        self.pack(weights, Direction::GradInput, packed, passes);
    }

    fn pack(
        &self,
        weights: &[f32],
        direction: Direction,
        packed: &mut PackedWeights,
        passes: impl Iterator<Item = (Pass, Selection)>,
    ) {
        assert_eq!(weights.len(), self.shape.weights(), "weights of {self:?}");
        let source = Source::new(weights, &self.shape, direction);
        let lanes = self.lanes(source.outputs);
        let groups = Division::new(&self.shape, direction).groups;
        let length = groups * lanes * source.inputs * self.shape.taps();
        let mut rest = grown(&mut packed.values, length);
        for (_, Selection { taps, group }) in passes {
            let source = source.of_group(group, self.shape.taps());
            for (start, vectors) in blocks(self.isa.width(), lanes) {
                let width = vectors * self.isa.width();
                let size = taps[0].count * taps[1].count * source.inputs * width;
                let (block, after) = rest.split_at_mut(size);
                source.pack_block(taps, [start, width], block);
                rest = after;
            }
        }
        packed.packed_for = Some((*self, direction));
    }
}
