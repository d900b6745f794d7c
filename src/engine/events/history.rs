//! What a run's events say, one after the other: the same whether they are read back from its folder
//! or heard as they come.

use std::path::Path;
use std::sync::Arc;

use super::reading::for_each;
use crate::engine::Result;
use crate::engine::counts::counted;
use crate::engine::job::{Event, Outcome, Score, Split};

/// Stages, evaluations and warnings that are kept of a run: more than any run has, so that no file can
/// take all memory.
const MOST: usize = 4096;

/// Layers that are quantized from one step on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnteredStage {
    /// Their names.
    pub layers: Vec<Arc<str>>,
    /// Steps made before the stage was entered.
    pub after_step: u64,
}

/// A score with the step it was measured at.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Steps of training behind it.
    pub step: u64,
    /// `float`, `post-training`, `epoch 3`, `final`, ...
    pub label: String,
    /// Which images.
    pub split: Split,
    /// The score; its loss is NaN when it was not finite.
    pub score: Score,
}

/// What happened in a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Stages entered so far.
    pub stages: Vec<EnteredStage>,
    /// Stages in all.
    pub stage_total: usize,
    /// Every evaluation, in order.
    pub evaluations: Vec<Evaluation>,
    /// Steps done.
    pub step: u64,
    /// Steps in all; 0 when none was made.
    pub total: u64,
    /// 0-based epoch.
    pub epoch: usize,
    /// Learning rate of the last step.
    pub learning_rate: Option<f64>,
    /// Step of the last checkpoint.
    pub checkpoint: Option<u64>,
    /// How it ended; `None` while it goes on, or after a crash.
    pub outcome: Option<Outcome>,
    /// What it warned of, each sentence once.
    pub warnings: Vec<String>,
}

impl History {
    /// The history that an event file tells; that some of its lines are damaged is a warning of it.
    ///
    /// # Errors
    /// When it cannot be read, or holds no event at all.
    pub fn read(path: &Path) -> Result<Self> {
        let mut history = Self::default();
        let told = for_each(path, |event| history.hear(&event))?;
        if told.unreadable > 0 {
            let lines = counted(told.unreadable, "line");
            history.warn(&format!(
                "{lines} of {} cannot be read and {} left out; what happened then is not known",
                path.display(),
                if told.unreadable == 1 { "is" } else { "are" }
            ));
        }
        Ok(history)
    }

    /// One more event.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Stage {
                index,
                total,
                layers,
            } => {
                self.stages.truncate((*index).min(MOST - 1));
                self.stages.push(EnteredStage {
                    layers: layers.clone(),
                    after_step: self.step,
                });
                self.stage_total = *total;
            }
            Event::Step {
                step,
                total,
                epoch,
                learning_rate,
                ..
            } => {
                (self.step, self.total, self.epoch) = (*step, *total, *epoch);
                self.learning_rate = Some(*learning_rate);
                self.outcome = None;
            }
            Event::Evaluated {
                split,
                label,
                step,
                score,
            } => self.evaluate(Evaluation {
                step: *step,
                label: label.clone(),
                split: *split,
                score: *score,
            }),
            Event::Checkpoint { step } => self.checkpoint = Some(*step),
            Event::Warning { message } => self.warn(message),
            Event::Finished { outcome } => {
                // However a run ends, its state is saved first.
                self.checkpoint = Some(self.step);
                self.outcome = Some(*outcome);
            }
            _ => {}
        }
    }

    fn evaluate(&mut self, evaluation: Evaluation) {
        // Of too many, those in the middle matter least.
        if self.evaluations.len() == MOST {
            self.evaluations.remove(MOST / 2);
        }
        self.evaluations.push(evaluation);
    }

    fn warn(&mut self, message: &str) {
        let known = self.warnings.iter().any(|known| known == message);
        if !known && self.warnings.len() < MOST {
            self.warnings.push(message.to_owned());
        }
    }

    /// Whether anything was heard of the run.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.step > 0
            || self.checkpoint.is_some()
            || !self.stages.is_empty()
            || !self.evaluations.is_empty()
    }

    /// Evaluations over one kind of images, in order.
    #[must_use]
    pub fn evaluated(&self, split: Split) -> impl DoubleEndedIterator<Item = &Evaluation> {
        let evaluations = self.evaluations.iter();
        evaluations.filter(move |evaluation| evaluation.split == split)
    }

    /// The last evaluation with this label over validation images.
    #[must_use]
    pub fn validated(&self, label: &str) -> Option<&Evaluation> {
        self.evaluated(Split::Validation)
            .rfind(|evaluation| evaluation.label == label)
    }

    /// The last validation after a step of training.
    #[must_use]
    pub fn validation(&self) -> Option<&Evaluation> {
        self.evaluated(Split::Validation)
            .rfind(|evaluation| evaluation.step > 0)
    }

    /// The last evaluation over the test images after a step of training.
    #[must_use]
    pub fn test(&self) -> Option<&Evaluation> {
        self.evaluated(Split::Test)
            .rfind(|evaluation| evaluation.step > 0)
    }

    /// The evaluation of the best epoch since every stage entered; of equal ones the first.
    #[must_use]
    pub fn best(&self) -> Option<&Evaluation> {
        let entered = self
            .stages
            .last()
            .filter(|_| self.stages.len() == self.stage_total)?;
        let epochs = self.evaluated(Split::Validation).filter(|evaluation| {
            evaluation.label.starts_with("epoch") && evaluation.step > entered.after_step
        });
        epochs.reduce(|best, next| {
            if next.score.correct > best.score.correct {
                next
            } else {
                best
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn stage(index: usize) -> Event {
        Event::Stage {
            index,
            total: 2,
            layers: vec!["conv1".into()],
        }
    }

    fn evaluated(step: u64, label: &str, correct: usize) -> Event {
        Event::Evaluated {
            split: Split::Validation,
            label: label.into(),
            step,
            score: Score {
                loss: 1.0,
                correct,
                correct_top5: 100,
                total: 100,
            },
        }
    }

    fn of(events: &[Event]) -> History {
        let mut history = History::default();
        events.iter().for_each(|event| history.hear(event));
        history
    }

    #[test]
    fn a_run_that_goes_on_has_no_outcome() {
        let outcome = Outcome::Stopped;
        let told = [stage(0), step(1), step(2), Event::Finished { outcome }];
        let stopped = of(&told);
        assert_eq!((stopped.step, stopped.total), (2, 10));
        assert_eq!((stopped.stages.len(), stopped.stage_total), (1, 2));
        assert_eq!(stopped.outcome, Some(outcome));
        assert_eq!(stopped.checkpoint, Some(2), "stopping saves");
        let mut resumed = stopped;
        resumed.hear(&step(3));
        assert_eq!((resumed.outcome, resumed.step), (None, 3));
    }

    #[test]
    fn a_damaged_line_is_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, "{\"event\":\"checkpoint\",\"step\":4}\nx\n").unwrap();
        let history = History::read(&path).unwrap();
        assert_eq!(history.checkpoint, Some(4));
        let [warning] = &history.warnings[..] else {
            panic!("{history:?}");
        };
        assert!(warning.starts_with("1 line of ") && warning.contains("is left out"));
    }

    #[test]
    fn a_warning_is_kept_once() {
        let message = "doubtful".to_owned();
        let warning = Event::Warning { message };
        let history = of(&[warning.clone(), step(1), warning]);
        assert_eq!(history.warnings, ["doubtful"]);
    }

    #[test]
    fn the_best_epoch_is_one_after_every_stage_entered() {
        let mut events = vec![
            evaluated(0, "float", 99),
            stage(0),
            step(1),
            evaluated(1, "epoch 1", 90),
        ];
        assert_eq!(of(&events).best(), None, "the second stage is to come");
        events.extend([stage(1), step(2), evaluated(2, "epoch 2", 60)]);
        events.extend([
            step(3),
            evaluated(3, "epoch 3", 70),
            evaluated(4, "epoch 4", 70),
        ]);
        let history = of(&events);
        assert_eq!(history.best().unwrap().label, "epoch 3");
        assert_eq!(history.validated("float").unwrap().score.correct, 99);
        assert_eq!(history.validation().unwrap().label, "epoch 4");
        assert_eq!(history.test(), None);
    }
}
