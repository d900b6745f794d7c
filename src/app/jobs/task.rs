//! Pieces of work, what they bring, and the messages on the way.

use std::path::PathBuf;
use std::sync::Arc;

use super::detail::{Detail, DetailDone};
use super::form::{Answers, Choices, Field, OpenRequest};
use super::paths;
use super::plans;
use super::port::{
    AnalysisRequest, Engine, ExportRequest, Inputs, LeftRunning, LossChangesRequest, TuneReport,
    TuneRequest,
};
use super::projects::{self, FoundProject};
use super::runs::{Runs, RunsRequest};
use super::{Quiet, Steered};
use crate::app::state::Screen;
use crate::app::state::bits::{Allocation, Frontier};
use crate::engine::export::Written;
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::job::{Event, Outcome, Score};
use crate::engine::plan::Plan;
use crate::engine::{Error, Result};

/// A piece of work for a thread.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Load the inputs.
    Open,
    /// Evaluate the float network.
    Check,
    /// Measure the layers.
    Analyze(AnalysisRequest),
    /// Choose bits under a budget.
    Allocate(Box<Allocation>),
    /// Compute the frontier of all budgets.
    Frontier(Box<Frontier>),
    /// Measure the accuracy of a plan.
    Evaluate(Arc<Plan>),
    /// Measure loss changes at bits that the analysis did not.
    LossChanges(LossChangesRequest),
    /// Fine-tune a plan.
    Tune(Box<TuneRequest>),
    /// Write a file.
    Export(ExportRequest),
    /// Follow what an earlier application left running.
    Attach(LeftRunning),
    /// Look closer at layers.
    Detail(Detail),
    /// Read the runs of the project.
    Runs(RunsRequest),
    /// Read the plans of the runs in a folder.
    RunPlans(PathBuf),
    /// Read a plan file.
    PlanFile(PathBuf),
    /// Find the projects in a folder.
    Projects {
        /// The folder.
        folder: PathBuf,
        /// The project that is open here.
        own: String,
    },
    /// Look at what was typed to open a network.
    Look(Box<OpenRequest>),
    /// Find how a line may go on that names files.
    Choices {
        /// The line.
        field: Field,
        /// Its text.
        text: String,
    },
}

/// Kinds of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// [`Task::Open`].
    Open,
    /// [`Task::Check`].
    Check,
    /// [`Task::Analyze`].
    Analyze,
    /// [`Task::Allocate`].
    Allocate,
    /// [`Task::Frontier`].
    Frontier,
    /// [`Task::Evaluate`].
    Evaluate,
    /// [`Task::LossChanges`].
    LossChanges,
    /// [`Task::Tune`].
    Tune,
    /// [`Task::Export`].
    Export,
    /// [`Detail::Spectrum`].
    Spectrum,
    /// [`Detail::Landscape`].
    Landscape,
    /// [`Detail::Weights`].
    Weights,
    /// [`Detail::Remeasure`].
    Remeasure,
    /// [`Task::Runs`].
    Runs,
    /// [`Task::RunPlans`].
    RunPlans,
    /// [`Task::PlanFile`].
    PlanFile,
    /// [`Task::Projects`].
    Projects,
    /// [`Task::Look`].
    Look,
    /// [`Task::Choices`].
    Choices,
}

impl JobKind {
    /// What is going on, in a word or two.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "loading",
            Self::Check => "testing the float network",
            Self::Analyze => "analysis",
            Self::Allocate => "allocation",
            Self::Frontier => "frontier",
            Self::Evaluate => "evaluating the plan",
            Self::LossChanges => "loss changes of the plan",
            Self::Tune => "fine-tuning",
            Self::Export => "export",
            Self::Spectrum => "spectrum",
            Self::Landscape => "landscape",
            Self::Weights => "weights",
            Self::Remeasure => "measuring again",
            Self::Runs => "reading the runs",
            Self::RunPlans => "plans of the runs",
            Self::PlanFile => "plan file",
            Self::Projects => "projects",
            Self::Look => "looking at the files",
            Self::Choices => "files",
        }
    }

    /// Whether it only reads small files, so that nobody has to be told that it runs.
    #[must_use]
    pub const fn is_brief(self) -> bool {
        matches!(
            self,
            Self::RunPlans | Self::PlanFile | Self::Projects | Self::Look | Self::Choices
        )
    }

    /// Whether the user asked for it and waits for it: asked about on leaving, one at a time.
    #[must_use]
    pub const fn is_foreground(self) -> bool {
        matches!(self, Self::Open | Self::Analyze | Self::Tune | Self::Export) || self.is_detail()
    }

    /// Whether what it brings depends on the plan.
    #[must_use]
    pub const fn is_of_plan(self) -> bool {
        matches!(
            self,
            Self::Allocate | Self::Frontier | Self::Evaluate | Self::LossChanges | Self::Tune
        )
    }

    /// The screen that shows what it brings; `None`: all do.
    #[must_use]
    pub const fn screen(self) -> Option<Screen> {
        match self {
            Self::Open | Self::Check => Some(Screen::Model),
            Self::Analyze | Self::Spectrum | Self::Landscape | Self::Weights | Self::Remeasure => {
                Some(Screen::Sensitivity)
            }
            Self::Allocate
            | Self::Frontier
            | Self::Evaluate
            | Self::LossChanges
            | Self::RunPlans
            | Self::PlanFile => Some(Screen::Bits),
            Self::Tune | Self::Runs => Some(Screen::Tune),
            Self::Export => Some(Screen::Export),
            Self::Projects | Self::Look | Self::Choices => None,
        }
    }

    /// Whether it looks closer at layers, and the user asked for it.
    #[must_use]
    pub const fn is_detail(self) -> bool {
        matches!(self, Self::Spectrum | Self::Landscape | Self::Remeasure)
    }

    /// Whether a worker does it, which can outlive the application.
    #[must_use]
    pub const fn is_for_worker(self) -> bool {
        matches!(self, Self::Analyze | Self::Tune)
    }

    /// Whether stopping keeps what is finished, and going on later is possible.
    #[must_use]
    pub const fn is_resumable(self) -> bool {
        matches!(self, Self::Analyze | Self::Tune | Self::Remeasure)
    }
}

impl Task {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Open => JobKind::Open,
            Self::Check => JobKind::Check,
            Self::Analyze(_) | Self::Attach(LeftRunning::Analysis) => JobKind::Analyze,
            Self::Allocate(_) => JobKind::Allocate,
            Self::Frontier(_) => JobKind::Frontier,
            Self::Evaluate(_) => JobKind::Evaluate,
            Self::LossChanges(_) => JobKind::LossChanges,
            Self::Tune(_) | Self::Attach(LeftRunning::Run(_)) => JobKind::Tune,
            Self::Export(_) => JobKind::Export,
            Self::Detail(detail) => detail.kind(),
            Self::Runs(_) => JobKind::Runs,
            Self::RunPlans(_) => JobKind::RunPlans,
            Self::PlanFile(_) => JobKind::PlanFile,
            Self::Projects { .. } => JobKind::Projects,
            Self::Look(_) => JobKind::Look,
            Self::Choices { .. } => JobKind::Choices,
        }
    }

    /// Does the work on the calling thread.
    ///
    /// # Errors
    /// What the engine says.
    pub fn run(&self, engine: &dyn Engine, observer: &mut dyn Steered) -> Result<Done> {
        Ok(match self {
            Self::Open => Done::Opened(Box::new(engine.open(observer)?)),
            Self::Check => Done::Checked(engine.check(observer)?),
            Self::Analyze(request) => Done::analyzed(engine.analyze(request, observer)?),
            Self::Attach(LeftRunning::Analysis) => {
                Done::analyzed(engine.attach_analysis(observer)?)
            }
            Self::Attach(LeftRunning::Run(run)) => Done::Tuned(engine.attach_run(run, observer)?),
            Self::Allocate(allocation) => Done::Allocated(Box::new(allocation.solve()?)),
            Self::Frontier(frontier) => Done::Frontier(frontier.solve()?),
            Self::Evaluate(plan) => {
                let score = engine.evaluate(plan, observer)?;
                Done::Evaluated {
                    plan: plan.clone(),
                    score,
                }
            }
            Self::LossChanges(request) => {
                Done::LossChanges(Box::new(engine.loss_changes(request, observer)?))
            }
            Self::Tune(request) => match engine.tune(request, observer) {
                Ok(report) => Done::Tuned(report),
                Err(refused) if !request.folder.exists() => Done::NotBegun(refused.to_string()),
                Err(failed) => return Err(failed),
            },
            Self::Export(request) => {
                Done::Exported(engine.export(request, observer)?.map(Box::new))
            }
            Self::Detail(detail) => Done::Detail(Box::new(detail.run(engine, observer)?)),
            Self::Runs(request) => Done::Runs(engine.runs(request, observer)?),
            Self::Projects { folder, own } => Done::Projects(projects::find(folder, own)),
            Self::Look(request) => Done::Looked(Box::new(engine.look(request, observer))),
            Self::Choices { field, text } => Done::Choices(paths::choices(*field, text)),
            Self::RunPlans(runs) => Done::RunPlans(plans::of_runs(runs)),
            Self::PlanFile(path) => Done::PlanFile {
                text: plans::text(path)?,
                path: path.clone(),
            },
        })
    }
}

/// What a task brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// The inputs.
    Opened(Box<Inputs>),
    /// The float network's score; `None` when stopped.
    Checked(Option<Score>),
    /// The measurements.
    Analyzed {
        /// What was measured so far.
        sensitivity: Box<Sensitivity>,
        /// Whether that is everything.
        outcome: Outcome,
    },
    /// A plan within the budget.
    Allocated(Box<Plan>),
    /// Cost and predicted harm of the best plans.
    Frontier(Vec<(f64, f64)>),
    /// A plan's score; `None` when stopped.
    Evaluated {
        /// The plan that was measured.
        plan: Arc<Plan>,
        /// Its score.
        score: Option<Score>,
    },
    /// The measurements with those that were asked for.
    LossChanges(Box<Sensitivity>),
    /// Why a run left nothing on disk.
    NotBegun(String),
    /// How a run ended.
    Tuned(TuneReport),
    /// The file; `None` when stopped.
    Exported(Option<Box<Written>>),
    /// A closer look.
    Detail(Box<DetailDone>),
    /// The runs of the project.
    Runs(Runs),
    /// Names of runs, and the texts of their plans.
    RunPlans(Vec<(String, String)>),
    /// A plan file.
    PlanFile {
        /// Which.
        path: PathBuf,
        /// What it holds.
        text: String,
    },
    /// The projects there are, the one used last first.
    Projects(Vec<FoundProject>),
    /// What is said of what was typed.
    Looked(Box<Answers>),
    /// How a line may go on.
    Choices(Choices),
}

impl Done {
    fn analyzed((sensitivity, outcome): (Sensitivity, Outcome)) -> Self {
        Self::Analyzed {
            sensitivity: Box::new(sensitivity),
            outcome,
        }
    }
}

/// Why a job brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The engine said why.
    Error(String),
    /// No plan fits the budget.
    Infeasible(String),
    /// A defect of ours; the message of the panic.
    Panic(String),
}

impl Failure {
    /// One sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Error(message) | Self::Infeasible(message) => message.clone(),
            Self::Panic(message) => {
                format!("an internal error ({message}); what was saved is safe, the log has more")
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Infeasible(message) => Self::Infeasible(message),
            other => Self::Error(other.to_string()),
        }
    }
}

/// Identifies a job for as long as the application runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct JobId(pub u64);

/// What comes back from a job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobMessage {
    /// Progress, a point, a layer, ...
    Event {
        /// Which job.
        job: JobId,
        /// What it reports.
        event: Event,
    },
    /// How much memory the process that does it holds.
    Memory {
        /// Which job.
        job: JobId,
        /// Bytes.
        resident: u64,
    },
    /// Whether the process that does it gave no sign of life for a while.
    Quiet {
        /// Which job.
        job: JobId,
        /// Since when, and where.
        quiet: Option<Quiet>,
    },
    /// It ended.
    Ended {
        /// Which job.
        job: JobId,
        /// With what.
        result: std::result::Result<Done, Failure>,
    },
}
