//! Closer looks at layers: what is asked for, and what comes of it.

use std::sync::Arc;

use super::port::{AnalysisRequest, Engine};
use super::task::JobKind;
use crate::engine::Result;
use crate::engine::hessian::landscape::Landscape;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::hessian::spectrum::Spectrum;
use crate::engine::job::{Observer, Outcome};
use crate::engine::quant::histogram::WeightHistogram;
use crate::engine::quant::{Bits, ScaleRule};

/// All eigenvalues of a layer's block.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectrumRequest {
    /// The layer.
    pub layer: Arc<str>,
    /// Sample and tolerance.
    pub analysis: AnalysisRequest,
}

/// The loss along a layer's top eigenvector.
#[derive(Debug, Clone, PartialEq)]
pub struct LandscapeRequest {
    /// The layer.
    pub layer: Arc<str>,
    /// Sample and tolerance.
    pub analysis: AnalysisRequest,
    /// The largest distance, in units of the weights: the root of the perturbation at `bits`.
    pub reach: f64,
    /// The bits whose perturbation that is.
    pub bits: Bits,
}

/// Where a layer's weights lie.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightsRequest {
    /// The layer.
    pub layer: Arc<str>,
    /// Bits of the plan.
    pub bits: Bits,
    /// How the step size is chosen.
    pub scale: ScaleRule,
}

/// Layers to measure again.
#[derive(Debug, Clone, PartialEq)]
pub struct RemeasureRequest {
    /// The layers.
    pub layers: Vec<Arc<str>>,
    /// Sample, metrics and the new tolerance.
    pub analysis: AnalysisRequest,
}

/// A closer look.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// All eigenvalues.
    Spectrum(SpectrumRequest),
    /// The loss along the top eigenvector.
    Landscape(LandscapeRequest),
    /// The weights on their grid.
    Weights(WeightsRequest),
    /// Eigenvalue and trace again.
    Remeasure(RemeasureRequest),
}

/// What came of it, with what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum DetailDone {
    /// All eigenvalues; `None` when stopped.
    Spectrum(SpectrumRequest, Option<Spectrum>),
    /// The loss along the top eigenvector; `None` when stopped before the first point.
    Landscape(LandscapeRequest, Option<Landscape>),
    /// The weights on their grid.
    Weights(WeightsRequest, WeightHistogram),
    /// The project's measurements, and how it ended.
    Remeasured(RemeasureRequest, Box<Sensitivity>, Outcome),
}

impl Detail {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Spectrum(_) => JobKind::Spectrum,
            Self::Landscape(_) => JobKind::Landscape,
            Self::Weights(_) => JobKind::Weights,
            Self::Remeasure(_) => JobKind::Remeasure,
        }
    }

    /// Does the work on the calling thread.
    ///
    /// # Errors
    /// What the engine says.
    pub fn run(&self, engine: &dyn Engine, observer: &mut dyn Observer) -> Result<DetailDone> {
        Ok(match self {
            Self::Spectrum(request) => {
                DetailDone::Spectrum(request.clone(), engine.spectrum(request, observer)?)
            }
            Self::Landscape(request) => {
                DetailDone::Landscape(request.clone(), engine.landscape(request, observer)?)
            }
            Self::Weights(request) => {
                DetailDone::Weights(request.clone(), engine.weights(request)?)
            }
            Self::Remeasure(request) => {
                let (sensitivity, outcome) = engine.remeasure(request, observer)?;
                DetailDone::Remeasured(request.clone(), Box::new(sensitivity), outcome)
            }
        })
    }
}
