//! All eigenvalues of a small symmetric matrix: Householder reflections make it tridiagonal, QL
//! iteration does the rest (Golub and Van Loan, Matrix Computations, sections 8.3.1 and 8.3.3).

use super::lanczos::{dot, norm, tridiagonal_values};

/// The eigenvalues of a symmetric matrix of `size` rows, given row after row; ascending.
///
/// # Panics
/// When there are not `size * size` numbers.
#[must_use]
pub fn eigenvalues(matrix: Vec<f64>, size: usize) -> Vec<f64> {
    assert_eq!(matrix.len(), size * size, "a square matrix");
    let (diagonal, off_diagonal) = tridiagonal(matrix, size);
    let mut values = tridiagonal_values(&diagonal, &off_diagonal);
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// A tridiagonal matrix of the same eigenvalues: its diagonal, and what is beside it.
fn tridiagonal(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut off_diagonal = Vec::with_capacity(n.saturating_sub(1));
    for column in 0..n.saturating_sub(2) {
        let mut mirror: Vec<f64> = (column + 1..n).map(|row| a[row * n + column]).collect();
        let length = norm(&mirror);
        if length == 0.0 {
            off_diagonal.push(0.0);
            continue;
        }
        let reflected = -length.copysign(mirror[0]);
        off_diagonal.push(reflected);
        mirror[0] -= reflected;
        let scale = norm(&mirror).recip();
        mirror.iter_mut().for_each(|m| *m *= scale);
        reflect(&mut a, (n, column + 1), &mirror);
    }
    if n > 1 {
        off_diagonal.push(a[n * n - 2]);
    }
    ((0..n).map(|i| a[i * n + i]).collect(), off_diagonal)
}

/// `H A H` with `H = 1 - 2 m m^T` for the rows and columns from `first` on.
fn reflect(a: &mut [f64], (n, first): (usize, usize), mirror: &[f64]) {
    let row =
        |a: &[f64], i: usize| -> f64 { dot(&a[(first + i) * n + first..][..mirror.len()], mirror) };
    let mut image: Vec<f64> = (0..mirror.len()).map(|i| row(a, i)).collect();
    let along = dot(mirror, &image);
    image
        .iter_mut()
        .zip(mirror)
        .for_each(|(p, m)| *p -= along * m);
    for (i, (m, p)) in mirror.iter().zip(&image).enumerate() {
        let row = &mut a[(first + i) * n + first..][..mirror.len()];
        for (value, (other_m, other_p)) in row.iter_mut().zip(mirror.iter().zip(&image)) {
            *value -= 2.0 * (m * other_p + p * other_m);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hessian::lanczos::random_unit;

    /// `Q diag(values) Q` with Q a reflection: a dense matrix of known eigenvalues.
    fn reflected(values: &[f64]) -> Vec<f64> {
        let n = values.len();
        let mirror = random_unit(n, 7);
        let mut a = vec![0.0; n * n];
        (0..n).for_each(|i| a[i * n + i] = values[i]);
        reflect(&mut a, (n, 0), &mirror);
        a
    }

    #[test]
    fn known_eigenvalues_are_found_over_many_decades() {
        let values: Vec<f64> = (0..60).map(|i| 10f64.powf(-f64::from(i) / 10.0)).collect();
        let mut found = eigenvalues(reflected(&values), values.len());
        found.reverse();
        for (found, value) in found.iter().zip(&values) {
            assert!((found - value).abs() < 1e-14, "{found} {value}");
        }
    }

    #[test]
    fn signs_multiple_and_zero_eigenvalues_are_kept() {
        let values = [-3.0, -1.0, -1.0, 0.0, 0.0, 2.0, 2.0, 5.0];
        let found = eigenvalues(reflected(&values), values.len());
        for (found, value) in found.iter().zip(&values) {
            assert!((found - value).abs() < 1e-14, "{found} {value}");
        }
        assert_eq!(eigenvalues(vec![0.0; 9], 3), [0.0; 3]);
        assert_eq!(eigenvalues(vec![4.0], 1), [4.0]);
        let two = eigenvalues(vec![1.0, 2.0, 2.0, 1.0], 2);
        assert!((two[0] + 1.0).abs() < 1e-14 && (two[1] - 3.0).abs() < 1e-14);
        assert!(eigenvalues(Vec::new(), 0).is_empty());
    }
}
