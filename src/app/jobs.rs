//! Work in the background: the narrow port through which the application asks the engine for
//! anything that takes time, and the named threads it runs on.
//!
//! ```text
//! update --Effect::Start(id, Task)--> Jobs --thread--> Engine + Reporter --Inbox--> Msg::Job
//! ```
//! Every job runs on its own thread inside `catch_unwind`: a panic becomes [`Failure::Panic`] and
//! the screen stays up. Progress is replaced by newer progress while it waits to be drawn, points of
//! curves are thinned when too many wait, and everything else is always delivered, in order.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::Notify;

use crate::engine::hessian::sensitivity::{LayerSensitivity, Sensitivity};
use crate::engine::job::{Event, Observer, Outcome, Score, Verdict};
use crate::engine::plan::Plan;
use crate::engine::{Error, Result};

use super::state::bits::{Allocation, Frontier};

/// Points of curves that may wait; beyond, every other one is dropped.
const MAX_WAITING_POINTS: usize = 2048;

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
        observer: &mut dyn Observer,
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
    fn tune(&self, request: &TuneRequest, observer: &mut dyn Observer) -> Result<TuneReport>;

    /// Writes a file, reads it back and compares.
    ///
    /// # Errors
    /// When the file cannot be written or reads back differently.
    fn export(&self, request: &ExportRequest, observer: &mut dyn Observer) -> Result<ExportReport>;
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
    /// Trainable parameters.
    pub parameters: usize,
    /// Name of the data set.
    pub data: String,
    /// Where the images come from.
    pub data_source: String,
    /// Size of an image, such as `3x32x32`.
    pub image: String,
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

/// Order of fine-tuning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// One layer or block after another, in descending omega (the paper).
    #[default]
    Staged,
    /// All layers at once.
    Joint,
}

impl Schedule {
    /// The name on screen and in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Joint => "joint",
        }
    }
}

/// A fine-tuning run.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneRequest {
    /// The bits.
    pub plan: Plan,
    /// Gives the order of the stages.
    pub sensitivity: Option<Arc<Sensitivity>>,
    /// Epochs in all.
    pub epochs: usize,
    /// Order of fine-tuning.
    pub schedule: Schedule,
    /// Learning rate at the start; the engine's default when absent.
    pub learning_rate: Option<f64>,
    /// The run folder.
    pub folder: PathBuf,
    /// Go on with the run in the folder.
    pub resume: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneReport {
    /// Done, or stopped with a checkpoint.
    pub outcome: Outcome,
    /// Test accuracy of the last checkpoint, when the run is done.
    pub test: Option<Score>,
}

/// File formats of the export.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Bit-packed weights; really small.
    #[default]
    Packed,
    /// ONNX with `Quant` nodes.
    Qonnx,
    /// Dequantized weights with their original names, for `PyTorch`.
    Safetensors,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Packed, Self::Qonnx, Self::Safetensors];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packed => "packed",
            Self::Qonnx => "qonnx",
            Self::Safetensors => "safetensors",
        }
    }

    /// The file name's end.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Packed => "packed.safetensors",
            Self::Qonnx => "onnx",
            Self::Safetensors => "safetensors",
        }
    }

    /// What it is for, in a sentence.
    #[must_use]
    pub const fn doc(self) -> &'static str {
        match self {
            Self::Packed => {
                "bit-packed weights, as small as predicted; runs with `hawqeye eval --packed`"
            }
            Self::Qonnx => {
                "ONNX with Quant nodes, exact, for other tools; stores floats, so it is large"
            }
            Self::Safetensors => "dequantized floats with the original names, for PyTorch; large",
        }
    }
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

/// A file that was written, read back and compared.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportReport {
    /// The file.
    pub path: PathBuf,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes of the weights at their bits, without anything else.
    pub theoretical_bytes: u64,
    /// Largest difference of a logit between the run and the file read back.
    pub logit_difference: Option<f64>,
    /// Test accuracy of the file read back.
    pub score: Option<Score>,
    /// SHA-256 of the file.
    pub sha256: String,
}

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
    /// Fine-tune a plan.
    Tune(Box<TuneRequest>),
    /// Write a file.
    Export(ExportRequest),
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
    /// [`Task::Tune`].
    Tune,
    /// [`Task::Export`].
    Export,
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
            Self::Tune => "fine-tuning",
            Self::Export => "export",
        }
    }

    /// Whether the user asked for it and waits for it: asked about on leaving, one at a time.
    #[must_use]
    pub const fn is_foreground(self) -> bool {
        matches!(self, Self::Open | Self::Analyze | Self::Tune | Self::Export)
    }

    /// Whether stopping keeps what is finished, and going on later is possible.
    #[must_use]
    pub const fn is_resumable(self) -> bool {
        matches!(self, Self::Analyze | Self::Tune)
    }
}

impl Task {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Open => JobKind::Open,
            Self::Check => JobKind::Check,
            Self::Analyze(_) => JobKind::Analyze,
            Self::Allocate(_) => JobKind::Allocate,
            Self::Frontier(_) => JobKind::Frontier,
            Self::Evaluate(_) => JobKind::Evaluate,
            Self::Tune(_) => JobKind::Tune,
            Self::Export(_) => JobKind::Export,
        }
    }

    /// Does the work on the calling thread.
    ///
    /// # Errors
    /// What the engine says.
    pub fn run(&self, engine: &dyn Engine, observer: &mut dyn Observer) -> Result<Done> {
        Ok(match self {
            Self::Open => Done::Opened(Box::new(engine.open(observer)?)),
            Self::Check => Done::Checked(engine.check(observer)?),
            Self::Analyze(request) => {
                let (sensitivity, outcome) = engine.analyze(request, observer)?;
                Done::Analyzed {
                    sensitivity: Box::new(sensitivity),
                    outcome,
                }
            }
            Self::Allocate(allocation) => Done::Allocated(Box::new(allocation.solve()?)),
            Self::Frontier(frontier) => Done::Frontier(frontier.solve()?),
            Self::Evaluate(plan) => {
                let score = engine.evaluate(plan, observer)?;
                Done::Evaluated {
                    plan: plan.clone(),
                    score,
                }
            }
            Self::Tune(request) => Done::Tuned(engine.tune(request, observer)?),
            Self::Export(request) => Done::Exported(Box::new(engine.export(request, observer)?)),
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
    /// How a run ended.
    Tuned(TuneReport),
    /// The file.
    Exported(Box<ExportReport>),
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
    /// It ended.
    Ended {
        /// Which job.
        job: JobId,
        /// With what.
        result: std::result::Result<Done, Failure>,
    },
}

/// What waits to be seen by the user interface.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<VecDeque<JobMessage>>,
    arrived: Notify,
}

impl Inbox {
    /// Adds a message, coalescing with what still waits.
    pub fn push(&self, message: JobMessage) {
        let mut waiting = lock(&self.waiting);
        if let Some(replaced) = waiting
            .iter_mut()
            .rev()
            .find(|old| is_replaced_by(old, &message))
        {
            *replaced = message;
        } else {
            waiting.push_back(message);
            if waiting.iter().filter(|message| is_point(message)).count() > MAX_WAITING_POINTS {
                thin(&mut waiting);
            }
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Everything that waits.
    #[must_use]
    pub fn drain(&self) -> Vec<JobMessage> {
        lock(&self.waiting).drain(..).collect()
    }

    /// Waits until there is something.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

/// Whether `new` says all that the waiting `old` says.
fn is_replaced_by(old: &JobMessage, new: &JobMessage) -> bool {
    match (old, new) {
        (
            JobMessage::Event {
                job: a,
                event: Event::Progress { phase: p, .. },
            },
            JobMessage::Event {
                job: b,
                event: Event::Progress { phase: q, .. },
            },
        ) => a == b && p == q,
        _ => false,
    }
}

fn is_point(message: &JobMessage) -> bool {
    let JobMessage::Event { event, .. } = message else {
        return false;
    };
    matches!(event, Event::Step { .. } | Event::Eigenvalue { .. })
}

/// Drops every other point, never the last.
fn thin(waiting: &mut VecDeque<JobMessage>) {
    let points = waiting.iter().filter(|message| is_point(message)).count();
    let mut seen = 0;
    waiting.retain(|message| {
        let point = is_point(message);
        seen += usize::from(point);
        !point || (points - seen).is_multiple_of(2)
    });
}

/// Holds and stops a job from outside.
#[derive(Debug, Default)]
struct Control {
    stop: AtomicBool,
    paused: Mutex<bool>,
    resumed: Condvar,
}

impl Control {
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.pause(false);
    }

    fn pause(&self, pause: bool) {
        *lock(&self.paused) = pause;
        self.resumed.notify_all();
    }

    /// Returns at once, or when the job is resumed or stopped.
    fn hold_while_paused(&self) {
        let paused = lock(&self.paused);
        let waited = self.resumed.wait_while(paused, |paused| *paused);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// The observer a job reports to.
struct Reporter {
    job: JobId,
    control: Arc<Control>,
    inbox: Arc<Inbox>,
}

impl Observer for Reporter {
    fn on(&mut self, event: Event) -> Verdict {
        self.inbox.push(JobMessage::Event {
            job: self.job,
            event,
        });
        self.control.hold_while_paused();
        if self.control.stop.load(Ordering::Relaxed) {
            Verdict::Stop
        } else {
            Verdict::Continue
        }
    }
}

/// The jobs that run.
pub struct Jobs {
    engine: Arc<dyn Engine>,
    inbox: Arc<Inbox>,
    running: Vec<Started>,
}

/// A job that was started.
struct Started {
    id: JobId,
    kind: JobKind,
    control: Arc<Control>,
    thread: thread::JoinHandle<()>,
}

impl Jobs {
    /// No job yet.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self {
            engine,
            inbox: Arc::default(),
            running: Vec::new(),
        }
    }

    /// Where messages arrive.
    #[must_use]
    pub fn inbox(&self) -> Arc<Inbox> {
        self.inbox.clone()
    }

    /// Starts a task on a thread of its own.
    pub fn start(&mut self, job: JobId, task: Task) {
        self.running.retain(|job| !job.thread.is_finished());
        let control = Arc::new(Control::default());
        let (engine, inbox) = (self.engine.clone(), self.inbox.clone());
        let mut reporter = Reporter {
            job,
            control: control.clone(),
            inbox: inbox.clone(),
        };
        let kind = task.kind();
        let name = format!("hawqeye-{kind:?}").to_lowercase();
        let work = move || {
            let result = caught(|| task.run(&*engine, &mut reporter));
            inbox.push(JobMessage::Ended { job, result });
        };
        match thread::Builder::new().name(name).spawn(work) {
            Ok(thread) => self.running.push(Started {
                id: job,
                kind,
                control,
                thread,
            }),
            Err(refused) => {
                let reason = format!("cannot start a thread: {refused}");
                self.inbox.push(JobMessage::Ended {
                    job,
                    result: Err(Failure::Error(reason)),
                });
            }
        }
    }

    /// Asks a job to stop at its next report.
    pub fn stop(&self, job: JobId) {
        self.controls(job).for_each(Control::stop);
    }

    /// Holds a job at its next report, or lets it go on.
    pub fn pause(&self, job: JobId, pause: bool) {
        self.controls(job).for_each(|control| control.pause(pause));
    }

    /// Stops everything, and waits for the threads that save their state or write a file.
    pub fn stop_all(&mut self) {
        for job in &self.running {
            job.control.stop();
        }
        let saves = |job: &Started| job.kind.is_resumable() || job.kind == JobKind::Export;
        for job in self.running.drain(..).filter(saves) {
            if job.thread.join().is_err() {
                tracing::error!("a job's thread panicked outside its guard");
            }
        }
    }

    fn controls(&self, job: JobId) -> impl Iterator<Item = &Control> {
        let mine = self.running.iter().filter(move |started| started.id == job);
        mine.map(|started| &*started.control)
    }
}

/// Runs `work`, turning an error or a panic into a [`Failure`].
fn caught(work: impl FnOnce() -> Result<Done>) -> std::result::Result<Done, Failure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Failure::from),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            Err(Failure::Panic(text.unwrap_or("no message").to_owned()))
        }
    }
}

/// Locks; a thread that panicked while it held the lock left plain values behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::job::Phase;
    use std::sync::mpsc;

    fn progress(done: u64) -> JobMessage {
        let event = Event::Progress {
            phase: Phase::Evaluate,
            done,
            total: 100,
        };
        JobMessage::Event {
            job: JobId(1),
            event,
        }
    }

    fn point(iteration: usize) -> JobMessage {
        let event = Event::Eigenvalue {
            layer: "conv1".into(),
            iteration,
            value: 1.0,
            residual: 0.1,
        };
        JobMessage::Event {
            job: JobId(1),
            event,
        }
    }

    #[test]
    fn progress_is_replaced_points_are_thinned_and_the_rest_is_kept() {
        let inbox = Inbox::default();
        for done in 0..100 {
            inbox.push(progress(done));
        }
        assert_eq!(inbox.drain(), [progress(99)]);
        let warning = |text: String| JobMessage::Event {
            job: JobId(1),
            event: Event::Warning { message: text },
        };
        for index in 0..10_000 {
            inbox.push(point(index));
            if index % 1000 == 0 {
                inbox.push(warning(index.to_string()));
            }
        }
        let drained = inbox.drain();
        let points: Vec<_> = drained.iter().filter(|m| is_point(m)).collect();
        assert!(points.len() <= MAX_WAITING_POINTS);
        assert_eq!(points.last(), Some(&&point(9999)));
        assert_eq!(drained.len() - points.len(), 10);
    }

    #[test]
    fn a_panic_becomes_a_failure() {
        assert_eq!(
            caught(|| panic!("oh no")),
            Err(Failure::Panic("oh no".into()))
        );
        let error = caught(|| Err(Error::invalid("no such layer")));
        assert_eq!(error, Err(Failure::Error("no such layer".into())));
    }

    #[test]
    fn a_paused_job_waits_and_a_stopped_one_is_told() {
        let control = Arc::new(Control::default());
        control.pause(true);
        let (sender, receiver) = mpsc::channel();
        let mut reporter = Reporter {
            job: JobId(0),
            control: control.clone(),
            inbox: Arc::default(),
        };
        let thread = thread::spawn(move || {
            sender.send(None).unwrap();
            let verdict = reporter.on(Event::Checkpoint { step: 1 });
            sender.send(Some(verdict)).unwrap();
        });
        assert_eq!(receiver.recv().unwrap(), None);
        assert!(receiver.try_recv().is_err());
        control.stop();
        assert_eq!(receiver.recv().unwrap(), Some(Verdict::Stop));
        thread.join().unwrap();
    }
}
