//! Batch norm on the statistics of the batch: channel sums, and the gradient of the input.
//!
//! With `m` the mean and `r = 1 / sqrt(variance + epsilon)` over `n` positions, and output
//! `gamma (x - m) r + beta` (an [`affine`](super::elementwise::affine)), the input gradient is
//!
//! ```text
//! dx = gamma r (dy - sum(dy) / n - (x - m) r^2 sum(dy (x - m)) / n)
//! ```
//!
//! Sums run in float32 over short runs of rows, and in float64 over those: their order is fixed by
//! the slice that is passed, and so by the chunk.

use super::Isa;
use super::elementwise::routine;
use super::rows::{Rows, Segment};
use super::vector::Simd;

/// Rows whose sum is taken in float32.
const RUN: usize = 32;

/// Two sums per channel; routines add to them.
#[derive(Debug)]
pub struct ChannelSums<'a> {
    /// Sum of the first kind.
    pub first: &'a mut [f64],
    /// Sum of the second kind.
    pub second: &'a mut [f64],
}

/// Adds `sum(x - pivot)` and `sum((x - pivot)^2)` of each channel. A pivot near the mean (the
/// running mean) keeps the variance free of cancellation.
///
/// # Panics
/// When the lengths do not fit.
pub fn channel_moments(isa: Isa, x: &[f32], pivot: &[f32], sums: &mut ChannelSums<'_>) {
    #[inline(always)]
    fn kernel<S: Simd>(simd: S, rows: &Rows<1, 1>, sums: &mut ChannelSums<'_>) {
        sum_rows(
            simd,
            rows,
            sums,
            #[inline(always)]
            |[x], [pivot]| {
                let centred = simd.sub(x, pivot);
                [centred, simd.mul(centred, centred)]
            },
        );
    }
    let rows = &Rows::new([x], [pivot], x.len());
    dispatch!(isa, kernel(rows: &Rows<1, 1>, sums: &mut ChannelSums<'_>));
}

/// Adds `sum(dy)` and `sum(dy * (x - mean))` of each channel.
///
/// # Panics
/// When the lengths do not fit.
pub fn gradient_moments(isa: Isa, [dy, x]: [&[f32]; 2], mean: &[f32], sums: &mut ChannelSums<'_>) {
    #[inline(always)]
    fn kernel<S: Simd>(simd: S, rows: &Rows<2, 1>, sums: &mut ChannelSums<'_>) {
        sum_rows(
            simd,
            rows,
            sums,
            #[inline(always)]
            |[dy, x], [mean]| [dy, simd.mul(dy, simd.sub(x, mean))],
        );
    }
    let rows = &Rows::new([dy, x], [mean], x.len());
    dispatch!(isa, kernel(rows: &Rows<2, 1>, sums: &mut ChannelSums<'_>));
}

/// Adds `sum(dy * min(x, 0))` of each channel, to both sums.
///
/// # Panics
/// When the lengths do not fit.
pub fn negative_products(isa: Isa, [dy, x]: [&[f32]; 2], sums: &mut ChannelSums<'_>) {
    #[inline(always)]
    fn kernel<S: Simd>(simd: S, rows: &Rows<2, 1>, sums: &mut ChannelSums<'_>) {
        sum_rows(
            simd,
            rows,
            sums,
            #[inline(always)]
            |[dy, x], [zero]| {
                let product = simd.mul(dy, simd.min(zero, x));
                [product, product]
            },
        );
    }
    let zeros = vec![0.0; sums.first.len()];
    let rows = &Rows::new([dy, x], [&zeros[..]], x.len());
    dispatch!(isa, kernel(rows: &Rows<2, 1>, sums: &mut ChannelSums<'_>));
}

/// Per-channel coefficients of the input gradient of batch norm.
#[derive(Debug, Clone, Copy)]
pub struct BatchNormGradient<'a> {
    /// Mean of the batch: `m`.
    pub mean: &'a [f32],
    /// `gamma r`.
    pub gain: &'a [f32],
    /// `sum(dy) / n`.
    pub offset: &'a [f32],
    /// `r^2 sum(dy (x - m)) / n`.
    pub slope: &'a [f32],
}

/// `dx = gain * (dy - offset - (x - mean) * slope)`, by channel.
///
/// # Panics
/// When the lengths do not fit.
pub fn batch_norm_grad_input(
    isa: Isa,
    [dy, x]: [&[f32]; 2],
    by: &BatchNormGradient<'_>,
    dx: &mut [f32],
) {
    routine! {
        isa, simd: [dy, x]
            by [mean: by.mean, gain: by.gain, offset: by.offset, slope: by.slope] => dx,
        simd.mul(gain, simd.sub(dy, simd.fma(simd.sub(x, mean), slope, offset)))
    }
}

/// Adds the two terms of `operation` over all rows to `sums`.
#[inline(always)]
fn sum_rows<S: Simd, const INPUTS: usize>(
    simd: S,
    rows: &Rows<'_, INPUTS, 1>,
    sums: &mut ChannelSums<'_>,
    operation: impl Fn([S::Vector; INPUTS], [S::Vector; 1]) -> [S::Vector; 2],
) {
    let channels = rows.channels();
    assert!(
        sums.first.len() == channels && sums.second.len() == channels,
        "sums of {} and {} channels, expected {channels}",
        sums.first.len(),
        sums.second.len()
    );
    for start in (0..rows.rows()).step_by(RUN) {
        let run = RUN.min(rows.rows() - start);
        for channel in (0..channels).step_by(S::WIDTH) {
            let segment = Segment {
                position: start * channels + channel,
                channel,
                count: S::WIDTH.min(channels - channel),
            };
            // SAFETY: the rows lie within the inputs, and the channels within a row.
            let [first, second] = unsafe { rows.sums(simd, segment, run, &operation) };
            flush(simd, first, &mut sums.first[channel..][..segment.count]);
            flush(simd, second, &mut sums.second[channel..][..segment.count]);
        }
    }
}

/// Adds the lanes of `run` to `sums`.
#[inline(always)]
fn flush<S: Simd>(simd: S, run: S::Vector, sums: &mut [f64]) {
    for (sum, lane) in sums.iter_mut().zip(simd.lanes(run)) {
        *sum += f64::from(lane);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::cpu::check::{assert_close, random};

    const SIZES: [[usize; 2]; 7] = [
        [1, 3],
        [31, 10],
        [32, 16],
        [33, 17],
        [100, 33],
        [77, 64],
        [0, 5],
    ];

    /// The two sums of `terms(row * channels + channel, channel)`.
    fn reference(
        [rows, channels]: [usize; 2],
        terms: impl Fn(usize, usize) -> [f64; 2],
    ) -> [Vec<f64>; 2] {
        let mut sums = [vec![1.0; channels], vec![2.0; channels]];
        for i in 0..rows * channels {
            let [first, second] = terms(i, i % channels);
            sums[0][i % channels] += first;
            sums[1][i % channels] += second;
        }
        sums
    }

    fn check(got: &[f64], want: &[f64], what: &str) {
        for (got, want) in got.iter().zip(want) {
            assert!(
                (got - want).abs() < 1e-6 * (10.0 + want.abs()),
                "{what}: {got} {want}"
            );
        }
    }

    #[test]
    fn moments_agree_with_scalar_code_and_are_added() {
        for isa in Isa::available() {
            for [rows, channels] in SIZES {
                let what = format!("{isa} {rows}x{channels}");
                let (x, dy) = (random(rows * channels, 1), random(rows * channels, 2));
                let mean = random(channels, 3);
                let (mut first, mut second) = (vec![1.0; channels], vec![2.0; channels]);
                let mut sums = ChannelSums {
                    first: &mut first,
                    second: &mut second,
                };
                channel_moments(isa, &x, &mean, &mut sums);
                let want = reference([rows, channels], |i, c| {
                    let centred = f64::from(x[i]) - f64::from(mean[c]);
                    [centred, centred * centred]
                });
                check(&first, &want[0], &what);
                check(&second, &want[1], &what);
                let (mut first, mut second) = (vec![1.0; channels], vec![2.0; channels]);
                let mut sums = ChannelSums {
                    first: &mut first,
                    second: &mut second,
                };
                gradient_moments(isa, [&dy, &x], &mean, &mut sums);
                let want = reference([rows, channels], |i, c| {
                    let dy = f64::from(dy[i]);
                    [dy, dy * (f64::from(x[i]) - f64::from(mean[c]))]
                });
                check(&first, &want[0], &what);
                check(&second, &want[1], &what);
            }
        }
    }

    #[test]
    fn the_input_gradient_agrees_with_its_formula() {
        for isa in Isa::available() {
            for [rows, channels] in SIZES {
                let (x, dy) = (random(rows * channels, 1), random(rows * channels, 2));
                let [mean, gain, offset, slope] = [3, 4, 5, 6].map(|seed| random(channels, seed));
                let want: Vec<f64> = (0..x.len())
                    .map(|i| {
                        let at = |values: &[f32]| f64::from(values[i % channels]);
                        let centred = f64::from(x[i]) - at(&mean);
                        at(&gain) * (f64::from(dy[i]) - at(&offset) - centred * at(&slope))
                    })
                    .collect();
                let mut dx = vec![f32::NAN; x.len()];
                let by = BatchNormGradient {
                    mean: &mean,
                    gain: &gain,
                    offset: &offset,
                    slope: &slope,
                };
                batch_norm_grad_input(isa, [&dy, &x], &by, &mut dx);
                assert_close(&dx, &want, 5e-7, &format!("{isa} {rows}x{channels}"));
            }
        }
    }

    #[test]
    #[should_panic(expected = "expected 3")]
    fn sums_of_another_width_are_refused() {
        let (mut first, mut second) = (vec![0.0; 2], vec![0.0; 3]);
        let mut sums = ChannelSums {
            first: &mut first,
            second: &mut second,
        };
        channel_moments(Isa::detect(), &[0.0; 6], &[0.0; 3], &mut sums);
    }
}
