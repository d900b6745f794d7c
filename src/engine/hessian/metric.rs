//! What a layer's sensitivity is measured by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::sensitivity::LayerSensitivity;
use crate::engine::{Error, Result};

/// What a layer's sensitivity is measured by.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The largest eigenvalue of the layer's Hessian block (HAWQ, arXiv 1905.03696).
    #[default]
    Eigenvalue,
    /// The trace of the block (HAWQ-V2, arXiv 1911.03852).
    Trace,
    /// The measured rise of the loss when the layer alone is quantized.
    LossChange,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 3] = [Self::Eigenvalue, Self::Trace, Self::LossChange];

    /// Whether a layer has the measurement.
    #[must_use]
    pub fn is_measured(self, layer: &LayerSensitivity) -> bool {
        match self {
            Self::Eigenvalue => layer.eigenvalue.is_some(),
            Self::Trace => layer.trace.is_some(),
            Self::LossChange => !layer.loss_change.is_empty(),
        }
    }
}

impl FromStr for Metric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "eigenvalue" => Ok(Self::Eigenvalue),
            "trace" => Ok(Self::Trace),
            "loss-change" => Ok(Self::LossChange),
            _ => Err(Error::invalid(format!(
                "metric {text:?}: expected eigenvalue, trace or loss-change"
            ))),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eigenvalue => "eigenvalue",
            Self::Trace => "trace",
            Self::LossChange => "loss-change",
        })
    }
}
