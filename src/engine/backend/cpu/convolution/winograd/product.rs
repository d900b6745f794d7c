//! Forward and the input gradient.

use super::super::correlation::correlate;
use super::super::pack::Direction;
use super::super::pass::Pass;
use super::tiles::{Frequencies, Maps, Tiles};
use super::transform::Input;
use super::{FrequencyWeights, Winograd};
use crate::engine::backend::cpu::Scratch;
use crate::engine::backend::cpu::vector::Simd;

/// Tiles transformed together: their frequencies stay in a core's cache.
const GROUP: usize = 16;

/// A product under way.
struct Job<'a> {
    tiles: Tiles,
    images: usize,
    maps: Maps<'a>,
    channels: [usize; 2],
    weights: &'a [f32],
}

impl Winograd {
    /// Convolves a chunk of images; overwrites `y`.
    ///
    /// # Panics
    /// When `x` and `y` are not the same whole images, or `weights` were transformed for another use.
    pub fn forward(
        &self,
        x: &[f32],
        weights: &FrequencyWeights,
        y: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let images = self.convolution.images(x.len(), y.len());
        self.product(Direction::Forward, (images, x, weights), y, scratch);
    }

    /// Gradients of a chunk of inputs from gradients of its outputs; overwrites `dx`.
    ///
    /// # Panics
    /// When `dy` and `dx` are not the same whole images, or `weights` were transformed for another
    /// use.
    pub fn grad_input(
        &self,
        dy: &[f32],
        weights: &FrequencyWeights,
        dx: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let images = self.convolution.images(dx.len(), dy.len());
        self.product(Direction::GradInput, (images, dy, weights), dx, scratch);
    }

    fn product(
        &self,
        direction: Direction,
        (images, from, weights): (usize, &[f32], &FrequencyWeights),
        to: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let channels = self.channels(direction);
        let job = &Job {
            tiles: Tiles::new(self.convolution.shape()),
            images,
            maps: Maps::new(from, channels[0]),
            channels,
            weights: weights.values(self, direction),
        };
        let [inputs, outputs] = &mut scratch.frequencies;
        let inputs = Frequencies::new(inputs, GROUP, channels[0]);
        let outputs = Frequencies::new(outputs, GROUP, channels[1]);
        let (isa, memory) = (self.convolution.isa, [inputs, outputs]);
        dispatch!(isa, run(job: &Job, memory: [Frequencies<'_>; 2], to: &mut [f32]));
    }
}

#[inline(always)]
fn run<S: Simd>(
    simd: S,
    job: &Job,
    [mut inputs, mut outputs]: [Frequencies<'_>; 2],
    to: &mut [f32],
) {
    let [from_channels, to_channels] = job.channels;
    for group in job.tiles.groups(job.images, GROUP) {
        let pass = matrix_pass(job.channels, group.len());
        let of = (&job.tiles, group.clone());
        job.maps
            .transform::<S, Input, 6>(simd, of, 0..from_channels, &mut inputs);
        let weights = job.weights.chunks_exact(from_channels * to_channels);
        for ((inputs, outputs), weights) in inputs.each().zip(outputs.each_mut()).zip(weights) {
            correlate(simd, &pass, inputs, weights, outputs);
        }
        outputs.to_outputs(simd, (&job.tiles, group), (to, to_channels));
    }
}

/// A product of matrices, `rows` by input channels by output channels, as a convolution of 1x1.
pub(super) const fn matrix_pass([inputs, outputs]: [usize; 2], rows: usize) -> Pass {
    Pass {
        source: 0,
        source_row: 0,
        source_pixel: inputs,
        field_row: 0,
        field_rows: 1,
        field_column: 0,
        field_columns: 1,
        field_run: inputs,
        target: 0,
        target_row: 0,
        target_pixel: outputs,
        rows: 1,
        columns: rows,
        channels: outputs,
        channelwise: false,
        weights: 0,
    }
}
