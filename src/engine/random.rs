//! Random numbers of a kind that no library here draws.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// A standard normal number (Box and Muller's transform).
pub fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let mut uniform = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform()).cos()
}
