//! How the step size of a grid is chosen from the weights.

use serde::{Deserialize, Serialize};

use crate::engine::words::words;

/// How a step size is chosen.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ScaleRule {
    /// `max|w| / q` over a layer: nothing is clipped.
    Max,
    /// The step of least squared error over a layer.
    #[default]
    Mse,
    /// `max|w| / q` over each output channel.
    MaxChannel,
    /// The step of least squared error over each output channel.
    MseChannel,
}

impl ScaleRule {
    /// Every rule.
    pub const ALL: [Self; 4] = [Self::Max, Self::Mse, Self::MaxChannel, Self::MseChannel];

    /// Whether every output channel has a step size of its own.
    #[must_use]
    pub const fn is_per_channel(self) -> bool {
        matches!(self, Self::MaxChannel | Self::MseChannel)
    }
}

words! { ScaleRule as "scale":
Max "max", Mse "mse", MaxChannel "max-channel", MseChannel "mse-channel" }
