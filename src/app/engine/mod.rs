//! The engine behind the port of [`jobs`](super::jobs). Analysis and fine-tuning are done by a
//! [`worker`](super::worker), which outlives the application; everything else in this process.

mod analysis;
mod detail;
mod load;
mod local;
mod look;
mod runs;
mod tune;

use std::path::PathBuf;

use super::jobs::detail::{LandscapeRequest, RemeasureRequest, SpectrumRequest, WeightsRequest};
use super::jobs::form::{Answers, OpenRequest};
use super::jobs::{
    AnalysisRequest, Engine, ExportRequest, Inputs, LeftRun, LossChangesRequest, Runs, RunsRequest,
    Steered, TuneReport, TuneRequest,
};
use super::project::InputFile;
use super::worker::{Client, Ended, Order, Tuning, Work};
use crate::engine::Result;
use crate::engine::export::Written;
use crate::engine::hessian::landscape::Landscape;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::hessian::spectrum::Spectrum;
use crate::engine::job::{Observer, Outcome, Score};
use crate::engine::plan::Plan;
use crate::engine::quant::histogram::WeightHistogram;

pub use local::Local;

/// The engine on the files of a project.
pub struct ProjectEngine {
    local: Local,
    worker: Client,
    inputs: InputFile,
    sensitivity: PathBuf,
}

impl ProjectEngine {
    /// For these inputs; measurements go to the file `sensitivity`, and beside it while unfinished.
    #[must_use]
    pub fn new(inputs: InputFile, sensitivity: PathBuf, worker: Client) -> Self {
        Self {
            local: Local::new(inputs.clone(), sensitivity.clone()),
            worker,
            inputs,
            sensitivity,
        }
    }

    fn order(&self, work: Work, observer: &mut dyn Steered) -> Result<Ended> {
        let order = Order {
            inputs: self.inputs.clone(),
            sensitivity: self.sensitivity.clone(),
            work,
        };
        self.worker.start(&order)?.to_the_end(observer)
    }

    fn measured(&self, ended: &Ended) -> Result<(Sensitivity, Outcome)> {
        let outcome = ended.outcome;
        Ok((analysis::kept(&self.sensitivity, outcome)?, outcome))
    }
}

impl Engine for ProjectEngine {
    fn open(&self, observer: &mut dyn Observer) -> Result<Inputs> {
        self.local.open(observer)
    }

    fn look(&self, request: &OpenRequest, observer: &mut dyn Observer) -> Answers {
        look::look(request, observer)
    }

    fn check(&self, observer: &mut dyn Observer) -> Result<Option<Score>> {
        self.local.check(observer)
    }

    fn analyze(
        &self,
        request: &AnalysisRequest,
        observer: &mut dyn Steered,
    ) -> Result<(Sensitivity, Outcome)> {
        let ended = self.order(Work::Analyze(request.clone()), observer)?;
        self.measured(&ended)
    }

    fn evaluate(&self, plan: &Plan, observer: &mut dyn Observer) -> Result<Option<Score>> {
        self.local.evaluate(plan, observer)
    }

    fn tune(&self, request: &TuneRequest, observer: &mut dyn Steered) -> Result<TuneReport> {
        let work = Work::Tune(Box::new(Tuning::of(request)));
        self.order(work, observer).map(Ended::report)
    }

    fn export(
        &self,
        request: &ExportRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Written>> {
        self.local.export(request, observer)
    }

    fn runs(&self, request: &RunsRequest, observer: &mut dyn Observer) -> Result<Runs> {
        runs::read(request, observer)
    }

    fn loss_changes(
        &self,
        request: &LossChangesRequest,
        observer: &mut dyn Observer,
    ) -> Result<Sensitivity> {
        let loaded = self.local.loaded()?;
        detail::loss_changes(&loaded, request, &self.sensitivity, observer)
    }

    fn outlives(&self) -> bool {
        true
    }

    fn attach_analysis(&self, observer: &mut dyn Steered) -> Result<(Sensitivity, Outcome)> {
        let ended = self.worker.attach().to_the_end(observer)?;
        self.measured(&ended)
    }

    fn attach_run(&self, run: &LeftRun, observer: &mut dyn Steered) -> Result<TuneReport> {
        let ended = self.worker.attach_run(run).to_the_end(observer)?;
        Ok(ended.report())
    }

    fn spectrum(
        &self,
        request: &SpectrumRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Spectrum>> {
        detail::spectrum(&*self.local.loaded()?, request, observer)
    }

    fn landscape(
        &self,
        request: &LandscapeRequest,
        observer: &mut dyn Observer,
    ) -> Result<Option<Landscape>> {
        detail::landscape(&*self.local.loaded()?, request, observer)
    }

    fn weights(&self, request: &WeightsRequest) -> Result<WeightHistogram> {
        detail::weights(&*self.local.loaded()?, request)
    }

    fn remeasure(
        &self,
        request: &RemeasureRequest,
        observer: &mut dyn Observer,
    ) -> Result<(Sensitivity, Outcome)> {
        detail::remeasure(
            (&*self.local.loaded()?, request),
            &self.sensitivity,
            observer,
        )
    }
}
