//! Products with the rows of a matrix that is too large for the cache: each row is read from memory
//! once, and used twice while it is near.

use super::Isa;
use super::vector::Simd;

/// Sums side by side, so that additions do not wait for each other.
const SUMS: usize = 4;

/// Adds `sum over rows of row (row . v)`.
///
/// # Panics
/// When `rows` are not whole rows of `v`'s length, or `sum` is of another length.
pub fn add_outer_products(isa: Isa, rows: &[f32], v: &[f32], sum: &mut [f32]) {
    assert!(
        sum.len() == v.len() && (v.is_empty() || rows.len().is_multiple_of(v.len())),
        "{} numbers are not whole rows of {}, to be added to {}",
        rows.len(),
        v.len(),
        sum.len()
    );
    for row in rows.chunks_exact(v.len().max(1)) {
        dispatch!(isa, add_outer_product(row: &[f32], v: &[f32], sum: &mut [f32]));
    }
}

#[inline(always)]
fn add_outer_product<S: Simd>(simd: S, row: &[f32], v: &[f32], sum: &mut [f32]) {
    let part = simd.splat(dot(simd, row, v));
    for (sum, row) in sum.chunks_mut(S::WIDTH).zip(row.chunks(S::WIDTH)) {
        let total = simd.fma(part, simd.load(row), simd.load(sum));
        simd.store(sum, total);
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [simd.splat(0.0); SUMS];
    let run = SUMS * S::WIDTH;
    for (a, b) in a.chunks(run).zip(b.chunks(run)) {
        let pairs = a.chunks(S::WIDTH).zip(b.chunks(S::WIDTH));
        for (sum, (a, b)) in sums.iter_mut().zip(pairs) {
            *sum = simd.fma(simd.load(a), simd.load(b), *sum);
        }
    }
    sums.iter().map(|&sum| simd.sum(sum)).sum()
}

/// The squared norm.
#[must_use]
pub fn squared_norm(values: &[f32]) -> f64 {
    // Sixteen float32 sums side by side over short runs, float64 over those.
    const LANES: usize = 16;
    const RUN: usize = 1024;
    let mut total = 0.0;
    for run in values.chunks(RUN) {
        let mut sums = [0.0f32; LANES];
        for lanes in run.chunks(LANES) {
            sums.iter_mut()
                .zip(lanes)
                .for_each(|(sum, v)| *sum += v * v);
        }
        total += sums.iter().map(|&sum| f64::from(sum)).sum::<f64>();
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::cpu::check::{dot as exact, random};

    #[test]
    fn outer_products_agree_with_plain_sums() {
        for length in [1, 7, 16, 64, 65, 640, 2311] {
            let rows = random(5 * length, 1);
            let v = random(length, 2);
            for isa in Isa::available() {
                let mut sum = random(length, 3);
                let mut want: Vec<f64> = sum.iter().map(|&s| f64::from(s)).collect();
                for row in rows.chunks_exact(length) {
                    let part = exact(row, &v);
                    let row = row.iter().map(|&r| f64::from(r));
                    want.iter_mut().zip(row).for_each(|(w, r)| *w += part * r);
                }
                add_outer_products(isa, &rows, &v, &mut sum);
                let size = want.iter().map(|w| w * w).sum::<f64>().sqrt();
                for (sum, want) in sum.iter().zip(&want) {
                    assert!(
                        (f64::from(*sum) - want).abs() < 1e-6 * size,
                        "{isa} {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_squared_norm_is_a_sum_of_squares() {
        let values = random(3000, 4);
        let want = exact(&values, &values);
        assert!((squared_norm(&values) / want - 1.0).abs() < 1e-6);
    }

    #[test]
    #[should_panic(expected = "whole rows")]
    fn a_broken_row_is_refused() {
        add_outer_products(Isa::detect(), &[0.0; 5], &[0.0; 2], &mut [0.0; 2]);
    }
}
