//! The port: what the application needs of the engine, and the values that pass through it.

use std::path::PathBuf;
use std::sync::Arc;

use super::Steered;
use super::detail::{LandscapeRequest, RemeasureRequest, SpectrumRequest, WeightsRequest};
use super::form::{Answers, OpenRequest};
use super::runs::{Runs, RunsRequest};
use crate::engine::export::{Format, Written};
use crate::engine::finetune::{Settings, Start};
use crate::engine::hessian::estimate::Outline;
use crate::engine::hessian::landscape::Landscape;
use crate::engine::hessian::sensitivity::{LayerSensitivity, Sensitivity};
use crate::engine::hessian::spectrum::Spectrum;
use crate::engine::hessian::{Analysis, LayerWidth, Metric};
use crate::engine::job::{Observer, Outcome, Score};
use crate::engine::model::Envelope;
use crate::engine::plan::Plan;
use crate::engine::quant::histogram::WeightHistogram;
use crate::engine::{Error, Result};

/// What the application needs of the engine, no more.
///
/// Every method runs on a thread of its own and reports to the observer; `Verdict::Stop` ends it
/// early with what is finished.
pub trait Engine: Send + Sync + 'static {
    /// Reads the model and the data. Called before anything else.
    ///
    /// # Errors
    /// When a file is missing or is not what it should be.
    fn open(&self, observer: &mut dyn Observer) -> Result<Inputs>;

    /// What comes of inputs that are not opened yet.
    fn look(&self, request: &OpenRequest, observer: &mut dyn Observer) -> Answers;

    /// Accuracy of the float network over the test images; `None` when stopped.
    ///
    /// # Errors
    /// When the device fails.
    fn check(&self, observer: &mut dyn Observer) -> Result<Option<Score>>;

    /// Measures what the project's sensitivity file lacks for these settings, saving as it goes.
    ///
    /// # Errors
    /// When a number is not finite, or the file cannot be written.
    fn analyze(
        &self,
        request: &AnalysisRequest,
        observer: &mut dyn Steered,
    ) -> Result<(Sensitivity, Outcome)>;

    /// Post-training accuracy of a plan over the test images; `None` when stopped.
    ///
    /// # Errors
    /// When the plan does not belong to the network.
    fn evaluate(&self, plan: &Plan, observer: &mut dyn Observer) -> Result<Option<Score>>;

    /// Fine-tunes a plan into a run folder, or goes on with the run that is there.
    ///
    /// # Errors
    /// When the loss is not finite, or the folder cannot be written.
    fn tune(&self, request: &TuneRequest, observer: &mut dyn Steered) -> Result<TuneReport>;

    /// Writes a file, reads it back and compares; `None` when stopped.
    ///
    /// # Errors
    /// When the file cannot be written or reads back differently.
    fn export(
        &self,
        request: &ExportRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Written>>;

    /// All eigenvalues of a layer's block; `None` when stopped.
    ///
    /// # Errors
    /// When there is no such layer, or a number is not finite.
    fn spectrum(
        &self,
        request: &SpectrumRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Spectrum>>;

    /// The loss along a layer's top eigenvector, as far as it came; `None` when stopped before.
    ///
    /// # Errors
    /// When there is no such layer, or a number is not finite.
    fn landscape(
        &self,
        request: &LandscapeRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Landscape>>;

    /// Where a layer's weights lie, and what bits make of them.
    ///
    /// # Errors
    /// When there is no such layer, or a weight is not finite.
    fn weights(&self, request: &WeightsRequest) -> Result<WeightHistogram>;

    /// Measures some layers again and puts them into the project's sensitivity file; what was stopped
    /// keeps its earlier measurements.
    ///
    /// # Errors
    /// When the file is of other images, a number is not finite, or the file cannot be written.
    fn remeasure(
        &self,
        request: &RemeasureRequest,
        observer: &mut dyn Observer,
    ) -> Result<(Sensitivity, Outcome)>;

    /// Measures loss changes at bits that the analysis did not, and puts them into the project's
    /// sensitivity file; when stopped, those that were finished.
    ///
    /// # Errors
    /// When the file is of other images, or cannot be written.
    fn loss_changes(
        &self,
        request: &LossChangesRequest,
        observer: &mut dyn Observer,
    ) -> Result<Sensitivity>;

    /// The runs of the project, newest first; when stopped, those that were read.
    ///
    /// # Errors
    /// When the folder that holds them cannot be read; a run that cannot is listed with the reason.
    fn runs(&self, request: &RunsRequest, observer: &mut dyn Observer) -> Result<Runs>;

    /// Whether analysis and fine-tuning go on when the application ends.
    fn outlives(&self) -> bool {
        false
    }

    /// Follows the analysis that an earlier application left running, to its end.
    ///
    /// # Errors
    /// As [`Engine::analyze`].
    fn attach_analysis(&self, _observer: &mut dyn Steered) -> Result<(Sensitivity, Outcome)> {
        Err(nothing_left())
    }

    /// Follows the run that an earlier application left running, to its end.
    ///
    /// # Errors
    /// As [`Engine::tune`].
    fn attach_run(&self, _run: &LeftRun, _observer: &mut dyn Steered) -> Result<TuneReport> {
        Err(nothing_left())
    }
}

fn nothing_left() -> Error {
    Error::invalid("nothing was left running")
}

/// Work that an earlier application left running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftRunning {
    /// The analysis.
    Analysis,
    /// A fine-tuning run.
    Run(LeftRun),
}

/// A run that an earlier application left running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftRun {
    /// Its folder.
    pub folder: PathBuf,
    /// Bytes of its events that were read already.
    pub read: u64,
}

/// What was loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// Architecture name.
    pub architecture: String,
    /// Where the weights come from.
    pub weights: String,
    /// SHA-256 of the weights.
    pub weights_sha256: String,
    /// What was done to find them in their file.
    pub notes: Vec<String>,
    /// Trainable parameters.
    pub parameters: usize,
    /// Name of the data set.
    pub data: String,
    /// Where the images come from.
    pub data_source: String,
    /// Size of an image, such as `3x32x32`.
    pub image: String,
    /// What is done to an image before the network reads it.
    pub preprocessing: String,
    /// What stands for it in the identity of measurements.
    pub preprocessing_identity: String,
    /// Whether the images come in one part, and serve as training and as test images.
    pub whole: bool,
    /// Number of classes.
    pub classes: usize,
    /// Training images.
    pub train_images: usize,
    /// Test images.
    pub test_images: usize,
    /// Where the numbers are computed.
    pub device: String,
    /// Known accuracy of these weights over these test images, 0 to 1.
    pub expected_accuracy: Option<f64>,
    /// Identifies model and data.
    pub fingerprint: String,
    /// What the work on it depends on.
    pub outline: Outline,
    /// What a packed file of it holds besides its layers.
    pub packed: Envelope,
    /// The layers with what is known before any analysis: facts and perturbations.
    pub layers: Vec<LayerSensitivity>,
}

/// Settings of an analysis that the user can change.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalysisRequest {
    /// Training images in the sample.
    pub samples: usize,
    /// Relative residual that counts as converged.
    pub tolerance: f64,
    /// Also measure the traces.
    pub trace: bool,
    /// Also measure the loss changes.
    pub loss_change: bool,
    /// Forget what an earlier analysis measured.
    #[serde(default)]
    pub anew: bool,
}

impl AnalysisRequest {
    /// The engine's settings.
    #[must_use]
    pub fn settings(&self, seed: u64) -> Analysis {
        let mut metrics = vec![Metric::Eigenvalue];
        metrics.extend(self.trace.then_some(Metric::Trace));
        metrics.extend(self.loss_change.then_some(Metric::LossChange));
        Analysis {
            metrics,
            tolerance: self.tolerance,
            seed,
            ..Analysis::default()
        }
    }
}

impl Default for AnalysisRequest {
    fn default() -> Self {
        Self {
            samples: 512,
            tolerance: 1e-3,
            trace: true,
            loss_change: true,
            anew: false,
        }
    }
}

/// Loss changes to be measured.
#[derive(Debug, Clone, PartialEq)]
pub struct LossChangesRequest {
    /// Of which layers, at which bits.
    pub wanted: Vec<LayerWidth>,
    /// The sample that the others were measured on.
    pub analysis: AnalysisRequest,
}

/// A fine-tuning run.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneRequest {
    /// The bits.
    pub plan: Plan,
    /// Gives the order of the stages.
    pub sensitivity: Option<Arc<Sensitivity>>,
    /// How it is trained; seed and variation of the images are those of the project.
    pub settings: Settings,
    /// The run folder.
    pub folder: PathBuf,
    /// Whether it begins, or how it goes on.
    pub start: Start,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneReport {
    /// Done, or stopped with a checkpoint.
    pub outcome: Outcome,
    /// Test accuracy of the last checkpoint, when the run is done.
    pub test: Option<Score>,
}

/// A file to write.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportRequest {
    /// The run to export.
    pub run: PathBuf,
    /// How.
    pub format: Format,
    /// Where to.
    pub path: PathBuf,
}
