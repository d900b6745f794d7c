//! The project folder (see [`crate::project`]) as the application has it open: a lock keeps a second
//! instance out; every write is atomic.

mod stored;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::jobs::AnalysisRequest;
use super::state::Screen;
use super::state::analysis::Sort;
use super::state::detail::View;
use super::state::export::ExportSettings;
use super::state::tune::TuneSettings;
use crate::engine::files::{self, write_atomically};
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::presence::{self, Claim, Presence};
use crate::engine::{Error, Result};
pub use crate::project::InputFile;
use crate::project::{read_text, read_toml, sensitivity};
use stored::noted;
pub use stored::{Stored, StoredRun};

/// What is remembered of the last session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// The screen that was shown.
    pub screen: Screen,
    /// The theme that was chosen, where it is not as the settings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<String>,
    /// Whether the application has the mouse, where it is not as the settings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mouse: Option<bool>,
    /// Per cent of Sensitivity that its list takes, once that was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_share: Option<u8>,
    /// The layer that was selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The order of the layers on Sensitivity.
    pub sort: Sort,
    /// The order of the layers on Bits.
    pub table_sort: Sort,
    /// The closer look that was shown on Sensitivity.
    pub view: View,
    /// Settings of the analysis.
    pub analysis: AnalysisRequest,
    /// Settings of fine-tuning.
    pub tune: TuneSettings,
    /// Settings of the export.
    pub export: ExportSettings,
}

/// An open project. The lock is held as long as it lives; without it nothing is written.
#[derive(Debug)]
pub struct Project {
    folder: PathBuf,
    access: Access,
}

/// What may be done in a project.
#[derive(Debug)]
enum Access {
    /// Everything.
    Ours(Presence),
    /// Another instance has it open.
    OfAnother,
    /// It cannot be written; with the reason.
    ReadOnly(String),
}

impl Project {
    /// Opens or makes the project in `folder`; only to watch when another instance has it open, or
    /// when it cannot be written.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        let made = fs::create_dir_all(folder);
        let made = made.map_err(|source| Error::file("create", folder, source));
        let access = match made.and_then(|()| Presence::claim(folder)) {
            Ok(Claim::Ours(presence)) => Access::Ours(presence),
            Ok(Claim::Of(_)) => Access::OfAnother,
            Err(refused) => Access::ReadOnly(refused.to_string()),
        };
        Self {
            folder: folder.to_owned(),
            access,
        }
    }

    /// Whether another instance has it open, or it cannot be written: this one writes nothing.
    #[must_use]
    pub const fn is_watched(&self) -> bool {
        !matches!(self.access, Access::Ours(_))
    }

    /// Why it cannot be written, when that is so.
    #[must_use]
    pub fn why_read_only(&self) -> Option<&str> {
        match &self.access {
            Access::ReadOnly(reason) => Some(reason),
            _ => None,
        }
    }

    /// Why nothing can be done in it any more: its folder was removed or replaced while it was open.
    #[must_use]
    pub fn why_lost(&self) -> Option<String> {
        match &self.access {
            Access::Ours(presence) => presence.check().err().map(|error| error.to_string()),
            _ => None,
        }
    }

    /// Whether the instance that had it open when it was watched is gone.
    #[must_use]
    pub fn is_free(&self) -> bool {
        matches!(self.access, Access::OfAnother) && presence::look(&self.folder).is_none()
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
        present(&self.folder.join("inputs.toml"), InputFile::read)
    }

    /// Remembers the inputs.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_inputs(&self, inputs: &InputFile) -> Result<()> {
        self.write("inputs.toml", &to_toml(inputs)?)
    }

    /// Remembers the session; one that cannot be read is kept under another name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_session(&self, session: &Session) -> Result<()> {
        let path = self.folder.join("session.toml");
        if !self.is_watched() && present(&path, read_toml::<Session>).is_err() {
            files::set_aside(&path)?;
        }
        self.write("session.toml", &to_toml(session)?)
    }

    /// Saves the plan.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_plan(&self, text: &str) -> Result<()> {
        self.write("plan.toml", text)
    }

    /// Gives the plan file another name, so that no other plan is written over it; tells which.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn set_plan_aside(&self) -> Result<Option<PathBuf>> {
        let path = self.folder.join("plan.toml");
        if self.is_watched() || !path.exists() {
            return Ok(None);
        }
        files::set_aside(&path).map(Some)
    }

    /// The file that the user's editor works on.
    fn edited_path(&self) -> PathBuf {
        self.folder.join("plan-edited.toml")
    }

    /// Writes a text for the user's editor; tells the file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_edited(&self, text: &str) -> Result<PathBuf> {
        let path = self.edited_path();
        write_atomically(&path, text.as_bytes())?;
        Ok(path)
    }

    /// What the user's editor left.
    ///
    /// # Errors
    /// When the file cannot be read or is no text.
    pub fn read_edited(&self) -> Result<String> {
        let path = self.edited_path();
        read_text(&path)
    }

    /// Forgets the text for the user's editor. That it cannot be removed harms nobody.
    pub fn drop_edited(&self) {
        let _ = fs::remove_file(self.edited_path());
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        match &self.access {
            Access::Ours(presence) => presence.check()?,
            _ => return Ok(()),
        }
        write_atomically(&self.folder.join(name), text.as_bytes())
    }

    /// Reads everything a new session goes on with. What cannot be read is left out and named.
    #[must_use]
    pub fn load(&self) -> Stored {
        let mut stored = Stored {
            next_run: 1,
            watching: self.is_watched(),
            ..Stored::default()
        };
        let mut problems = Vec::new();
        let session = present(&self.folder.join("session.toml"), read_toml);
        stored.session = noted(session, &mut problems).flatten().unwrap_or_default();
        let measurements = sensitivity(&self.folder);
        stored.partial = measurements != self.sensitivity_path();
        let measured = present(&measurements, |path| {
            Sensitivity::read_or(
                path,
                "measure again with a on Model; it is kept under another name then",
            )
        });
        stored.sensitivity = noted(measured, &mut problems).flatten();
        let plan = present(&self.folder.join("plan.toml"), read_text);
        if plan.is_err() {
            // What cannot even be read is not written over either.
            let kept = noted(self.set_plan_aside(), &mut problems).flatten();
            problems.extend(kept.map(|kept| format!("it is kept as {}", kept.display())));
        }
        stored.plan = noted(plan, &mut problems).flatten();
        stored.problems = problems;
        self.load_runs(&mut stored);
        stored.exports = self.exports();
        stored
    }

    /// The files in the folder of exports; none when there is no such folder yet.
    fn exports(&self) -> Vec<(String, u64)> {
        let files = fs::read_dir(self.folder.join("exports"));
        let files = files.into_iter().flatten().flatten();
        let file = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let facts = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((name, facts.len()))
        };
        files.filter_map(file).collect()
    }

    fn load_runs(&self, stored: &mut Stored) {
        let runs = self.folder.join("runs");
        let names = fs::read_dir(&runs).into_iter().flatten().flatten();
        let numbers = names.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        stored.next_run = numbers.max().unwrap_or(0) + 1;
        let Some(last) = &stored.session.tune.last_run else {
            return;
        };
        let folder = runs.join(last);
        if folder.is_dir() {
            stored.show(folder);
        }
    }
}

/// What `read` makes of a file, when it is there.
fn present<T>(path: &Path, read: impl FnOnce(&Path) -> Result<T>) -> Result<Option<T>> {
    path.exists().then(|| read(path)).transpose()
}

fn to_toml<T: Serialize>(value: &T) -> Result<String> {
    let text = toml::to_string_pretty(value);
    text.map_err(|error| Error::invalid(format!("cannot write settings: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::job::Event;

    #[test]
    fn a_second_instance_watches_and_writes_nothing_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Project::open(folder.path());
        let second = Project::open(folder.path());
        assert!(!first.is_watched() && second.is_watched() && second.load().watching);
        second.save_plan("nothing").unwrap();
        assert!(!folder.path().join("plan.toml").exists());
        drop(first);
        assert!(!Project::open(folder.path()).is_watched());
    }

    #[test]
    fn a_session_reads_back_and_an_empty_folder_is_a_new_project() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open(folder.path());
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
    fn files_that_were_exported_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open(folder.path());
        fs::create_dir_all(folder.path().join("exports/more")).unwrap();
        fs::write(folder.path().join("exports/run-001.onnx"), "12345").unwrap();
        assert_eq!(project.load().exports, [("run-001.onnx".to_owned(), 5)]);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open(folder.path());
        fs::write(
            folder.path().join("session.toml"),
            "screen = \"bits\"\nscren = 1\n",
        )
        .unwrap();
        let later = r#"{"format": "hawqeye/sensitivity", "version": 9, "layers": []}"#;
        fs::write(folder.path().join("sensitivity.json"), later).unwrap();
        let stored = project.load();
        assert_eq!(stored.session, Session::default());
        assert_eq!(stored.problems.len(), 2, "{:?}", stored.problems);
        assert!(
            stored.problems[0]
                .contains("session.toml: expected the session of a project: line 2: unknown key")
        );
        assert!(stored.problems[1].contains("got hawqeye/sensitivity version 9"));
    }

    #[test]
    fn the_last_run_comes_back_even_with_a_cut_line() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open(folder.path());
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

    #[test]
    fn a_plan_that_is_set_aside_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open(folder.path());
        assert_eq!(project.set_plan_aside().unwrap(), None, "there is none yet");
        for (text, name) in [
            ("first", "plan-left-aside.toml"),
            ("second", "plan-left-aside-2.toml"),
        ] {
            project.save_plan(text).unwrap();
            let kept = project.set_plan_aside().unwrap();
            assert_eq!(kept, Some(folder.path().join(name)));
            assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), text);
        }
        assert!(!folder.path().join("plan.toml").exists());
        fs::write(folder.path().join("plan.toml"), b"\xff\xfe\xfd").unwrap();
        assert_eq!(project.load().plan, None);
        let kept = fs::read(folder.path().join("plan-left-aside-3.toml"));
        assert_eq!(kept.unwrap(), b"\xff\xfe\xfd", "no text, and kept too");
    }
}
