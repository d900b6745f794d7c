//! The one-dimensional transforms of F(4, 3), and what makes two-dimensional ones of them.
//!
//! ```text
//!       | 4  0 -5  0  1  0 |       |  1/4     0    0  |
//!       | 0 -4 -4  1  1  0 |       | -1/6  -1/6  -1/6 |         | 1  1  1  1  1  0 |
//! B^T = | 0  4 -4 -1  1  0 |   G = | -1/6   1/6  -1/6 |   A^T = | 0  1 -1  2 -2  0 |
//!       | 0 -2 -1  2  1  0 |       | 1/24  1/12   1/6 |         | 0  1  1  4  4  0 |
//!       | 0  2 -1 -2  1  0 |       | 1/24 -1/12   1/6 |         | 0  1 -1  8 -8  1 |
//!       | 0  4  0 -5  0  1 |       |    0     0    1  |
//! ```

use crate::engine::backend::cpu::vector::Simd;

/// A linear map of `FROM` numbers to `TO`. A trait, since a call through a function value would not
/// be inlined into the code that enables the instructions.
pub(super) trait Transform<const FROM: usize, const TO: usize> {
    fn apply<S: Simd>(simd: S, values: [S::Vector; FROM]) -> [S::Vector; TO];
}

/// Transforms a square of `FROM` rows both ways. `row` gives a row of it; `keep` takes each number of
/// the result, with its row and column.
///
/// The columns of the result are made `PART` at a time, all of them or half: so many numbers fit
/// into the registers.
#[inline(always)]
pub(super) fn both_ways<S, T, const FROM: usize, const TO: usize, const PART: usize>(
    simd: S,
    mut row: impl FnMut(usize) -> [S::Vector; FROM],
    mut keep: impl FnMut(usize, usize, S::Vector),
) where
    S: Simd,
    T: Transform<FROM, TO>,
{
    const { assert!(PART == TO || 2 * PART == TO) };
    columns::<S, T, FROM, TO, PART, 0>(simd, &mut row, &mut keep);
    if PART < TO {
        columns::<S, T, FROM, TO, PART, PART>(simd, &mut row, &mut keep);
    }
}

/// A row of `N` vectors.
#[inline(always)]
pub(super) fn row_of<S: Simd, const N: usize>(
    simd: S,
    mut vector: impl FnMut(usize) -> S::Vector,
) -> [S::Vector; N] {
    let mut row = [simd.splat(0.0); N];
    for (j, slot) in row.iter_mut().enumerate() {
        *slot = vector(j);
    }
    row
}

/// The columns of the result from `FIRST`.
#[inline(always)]
fn columns<S, T, const FROM: usize, const TO: usize, const PART: usize, const FIRST: usize>(
    simd: S,
    row: &mut impl FnMut(usize) -> [S::Vector; FROM],
    keep: &mut impl FnMut(usize, usize, S::Vector),
) where
    S: Simd,
    T: Transform<FROM, TO>,
{
    let mut columns = [[simd.splat(0.0); FROM]; PART];
    for i in 0..FROM {
        let transformed = T::apply(simd, row(i));
        for (j, column) in columns.iter_mut().enumerate() {
            column[i] = transformed[(FIRST + j) % TO];
        }
    }
    // By reference: an array that is taken apart by value is kept in memory.
    for (j, &column) in columns.iter().enumerate() {
        for (i, &value) in T::apply(simd, column).iter().enumerate() {
            keep(i, FIRST + j, value);
        }
    }
}

/// `k x + y`.
#[inline(always)]
fn times<S: Simd>(simd: S, k: f32, x: S::Vector, y: S::Vector) -> S::Vector {
    simd.fma(simd.splat(k), x, y)
}

/// `k x`.
#[inline(always)]
fn by<S: Simd>(simd: S, k: f32, x: S::Vector) -> S::Vector {
    simd.mul(simd.splat(k), x)
}

/// `B^T x`.
pub(super) struct Input;

impl Transform<6, 6> for Input {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::Vector; 6]) -> [S::Vector; 6] {
        let (even, odd) = (times(simd, -4.0, c, e), times(simd, -4.0, b, d));
        let (near, far) = (simd.sub(e, c), simd.sub(d, b));
        [
            times(simd, 4.0, a, times(simd, -5.0, c, e)),
            simd.add(even, odd),
            simd.sub(even, odd),
            times(simd, 2.0, far, near),
            times(simd, -2.0, far, near),
            times(simd, 4.0, b, times(simd, -5.0, d, f)),
        ]
    }
}

/// `A^T m`.
pub(super) struct Output;

impl Transform<6, 4> for Output {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::Vector; 6]) -> [S::Vector; 4] {
        let (near, far) = (simd.add(b, c), simd.add(d, e));
        let (near_odd, far_odd) = (simd.sub(b, c), simd.sub(d, e));
        [
            simd.add(a, simd.add(near, far)),
            times(simd, 2.0, far_odd, near_odd),
            times(simd, 4.0, far, near),
            simd.add(times(simd, 8.0, far_odd, near_odd), f),
        ]
    }
}

/// `A y`.
pub(super) struct OutputGradient;

impl Transform<4, 6> for OutputGradient {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, [a, b, c, d]: [S::Vector; 4]) -> [S::Vector; 6] {
        let (even, odd) = (simd.add(a, c), simd.add(b, d));
        let far = times(simd, 4.0, c, a);
        let far_odd = times(simd, 4.0, d, b);
        [
            a,
            simd.add(even, odd),
            simd.sub(even, odd),
            times(simd, 2.0, far_odd, far),
            times(simd, -2.0, far_odd, far),
            d,
        ]
    }
}

/// `G w`.
pub(super) struct Weight;

impl Transform<3, 6> for Weight {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, [a, b, c]: [S::Vector; 3]) -> [S::Vector; 6] {
        let near = by(simd, -1.0 / 6.0, simd.add(a, c));
        let near_odd = by(simd, 1.0 / 6.0, b);
        let far = simd.fma(simd.splat(1.0 / 24.0), a, by(simd, 1.0 / 6.0, c));
        let far_odd = by(simd, 1.0 / 12.0, b);
        [
            by(simd, 0.25, a),
            simd.sub(near, near_odd),
            simd.add(near, near_odd),
            simd.add(far, far_odd),
            simd.sub(far, far_odd),
            c,
        ]
    }
}

/// `G^T u`.
pub(super) struct WeightGradient;

impl Transform<6, 3> for WeightGradient {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::Vector; 6]) -> [S::Vector; 3] {
        let (near, far) = (by(simd, -1.0 / 6.0, simd.add(b, c)), simd.add(d, e));
        [
            times(simd, 0.25, a, times(simd, 1.0 / 24.0, far, near)),
            times(
                simd,
                1.0 / 6.0,
                simd.sub(c, b),
                by(simd, 1.0 / 12.0, simd.sub(d, e)),
            ),
            times(simd, 1.0 / 6.0, far, simd.add(near, f)),
        ]
    }
}
