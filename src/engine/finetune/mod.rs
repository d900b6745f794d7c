//! Fine-tuning a plan into a run folder: quantization-aware training with learned step sizes.
//!
//! ```text
//! Subject + Request --tune--> run folder --load_run--> quantized network
//! ```
//! Master weights, biases, batch normalisation and step sizes are trained by SGD with momentum on
//! seeded batches; layers enter in stages, in descending omega (HAWQ, arXiv 1905.03696 section
//! 3.3), or all at once. Validation uses training images that are held out; the test images are
//! seen once, at the end.
//!
//! A run that was stopped, or killed, goes on from its last checkpoint and ends as an undisturbed
//! one does, bit for bit: every batch is a function of its step, every sum has a fixed order.

mod batches;
mod checkpoint;
mod distillation;
mod doubts;
mod faults;
mod folder;
mod inputs;
mod journal;
mod load;
mod optimizer;
mod paths;
mod read;
mod record;
mod reopen;
mod schedule;
mod session;
mod settings;
mod stages;
mod trainer;
mod typed;

#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use checkpoint::{Best, Position};
pub use faults::{faults, state_faults};
pub use folder::{RunFolder, refuse_remains};
pub use load::{Run, bits_after, load_run};
pub use optimizer::{Update, Velocities};
pub use paths::{RUN_FILES, events_path, holds_run, lost_settings};
pub use read::{read_events, read_plan, read_position, read_record, read_structure, saved};
pub use record::{DataRecord, ModelRecord, Record};
pub use schedule::Calendar;
pub use settings::{
    DISTILLATION_WEIGHT, Decay, EarlierStages, Norms, RateChange, Schedule, Settings, StageOrder,
    Variation,
};
pub use stages::{Stage, omegas, stages};
pub use trainer::{Taken, Trainer};

use super::Result;
use super::backend::Backend;
use super::data::{Dataset, Normalization};
use super::graph::{Graph, Parameters};
use super::job::{Observer, Outcome, Score};
use super::model::{Imported, Model, Structure};
use super::plan::Plan;
use super::words::words;

/// What is fine-tuned, and on what.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What the network is called.
    pub name: &'a str,
    /// The float network.
    pub graph: &'a Graph,
    /// Its trained parameters.
    pub parameters: &'a Parameters,
    /// SHA-256 of the file they came from.
    pub weights_sha256: &'a str,
    /// What the file of the network said of it; nothing for a preset.
    pub imported: Option<&'a Imported>,
    /// Normalisation of the images.
    pub normalization: &'a Normalization,
    /// All training images; the held-out ones are taken from them.
    pub train: &'a Dataset,
    /// The test images.
    pub test: &'a Dataset,
}

impl<'a> Subject<'a> {
    /// A model on a data set.
    #[must_use]
    pub const fn new(
        model: &'a Model,
        normalization: &'a Normalization,
        (train, test): (&'a Dataset, &'a Dataset),
    ) -> Self {
        Self {
            name: model.name.as_str(),
            graph: &model.graph,
            parameters: &model.parameters,
            weights_sha256: model.weights_sha256.as_str(),
            imported: model.imported.as_ref(),
            normalization,
            train,
            test,
        }
    }

    /// The float network without its numbers.
    #[must_use]
    pub fn structure(&self) -> Structure {
        Structure {
            name: self.name.to_owned(),
            graph: self.graph.clone(),
            imported: self.imported.cloned(),
        }
    }
}

/// Whether a run begins or goes on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Begins in a folder that holds none.
    Fresh,
    /// Goes on from the last checkpoint.
    Resume,
    /// Goes on from the last checkpoint at another learning rate, which falls in the proportion it
    /// would have.
    ChangeRate(f64),
    /// Ends without further training: the test images are seen by what was trained so far.
    Conclude(Kept),
}

/// Which network of a run becomes its result when it ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// That of the epoch with the most validation images right, since every stage entered.
    Best,
    /// That of the last checkpoint.
    Last,
}

words! { Kept as "network to keep": Best "best", Last "last" }

/// How it is fine-tuned, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The bits.
    pub plan: &'a Plan,
    /// Which layers are quantized when; see [`stages`].
    pub stages: &'a [Stage],
    /// How it is trained.
    pub settings: &'a Settings,
    /// The run folder.
    pub folder: &'a Path,
    /// Whether the run begins or goes on.
    pub start: Start,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Done, or stopped with a checkpoint.
    pub outcome: Outcome,
    /// Score over the test images, when the run is done.
    pub test: Option<Score>,
}

/// Fine-tunes a plan into a run folder. Asked to stop, it saves the state after the current step.
///
/// # Errors
/// When plan, images and network do not belong together, the folder holds another run or (to begin)
/// any run, a file cannot be written, or the loss is not finite; the last checkpoint stays.
pub fn tune<B: Backend>(
    backend: &B,
    subject: &Subject,
    request: &Request,
    observer: &mut dyn Observer,
) -> Result<Report> {
    session::run((backend, subject, request), observer)
}
