//! The events of a run, read with patience: a number that was not finite when it was written is no
//! number in JSON, and neither it nor a line that is no event may spoil the rest.

use std::path::Path;

use serde::Deserialize;

use crate::engine::job::{Outcome, Split};
use crate::engine::{Result, files};
use crate::report::model::{Evaluation, History, Stage, Step};

/// Largest event file that is read.
const LIMIT: u64 = 1 << 30;

/// A line of the file; what is not needed is not read.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line {
    Stage {
        index: usize,
        total: usize,
        layers: Vec<String>,
    },
    Step {
        step: u64,
        total: u64,
        loss: Option<f64>,
        accuracy: Option<f64>,
        learning_rate: Option<f64>,
    },
    Evaluated {
        split: Split,
        label: String,
        step: u64,
        score: Score,
    },
    Finished {
        outcome: Outcome,
    },
    Warning {
        message: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Score {
    loss: Option<f64>,
    correct: u64,
    #[serde(default)]
    correct_top5: u64,
    total: u64,
}

/// Reads an event file; a last line that is still being written is left out.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<History> {
    let bytes = files::read_limited(path, LIMIT)?;
    let end = bytes.iter().rposition(|&byte| byte == b'\n');
    let whole = &bytes[..end.map_or(0, |end| end + 1)];
    let mut history = History::default();
    let lines = whole.split(|&byte| byte == b'\n');
    for line in lines.filter(|line| !line.is_empty()) {
        match parse(line) {
            Some(line) => history.take(line),
            None => history.unreadable += 1,
        }
    }
    Ok(history)
}

/// A line; `NaN` and `Infinity`, which are no JSON, count as numbers that are missing.
fn parse(line: &[u8]) -> Option<Line> {
    let read = serde_json::from_slice(line);
    read.ok().or_else(|| {
        let text = std::str::from_utf8(line).ok()?;
        let words = ["NaN", "-Infinity", "Infinity"];
        let plain = words.iter().fold(text.replace(": ", ":"), |text, word| {
            text.replace(&format!(":{word}"), ":null")
        });
        serde_json::from_str(&plain).ok()
    })
}

impl History {
    fn take(&mut self, line: Line) {
        match line {
            Line::Stage {
                index,
                total,
                layers,
            } => {
                let after_step = self.steps.last().map_or(0, |step| step.step);
                self.stages.truncate(index);
                self.stages.push(Stage { layers, after_step });
                self.stage_total = total;
            }
            Line::Step {
                step,
                total,
                loss,
                accuracy,
                learning_rate,
            } => {
                let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
                self.total = total;
                self.outcome = None;
                self.steps.push(Step {
                    step,
                    loss: number(loss),
                    accuracy: number(accuracy),
                    learning_rate: number(learning_rate),
                });
            }
            Line::Evaluated {
                split,
                label,
                step,
                score,
            } => self.evaluations.push(Evaluation {
                step,
                label,
                split,
                loss: score.loss.unwrap_or(f64::NAN),
                correct: score.correct,
                correct_top5: score.correct_top5,
                total: score.total,
            }),
            Line::Finished { outcome } => self.outcome = Some(outcome),
            Line::Warning { message } => {
                if !self.warnings.contains(&message) {
                    self.warnings.push(message);
                }
            }
            Line::Other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(text: &str) -> History {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, text).unwrap();
        read(&path).unwrap()
    }

    fn step(step: u64, loss: &str) -> String {
        format!(
            "{{\"event\":\"step\",\"step\":{step},\"total\":9,\"epoch\":0,\"stage\":0,\
             \"loss\":{loss},\"accuracy\":0.5,\"learning_rate\":0.1,\"images\":8}}\n"
        )
    }

    #[test]
    fn numbers_that_are_not_finite_do_not_spoil_the_rest() {
        let losses = ["0.5", "null", "NaN", "-Infinity", "1e999", "0.25"];
        let text: String = (1..).zip(losses).map(|(at, loss)| step(at, loss)).collect();
        let history = history(&(text + "nonsense\n{\"event\":\"che"));
        let steps: Vec<u64> = history.steps.iter().map(|step| step.step).collect();
        assert_eq!(steps, [1, 2, 3, 4, 6]);
        assert_eq!(
            history
                .steps
                .iter()
                .filter(|step| step.loss.is_nan())
                .count(),
            3
        );
        assert_eq!(history.unreadable, 2, "a number too large, and nonsense");
    }

    #[test]
    fn a_run_that_goes_on_has_no_outcome() {
        let finished = "{\"event\":\"finished\",\"outcome\":\"stopped\"}\n";
        let stage = "{\"event\":\"stage\",\"index\":0,\"total\":2,\"layers\":[\"conv1\"]}\n";
        let warning = "{\"event\":\"warning\",\"message\":\"m\"}\n";
        let stopped = history(&format!("{stage}{}{warning}{finished}", step(1, "1")));
        assert_eq!(stopped.outcome, Some(Outcome::Stopped));
        assert_eq!((stopped.stages.len(), stopped.stage_total), (1, 2));
        assert_eq!((stopped.unreadable, stopped.warnings.len()), (0, 1));
        let resumed = history(&format!(
            "{stage}{}{finished}{}",
            step(1, "1"),
            step(2, "1")
        ));
        assert_eq!(resumed.outcome, None);
    }

    #[test]
    fn a_score_without_a_loss_still_counts() {
        let text = "{\"event\":\"evaluated\",\"split\":\"test\",\"label\":\"final\",\"step\":2,\
                    \"score\":{\"loss\":null,\"correct\":3,\"correct_top5\":4,\"total\":4}}\n";
        let history = history(text);
        let tested = history.tested().unwrap();
        assert!((tested.accuracy() - 0.75).abs() < 1e-12 && tested.loss.is_nan());
    }
}
