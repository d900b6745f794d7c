//! Transformed weights: for each frequency, `[block of output channels][input channel][lane]`, the
//! blocks as those of the direct kernels.

use super::super::pack::{Direction, PackedWeights};
use super::super::pass::blocks;
use super::transform::{Weight, both_ways, row_of};
use super::{FREQUENCIES, Winograd};
use crate::engine::backend::cpu::scratch::grown;
use crate::engine::backend::cpu::vector::Simd;

/// Weights of one convolution, transformed for one direction.
#[derive(Debug, Clone, Default)]
pub struct FrequencyWeights {
    values: Vec<f32>,
    packed_for: Option<(Winograd, Direction)>,
}

impl FrequencyWeights {
    /// The transformed numbers.
    pub(super) fn values(&self, winograd: &Winograd, direction: Direction) -> &[f32] {
        assert!(
            self.packed_for == Some((*winograd, direction)),
            "weights transformed for {:?} used for {direction:?} of {winograd:?}",
            self.packed_for
        );
        &self.values
    }
}

impl Winograd {
    /// Transforms weights that were packed for the direct forward kernel.
    ///
    /// # Panics
    /// When they were packed for another use.
    #[must_use]
    pub fn forward_weights(&self, packed: &PackedWeights) -> FrequencyWeights {
        self.transformed(packed, Direction::Forward)
    }

    /// Transforms weights that were packed for the direct kernel of the input gradient.
    ///
    /// # Panics
    /// When they were packed for another use.
    #[must_use]
    pub fn grad_input_weights(&self, packed: &PackedWeights) -> FrequencyWeights {
        self.transformed(packed, Direction::GradInput)
    }

    /// Input and output channels of the product in this direction.
    pub(super) const fn channels(&self, direction: Direction) -> [usize; 2] {
        let shape = self.convolution.shape();
        match direction {
            Direction::Forward => [shape.in_channels, shape.out_channels],
            Direction::GradInput => [shape.out_channels, shape.in_channels],
        }
    }

    fn transformed(&self, packed: &PackedWeights, direction: Direction) -> FrequencyWeights {
        let direct = packed.values(&self.convolution, direction);
        let [inputs, outputs] = self.channels(direction);
        let mut values = Vec::new();
        let frequencies = grown(&mut values, FREQUENCIES * inputs * outputs);
        let (isa, channels) = (self.convolution.isa, [inputs, outputs]);
        dispatch!(
            isa,
            transform(channels: [usize; 2], direct: &[f32], frequencies: &mut [f32])
        );
        FrequencyWeights {
            values,
            packed_for: Some((*self, direction)),
        }
    }
}

#[inline(always)]
fn transform<S: Simd>(
    simd: S,
    [inputs, outputs]: [usize; 2],
    direct: &[f32],
    frequencies: &mut [f32],
) {
    for (start, vectors) in blocks(S::WIDTH, outputs) {
        let width = vectors * S::WIDTH;
        for lane in (0..inputs * width).step_by(S::WIDTH) {
            let taps = &direct[9 * start * inputs + lane..];
            let target = start * inputs + lane;
            both_ways::<S, Weight, 3, 6, 6>(
                simd,
                #[inline(always)]
                |i| {
                    row_of(
                        simd,
                        #[inline(always)]
                        |j| simd.load(&taps[(3 * i + j) * inputs * width..][..S::WIDTH]),
                    )
                },
                #[inline(always)]
                |i, j, value| {
                    let at = (6 * i + j) * outputs * inputs + target;
                    simd.store(&mut frequencies[at..][..S::WIDTH], value);
                },
            );
        }
    }
}
