//! The gradient of the weights, summed as frequencies: `[frequency][input channel][output channel]`.

use super::super::grad_weight::{Sums, accumulate};
use super::product::matrix_pass;
use super::tiles::{Maps, Tiles};
use super::transform::{Input, OutputGradient, WeightGradient, both_ways};
use super::{FREQUENCIES, Winograd, frequency_stride};
use crate::engine::backend::cpu::Scratch;
use crate::engine::backend::cpu::scratch::grown;
use crate::engine::backend::cpu::vector::Simd;

/// A weight gradient under way.
struct Job<'a> {
    tiles: Tiles,
    images: usize,
    x: Maps<'a>,
    dy: Maps<'a>,
    channels: [usize; 2],
}

impl Winograd {
    /// Numbers in a sum of frequencies.
    #[must_use]
    pub const fn sum_length(&self) -> usize {
        let shape = self.convolution.shape();
        FREQUENCIES * shape.in_channels * shape.out_channels
    }

    /// Adds the weight gradients of a chunk to a sum of frequencies, tile by tile.
    ///
    /// # Panics
    /// When `x` and `dy` are not the same whole images, or `sum` is not of
    /// [`sum_length`](Self::sum_length).
    pub fn grad_weight(&self, x: &[f32], dy: &[f32], sum: &mut [f32], scratch: &mut Scratch) {
        let images = self.convolution.images(x.len(), dy.len());
        assert_eq!(sum.len(), self.sum_length(), "a sum of {self:?}");
        let shape = self.convolution.shape();
        let channels = [shape.in_channels, shape.out_channels];
        let [zeros, more_zeros] = &mut scratch.zeros;
        let job = &Job {
            tiles: Tiles::new(shape),
            images,
            x: Maps::new(x, channels[0], zeros),
            dy: Maps::new(dy, channels[1], more_zeros),
            channels,
        };
        let [inputs, gradients] = &mut scratch.frequencies;
        let inputs = grown(inputs, FREQUENCIES * frequency_stride(channels[0]));
        let gradients = grown(gradients, FREQUENCIES * frequency_stride(channels[1]));
        let (isa, memory) = (self.convolution.isa, [inputs, gradients]);
        dispatch!(isa, run(job: &Job, memory: [&mut [f32]; 2], sum: &mut [f32]));
    }

    /// Adds a sum of frequencies to a weight gradient in the direct kernel's private layout, and
    /// empties it.
    ///
    /// # Panics
    /// When a length does not fit the shape.
    pub fn finish_grad_weight(&self, sum: &mut [f32], dw: &mut [f32]) {
        assert_eq!(sum.len(), self.sum_length(), "a sum of {self:?}");
        assert_eq!(dw.len(), self.convolution.grad_weight_length());
        let isa = self.convolution.isa;
        let frequencies: &[f32] = sum;
        dispatch!(isa, finish(frequencies: &[f32], dw: &mut [f32]));
        sum.fill(0.0);
    }
}

#[inline(always)]
fn run<S: Simd>(simd: S, job: &Job, [inputs, gradients]: [&mut [f32]; 2], sum: &mut [f32]) {
    let [from_channels, to_channels] = job.channels;
    for group in job.tiles.groups(job.images) {
        let pass = matrix_pass(job.channels, group.len());
        let of = (&job.tiles, group);
        job.x.transform::<S, Input, 6>(simd, of.clone(), inputs);
        job.dy
            .transform::<S, OutputGradient, 4>(simd, of, gradients);
        for ((inputs, gradients), sum) in inputs
            .chunks_exact(frequency_stride(from_channels))
            .zip(gradients.chunks_exact(frequency_stride(to_channels)))
            .zip(sum.chunks_exact_mut(from_channels * to_channels))
        {
            accumulate(simd, (&pass, Sums::Continued), [inputs, gradients], sum);
        }
    }
}

#[inline(always)]
fn finish<S: Simd>(simd: S, sum: &[f32], dw: &mut [f32]) {
    let weights = sum.len() / FREQUENCIES;
    for lane in (0..weights).step_by(S::WIDTH) {
        let mut square = [[simd.splat(0.0); 6]; 6];
        for (i, value) in square.as_flattened_mut().iter_mut().enumerate() {
            *value = simd.load(&sum[i * weights + lane..][..S::WIDTH]);
        }
        let taps = both_ways::<S, WeightGradient, 6, 3>(simd, square);
        for (tap, value) in taps.as_flattened().iter().enumerate() {
            let dw = &mut dw[tap * weights + lane..][..S::WIDTH];
            simd.store(dw, simd.add(simd.load(dw), *value));
        }
    }
}
