//! The largest eigenvalue of a symmetric matrix known by its products alone: Lanczos iteration with
//! full reorthogonalisation, and power iteration (HAWQ, arXiv 1905.03696, algorithm 1).
//!
//! "Largest" is by absolute value, the sign kept: blocks of a non-convex loss can be indefinite.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::engine::job::Verdict;
use crate::engine::random::normal;
use crate::engine::words::words;
use crate::engine::{Error, Result};

/// How the eigenvalue is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Lanczos: reaches a tolerance in the fewest products.
    #[default]
    Lanczos,
    /// Power iteration, as in the paper.
    Power,
}

words! { Method as "method": Lanczos "lanczos", Power "power" }

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopping {
    /// Relative residual `norm(Hv - lambda v) / |lambda|` that counts as converged.
    pub tolerance: f64,
    /// Products at most.
    pub max_iterations: usize,
    /// Seed of the first direction.
    pub seed: u64,
}

/// An eigenvalue, or the best estimate of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigenpair {
    /// The eigenvalue.
    pub value: f64,
    /// A unit vector of that direction.
    pub vector: Vec<f64>,
    /// Relative residual.
    pub residual: f64,
    /// Whether the residual is within the tolerance.
    pub converged: bool,
    /// Estimate and relative residual after each product.
    pub history: Vec<(f64, f64)>,
    /// Whether the observer asked to stop before convergence.
    pub stopped: bool,
}

impl Eigenpair {
    fn start(vector: Vec<f64>) -> Self {
        Self {
            value: 0.0,
            vector,
            residual: f64::INFINITY,
            converged: false,
            history: Vec::new(),
            stopped: false,
        }
    }

    /// Takes one more estimate; answers whether to go on.
    fn record(
        &mut self,
        (value, residual): (f64, f64),
        tolerance: f64,
        watch: &mut dyn FnMut(usize, f64, f64) -> Verdict,
    ) -> bool {
        self.value = value;
        self.residual = residual;
        self.history.push((value, residual));
        self.converged = residual <= tolerance;
        self.stopped = watch(self.history.len(), value, residual) == Verdict::Stop;
        !self.converged && !self.stopped
    }
}

/// The product of the matrix with a vector.
pub type Product<'a> = dyn FnMut(&[f64]) -> Result<Vec<f64>> + 'a;

/// Called after each product with their number, the estimate and the relative residual.
pub type Watch<'a> = dyn FnMut(usize, f64, f64) -> Verdict + 'a;

/// The eigenvalue of largest absolute value of a matrix of `size` rows.
///
/// # Errors
/// When a product fails or is not finite.
pub fn largest(
    method: Method,
    size: usize,
    stopping: &Stopping,
    product: &mut Product,
    watch: &mut Watch,
) -> Result<Eigenpair> {
    let first = random_unit(size, stopping.seed);
    match method {
        Method::Lanczos => lanczos(first, stopping, product, watch),
        Method::Power => power(first, stopping, product, watch),
    }
}

fn power(
    first: Vec<f64>,
    stopping: &Stopping,
    product: &mut Product,
    watch: &mut Watch,
) -> Result<Eigenpair> {
    let mut pair = Eigenpair::start(first);
    for _ in 0..stopping.max_iterations {
        let image = checked(product(&pair.vector)?)?;
        let value = dot(&pair.vector, &image);
        let rest: f64 = pair
            .vector
            .iter()
            .zip(&image)
            .map(|(v, h)| (h - value * v).powi(2))
            .sum();
        let go_on = pair.record(
            (value, relative(rest.sqrt(), value)),
            stopping.tolerance,
            watch,
        );
        let length = norm(&image);
        if !go_on || length == 0.0 {
            break;
        }
        pair.vector = image.iter().map(|h| h / length).collect();
    }
    Ok(pair)
}

fn lanczos(
    first: Vec<f64>,
    stopping: &Stopping,
    product: &mut Product,
    watch: &mut Watch,
) -> Result<Eigenpair> {
    let size = first.len();
    let mut pair = Eigenpair::start(Vec::new());
    let mut basis = vec![first];
    let (mut diagonal, mut off_diagonal) = (Vec::new(), Vec::new());
    let mut ritz = (0.0, vec![1.0]);
    for iteration in 0..stopping.max_iterations.min(size) {
        let mut image = checked(product(&basis[iteration])?)?;
        diagonal.push(dot(&basis[iteration], &image));
        orthogonalise(&mut image, &basis);
        let rest = norm(&image);
        ritz = largest_tridiagonal(&diagonal, &off_diagonal);
        let residual = relative(rest * ritz.1.last().copied().unwrap_or(0.0).abs(), ritz.0);
        let exhausted = rest <= f64::EPSILON * ritz.0.abs();
        if !pair.record((ritz.0, residual), stopping.tolerance, watch) || exhausted {
            break;
        }
        off_diagonal.push(rest);
        basis.push(image.iter().map(|h| h / rest).collect());
    }
    pair.vector = combine(&basis, &ritz.1);
    Ok(pair)
}

/// Removes from `vector` its parts along `basis`, twice for good measure.
pub(super) fn orthogonalise(vector: &mut [f64], basis: &[Vec<f64>]) {
    for _ in 0..2 {
        for direction in basis {
            let part = dot(direction, vector);
            vector
                .iter_mut()
                .zip(direction)
                .for_each(|(v, d)| *v -= part * d);
        }
    }
}

fn combine(basis: &[Vec<f64>], coefficients: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; basis[0].len()];
    for (direction, c) in basis.iter().zip(coefficients) {
        sum.iter_mut().zip(direction).for_each(|(s, d)| *s += c * d);
    }
    let length = norm(&sum);
    if length > 0.0 {
        sum.iter_mut().for_each(|s| *s /= length);
    }
    sum
}

/// The eigenvalue of largest absolute value of a symmetric tridiagonal matrix, with its unit
/// eigenvector, by implicit QL steps: small, and accurate to rounding.
fn largest_tridiagonal(diagonal: &[f64], off_diagonal: &[f64]) -> (f64, Vec<f64>) {
    let (values, vectors) = tridiagonal_eigen(diagonal, off_diagonal);
    let best = (0..values.len())
        .max_by(|&a, &b| values[a].abs().total_cmp(&values[b].abs()))
        .expect("invariant: at least one product was made");
    (values[best], vectors[best].clone())
}

/// All eigenvalues of a symmetric tridiagonal matrix and their unit eigenvectors (QL iteration with
/// implicit shifts).
///
/// `off_diagonal[i]` couples rows `i` and `i + 1`.
#[must_use]
pub fn tridiagonal_eigen(diagonal: &[f64], off_diagonal: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = diagonal.len();
    let mut vectors: Vec<Vec<f64>> = (0..n)
        .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    let values = diagonalise(diagonal, off_diagonal, &mut vectors);
    (values, vectors)
}

/// All eigenvalues of a symmetric tridiagonal matrix, without their vectors.
#[must_use]
pub(super) fn tridiagonal_values(diagonal: &[f64], off_diagonal: &[f64]) -> Vec<f64> {
    let mut none = vec![Vec::new(); diagonal.len()];
    diagonalise(diagonal, off_diagonal, &mut none)
}

/// The eigenvalues; `vectors` are turned along.
fn diagonalise(diagonal: &[f64], off_diagonal: &[f64], vectors: &mut [Vec<f64>]) -> Vec<f64> {
    let n = diagonal.len();
    let mut d = diagonal.to_vec();
    let mut e = off_diagonal[..n.saturating_sub(1)].to_vec();
    e.push(0.0);
    for row in 0..n {
        for _ in 0..60 {
            let Some(end) = coupled_until(&d, &e, row) else {
                break;
            };
            ql_sweep(&mut d, &mut e, vectors, (row, end));
        }
    }
    d
}

/// The last row that `row` is coupled to, if any.
fn coupled_until(d: &[f64], e: &[f64], row: usize) -> Option<usize> {
    let mut end = row;
    while end + 1 < d.len() {
        let scale = d[end].abs() + d[end + 1].abs();
        if e[end].abs() <= f64::EPSILON * scale {
            break;
        }
        end += 1;
    }
    (end > row).then_some(end)
}

/// One implicit QL sweep from `end` up to `row`.
fn ql_sweep(d: &mut [f64], e: &mut [f64], vectors: &mut [Vec<f64>], (row, end): (usize, usize)) {
    let half = (d[row + 1] - d[row]) / (2.0 * e[row]);
    let root = half.hypot(1.0).copysign(half);
    let mut g = d[end] - d[row] + e[row] / (half + root);
    let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
    for i in (row..end).rev() {
        let (f, b) = (sine * e[i], cosine * e[i]);
        let length = f.hypot(g);
        e[i + 1] = length;
        if length == 0.0 {
            d[i + 1] -= shift;
            e[end] = 0.0;
            return;
        }
        (sine, cosine) = (f / length, g / length);
        g = d[i + 1] - shift;
        let r = (d[i] - g) * sine + 2.0 * cosine * b;
        shift = sine * r;
        d[i + 1] = g + shift;
        g = cosine * r - b;
        let (head, tail) = vectors.split_at_mut(i + 1);
        for (low, high) in head[i].iter_mut().zip(&mut tail[0]) {
            let f = *high;
            *high = sine * *low + cosine * f;
            *low = cosine * *low - sine * f;
        }
    }
    d[row] -= shift;
    e[row] = g;
    e[end] = 0.0;
}

fn relative(rest: f64, value: f64) -> f64 {
    if value == 0.0 {
        if rest == 0.0 { 0.0 } else { f64::INFINITY }
    } else {
        rest / value.abs()
    }
}

pub(super) fn checked(image: Vec<f64>) -> Result<Vec<f64>> {
    if image.iter().all(|h| h.is_finite()) {
        Ok(image)
    } else {
        Err(Error::NotFinite("a Hessian product".to_owned()))
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// A direction drawn evenly from the unit sphere.
#[must_use]
pub fn random_unit(size: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut vector: Vec<f64> = (0..size).map(|_| normal(&mut rng)).collect();
    let length = norm(&vector);
    vector.iter_mut().for_each(|v| *v /= length);
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Q diag(values) Q with Q a reflection: a dense symmetric matrix of known spectrum.
    fn reflected(values: &[f64]) -> impl FnMut(&[f64]) -> Result<Vec<f64>> + use<> {
        let values = values.to_vec();
        let mirror = random_unit(values.len(), 99);
        let reflect = move |v: &[f64]| -> Vec<f64> {
            let part = 2.0 * dot(&mirror, v);
            v.iter().zip(&mirror).map(|(v, m)| v - part * m).collect()
        };
        move |v: &[f64]| {
            let inner: Vec<f64> = reflect(v).iter().zip(&values).map(|(v, l)| v * l).collect();
            Ok(reflect(&inner))
        }
    }

    fn find(method: Method, values: &[f64], tolerance: f64) -> Eigenpair {
        let stopping = Stopping {
            tolerance,
            max_iterations: 400,
            seed: 5,
        };
        let mut go_on = |_: usize, _: f64, _: f64| Verdict::Continue;
        largest(
            method,
            values.len(),
            &stopping,
            &mut reflected(values),
            &mut go_on,
        )
        .unwrap()
    }

    #[test]
    fn both_methods_find_the_known_eigenvalue() {
        let values: Vec<f64> = (0..80).map(|i| f64::from(i) * 0.1).chain([11.0]).collect();
        for method in [Method::Lanczos, Method::Power] {
            let pair = find(method, &values, 1e-6);
            assert!(
                pair.converged && (pair.value - 11.0).abs() < 1e-6,
                "{method}: {pair:?}"
            );
            let image = reflected(&values)(&pair.vector).unwrap();
            let rest: f64 = image
                .iter()
                .zip(&pair.vector)
                .map(|(h, v)| (h - 11.0 * v).powi(2))
                .sum();
            assert!(
                rest.sqrt() / 11.0 < 3e-6,
                "{method}: the vector belongs to it"
            );
        }
    }

    #[test]
    fn negative_eigenvalues_keep_their_sign() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.1 - 9.0).collect();
        assert!((find(Method::Lanczos, &values, 1e-8).value + 9.0).abs() < 1e-7);
    }

    #[test]
    fn a_zero_matrix_and_a_tiny_one_converge() {
        assert!(find(Method::Lanczos, &[0.0; 6], 1e-3).converged);
        assert!(find(Method::Power, &[0.0; 6], 1e-3).converged);
        let pair = find(Method::Lanczos, &[3.0], 1e-9);
        assert!(pair.converged && (pair.value - 3.0).abs() < 1e-12);
    }

    #[test]
    fn lanczos_needs_fewer_products_than_power_iteration() {
        let values: Vec<f64> = (0..200).map(|i| f64::from(i) * 0.05).collect();
        let products = |method| find(method, &values, 1e-3).history.len();
        assert!(products(Method::Lanczos) < products(Method::Power) / 2);
    }

    #[test]
    fn tridiagonal_eigenvalues_match_the_closed_form() {
        let n = 12;
        let (mut values, _) = tridiagonal_eigen(&vec![2.0; n], &vec![-1.0; n - 1]);
        values.sort_by(f64::total_cmp);
        for (k, value) in values.iter().enumerate() {
            let angle = std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64;
            assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-12);
        }
    }

    #[test]
    fn a_stop_request_ends_the_search() {
        let values: Vec<f64> = (0..50).map(f64::from).collect();
        let stopping = Stopping {
            tolerance: 0.0,
            max_iterations: 400,
            seed: 1,
        };
        let mut stop_at_three = |n: usize, _: f64, _: f64| {
            if n == 3 {
                Verdict::Stop
            } else {
                Verdict::Continue
            }
        };
        let product = &mut reflected(&values);
        let pair = largest(Method::Lanczos, 50, &stopping, product, &mut stop_at_three).unwrap();
        assert!(pair.stopped && pair.history.len() == 3);
    }
}
