//! Forward and the input gradient.

use super::super::correlation::correlate;
use super::super::pack::Direction;
use super::super::pass::Pass;
use super::tiles::{Maps, Tiles, to_outputs};
use super::transform::Input;
use super::{FREQUENCIES, FrequencyWeights, Winograd, frequency_stride};
use crate::engine::backend::cpu::Scratch;
use crate::engine::backend::cpu::scratch::grown;
use crate::engine::backend::cpu::vector::Simd;

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
            maps: Maps::new(from, channels[0], &mut scratch.zeros[0]),
            channels,
            weights: weights.values(self, direction),
        };
        let [inputs, outputs] = &mut scratch.frequencies;
        let inputs = grown(inputs, FREQUENCIES * frequency_stride(channels[0]));
        let outputs = grown(outputs, FREQUENCIES * frequency_stride(channels[1]));
        let (isa, memory) = (self.convolution.isa, [inputs, outputs]);
        dispatch!(isa, run(job: &Job, memory: [&mut [f32]; 2], to: &mut [f32]));
    }
}

#[inline(always)]
fn run<S: Simd>(simd: S, job: &Job, [inputs, outputs]: [&mut [f32]; 2], to: &mut [f32]) {
    let [from_channels, to_channels] = job.channels;
    for group in job.tiles.groups(job.images) {
        let tiles = group.len();
        let of = (&job.tiles, group.clone());
        job.maps.transform::<S, Input, 6>(simd, of, inputs);
        let pass = matrix_pass(job.channels, tiles);
        let weights = job.weights.chunks_exact(from_channels * to_channels);
        for ((inputs, outputs), weights) in inputs
            .chunks_exact(frequency_stride(from_channels))
            .zip(outputs.chunks_exact_mut(frequency_stride(to_channels)))
            .zip(weights)
        {
            correlate(simd, &pass, inputs, weights, outputs);
        }
        to_outputs(simd, (&job.tiles, group), (outputs, to_channels), to);
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
        field_run: inputs,
        target: 0,
        target_row: 0,
        target_pixel: outputs,
        rows: 1,
        columns: rows,
        channels: outputs,
        weights: 0,
    }
}
