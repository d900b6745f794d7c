//! The time left of work, all of it: of what is being counted, and of what comes after it.

use std::time::Duration;

use super::State;
use super::running::Running;
use crate::app::jobs::JobKind;
use crate::engine::hessian::Metric;
use crate::engine::hessian::estimate::Outline;
use crate::engine::job::Phase;

/// Time left, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remaining {
    /// Nothing is known yet.
    Unknown,
    /// All of it.
    All(Duration),
    /// Of what is being counted; loss changes come after it, and how long they take is not known.
    BeforeLossChanges(Duration),
}

impl State {
    /// The time left of running work.
    #[must_use]
    pub fn remaining(&self, running: &Running) -> Remaining {
        let Some(left) = running.eta.remaining(self.now) else {
            return Remaining::Unknown;
        };
        let measures = running.kind == JobKind::Analyze && self.analysis.request.loss_change;
        if !measures || running.phase == Some(Phase::LossChange) {
            return Remaining::All(left);
        }
        match self.loss_changes_take() {
            Some(more) => Remaining::All(left + more),
            None => Remaining::BeforeLossChanges(left),
        }
    }

    /// How long the loss changes that are not measured yet will take, at the pace of a forward walk.
    fn loss_changes_take(&self) -> Option<Duration> {
        let (pace, inputs) = (self.pace.filter(|pace| *pace > 0.0)?, self.loaded()?);
        let request = &self.analysis.request;
        let samples = request.samples.min(inputs.train_images);
        let macs = of_loss_changes(&inputs.outline, samples, request.settings(0).bits.len());
        let layers = self.analysis.layers.len().max(1) as f64;
        let open = self.analysis.layers.iter();
        let open = open.filter(|layer| !Metric::LossChange.is_measured(layer));
        let seconds = macs * open.count() as f64 / layers / pace;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// Multiply-accumulates of the loss changes of all layers.
fn of_loss_changes(outline: &Outline, samples: usize, widths: usize) -> f64 {
    (outline.macs.len() * widths * samples) as f64 * outline.forward() as f64
}
