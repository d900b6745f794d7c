//! The gradient of the weights: summed as frequencies, block by block, then transformed back.

use std::ops::Range;

use super::super::grad_weight::{Sums, accumulate};
use super::product::matrix_pass;
use super::tiles::{Frequencies, Maps, Tiles, parts};
use super::transform::{Input, OutputGradient, WeightGradient, both_ways, row_of};
use super::{FREQUENCIES, Winograd};
use crate::engine::backend::cpu::Scratch;
use crate::engine::backend::cpu::scratch::grown;
use crate::engine::backend::cpu::vector::Simd;

/// Tiles transformed together.
const GROUP: usize = 32;
/// Input and output channels whose sums are kept in a core's cache.
const BLOCK: [usize; 2] = [64, 32];

/// A weight gradient under way.
struct Job<'a> {
    tiles: Tiles,
    images: usize,
    x: Maps<'a>,
    dy: Maps<'a>,
    channels: [usize; 2],
}

/// Work memory of a block.
struct Memory<'a> {
    inputs: &'a mut Vec<f32>,
    gradients: &'a mut Vec<f32>,
    sums: &'a mut Vec<f32>,
}

impl Winograd {
    /// Adds the weight gradients of a chunk into `dw`, in the direct kernel's private layout.
    ///
    /// # Panics
    /// When `x` and `dy` are not the same whole images, or `dw` is not of the direct kernel's
    /// length.
    pub fn grad_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32], scratch: &mut Scratch) {
        let images = self.convolution.images(x.len(), dy.len());
        assert_eq!(
            dw.len(),
            self.convolution.grad_weight_length(),
            "weight gradient of {self:?}"
        );
        let shape = self.convolution.shape();
        let channels = [shape.in_channels, shape.out_channels];
        let job = &Job {
            tiles: Tiles::new(shape),
            images,
            x: Maps::new(x, channels[0]),
            dy: Maps::new(dy, channels[1]),
            channels,
        };
        let [inputs, gradients] = &mut scratch.frequencies;
        let memory = &mut Memory {
            inputs,
            gradients,
            sums: &mut scratch.sums,
        };
        let isa = self.convolution.isa;
        dispatch!(isa, run(job: &Job, memory: &mut Memory<'_>, dw: &mut [f32]));
    }
}

#[inline(always)]
fn run<S: Simd>(simd: S, job: &Job, memory: &mut Memory<'_>, dw: &mut [f32]) {
    for from in parts(job.channels[0], BLOCK[0]) {
        for to in parts(job.channels[1], BLOCK[1]) {
            block(simd, job, [from.clone(), to], (memory, dw));
        }
    }
}

/// The gradients of the weights between some input and some output channels.
#[inline(always)]
fn block<S: Simd>(
    simd: S,
    job: &Job,
    [from, to]: [Range<usize>; 2],
    (memory, dw): (&mut Memory<'_>, &mut [f32]),
) {
    let channels = [from.len(), to.len()];
    let weights = channels[0] * channels[1];
    let mut inputs = Frequencies::new(memory.inputs, GROUP, channels[0]);
    let mut gradients = Frequencies::new(memory.gradients, GROUP, channels[1]);
    let sums = grown(memory.sums, FREQUENCIES * weights);
    let mut start_from = Sums::Written;
    for group in job.tiles.groups(job.images, GROUP) {
        let pass = matrix_pass(channels, group.len());
        let of = (&job.tiles, group);
        job.x
            .transform::<S, Input, 6>(simd, of.clone(), from.clone(), &mut inputs);
        job.dy
            .transform::<S, OutputGradient, 4>(simd, of, to.clone(), &mut gradients);
        for ((inputs, gradients), sums) in inputs
            .each()
            .zip(gradients.each())
            .zip(sums.chunks_exact_mut(weights))
        {
            accumulate(simd, (&pass, start_from), [inputs, gradients], sums);
        }
        start_from = Sums::Continued;
    }
    if start_from == Sums::Continued {
        finish(simd, job.channels, ([from, to], sums), dw);
    }
}

/// Adds the transformed sums of a block to the gradient.
#[inline(always)]
fn finish<S: Simd>(
    simd: S,
    [inputs, outputs]: [usize; 2],
    ([from, to], sums): ([Range<usize>; 2], &[f32]),
    dw: &mut [f32],
) {
    let weights = from.len() * to.len();
    assert!(sums.len() >= FREQUENCIES * weights && dw.len() >= 9 * inputs * outputs);
    for (k, channel) in from.enumerate() {
        for lane in (0..to.len()).step_by(S::WIDTH) {
            let source = &sums[k * to.len() + lane..];
            let start = channel * outputs + to.start + lane;
            both_ways::<S, WeightGradient, 6, 3, 3>(
                simd,
                #[inline(always)]
                |i| {
                    row_of(
                        simd,
                        #[inline(always)]
                        |j| simd.load(&source[(6 * i + j) * weights..][..S::WIDTH]),
                    )
                },
                #[inline(always)]
                |i, j, value| {
                    let at = (3 * i + j) * inputs * outputs + start;
                    let dw = &mut dw[at..][..S::WIDTH];
                    simd.store(dw, simd.add(simd.load(dw), value));
                },
            );
        }
    }
}
