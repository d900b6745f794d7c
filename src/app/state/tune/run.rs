//! A fine-tuning run: stages, curves and scores, built from the events of the run, so that a run
//! read back from its folder looks as it did when it was left.

use std::path::PathBuf;
use std::time::Duration;

use crate::app::state::bits::PlanKey;
use crate::app::state::series::Series;
use crate::engine::events::History;
use crate::engine::job::{Event, Outcome, Split};

/// Weight of the past in the smoothed images a second.
const SMOOTHING: f64 = 0.9;
/// Batches whose mean accuracy says where a stage began and ended.
const STANDING: usize = 20;
/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStatus {
    /// Training.
    Running,
    /// Stopped with a checkpoint.
    Stopped,
    /// All epochs done and tested.
    Done,
    /// Not possible, with the reason.
    Failed(String),
}

/// How good a network is in the middle of a run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Standing {
    /// Mean accuracy of the last batches of the stage, 0 to 1; before the first step there is none.
    pub batches: Option<f64>,
    /// Accuracy of the last validation within the stage, 0 to 1.
    pub validation: Option<f64>,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
    /// Network and data in words, when they need not be those of the project.
    pub subject: Option<String>,
    /// Where it stands.
    pub status: RunStatus,
    /// The bits it trains, when it was started in this session.
    pub plan: Option<PlanKey>,
    /// What its events say.
    pub history: History,
    /// How good the network was when each stage began.
    pub befores: Vec<Standing>,
    /// Loss of the training batches.
    pub loss: Series,
    /// Accuracy of the training batches.
    pub accuracy: Series,
    /// Images a second, smoothed.
    pub images_per_second: Option<f64>,
    last_step_at: Option<Duration>,
}

impl Run {
    /// A run in a folder, before its first event.
    #[must_use]
    pub fn new(folder: PathBuf, status: RunStatus) -> Self {
        Self {
            folder,
            subject: None,
            status,
            plan: None,
            history: History::default(),
            befores: Vec::new(),
            loss: Series::default(),
            accuracy: Series::default(),
            images_per_second: None,
            last_step_at: None,
        }
    }

    /// A run as its folder tells it.
    #[must_use]
    pub fn replay(folder: PathBuf, events: &[Event]) -> Self {
        let mut run = Self::new(folder, RunStatus::Stopped);
        events.iter().for_each(|event| run.retell(event));
        run
    }

    /// One more event that happened in another session.
    pub fn retell(&mut self, event: &Event) {
        let outcome = Outcome::Done;
        if *event == (Event::Finished { outcome }) {
            self.status = RunStatus::Done;
        }
        self.apply(None, event);
    }

    /// The folder's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// One more event; `now` is absent when it happened in another session.
    pub fn apply(&mut self, now: Option<Duration>, event: &Event) {
        match event {
            Event::Stage { .. } => {
                let before = self.standing();
                self.history.hear(event);
                // A stage that is entered again takes the place of what followed it.
                self.befores.truncate(self.history.stages.len() - 1);
                self.befores.push(before);
                return;
            }
            Event::Step {
                step,
                loss,
                accuracy,
                images,
                ..
            } => {
                self.pace(now, *step, *images);
                self.loss.push(*step as f64, *loss);
                self.accuracy.push(*step as f64, *accuracy);
            }
            _ => {}
        }
        self.history.hear(event);
    }

    /// Images a second from the time between two steps that were reported.
    fn pace(&mut self, now: Option<Duration>, step: u64, images: usize) {
        let Some(now) = now else { return };
        if let Some(before) = self.last_step_at {
            let span = now.saturating_sub(before).as_secs_f64();
            let steps = step.saturating_sub(self.history.step);
            if span <= 0.0 {
                return;
            }
            let rate = (steps * images as u64) as f64 / span;
            let past = self.images_per_second.unwrap_or(rate);
            self.images_per_second = Some(SMOOTHING * past + (1.0 - SMOOTHING) * rate);
        }
        self.last_step_at = Some(now);
    }

    /// Forgets the pace, because time passed without work.
    pub fn interrupt(&mut self) {
        self.last_step_at = None;
    }

    /// How good the network is now, as far as the stage it is in tells.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let history = &self.history;
        let began = history.stages.last().map_or(0, |stage| stage.after_step);
        let mut measured = history.evaluated(Split::Validation);
        let last = if history.step == 0 {
            // Nothing is quantized before the first stage.
            measured.find(|measured| measured.label == "float")
        } else {
            measured.rfind(|measured| measured.step > began)
        };
        Standing {
            batches: self.accuracy.mean_after(began as f64, STANDING),
            validation: last.map(|measured| measured.score.accuracy()),
        }
    }

    /// How good the network was when a stage began, and when it ended; now, if it did not end.
    #[must_use]
    pub fn before_and_after(&self, stage: usize) -> Option<(Standing, Standing)> {
        let before = *self.befores.get(stage)?;
        let next = self.befores.get(stage + 1).copied();
        Some((before, next.unwrap_or_else(|| self.standing())))
    }

    /// Points of its curves in memory, which do not grow with its steps.
    #[must_use]
    pub fn kept_points(&self) -> usize {
        self.loss.kept() + self.accuracy.kept()
    }

    /// Whether it can go on.
    #[must_use]
    pub const fn is_resumable(&self) -> bool {
        matches!(self.status, RunStatus::Stopped | RunStatus::Failed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::job::Score;

    fn step(step: u64) -> Event {
        Event::Step {
            step,
            total: 10,
            epoch: 0,
            stage: 0,
            loss: 1.0 / step as f64,
            accuracy: 0.5,
            learning_rate: 0.01,
            images: 100,
        }
    }

    #[test]
    fn a_run_read_back_looks_as_it_was_left() {
        let events = vec![
            Event::Stage {
                index: 0,
                total: 2,
                layers: vec!["conv1".into()],
            },
            step(1),
            step(2),
            Event::Checkpoint { step: 2 },
        ];
        let run = Run::replay("runs/001".into(), &events);
        assert_eq!(
            (run.history.step, run.history.total, run.history.checkpoint),
            (2, 10, Some(2))
        );
        assert_eq!((run.history.stages.len(), run.history.stage_total), (1, 2));
        assert_eq!(run.status, RunStatus::Stopped);
        let ended = |outcome| {
            let finished = Event::Finished { outcome };
            let end = [step(3), finished];
            Run::replay("runs/001".into(), &[&events[..], &end].concat())
        };
        assert_eq!(ended(Outcome::Done).status, RunStatus::Done);
        let stopped = ended(Outcome::Stopped);
        assert_eq!(stopped.status, RunStatus::Stopped);
        assert_eq!(stopped.history.checkpoint, Some(3), "stopping saves");
    }

    #[test]
    fn a_stage_knows_how_good_the_network_was_before_and_after() {
        let stage = |index| Event::Stage {
            index,
            total: 2,
            layers: vec!["conv1".into()],
        };
        let right = |at, accuracy| Event::Step {
            step: at,
            total: 40,
            epoch: 0,
            stage: 0,
            loss: 1.0,
            accuracy,
            learning_rate: 0.01,
            images: 100,
        };
        let score = |step, label: &str, correct| Event::Evaluated {
            split: Split::Validation,
            label: label.into(),
            step,
            score: Score {
                loss: 1.0,
                correct,
                correct_top5: 100,
                total: 100,
            },
        };
        let mut events = vec![
            score(0, "float", 95),
            score(0, "post-training", 10),
            stage(0),
        ];
        events.extend((1..=30).map(|at| right(at, if at <= 10 { 0.1 } else { 0.5 })));
        events.extend([score(30, "epoch 1", 60), stage(1), right(31, 0.75)]);
        let run = Run::replay("runs/001".into(), &events);
        let both = |stage: usize| {
            let (before, after) = run.before_and_after(stage).unwrap();
            [before, after].map(|standing| (standing.batches, standing.validation))
        };
        assert_eq!(both(0), [(None, Some(0.95)), (Some(0.5), Some(0.6))]);
        assert_eq!(both(1), [(Some(0.5), Some(0.6)), (Some(0.75), None)]);
        assert_eq!(run.before_and_after(2), None);
    }

    #[test]
    fn the_pace_counts_images() {
        let mut run = Run::new("runs/001".into(), RunStatus::Running);
        run.apply(Some(Duration::from_secs(1)), &step(1));
        run.apply(Some(Duration::from_secs(2)), &step(3));
        assert_eq!(run.images_per_second, Some(200.0));
    }
}
