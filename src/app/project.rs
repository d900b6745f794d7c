//! The project folder: inputs with checksums, sensitivities, plan, runs, log; a lock keeps a second
//! instance out; every write is atomic.
//!
//! ```text
//! <data folder>/projects/<name>/
//!   inputs.toml  session.toml  sensitivity.json[.partial]  plan.toml  runs/001/  exports/
//!   hawqeye.log  lock
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::jobs::AnalysisRequest;
use super::state::Screen;
use super::state::export::ExportSettings;
use super::state::tune::TuneSettings;
pub use crate::project::InputFile;

use crate::engine::files::{read_limited, write_atomically};
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::job::Event;
use crate::engine::{Error, Result};

/// Largest file of the project that is read at once.
const LIMIT: u64 = 64 << 20;
/// Events of a run that are read back at most.
const MAX_EVENTS: usize = 2_000_000;

/// What is remembered of the last session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// The screen that was shown.
    pub screen: Screen,
    /// The theme that was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<String>,
    /// Settings of the analysis.
    pub analysis: AnalysisRequest,
    /// Settings of fine-tuning.
    pub tune: TuneSettings,
    /// Settings of the export.
    pub export: ExportSettings,
}

/// A run that is in the folder.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// Its folder.
    pub folder: PathBuf,
    /// What happened in it.
    pub events: Vec<Event>,
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
    /// Number of the next run.
    pub next_run: u32,
    /// What could not be read, a sentence each.
    pub problems: Vec<String>,
}

/// An open project. The lock is held as long as it lives.
#[derive(Debug)]
pub struct Project {
    folder: PathBuf,
    _lock: File,
}

impl Project {
    /// Opens or makes the project in `folder`.
    ///
    /// # Errors
    /// When the folder cannot be written, or another instance has it open.
    pub fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|source| Error::file("create", folder, source))?;
        let path = folder.join("lock");
        let failed = |source| Error::file("open", &path, source);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                folder: folder.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::invalid(format!(
                "the project {} is open in another hawqeye; leave that one first, or name another \
                 project with --project",
                folder.display()
            ))),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of the measurements.
    #[must_use]
    pub fn sensitivity_path(&self) -> PathBuf {
        self.folder.join("sensitivity.json")
    }

    /// The inputs it was made with.
    ///
    /// # Errors
    /// When the file cannot be read or is no inputs file.
    pub fn inputs(&self) -> Result<Option<InputFile>> {
        read_toml(&self.folder.join("inputs.toml"))
    }

    /// Remembers the inputs.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_inputs(&self, inputs: &InputFile) -> Result<()> {
        write_toml(&self.folder.join("inputs.toml"), inputs)
    }

    /// Remembers the session.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_session(&self, session: &Session) -> Result<()> {
        write_toml(&self.folder.join("session.toml"), session)
    }

    /// Saves the plan.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_plan(&self, text: &str) -> Result<()> {
        write_atomically(&self.folder.join("plan.toml"), text.as_bytes())
    }

    /// Reads everything a new session goes on with. What cannot be read is left out and named.
    #[must_use]
    pub fn load(&self) -> Stored {
        let mut stored = Stored {
            next_run: 1,
            ..Stored::default()
        };
        let mut problems = Vec::new();
        let session = read_toml(&self.folder.join("session.toml"));
        stored.session = noted(session, &mut problems).flatten().unwrap_or_default();
        let partial = self.folder.join("sensitivity.json.partial");
        stored.partial = partial.exists();
        let path = if stored.partial {
            partial
        } else {
            self.sensitivity_path()
        };
        stored.sensitivity = noted(read_sensitivity(&path), &mut problems).flatten();
        let plan = read_text(&self.folder.join("plan.toml"));
        stored.plan = noted(plan, &mut problems).flatten();
        self.load_runs(&mut stored, &mut problems);
        stored.problems = problems;
        stored
    }

    fn load_runs(&self, stored: &mut Stored, problems: &mut Vec<String>) {
        let runs = self.folder.join("runs");
        let names = fs::read_dir(&runs).into_iter().flatten().flatten();
        let numbers = names.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        stored.next_run = numbers.max().unwrap_or(0) + 1;
        let Some(last) = &stored.session.tune.last_run else {
            return;
        };
        let folder = runs.join(last);
        if folder.is_dir() {
            let events = noted(read_events(&folder.join("events.jsonl")), problems);
            stored.run = events.map(|events| StoredRun { folder, events });
        }
    }
}

/// The value, or its error among the problems.
fn noted<T>(result: Result<T>, problems: &mut Vec<String>) -> Option<T> {
    result
        .map_err(|error| problems.push(error.to_string()))
        .ok()
}

fn read_text(path: &Path) -> Result<Option<String>> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = read_limited(path, LIMIT)?;
    let text = String::from_utf8(bytes);
    text.map(Some)
        .map_err(|_| Error::format(path, "expected UTF-8 text; remove the file"))
}

fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(text) = read_text(path)? else {
        return Ok(None);
    };
    toml::from_str(&text).map(Some).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| super::keymap::line_of(&text, span.start));
        Error::format(path, format!("line {line}: {}", error.message().trim()))
    })
}

fn write_toml<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let text = toml::to_string_pretty(value);
    let text = text.map_err(|error| Error::invalid(format!("cannot write settings: {error}")))?;
    write_atomically(path, text.as_bytes())
}

fn read_sensitivity(path: &Path) -> Result<Option<Sensitivity>> {
    let Some(text) = read_text(path)? else {
        return Ok(None);
    };
    let read = serde_json::from_str(&text);
    read.map(Some)
        .map_err(|error| Error::format(path, format!("{error}; analyse again")))
}

/// The events of a run. The last line may be cut by a crash; it is left out.
fn read_events(path: &Path) -> Result<Vec<Event>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let file = File::open(path).map_err(|source| Error::file("read", path, source))?;
    let lines = BufReader::new(file)
        .lines()
        .map_while(std::result::Result::ok);
    let events = lines.filter_map(|line| serde_json::from_str(&line).ok());
    Ok(events.take(MAX_EVENTS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_instance_is_kept_out_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Project::open(folder.path()).unwrap();
        let error = Project::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("open in another hawqeye"), "{error}");
        drop(first);
        Project::open(folder.path()).unwrap();
    }

    #[test]
    fn a_session_reads_back_and_an_empty_folder_is_a_new_project() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open(folder.path()).unwrap();
        assert_eq!(
            project.load(),
            Stored {
                next_run: 1,
                ..Stored::default()
            }
        );
        let session = Session {
            screen: Screen::Bits,
            ..Session::default()
        };
        project.save_session(&session).unwrap();
        assert_eq!(project.load().session, session);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open(folder.path()).unwrap();
        fs::write(
            folder.path().join("session.toml"),
            "screen = \"bits\"\nscren = 1\n",
        )
        .unwrap();
        fs::write(folder.path().join("sensitivity.json"), "{").unwrap();
        let stored = project.load();
        assert_eq!(stored.session, Session::default());
        assert_eq!(stored.problems.len(), 2, "{:?}", stored.problems);
        assert!(stored.problems[0].contains("session.toml: line 2: unknown field"));
    }

    #[test]
    fn the_last_run_comes_back_even_with_a_cut_line() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open(folder.path()).unwrap();
        let run = folder.path().join("runs").join("007");
        fs::create_dir_all(&run).unwrap();
        let line = serde_json::to_string(&Event::Checkpoint { step: 3 }).unwrap();
        fs::write(
            run.join("events.jsonl"),
            format!("{line}\n{{\"event\":\"chec"),
        )
        .unwrap();
        let mut session = Session::default();
        session.tune.last_run = Some("007".into());
        project.save_session(&session).unwrap();
        let stored = project.load();
        assert_eq!(stored.next_run, 8);
        assert_eq!(stored.run.unwrap().events, [Event::Checkpoint { step: 3 }]);
    }
}
