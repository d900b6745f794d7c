//! How well a network does on images, and on which.

use serde::{Deserialize, Deserializer, Serialize};

/// Reads a number that is `null` where it was not finite when it was written.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Option::deserialize(from).map(|number| number.unwrap_or(f64::NAN))
}

/// Loss and top-1 accuracy over a set of images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean cross-entropy.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Images whose largest logit is the label.
    pub correct: usize,
    /// Images whose label is among the five largest logits.
    #[serde(default)]
    pub correct_top5: usize,
    /// Images seen.
    pub total: usize,
}

impl Score {
    /// Share of correct images, 0 to 1; 0 over no images.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        if self.total == 0 {
            0.0
        } else {
            self.correct as f64 / self.total as f64
        }
    }
}

/// The images a [`Score`] was measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// Training images less the held-out ones.
    Train,
    /// Held-out training images.
    Validation,
    /// Test images.
    Test,
}
