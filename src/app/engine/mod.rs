//! The engine behind the port of [`jobs`](super::jobs): which files and settings of a project become
//! which calls.

mod analysis;
mod detail;
mod load;
mod tune;

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::jobs::detail::{LandscapeRequest, RemeasureRequest, SpectrumRequest, WeightsRequest};
use super::jobs::{AnalysisRequest, Engine, ExportRequest, Inputs, TuneReport, TuneRequest};
use super::project::InputFile;
use crate::engine::autodiff::Program;
use crate::engine::data::{Order, Selection, sample};
use crate::engine::evaluation::evaluate;
use crate::engine::export::{self, About, Request, Written};
use crate::engine::finetune::load_run;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::hessian::landscape::Landscape;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::hessian::spectrum::Spectrum;
use crate::engine::job::{Observer, Outcome, Score};
use crate::engine::plan::Plan;
use crate::engine::quant::histogram::WeightHistogram;
use crate::engine::quant::post_training;
use crate::engine::{Error, Result};

use load::Loaded;

/// The engine on the files of a project.
pub struct ProjectEngine {
    inputs: InputFile,
    sensitivity: PathBuf,
    loaded: Mutex<Option<Arc<Loaded>>>,
}

impl ProjectEngine {
    /// For these inputs; measurements go to the file `sensitivity`, and beside it while unfinished.
    #[must_use]
    pub fn new(inputs: InputFile, sensitivity: PathBuf) -> Self {
        Self {
            inputs,
            sensitivity,
            loaded: Mutex::new(None),
        }
    }

    fn loaded(&self) -> Result<Arc<Loaded>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded
            .clone()
            .ok_or_else(|| Error::invalid("nothing is loaded yet; load the inputs first"))
    }
}

impl Engine for ProjectEngine {
    fn open(&self, observer: &mut dyn Observer) -> Result<Inputs> {
        let loaded = Arc::new(load::load(&self.inputs, observer)?);
        let inputs = loaded.describe(&self.inputs)?;
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
        Ok(inputs)
    }

    fn check(&self, observer: &mut dyn Observer) -> Result<Option<Score>> {
        let loaded = self.loaded()?;
        let images = Selection::all(&loaded.test, &loaded.normalization)?;
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let model = &loaded.model;
        let program = Program::new(&model.graph, &loaded.backend, &model.parameters, walk)?;
        evaluate(&program, &images, observer)
    }

    fn analyze(
        &self,
        request: &AnalysisRequest,
        observer: &mut dyn Observer,
    ) -> Result<(Sensitivity, Outcome)> {
        analysis::analyze((&*self.loaded()?, request), &self.sensitivity, observer)
    }

    fn evaluate(&self, plan: &Plan, observer: &mut dyn Observer) -> Result<Option<Score>> {
        let loaded = self.loaded()?;
        let Loaded {
            model,
            train,
            test,
            normalization,
            backend,
            ..
        } = &*loaded;
        let images = post_training::CALIBRATION_IMAGES.min(train.len());
        let indices = sample(Order::Random, images, loaded.seed, train.len())?;
        let calibration = Selection::new(train, normalization, indices)?;
        let with = (backend, &calibration as _);
        match post_training::quantize(model, plan, with, observer)? {
            Some(network) => {
                let test = Selection::all(test, normalization)?;
                network.evaluate(backend, &test, observer)
            }
            None => Ok(None),
        }
    }

    fn tune(&self, request: &TuneRequest, observer: &mut dyn Observer) -> Result<TuneReport> {
        tune::tune(&*self.loaded()?, request, observer)
    }

    fn export(
        &self,
        request: &ExportRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Written>> {
        let loaded = self.loaded()?;
        let run = load_run(&request.run)?;
        if let Some(folder) = request.path.parent() {
            fs::create_dir_all(folder).map_err(|refused| Error::file("create", folder, refused))?;
        }
        let request = Request {
            about: &About::of(&run),
            network: &run.network,
            format: request.format,
            path: &request.path,
        };
        let images = Selection::all(&loaded.test, &loaded.normalization)?;
        export::export(&loaded.backend, &request, &images, observer)
    }

    fn spectrum(
        &self,
        request: &SpectrumRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Spectrum>> {
        detail::spectrum(&*self.loaded()?, request, observer)
    }

    fn landscape(
        &self,
        request: &LandscapeRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Landscape>> {
        detail::landscape(&*self.loaded()?, request, observer)
    }

    fn weights(&self, request: &WeightsRequest) -> Result<WeightHistogram> {
        detail::weights(&*self.loaded()?, request)
    }

    fn remeasure(
        &self,
        request: &RemeasureRequest,
        observer: &mut dyn Observer,
    ) -> Result<(Sensitivity, Outcome)> {
        detail::remeasure((&*self.loaded()?, request), &self.sensitivity, observer)
    }
}
