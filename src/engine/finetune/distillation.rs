//! Learning from the float network's answers (arXiv 1503.02531): with weight `w` and temperature `T`,
//!
//! ```text
//! loss = (1 - w) * cross-entropy + w T^2 KL(softmax(teacher / T) || softmax(logits / T))
//! ```

use std::ops::Range;

use crate::engine::autodiff::loss;
use crate::engine::data::Label;

/// What the float network answered to a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// Its logits, image by image.
    pub logits: Vec<f64>,
    /// Images.
    pub total: usize,
    /// Weight of the answers.
    pub weight: f64,
    /// Temperature.
    pub temperature: f64,
}

impl Answers {
    /// Gradient of the mean loss in the logits of some images.
    #[must_use]
    pub fn gradient(&self, images: Range<usize>, logits: &[f64], labels: &[Label]) -> Vec<f64> {
        let classes = logits.len() / labels.len().max(1);
        let teacher = &self.logits[images.start * classes..images.end * classes];
        let (soft, wanted) = (self.soften(logits, classes), self.soften(teacher, classes));
        let scale = self.weight * self.temperature / self.total as f64;
        let mut gradient = loss::gradient(logits, labels, self.total);
        for ((gradient, soft), wanted) in gradient.iter_mut().zip(soft).zip(wanted) {
            *gradient = (1.0 - self.weight) * *gradient + scale * (soft - wanted);
        }
        gradient
    }

    fn soften(&self, logits: &[f64], classes: usize) -> Vec<f64> {
        let mut soft: Vec<f64> = logits.iter().map(|z| z / self.temperature).collect();
        soft.chunks_exact_mut(classes.max(1))
            .for_each(loss::softmax);
        soft
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_finite_difference_of_the_loss() {
        let answers = Answers {
            logits: vec![0.5, -1.0, 2.0, 0.0, 3.0, -0.5],
            total: 2,
            weight: 0.3,
            temperature: 2.5,
        };
        let (logits, labels) = ([1.0, 0.2, -0.7, 0.4, 0.3, 2.0], [1, 2].map(Label));
        let value = |logits: &[f64]| {
            let soft = answers.soften(logits, 3);
            let wanted = answers.soften(&answers.logits, 3);
            let divergence: f64 = wanted
                .iter()
                .zip(&soft)
                .map(|(p, q)| p * (p / q).ln())
                .sum();
            let hard = loss::Tally::of(logits, &labels).loss;
            0.5 * (0.7 * hard + 0.3 * 2.5 * 2.5 * divergence)
        };
        let exact = answers.gradient(0..2, &logits, &labels);
        for k in 0..6 {
            let at = |h: f64| {
                let mut moved = logits;
                moved[k] += h;
                value(&moved)
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((exact[k] - difference).abs() < 1e-9, "{k}");
        }
        let second = answers.gradient(1..2, &logits[3..], &labels[1..]);
        assert_eq!(second, exact[3..]);
    }
}
