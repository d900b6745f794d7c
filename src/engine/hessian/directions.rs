//! The directions in the logits of an image that make up its softmax Hessian.
//!
//! `diag(p) - p p^T = sum_k l_k l_k^T` is the Cholesky factorisation of the covariance of a multinomial
//! draw, which is known in closed form (Tanabe and Sagae, 1992, "An exact Cholesky decomposition and the
//! generalized inverse of the variance-covariance matrix of the multinomial distribution", theorem 1).
//! Classes are taken from the likeliest on: that is also where the largest diagonal is left, so that the
//! first few directions hold nearly all of the trace. With `q_k` what is left of the probability behind
//! class k, and `q` before it:
//!
//! ```text
//! l_k[k] = sqrt(p_k q_k / q)      l_k[i] = -p_i sqrt(p_k / (q_k q)) behind it      0 before it
//! ```

/// The directions of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Directions<'p> {
    probabilities: &'p [f64],
    /// The classes, from the likeliest on.
    order: Vec<usize>,
    /// Probability of this class and of those behind it.
    left: Vec<f64>,
    /// Squared lengths: they add up to the trace.
    shares: Vec<f64>,
}

impl<'p> Directions<'p> {
    /// Of an image with these class probabilities, which add up to 1, but for a share `precision` of the
    /// trace.
    #[must_use]
    pub fn new(probabilities: &'p [f64], precision: f64) -> Self {
        let p = probabilities;
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
        // Small ones are added up first.
        let (mut left, mut shares) = (vec![0.0; p.len()], vec![0.0; p.len()]);
        let (mut behind, mut squares) = (0.0, 0.0);
        for (place, &class) in order.iter().enumerate().rev() {
            left[place] = behind + p[class];
            if behind > 0.0 {
                // In this order nothing overflows, however small they are.
                shares[place] = p[class] / left[place] * (behind + squares / behind);
            }
            behind = left[place];
            squares += p[class] * p[class];
        }
        // The last class has none: the others tell it.
        shares.pop();
        let enough = precision * shares.iter().sum::<f64>();
        let mut rest = 0.0;
        while let Some(share) = shares.last()
            && rest + share <= enough
        {
            rest += share;
            shares.pop();
        }
        Self {
            probabilities,
            order,
            left,
            shares,
        }
    }

    /// Squared length of each, from the likeliest class on.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// Writes direction `k`, which is below the number of [shares](Self::shares), times `factor` over the
    /// numbers of `out`, one a class.
    pub fn write(&self, k: usize, factor: f64, out: &mut [f64]) {
        let p = self.probabilities;
        let (pivot, before, behind) = (self.order[k], self.left[k], self.left[k + 1]);
        out.fill(0.0);
        let share = (p[pivot] / before).sqrt();
        out[pivot] = factor * share * behind.sqrt();
        let scale = factor * share / behind.sqrt();
        for &class in &self.order[k + 1..] {
            out[class] = -p[class] * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::engine::autodiff::loss::softmax;
    use crate::engine::random::normal;

    const PRECISION: f64 = 1e-12;

    fn written(p: &[f64], precision: f64) -> Vec<Vec<f64>> {
        let directions = Directions::new(p, precision);
        let one = |k| {
            let mut direction = vec![9.0; p.len()];
            directions.write(k, 1.0, &mut direction);
            direction
        };
        (0..directions.shares().len()).map(one).collect()
    }

    #[test]
    fn directions_make_up_the_softmax_hessian() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (classes, spread) in [
            (2, 1.0),
            (3, 9.0),
            (10, 4.0),
            (100, 1.0),
            (100, 30.0),
            (7, 300.0),
        ] {
            let mut p: Vec<f64> = (0..classes).map(|_| spread * normal(&mut rng)).collect();
            softmax(&mut p);
            let directions = written(&p, PRECISION);
            assert!(directions.len() < classes);
            for i in 0..classes {
                for j in 0..classes {
                    let own = if i == j { p[i] } else { 0.0 };
                    let sum: f64 = directions.iter().map(|d| d[i] * d[j]).sum();
                    assert!(
                        (sum - (own - p[i] * p[j])).abs() < 1e-10,
                        "{classes} {spread}"
                    );
                }
            }
        }
    }

    #[test]
    fn shares_are_squared_lengths_and_add_up_to_the_trace() {
        let mut p: Vec<f64> = (0..1000).map(|class| f64::from(class % 13)).collect();
        softmax(&mut p);
        let trace: f64 = p.iter().map(|p| p * (1.0 - p)).sum();
        for precision in [0.0, 1e-3, 0.1] {
            let directions = Directions::new(&p, precision);
            let sum: f64 = directions.shares().iter().sum();
            assert!((0.0..=precision + 1e-12).contains(&(1.0 - sum / trace).max(0.0)));
        }
        let directions = written(&p, 1e-3);
        for (share, direction) in Directions::new(&p, 1e-3).shares().iter().zip(&directions) {
            let length: f64 = direction.iter().map(|d| d * d).sum();
            assert!((share / length - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn an_even_choice_between_two_classes_has_one_direction_and_a_sure_one_none() {
        assert_eq!(written(&[0.5, 0.5, 0.0, 0.0], PRECISION).len(), 1);
        assert_eq!(written(&[1.0, 0.0], PRECISION), Vec::<Vec<f64>>::new());
        let tiny = written(&[1.0 - 1e-300, 1e-300, 1e-320], 0.0);
        assert!(tiny.iter().flatten().all(|value| value.is_finite()));
    }
}
