//! Softmax cross-entropy on logits: value, gradient, and Hessian product, in float64 on the host.

use serde::{Deserialize, Serialize};

use crate::engine::data::Label;
use crate::engine::score::Score;

/// Softmax of one image's logits, in place of them.
pub fn softmax(logits: &mut [f64]) {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for z in logits.iter_mut() {
        *z = (*z - largest).exp();
        sum += *z;
    }
    for z in logits.iter_mut() {
        *z /= sum;
    }
}

/// `-log softmax(z)[label]`.
#[must_use]
pub fn cross_entropy(logits: &[f64], label: usize) -> f64 {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|z| (z - largest).exp()).sum();
    sum.ln() + largest - logits[label]
}

/// Place of the largest logit; the first of equals.
#[must_use]
pub fn predict(logits: &[f64]) -> usize {
    let mut best = 0;
    for (class, z) in logits.iter().enumerate() {
        if *z > logits[best] {
            best = class;
        }
    }
    best
}

/// Sums over images: loss (not mean), correct images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Sum of losses.
    pub loss: f64,
    /// Images whose largest logit is the label.
    pub correct: usize,
    /// Images whose label is among the five largest logits.
    pub correct_top5: usize,
    /// Images.
    pub total: usize,
}

impl Tally {
    /// Of a chunk of images.
    #[must_use]
    pub fn of(logits: &[f64], labels: &[Label]) -> Self {
        let classes = logits.len() / labels.len().max(1);
        let mut tally = Self {
            total: labels.len(),
            ..Self::default()
        };
        for (z, &label) in logits.chunks_exact(classes.max(1)).zip(labels) {
            let label = usize::from(label);
            tally.loss += cross_entropy(z, label);
            tally.correct += usize::from(predict(z) == label);
            tally.correct_top5 += usize::from(place(z, label) < 5 && z[label].is_finite());
        }
        tally
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.correct_top5 += other.correct_top5;
        self.total += other.total;
    }

    /// Means.
    #[must_use]
    pub fn score(&self) -> Score {
        Score {
            loss: self.loss / self.total.max(1) as f64,
            correct: self.correct,
            correct_top5: self.correct_top5,
            total: self.total,
        }
    }
}

/// How many logits stand before that of `label` in descending order; of equal ones the first stands first,
/// as in [`predict`].
fn place(z: &[f64], label: usize) -> usize {
    let own = z[label];
    let before = |(at, other): (usize, &f64)| *other > own || (*other >= own && at < label);
    z.iter()
        .enumerate()
        .filter(|entry| before((entry.0, entry.1)))
        .count()
}

/// Gradient of the mean loss over `total` images in their logits: `(p - onehot) / total`.
#[must_use]
pub fn gradient(logits: &[f64], labels: &[Label], total: usize) -> Vec<f64> {
    let classes = logits.len() / labels.len().max(1);
    let mut gradient = logits.to_vec();
    for (z, &label) in gradient.chunks_exact_mut(classes.max(1)).zip(labels) {
        softmax(z);
        z[usize::from(label)] -= 1.0;
        z.iter_mut().for_each(|g| *g /= total as f64);
    }
    gradient
}

/// Product of the loss Hessian at the logits with `dz`: `(diag(p) - p p^T) dz / total`, in place.
pub fn hessian_product(probabilities: &[f64], classes: usize, total: usize, dz: &mut [f64]) {
    for (p, dz) in probabilities
        .chunks_exact(classes)
        .zip(dz.chunks_exact_mut(classes))
    {
        let mean: f64 = p.iter().zip(dz.iter()).map(|(p, d)| p * d).sum();
        for (d, p) in dz.iter_mut().zip(p) {
            *d = p * (*d - mean) / total as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f64; 6] = [0.3, -1.2, 2.0, 5.0, 5.0, -40.0];
    const LABELS: [Label; 2] = [Label(2), Label(0)];

    #[test]
    fn gradient_is_the_finite_difference_of_the_loss() {
        let exact = gradient(&LOGITS, &LABELS, 2);
        for k in 0..LOGITS.len() {
            let at = |h: f64| {
                let mut z = LOGITS;
                z[k] += h;
                Tally::of(&z, &LABELS).score().loss
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!(
                (exact[k] - difference).abs() < 1e-9,
                "{} {difference}",
                exact[k]
            );
        }
    }

    #[test]
    fn hessian_product_is_the_finite_difference_of_the_gradient() {
        let direction = [0.5, -0.25, 1.0, -1.0, 2.0, 0.125];
        let at = |h: f64| {
            let z: Vec<f64> = LOGITS
                .iter()
                .zip(&direction)
                .map(|(z, d)| z + h * d)
                .collect();
            gradient(&z, &LABELS, 2)
        };
        let (ahead, behind) = (at(1e-5), at(-1e-5));
        let mut probabilities = LOGITS.to_vec();
        probabilities.chunks_exact_mut(3).for_each(softmax);
        let mut product = direction.to_vec();
        hessian_product(&probabilities, 3, 2, &mut product);
        for k in 0..6 {
            assert!((product[k] - (ahead[k] - behind[k]) / 2e-5).abs() < 1e-9);
        }
    }

    #[test]
    fn top5_counts_labels_among_the_five_largest() {
        let logits = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0];
        assert_eq!(Tally::of(&logits, &[Label(4)]).correct_top5, 1);
        assert_eq!(Tally::of(&logits, &[Label(5)]).correct_top5, 0);
        let alike = [0.0; 10];
        let told = |label| Tally::of(&alike, &[Label(label)]);
        assert_eq!((told(0).correct, told(0).correct_top5), (1, 1));
        assert_eq!((told(4).correct, told(4).correct_top5), (0, 1));
        assert_eq!(told(5).correct_top5, 0, "five of ten alike are before it");
    }
}
