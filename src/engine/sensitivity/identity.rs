//! What measurements must share to stand beside each other in one file.

use serde::{Deserialize, Serialize};

use crate::engine::scale_rule::ScaleRule;

/// What measurements must share; hashes are SHA-256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Of the graph and its weights.
    pub network: String,
    /// Of the images: their content, and which of them were taken.
    pub sample: String,
    /// Of how images become numbers: mean and standard deviation of each channel.
    pub preprocessing: String,
    /// Seed of directions and probes.
    pub seed: u64,
    /// How step sizes are chosen.
    pub scale: ScaleRule,
}

impl Identity {
    /// The first part in which two differ, in words: `another sample`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let parts = [
            ("network", self.network == other.network),
            ("sample", self.sample == other.sample),
            ("preprocessing", self.preprocessing == other.preprocessing),
            ("seed", self.seed == other.seed),
            ("scale", self.scale == other.scale),
        ];
        parts
            .into_iter()
            .find(|(_, same)| !same)
            .map(|(part, _)| part)
    }
}
