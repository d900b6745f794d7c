//! What an analysis measures, and how well.

use std::sync::Arc;

use serde_json::json;

use crate::engine::hessian::lanczos::Method;
use crate::engine::hessian::metric::Metric;
use crate::engine::quant::{Bits, ScaleRule};
use crate::engine::{Error, Result};

/// Share of the curvature that may be left out, relative to the tolerance.
const LEFT_OUT: f64 = 0.25;
/// The most that may be left out, whatever the tolerance.
const MOST_LEFT_OUT: f64 = 1e-3;

/// Below this tolerance forward walks are in float64.
const DOUBLE_BELOW: f64 = 5e-4;

/// What to measure, and how well.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// What to measure besides perturbations.
    pub metrics: Vec<Metric>,
    /// Relative residual of an eigenvalue that counts as converged.
    pub tolerance: f64,
    /// How eigenvalues are found.
    pub method: Method,
    /// Hessian products a layer at most.
    pub max_iterations: usize,
    /// Layers to measure, by name; all when empty.
    pub layers: Vec<Arc<str>>,
    /// Candidate bit-widths.
    pub bits: Vec<Bits>,
    /// How step sizes are chosen.
    pub scale: ScaleRule,
    /// Seed of directions and probes.
    pub seed: u64,
}

impl Default for Analysis {
    fn default() -> Self {
        let bits =
            [2, 3, 4, 8].map(|bits| Bits::new(bits).expect("invariant: a width that exists"));
        Self {
            metrics: vec![Metric::Eigenvalue],
            tolerance: 1e-3,
            method: Method::Lanczos,
            max_iterations: 100,
            layers: Vec::new(),
            bits: bits.into(),
            scale: ScaleRule::default(),
            seed: 0,
        }
    }
}

impl Analysis {
    /// # Errors
    /// When a setting makes no sense.
    pub fn check(&self) -> Result<()> {
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            let tolerance = self.tolerance;
            return Err(Error::invalid(format!(
                "tolerance {tolerance}: expected between 0 and 1"
            )));
        }
        if self.max_iterations == 0 {
            return Err(Error::invalid("max-iterations 0: expected at least 1"));
        }
        if self.bits.is_empty() || self.metrics.is_empty() {
            return Err(Error::invalid(
                "expected at least one metric and one bit-width",
            ));
        }
        Ok(())
    }

    pub(super) fn measures(&self, metric: Metric) -> bool {
        self.metrics.contains(&metric)
    }

    pub(super) fn selects(&self, layer: &str) -> bool {
        self.layers.is_empty() || self.layers.iter().any(|name| &**name == layer)
    }

    /// Share of the curvature at the logits that may be left to a few rows that stand for it; see
    /// [`rows`](super::rows).
    #[must_use]
    pub fn left_out(&self) -> f64 {
        (LEFT_OUT * self.tolerance).min(MOST_LEFT_OUT)
    }

    /// Whether float32 forward walks would be too coarse: signs that they get wrong can move eigenvalues
    /// by a few ten-thousandths.
    #[must_use]
    pub fn wants_double(&self) -> bool {
        self.tolerance < DOUBLE_BELOW
    }

    pub(super) fn as_json(&self) -> serde_json::Map<String, serde_json::Value> {
        let value = json!({
            "tolerance": self.tolerance,
            "left_out": self.left_out(),
            "method": self.method,
            "max_iterations": self.max_iterations,
            "metrics": self.metrics.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "bits": self.bits,
            "scale": self.scale,
            "layers": self.layers,
            "seed": self.seed,
        });
        match value {
            serde_json::Value::Object(map) => map,
            _ => unreachable!("invariant: an object was written above"),
        }
    }
}
