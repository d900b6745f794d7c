//! Work that runs, as the header shows it.

use std::time::Duration;

use super::eta::Eta;
use crate::app::jobs::{JobId, JobKind, Quiet};
use crate::engine::job::Phase;

/// A job that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// Which job.
    pub id: JobId,
    /// What kind of work.
    pub kind: JobKind,
    /// What is being counted.
    pub phase: Option<Phase>,
    /// Units finished.
    pub done: u64,
    /// Units in all; 0 while unknown.
    pub total: u64,
    /// The pace.
    pub eta: Eta,
    /// When it started.
    pub started: Duration,
    /// Bytes of memory that the process which does it holds, when that is another one.
    pub memory: Option<u64>,
    /// How long that process gave no sign of life, once that is worth a word.
    pub quiet: Option<Quiet>,
    /// Held by the user.
    pub paused: bool,
    /// Asked to stop.
    pub stopping: bool,
}

impl Running {
    /// Work that starts now.
    #[must_use]
    pub fn new(id: JobId, kind: JobKind, now: Duration) -> Self {
        Self {
            id,
            kind,
            phase: None,
            done: 0,
            total: 0,
            eta: Eta::default(),
            started: now,
            memory: None,
            quiet: None,
            paused: false,
            stopping: false,
        }
    }

    /// `done` of `total` units of `phase` are finished at `now`.
    pub fn progress(&mut self, now: Duration, phase: Phase, (done, total): (u64, u64)) {
        if self.phase != Some(phase) {
            self.eta = Eta::default();
            self.phase = Some(phase);
        }
        (self.done, self.total) = (done, total);
        self.eta.observe(now, done, total);
    }

    /// The finished share, below 1 while it runs.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.total > 0).then(|| (self.done as f64 / self.total as f64).clamp(0.0, 0.9999))
    }

    /// Whether training steps are being counted, and some are still to come.
    #[must_use]
    pub fn is_training(&self) -> bool {
        self.phase == Some(Phase::Tune) && self.done < self.total
    }

    /// What is going on, in a word or two.
    #[must_use]
    pub const fn activity(&self) -> &'static str {
        match self.phase {
            Some(Phase::Load) => "reading",
            Some(Phase::Primal) => "forward pass",
            Some(Phase::Rows) => "curvature",
            Some(Phase::Eigenvalue) => "eigenvalues",
            Some(Phase::Trace) => "traces",
            Some(Phase::LossChange) => "loss changes",
            Some(Phase::Verify) => "verifying",
            Some(Phase::Spectrum) => "products",
            Some(Phase::Landscape) => "points",
            Some(Phase::Calibrate) => "activation ranges",
            Some(Phase::Boost) => "repairs",
            Some(Phase::Evaluate) => "evaluating",
            Some(Phase::Tune) => "training",
            Some(Phase::Export) => "writing",
            None => "starting",
        }
    }
}
