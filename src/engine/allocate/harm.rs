//! What quantizing a layer is predicted to cost.
//!
//! | metric | harm of layer i at b bits |
//! |---|---|
//! | `eigenvalue` | `lambda_i * perturbation_i(b)`: omega, the second-order bound (HAWQ) |
//! | `trace` | `mean trace_i * perturbation_i(b)` (HAWQ-V2) |
//! | `loss-change` | the measured value |
//!
//! Estimates of lambda and of the trace can come out negative where the true value is near zero;
//! their absolute value counts. At 32 bits there is no harm.

use std::sync::Arc;

use crate::engine::hessian::Metric;
use crate::engine::hessian::sensitivity::LayerSensitivity;
use crate::engine::plan::Plan;
use crate::engine::quant::{Bits, ScaleRule};
use crate::engine::{Error, Result};

/// Harm of `layer` at `bits`.
///
/// # Errors
/// When the layer lacks the measurement; the sentence names it and how to get it.
pub fn harm(layer: &LayerSensitivity, bits: Bits, metric: Metric, scale: ScaleRule) -> Result<f64> {
    if bits.is_float() {
        return Ok(0.0);
    }
    let lacks = |what: String, how: &str| {
        Error::invalid(format!(
            "{} has no {what}; measure it with {how}",
            layer.layer
        ))
    };
    if metric == Metric::LossChange {
        return layer.loss_change.get(&bits.get()).copied().ok_or_else(|| {
            let how = format!(
                "hawqeye analyze --metric loss-change --layers {} --bits {bits} --merge -o FILE",
                layer.layer
            );
            lacks(format!("loss change at {bits} bits"), &how)
        });
    }
    let curvature = match metric {
        Metric::Trace => {
            let mean = layer.trace.map(|trace| trace / layer.parameters as f64);
            layer.mean_trace.or(mean)
        }
        _ => layer.eigenvalue,
    };
    let how = format!("hawqeye analyze --metric {metric}");
    let curvature = curvature.ok_or_else(|| lacks(metric.to_string(), &how))?;
    let perturbation = layer.perturbation_at(bits, scale).ok_or_else(|| {
        let how = "hawqeye analyze, whose files hold those of all bits and rules";
        lacks(
            format!("perturbation at {bits} bits with step sizes by {scale}"),
            how,
        )
    })?;
    let harm = curvature.abs() * perturbation;
    if harm.is_finite() {
        return Ok(harm);
    }
    Err(Error::invalid(format!(
        "{}: its harm at {bits} bits is not finite ({metric} {curvature:e}, perturbation \
         {perturbation:e}); measure this layer again",
        layer.layer
    )))
}

/// Harm of several layers together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Harm {
    /// The sum over the layers whose harm is known.
    pub known: f64,
    /// The layers whose harm is not known.
    pub without: Vec<Arc<str>>,
}

impl Harm {
    /// Of a plan over these layers, in the same order.
    #[must_use]
    pub fn of(plan: &Plan, layers: &[LayerSensitivity], metric: Metric) -> Self {
        let mut sum = Self::default();
        for (planned, layer) in plan.layers.iter().zip(layers) {
            match harm(layer, planned.weight_bits, metric, plan.scale) {
                Ok(harm) => sum.known += harm,
                Err(_) => sum.without.push(layer.layer.clone()),
            }
        }
        sum
    }

    /// The sum over all layers, if all are known.
    #[must_use]
    pub fn whole(&self) -> Option<f64> {
        self.without.is_empty().then_some(self.known)
    }

    /// `without conv1`, `without conv1 and 3 others`; nothing when all are known.
    #[must_use]
    pub fn lacking(&self) -> Option<String> {
        match &self.without[..] {
            [] => None,
            [one] => Some(format!("without {one}")),
            [one, other] => Some(format!("without {one} and {other}")),
            [one, others @ ..] => Some(format!("without {one} and {} others", others.len())),
        }
    }
}
