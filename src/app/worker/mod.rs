//! Work that outlives the application. Analysis and fine-tuning run in a process of their own, which
//! neither a dropped connection nor a crash of the screen ends; the application follows what that
//! process writes down, and a later one attaches to it again.
//!
//! ```text
//! <project>/worker/
//!   order.json     what is to be done; standard input of the process, locked while it lives
//!   events.jsonl   its standard error: its number, its events, and its last words when it fails
//! ```
//! It is paused and stopped as runs are, by a wish in that folder; see
//! [`presence`](crate::engine::presence).

mod client;
mod memory;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::engine::Local;
use super::jobs::{AnalysisRequest, TuneRequest};
use super::project::InputFile;
use crate::engine::Result;
use crate::engine::finetune::{Settings, Start};
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::job::{Event, Observer, Outcome};
use crate::engine::plan::file as plan_file;
use crate::engine::presence::{Claim, Minded, Presence};
use crate::engine::{Error, files};

pub use client::{Client, Ended, Following, is_worked_on, works_on};

/// First line of a worker's events, before its process number.
pub const GREETING: &str = "worker ";

/// What a worker is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Model and data.
    pub inputs: InputFile,
    /// The project's file of measurements.
    pub sensitivity: PathBuf,
    /// With them.
    pub work: Work,
}

/// What a worker can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Measure the layers.
    Analyze(AnalysisRequest),
    /// Fine-tune a plan.
    Tune(Box<Tuning>),
}

/// A fine-tuning run, as values that can be written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// The text of the plan file.
    pub plan: String,
    /// Gives the order of the stages.
    pub sensitivity: Option<Sensitivity>,
    /// How it is trained.
    pub settings: Settings,
    /// The run folder.
    pub folder: PathBuf,
    /// Whether it begins, or how it goes on.
    pub start: Start,
}

impl Order {
    /// The folder of the run that is ordered.
    #[must_use]
    pub fn run(&self) -> Option<&Path> {
        match &self.work {
            Work::Analyze(_) => None,
            Work::Tune(tuning) => Some(&tuning.folder),
        }
    }
}

impl Tuning {
    /// A run that was asked for.
    #[must_use]
    pub fn of(request: &TuneRequest) -> Self {
        Self {
            plan: plan_file::to_toml(&request.plan),
            sensitivity: request.sensitivity.as_deref().cloned(),
            settings: request.settings.clone(),
            folder: request.folder.clone(),
            start: request.start,
        }
    }

    fn request(&self) -> Result<TuneRequest> {
        let plan = plan_file::parse(&self.plan, None);
        Ok(TuneRequest {
            plan: plan.map_err(crate::engine::Error::invalid)?,
            sensitivity: self.sensitivity.clone().map(Into::into),
            settings: self.settings.clone(),
            folder: self.folder.clone(),
            start: self.start,
        })
    }
}

/// Does what was ordered, in this process, minding what is wished in the folder of the worker; the
/// last event says how it ended.
///
/// # Errors
/// What the engine says.
pub fn perform(order: &Order, observer: &mut dyn Observer) -> Result<Outcome> {
    let folder = files::folder_of(&order.sensitivity).join("worker");
    let presence = match Presence::claim(&folder)? {
        Claim::Ours(presence) => presence,
        Claim::Of(_) => return Err(Error::invalid("another worker of this project lives")),
    };
    let observer: &mut dyn Observer = &mut Minded::new(observer, &presence);
    let engine = Local::new(order.inputs.clone(), order.sensitivity.clone());
    engine.open(observer)?;
    let outcome = match &order.work {
        Work::Analyze(request) => engine.analyze(request, observer)?.1,
        Work::Tune(tuning) => engine.tune(&tuning.request()?, observer)?.outcome,
    };
    observer.on(Event::Finished { outcome });
    Ok(outcome)
}
