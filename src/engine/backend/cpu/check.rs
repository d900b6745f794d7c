//! What the tests of all kernels share: seeded numbers and comparison with a float64 reference.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `count` numbers in -1..1.
pub(super) fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| generator.random_range(-1.0..1.0))
        .collect()
}

/// Panics unless every number is within `tolerance` of `want`, relative to the largest.
pub(super) fn assert_close(got: &[f32], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(1e-3_f64, |scale, w| scale.max(w.abs()));
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(got) - want).abs();
        assert!(
            error <= tolerance * scale,
            "{what}: [{i}] is {got}, expected {want}"
        );
    }
}

/// The inner product, in float64.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum()
}
