//! What is gathered of a project or a run, before anything is drawn.

use crate::engine::allocate::Harm;
use crate::engine::events::History;
use crate::engine::finetune::Record;
use crate::engine::hessian::Metric;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::model::Envelope;
use crate::engine::plan::{LayerFacts, Plan};

use super::source::Kind;

/// A part of a project that may not be there.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Part<T> {
    /// Not made yet.
    #[default]
    Absent,
    /// There, but it cannot be read; the sentence says why.
    Damaged(String),
    /// Read.
    Found(T),
}

impl<T> Part<T> {
    /// What was read.
    #[must_use]
    pub const fn found(&self) -> Option<&T> {
        match self {
            Self::Found(value) => Some(value),
            _ => None,
        }
    }

    /// Why it cannot be read.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Damaged(reason) => Some(reason),
            _ => None,
        }
    }
}

/// All that is known of a project, or of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Which of the two.
    pub kind: Kind,
    /// The folder's name.
    pub name: String,
    /// The inputs of a project.
    pub inputs: Part<crate::project::InputFile>,
    /// What was measured.
    pub sensitivity: Part<Sensitivity>,
    /// Whether the analysis has not come to its end.
    pub is_partial: bool,
    /// The plan.
    pub plan: Part<Planned>,
    /// The best plans of every size, by each metric that was measured of every layer.
    pub frontiers: Vec<Frontier>,
    /// The runs of the project, or the one run.
    pub runs: Vec<Run>,
    /// Files that were exported.
    pub exports: Vec<Export>,
}

impl Report {
    /// What could not be read, and what is doubtful, a sentence each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let doubts = self.doubts();
        self.unreadable().into_iter().chain(doubts).collect()
    }

    /// What is doubtful in the measurements and in the runs.
    fn doubts(&self) -> Vec<String> {
        let measured = self.sensitivity.found().map(Sensitivity::doubts);
        let measured = measured.into_iter().flatten();
        let of_runs = self.runs.iter().flat_map(|run| {
            let told = run.story.found().map(|story| &story.history.warnings);
            let told = told.into_iter().flatten();
            told.map(|doubt| format!("run {}: {doubt}", run.name))
        });
        measured
            .map(|doubt| doubt.to_string())
            .chain(of_runs)
            .collect()
    }

    fn unreadable(&self) -> Vec<String> {
        let parts = [
            self.inputs.problem(),
            self.sensitivity.problem(),
            // The plan of a run that was named is told by the run.
            self.plan.problem().filter(|_| self.kind == Kind::Project),
        ];
        let of_runs = self.runs.iter().flat_map(|run| {
            let parts = [
                run.record.problem(),
                run.plan.problem(),
                run.network.as_deref(),
            ];
            let faults = run.faults.iter().map(String::as_str);
            let said = parts.into_iter().flatten().chain(faults);
            said.map(|problem| format!("run {}: {problem}", run.name))
        });
        let parts = parts.into_iter().flatten().map(str::to_owned);
        parts.chain(of_runs).collect()
    }

    /// Of a project that holds nothing.
    #[cfg(test)]
    pub(super) fn empty() -> Self {
        Self {
            kind: Kind::Project,
            name: "empty".to_owned(),
            inputs: Part::Absent,
            sensitivity: Part::Absent,
            is_partial: false,
            plan: Part::Absent,
            frontiers: Vec::new(),
            runs: Vec::new(),
            exports: Vec::new(),
        }
    }

    /// The first run whose settings can be read.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.runs.iter().find_map(|run| run.record.found())
    }

    /// The layers of the network of the first run that knows them.
    #[must_use]
    pub fn layers(&self) -> &[LayerFacts] {
        let known = self.runs.iter().map(|run| &run.layers[..]);
        known
            .into_iter()
            .find(|layers| !layers.is_empty())
            .unwrap_or_default()
    }
}

/// A plan beside what is known of its layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Facts of its layers, in the same order; empty when they are not known.
    pub facts: Vec<LayerFacts>,
    /// Measurements of its layers, in the same order, when there are any of all of them.
    pub measured: Option<Sensitivity>,
    /// What a packed file of the network holds besides its layers, when that is known.
    pub envelope: Option<Envelope>,
}

/// The best plans by one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Frontier {
    /// What harm is predicted by.
    pub metric: Metric,
    /// Bytes of weights and predicted harm of the best plans, smallest first.
    pub points: Vec<(f64, f64)>,
    /// Predicted harm of the plan of the report; names the layers with bits that were not measured.
    pub harm: Harm,
}

/// A fine-tuning run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The folder's name.
    pub name: String,
    /// What it is.
    pub record: Part<Record>,
    /// The layers of its network, when that is known.
    pub layers: Vec<LayerFacts>,
    /// Why its network cannot be read.
    pub network: Option<String>,
    /// What a packed file of it holds besides its layers, when that is known.
    pub envelope: Option<Envelope>,
    /// Its plan.
    pub plan: Part<Planned>,
    /// What happened in it.
    pub story: Part<Story>,
    /// What is wrong with its checkpoints and its events, a sentence each.
    pub faults: Vec<String>,
}

/// What happened in a run, from its events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Story {
    /// Stages, scores, and where it stands.
    pub history: History,
    /// Every training step that was written down.
    pub steps: Vec<Step>,
    /// Lines of the file that are no events.
    pub unreadable: usize,
}

/// A training step. Numbers that were not finite when they were written are NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Steps since the start of the run.
    pub step: u64,
    /// Mean loss of the batch.
    pub loss: f64,
    /// Share of the batch that is right, 0 to 1.
    pub accuracy: f64,
    /// Learning rate.
    pub learning_rate: f64,
}

/// A file that was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: String,
}
