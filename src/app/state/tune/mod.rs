//! Fine-tuning: the settings of the next run, the run on screen, and the list of all runs.

mod run;

pub use run::{Run, RunStatus, Standing};

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::look::Look;
use super::runs::RunList;
use crate::engine::finetune::{Settings, Start};

/// Learning rates to choose from.
pub const LEARNING_RATES: [f64; 6] = [0.001, 0.003, 0.01, 0.02, 0.05, 0.1];
/// Epochs a run may have.
pub const MAX_EPOCHS: usize = 200;
/// Settings of the next run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuneSettings {
    /// How it is trained; seed and variation of the images are those of the project.
    #[serde(flatten)]
    pub training: Settings,
    /// Name of the last run's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<String>,
}

impl Default for TuneSettings {
    fn default() -> Self {
        Self {
            training: Settings {
                epochs: 2,
                ..Settings::default()
            },
            last_run: None,
        }
    }
}

/// The runs.
#[derive(Debug, Clone)]
pub struct TuneState {
    /// Settings of the next run.
    pub settings: TuneSettings,
    /// The run on screen.
    pub run: Option<Run>,
    /// Where runs go.
    pub runs: PathBuf,
    /// Number of the next run.
    pub next: u32,
    /// How its curves are looked at.
    pub look: Look,
    /// All runs of the project.
    pub list: RunList,
    /// How the run goes on once it has stopped.
    pub then: Option<Start>,
    /// Why the last attempt began no run; until the plan changes, or another attempt.
    pub refused: Option<String>,
    /// The run that was on screen before the one that is starting.
    before: Option<Box<Run>>,
}

impl TuneState {
    /// No run yet.
    #[must_use]
    pub fn new(settings: TuneSettings, project: &Path) -> Self {
        Self {
            settings,
            run: None,
            runs: project.join("runs"),
            next: 1,
            look: Look::default(),
            list: RunList::default(),
            then: None,
            refused: None,
            before: None,
        }
    }

    /// The folder of a run that was never used.
    pub fn take_folder(&mut self) -> PathBuf {
        let folder = self.runs.join(format!("{:03}", self.next));
        self.next += 1;
        folder
    }

    /// A run that is starting takes the place of the one on screen.
    pub fn begin(&mut self, run: Run, before: Option<Run>) {
        self.settings.last_run = Some(run.name());
        self.before = before.map(Box::new);
        self.refused = None;
        self.run = Some(run);
    }

    /// The run that was starting left nothing on disk: the one before is on screen again.
    pub fn give_up(&mut self, reason: &str) {
        self.next = self.next.saturating_sub(1).max(1);
        self.run = self.before.take().map(|run| *run);
        self.settings.last_run = self.run.as_ref().map(Run::name);
        self.refused = Some(reason.to_owned());
    }

    /// Another run is on screen.
    pub fn open(&mut self, run: Run) {
        if run.folder.parent() == Some(&self.runs) {
            self.settings.last_run = Some(run.name());
        }
        self.before = None;
        self.refused = None;
        self.run = Some(run);
    }

    /// The run that is finished, if it is.
    #[must_use]
    pub fn finished(&self) -> Option<&Run> {
        self.run
            .as_ref()
            .filter(|run| run.status == RunStatus::Done)
    }

    /// The next learning rate to choose: the next higher one, or the lowest.
    pub fn next_learning_rate(&mut self) {
        let rate = &mut self.settings.training.learning_rate;
        let higher = LEARNING_RATES.into_iter().find(|other| other > rate);
        *rate = higher.unwrap_or(LEARNING_RATES[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rates_go_round_through_the_default() {
        let mut tune = TuneState::new(TuneSettings::default(), Path::new("project"));
        let usual = tune.settings.training.learning_rate;
        let mut seen = Vec::new();
        for _ in LEARNING_RATES {
            tune.next_learning_rate();
            seen.push(tune.settings.training.learning_rate);
        }
        assert_eq!(seen, [0.02, 0.05, 0.1, 0.001, 0.003, usual]);
    }

    #[test]
    fn settings_of_earlier_sessions_are_read() {
        let before = "epochs = 3\nschedule = \"joint\"\nlearning_rate = 0.05\nlast_run = \"002\"";
        let read: TuneSettings = toml::from_str(before).unwrap();
        assert_eq!(read.training.epochs, 3);
        assert_eq!(read.training.learning_rate.to_bits(), 0.05_f64.to_bits());
        assert_eq!(read.last_run.as_deref(), Some("002"));
        let text = toml::to_string(&read).unwrap();
        assert_eq!(toml::from_str::<TuneSettings>(&text).unwrap(), read);
    }
}
