//! What a project folder held, and the work that goes on in it.

use std::path::PathBuf;

use super::Session;
use crate::app::jobs::{LeftRun, LeftRunning};
use crate::app::state::Screen;
use crate::app::worker::{Work, is_worked_on};
use crate::engine::Result;
use crate::engine::events::for_each;
use crate::engine::finetune::{self, events_path};
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::job::{Event, Outcome};

/// Events of a run that are read back at most.
const MAX_EVENTS: usize = 2_000_000;

/// A run that is in the folder.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// Its folder.
    pub folder: PathBuf,
    /// What happened in it.
    pub events: Vec<Event>,
    /// Bytes of the file of events that were read.
    pub read: u64,
}

/// What a project folder held when it was opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stored {
    /// The last session.
    pub session: Session,
    /// The measurements.
    pub sensitivity: Option<Sensitivity>,
    /// Whether the analysis was interrupted.
    pub partial: bool,
    /// The text of the plan file.
    pub plan: Option<String>,
    /// The last run.
    pub run: Option<StoredRun>,
    /// Network and data of that run when it was asked for by its folder, so that it need not be of
    /// the project's.
    pub subject: Option<String>,
    /// Work that an earlier application left running.
    pub left: Option<LeftRunning>,
    /// Another instance has the project open.
    pub watching: bool,
    /// Why this instance only watches, where it is not for another one.
    pub only_watched: Option<String>,
    /// Number of the next run.
    pub next_run: u32,
    /// Files that were exported: names and bytes.
    pub exports: Vec<(String, u64)>,
    /// What could not be read, a sentence each.
    pub problems: Vec<String>,
}

impl Stored {
    /// Takes in what a worker is doing.
    pub fn adopt(&mut self, work: &Work) {
        let folder = match work {
            Work::Analyze(_) => {
                self.left = Some(LeftRunning::Analysis);
                return;
            }
            Work::Tune(tuning) => tuning.folder.clone(),
        };
        self.show(folder);
        self.left = self.run.as_ref().map(StoredRun::left);
    }

    /// Shows a run with what is wrong with its files, and follows it if some process works on it.
    pub fn follow(&mut self, folder: PathBuf) {
        let goes_on = is_worked_on(&folder);
        self.show(folder);
        if goes_on {
            self.left = self.run.as_ref().map(StoredRun::left);
        }
    }

    pub(super) fn show(&mut self, folder: PathBuf) {
        if self.run.as_ref().is_none_or(|run| run.folder != folder) {
            self.problems.extend(finetune::faults(&folder));
            self.run = Some(StoredRun::read(folder));
        }
    }

    /// Shows the run in a folder that may be anywhere, and its screen first.
    ///
    /// # Errors
    /// When the folder holds no run.
    pub fn attach(&mut self, folder: PathBuf) -> Result<()> {
        let record = finetune::read_record(&folder)?;
        self.subject = Some(format!("{} on {}", record.model.name, record.data.name));
        self.follow(folder);
        self.session.screen = Screen::Tune;
        Ok(())
    }
}

impl StoredRun {
    /// As work that goes on, from where it was read.
    fn left(&self) -> LeftRunning {
        LeftRunning::Run(LeftRun {
            folder: self.folder.clone(),
            read: self.read,
        })
    }

    /// What happened so far in the run of a folder. The last line may be cut by a crash, or not be
    /// whole yet; it is left out. Which checkpoint is on disk, the disk says: the events of a run that
    /// went on and was killed tell of an earlier one. Of events that cannot be read there are none here;
    /// [`finetune::faults`] names them.
    #[must_use]
    pub fn read(folder: PathBuf) -> Self {
        let mut events = Vec::new();
        let told = for_each(&events_path(&folder), |event| {
            if events.len() < MAX_EVENTS {
                events.push(event);
            }
        });
        if let Ok(Some(saved)) = finetune::saved(&folder) {
            let outcome = Outcome::Done;
            let tell_done = events.contains(&Event::Finished { outcome });
            events.extend(saved.beyond_events(tell_done));
        }
        Self {
            folder,
            events,
            read: told.unwrap_or_default().bytes,
        }
    }
}

/// The value, or its error among the problems.
pub(super) fn noted<T>(result: Result<T>, problems: &mut Vec<String>) -> Option<T> {
    result
        .map_err(|error| problems.push(error.to_string()))
        .ok()
}
