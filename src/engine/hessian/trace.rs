//! Traces of all layers' Hessian blocks at once.
//!
//! The softmax Hessian of an image is a sum over classes of outer products of
//! `u_c = sqrt(p_c) (onehot_c - p)`, so a layer's trace is the mean over images of
//! `sum_c norm(J_n^T u_c)^2`: exact after one backward walk per class, and one walk serves every
//! layer. With many classes, random signs over the classes give an unbiased estimate of the same sum
//! from each walk (Hutchinson's estimator on the logits instead of the weights, where it has far
//! less variance).

use std::ops::Range;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::curvature::Curvature;
use crate::engine::Result;
use crate::engine::autodiff::loss;
use crate::engine::backend::Backend;
use crate::engine::job::{Event, Observer, Phase, Verdict};

/// Up to this many classes the trace is summed exactly.
pub const EXACT_CLASSES: usize = 64;

/// Probes at most when the trace is estimated.
const PROBES: usize = 256;

/// Relative standard error at which an estimate is good enough.
const RELATIVE_ERROR: f64 = 0.005;

/// A layer's trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trace {
    /// The trace.
    pub value: f64,
    /// Its standard error; 0 when exact.
    pub standard_error: f64,
}

/// Traces of all layers, in order. `None` when the observer asked to stop.
///
/// # Errors
/// When the device fails.
pub fn traces<B: Backend>(
    curvature: &mut Curvature<B>,
    seed: u64,
    observer: &mut dyn Observer,
) -> Result<Option<Vec<Trace>>> {
    if curvature.classes() <= EXACT_CLASSES {
        exact(curvature, observer)
    } else {
        estimated(curvature, seed, observer)
    }
}

fn exact<B: Backend>(
    curvature: &mut Curvature<B>,
    observer: &mut dyn Observer,
) -> Result<Option<Vec<Trace>>> {
    let classes = curvature.classes();
    let mut sums = vec![0.0; curvature.layers().len()];
    for class in 0..classes {
        let column = |_: Range<usize>, p: &[f64]| loss::hessian_factor(p, classes, class);
        let norms = curvature.squared_norms(&column)?;
        sums.iter_mut()
            .zip(norms)
            .for_each(|(sum, norm)| *sum += norm);
        if !go_on(observer, class + 1, classes) {
            return Ok(None);
        }
    }
    Ok(Some(
        sums.into_iter()
            .map(|value| Trace {
                value,
                standard_error: 0.0,
            })
            .collect(),
    ))
}

fn estimated<B: Backend>(
    curvature: &mut Curvature<B>,
    seed: u64,
    observer: &mut dyn Observer,
) -> Result<Option<Vec<Trace>>> {
    let classes = curvature.classes();
    let mut probes: Vec<Vec<f64>> = Vec::new();
    while probes.len() < PROBES {
        let probe = probes.len() as u64;
        let signed =
            |range: Range<usize>, p: &[f64]| signed_factor(range, p, classes, (seed, probe));
        probes.push(curvature.squared_norms(&signed)?);
        if !go_on(observer, probes.len(), PROBES) {
            return Ok(None);
        }
        let good = |trace: &Trace| trace.standard_error <= RELATIVE_ERROR * trace.value;
        if probes.len() >= 8 && means(&probes).iter().all(good) {
            break;
        }
    }
    Ok(Some(means(&probes)))
}

/// `sum_c z_c u_c` with random signs `z`, drawn anew for every image and probe.
fn signed_factor(
    range: Range<usize>,
    probabilities: &[f64],
    classes: usize,
    (seed, probe): (u64, u64),
) -> Vec<f64> {
    let mut factor = Vec::with_capacity(probabilities.len());
    for (image, p) in range.zip(probabilities.chunks_exact(classes)) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(probe.wrapping_mul(1 << 32).wrapping_add(image as u64));
        let weights: Vec<f64> = p
            .iter()
            .map(|p| {
                if rng.next_u32() & 1 == 0 {
                    p.sqrt()
                } else {
                    -p.sqrt()
                }
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        factor.extend(weights.iter().zip(p).map(|(w, p)| w - sum * p));
    }
    factor
}

fn means(probes: &[Vec<f64>]) -> Vec<Trace> {
    let n = probes.len() as f64;
    (0..probes[0].len())
        .map(|layer| {
            let value = probes.iter().map(|p| p[layer]).sum::<f64>() / n;
            let squares: f64 = probes.iter().map(|p| (p[layer] - value).powi(2)).sum();
            let standard_error = (squares / (n - 1.0).max(1.0) / n).sqrt();
            Trace {
                value,
                standard_error,
            }
        })
        .collect()
}

fn go_on(observer: &mut dyn Observer, done: usize, total: usize) -> bool {
    let (done, total) = (done as u64, total as u64);
    observer.on(Event::Progress {
        phase: Phase::Trace,
        done,
        total,
    }) == Verdict::Continue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_signs_give_the_factor_sum_on_average() {
        let mut p = vec![0.1, 1.5, -0.5, 0.3];
        loss::softmax(&mut p);
        let exact: f64 = (0..4)
            .map(|c| {
                loss::hessian_factor(&p, 4, c)
                    .iter()
                    .map(|u| u * u)
                    .sum::<f64>()
            })
            .sum();
        let mean = (0..20_000)
            .map(|probe| {
                signed_factor(0..1, &p, 4, (1, probe))
                    .iter()
                    .map(|u| u * u)
                    .sum::<f64>()
            })
            .sum::<f64>()
            / 20_000.0;
        assert!((mean / exact - 1.0).abs() < 0.02, "{mean} against {exact}");
    }
}
