//! `H = U D U^T` with a unit upper triangular `U`.

use rayon::prelude::*;

/// Rows below which threads are not worth their start.
const MANY: usize = 256;

/// The factors of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Factors {
    /// Column `j` of `U` above its diagonal, for every column: `U[k][j]` at `j * (j - 1) / 2 + k`.
    columns: Vec<f64>,
    /// `D`.
    pivots: Vec<f64>,
}

impl Factors {
    /// Of a symmetric, positive definite matrix of `size` rows, of which the lower triangle is read.
    pub fn of(mut matrix: Vec<f64>, size: usize) -> Self {
        for last in (0..size).rev() {
            let (above, from) = matrix.split_at_mut(last * size);
            let pivot = from[last];
            let row = &mut from[..last];
            let column = row.to_vec();
            row.iter_mut().for_each(|value| *value /= pivot);
            let row = &from[..last];
            let reduce = |(at, others): (usize, &mut [f64])| {
                let factor = column[at];
                let pairs = others[..=at].iter_mut().zip(row);
                pairs.for_each(|(value, each)| *value -= factor * each);
            };
            let rows = above[..last * size].chunks_mut(size).enumerate();
            if last > MANY {
                above[..last * size]
                    .par_chunks_mut(size)
                    .enumerate()
                    .for_each(reduce);
            } else {
                rows.for_each(reduce);
            }
        }
        let columns = (0..size).flat_map(|at| &matrix[at * size..at * size + at]);
        Self {
            columns: columns.copied().collect(),
            pivots: (0..size).map(|at| matrix[at * size + at]).collect(),
        }
    }

    /// A column of `U` above the diagonal: what the errors of the columns before are worth at this one.
    pub fn column(&self, at: usize) -> &[f64] {
        let begin = at * at.saturating_sub(1) / 2;
        &self.columns[begin..begin + at]
    }

    /// The solution of `H z = r`, in place.
    pub fn solve(&self, r: &mut [f64]) {
        for at in (0..r.len()).rev() {
            let (before, from) = r.split_at_mut(at);
            let pairs = before.iter_mut().zip(self.column(at));
            pairs.for_each(|(value, worth)| *value -= worth * from[0]);
        }
        let pairs = r.iter_mut().zip(&self.pivots);
        pairs.for_each(|(value, pivot)| *value /= pivot);
        for at in 1..r.len() {
            let earlier = self.column(at).iter().zip(&r[..at]);
            let sum: f64 = earlier.map(|(worth, value)| worth * value).sum();
            r[at] -= sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(i: usize, j: usize) -> f64 {
        ((i * 7 + j * j + 3) as f64 * 0.61).sin()
    }

    /// Symmetric and positive definite.
    fn definite(size: usize) -> Vec<f64> {
        let mut matrix = vec![0.0; size * size];
        for i in 0..size {
            for j in 0..size {
                let sum: f64 = (0..size).map(|k| wave(i, k) * wave(j, k)).sum();
                matrix[i * size + j] = sum + if i == j { 1.0 } else { 0.0 };
            }
        }
        matrix
    }

    #[test]
    fn a_solution_solves() {
        for size in [1, 4, 60] {
            let matrix = definite(size);
            let solution: Vec<f64> = (0..size).map(|at| wave(at, 2)).collect();
            let rows = matrix.chunks_exact(size);
            let mut found: Vec<f64> = rows
                .map(|row| row.iter().zip(&solution).map(|(a, b)| a * b).sum())
                .collect();
            Factors::of(matrix.clone(), size).solve(&mut found);
            for (found, right) in found.iter().zip(&solution) {
                assert!((found - right).abs() < 1e-9, "{size}: {found} {right}");
            }
        }
    }

    #[test]
    fn the_factors_make_the_matrix_again() {
        for size in [1, 5, 300] {
            let matrix = definite(size);
            let feedback = Factors::of(matrix.clone(), size);
            let entry = |k: usize, j: usize| match k.cmp(&j) {
                std::cmp::Ordering::Less => feedback.column(j)[k],
                std::cmp::Ordering::Equal => 1.0,
                std::cmp::Ordering::Greater => 0.0,
            };
            // With V = U^-1, V H V^T is diagonal: solved column by column from the last.
            let mut left = matrix.clone();
            for j in (0..size).rev() {
                for k in 0..j {
                    let factor = entry(k, j);
                    for at in 0..size {
                        left[k * size + at] -= factor * left[j * size + at];
                    }
                }
            }
            let largest = matrix
                .iter()
                .fold(0.0f64, |most, value| most.max(value.abs()));
            // What is left is D U^T: lower triangular.
            for k in 0..size {
                for at in k + 1..size {
                    assert!(
                        left[k * size + at].abs() < 1e-9 * largest,
                        "{size}: {k} {at}"
                    );
                }
            }
        }
    }
}
