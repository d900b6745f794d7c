//! The layers, what was measured of them, and the measurement that is going on.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::jobs::{AnalysisRequest, Inputs};
use crate::engine::hessian::LayerWidth;
use crate::engine::hessian::agreement::agreements;
use crate::engine::hessian::doubt::Doubt;
use crate::engine::hessian::sensitivity::{LayerSensitivity, Sensitivity};
use crate::engine::plan::Plan;

/// Where the analysis stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Status {
    /// Not started.
    #[default]
    Never,
    /// Going on.
    Running,
    /// Stopped; what is finished is kept.
    Stopped,
    /// Everything asked for is measured.
    Done,
    /// Not possible, with the reason; what is finished is kept.
    Failed(String),
}

/// The order of the layers on the sensitivity screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// As in the network.
    #[default]
    Network,
    /// By lambda.
    Eigenvalue,
    /// By lambda / n.
    Sensitivity,
    /// By lambda times the perturbation at the narrowest bits.
    Omega,
}

impl Sort {
    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Network => Self::Eigenvalue,
            Self::Eigenvalue => Self::Sensitivity,
            Self::Sensitivity => Self::Omega,
            Self::Omega => Self::Network,
        }
    }

    /// The name on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network order",
            Self::Eigenvalue => "eigenvalue",
            Self::Sensitivity => "sensitivity S",
            Self::Omega => "omega",
        }
    }

    /// Larger comes first; what was not measured comes last.
    #[must_use]
    pub fn key(self, layer: &LayerSensitivity, index: usize) -> f64 {
        let value = match self {
            Self::Network => Some(-(index as f64)),
            Self::Eigenvalue => layer.eigenvalue.map(f64::abs),
            Self::Sensitivity => layer.sensitivity.map(f64::abs),
            Self::Omega => layer.omega.values().next().map(|omega| omega.abs()),
        };
        value.unwrap_or(f64::NEG_INFINITY)
    }
}

/// Estimate and relative residual after each iteration.
pub type Convergence = Vec<(f64, f64)>;

/// The layers and their measurements.
#[derive(Debug, Clone, Default)]
pub struct AnalysisState {
    /// Settings of the next analysis.
    pub request: AnalysisRequest,
    /// Every layer with what is known of it.
    pub layers: Vec<LayerSensitivity>,
    /// Where the analysis stands.
    pub status: Status,
    /// The measurements as a file, when there are any.
    pub report: Option<Arc<Sensitivity>>,
    /// What is doubtful in them.
    pub doubts: Vec<Doubt>,
    /// The layer whose eigenvalue is being found.
    pub current: Option<Arc<str>>,
    /// The order on screen.
    pub sort: Sort,
    /// Loss changes that are being measured.
    pub asked: Vec<LayerWidth>,
    /// Loss changes that were measured when asked for, or could not be: not asked for again before
    /// the next analysis, even if the file does not hold them any more.
    settled: Vec<LayerWidth>,
    live: BTreeMap<Arc<str>, Convergence>,
    /// What the layers are of.
    of: Option<Measured>,
}

/// What measurements are of: other weights, or pictures that are prepared otherwise, have others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Measured {
    weights_sha256: String,
    preprocessing: String,
}

impl AnalysisState {
    /// Nothing measured.
    #[must_use]
    pub fn new(request: AnalysisRequest) -> Self {
        Self {
            request,
            ..Self::default()
        }
    }

    /// The inputs are there: facts and perturbations of every layer are known. What was measured stays where
    /// they are the same as before; whether it had to go.
    pub fn open(&mut self, inputs: &Inputs) -> bool {
        let of = Measured {
            weights_sha256: inputs.weights_sha256.clone(),
            preprocessing: inputs.preprocessing_identity.clone(),
        };
        if self.of.as_ref() == Some(&of) {
            return false;
        }
        let goes = self.measured_count() > 0;
        self.of = Some(of);
        self.status = Status::Never;
        self.settled.clear();
        self.forget(inputs);
        goes
    }

    /// Nothing is measured any more.
    fn forget(&mut self, inputs: &Inputs) {
        self.layers.clone_from(&inputs.layers);
        self.live.clear();
        self.report = None;
        self.doubts.clear();
    }

    /// With the layers in this order.
    #[must_use]
    pub fn by(self, sort: Sort) -> Self {
        Self { sort, ..self }
    }

    /// An analysis starts.
    pub fn start(&mut self, anew: bool, inputs: &Inputs) {
        self.status = Status::Running;
        self.current = None;
        self.settled.clear();
        if anew {
            self.forget(inputs);
        }
    }

    /// One more iteration on a layer.
    pub fn iterate(&mut self, layer: Arc<str>, iteration: usize, point: (f64, f64)) {
        if self.current.as_ref() != Some(&layer) {
            self.current = Some(layer.clone());
        }
        let points = self.live.entry(layer).or_default();
        points.truncate(iteration.saturating_sub(1));
        points.push(point);
    }

    /// More is known of a layer.
    pub fn measured(&mut self, measured: LayerSensitivity) {
        let found = self
            .layers
            .iter_mut()
            .find(|layer| layer.layer == measured.layer);
        if let Some(layer) = found {
            if measured.eigenvalue.is_some() {
                self.live.remove(&measured.layer);
                if self.current.as_ref() == Some(&measured.layer) {
                    self.current = None;
                }
            }
            *layer = measured;
        }
    }

    /// The measurements as they are saved.
    pub fn adopt(&mut self, sensitivity: Sensitivity, status: Status) {
        for layer in &sensitivity.layers {
            self.measured(layer.clone());
        }
        self.doubts = sensitivity.doubts();
        self.report = Some(Arc::new(sensitivity));
        self.status = status;
        self.current = None;
    }

    /// The loss changes that were asked for came; those that did not, because other work went first,
    /// are asked for again.
    pub fn adopt_loss_changes(&mut self, sensitivity: Sensitivity) {
        let mut asked = std::mem::take(&mut self.asked);
        asked.retain(|wanted| {
            let mut layers = sensitivity.layers.iter();
            let layer = layers.find(|layer| layer.layer == wanted.layer);
            layer.is_some_and(|layer| layer.loss_change.contains_key(&wanted.bits.get()))
        });
        self.settled.extend(asked);
        self.adopt(sensitivity, self.status.clone());
    }

    /// The loss changes that were asked for cannot be measured.
    pub fn refuse_loss_changes(&mut self) {
        self.settled.append(&mut self.asked);
    }

    /// What was being found is given up; what was measured before counts again.
    pub fn settle(&mut self) {
        self.live.clear();
        self.current = None;
    }

    /// Sample, metrics and tolerance of what is measured, or of the next analysis.
    #[must_use]
    pub fn measured_with(&self) -> AnalysisRequest {
        let mut request = AnalysisRequest {
            anew: false,
            ..self.request.clone()
        };
        let Some(report) = &self.report else {
            return request;
        };
        let samples = report.data.as_ref().and_then(|data| data.samples);
        request.samples = samples.unwrap_or(request.samples);
        request.tolerance = report.tolerance().unwrap_or(request.tolerance);
        let traces = |layer: &LayerSensitivity| layer.trace.is_some();
        request.trace = report.layers.iter().any(traces);
        request
    }

    /// The residual that counted as converged for a layer, or will.
    #[must_use]
    pub fn tolerance_of(&self, layer: &LayerSensitivity) -> f64 {
        let usual = || self.measured_with().tolerance;
        layer.tolerance.unwrap_or_else(usual)
    }

    /// How a layer's eigenvalue converged, or is converging.
    #[must_use]
    pub fn convergence<'a>(&'a self, layer: &'a LayerSensitivity) -> &'a [(f64, f64)] {
        let live = self.live.get(&layer.layer).map(Vec::as_slice);
        live.unwrap_or(&layer.history)
    }

    /// The eigenvalue of a layer, or its estimate so far.
    #[must_use]
    pub fn estimate(&self, layer: &LayerSensitivity) -> Option<f64> {
        let last = || self.convergence(layer).last().map(|(value, _)| *value);
        layer.eigenvalue.or_else(last)
    }

    /// How far the eigenvalue can be from a true one: residual times size.
    #[must_use]
    pub fn error(&self, layer: &LayerSensitivity) -> Option<f64> {
        let live = self.live.get(&layer.layer).and_then(|points| points.last());
        let measured = || Some((layer.eigenvalue?, layer.residual?));
        let (value, residual) = live.copied().or_else(measured)?;
        Some(value.abs() * residual)
    }

    /// Layers whose eigenvalue is known.
    #[must_use]
    pub fn measured_count(&self) -> usize {
        self.layers
            .iter()
            .filter(|layer| layer.eigenvalue.is_some_and(f64::is_finite))
            .count()
    }

    /// The loss changes at the bits of a plan that the analysis did not measure, when it measured
    /// others and nothing speaks against measuring these.
    #[must_use]
    pub fn awaited(&self, plan: &Plan) -> Vec<LayerWidth> {
        let some = |layer: &LayerSensitivity| !layer.loss_change.is_empty();
        if self.status != Status::Done || !self.layers.iter().all(some) {
            return Vec::new();
        }
        let rows = plan.layers.iter().zip(&self.layers);
        let lacking = rows.filter(|(row, layer)| {
            let bits = row.weight_bits;
            !bits.is_float() && !layer.loss_change.contains_key(&bits.get())
        });
        let wanted = lacking.map(|(row, layer)| LayerWidth {
            layer: layer.layer.clone(),
            bits: row.weight_bits,
        });
        wanted
            .filter(|wanted| !self.settled.contains(wanted))
            .collect()
    }

    /// The measurements in the schema of the sensitivity file.
    #[must_use]
    pub fn sensitivity(&self) -> Option<Arc<Sensitivity>> {
        if self.measured_count() == self.layers.len() {
            self.report.clone()
        } else {
            None
        }
    }

    /// What two metrics say about the order of the layers: names and Spearman's correlation.
    #[must_use]
    pub fn agreements(&self) -> [(&'static str, Option<f64>); 3] {
        agreements(&self.layers)
    }
}
