//! The folder of a run that this program works on.

use std::fs;
use std::path::{Path, PathBuf};

use super::paths::{
    RESULTS, RUN_FILES, best_path, checkpoint_path, events_path, holds_run, network_path,
    plan_path, settings_path,
};
use super::read::{read_plan, read_record};
use super::record::Record;
use crate::engine::model::Structure;
use crate::engine::plan::{self, Plan};
use crate::engine::presence::{Claim, Holder, Presence};
use crate::engine::{Error, Result, files};

/// A run folder that this program works on; no other does until it is dropped.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    presence: Presence,
}

impl RunFolder {
    /// A new run in a folder that holds none; the folder is created.
    ///
    /// # Errors
    /// When the folder holds a run, is in use, or cannot be written.
    pub fn create(
        path: &Path,
        record: &Record,
        (plan, structure): (&Plan, &Structure),
    ) -> Result<Self> {
        fs::create_dir_all(path).map_err(|source| Error::file("create", path, source))?;
        if holds_run(path) {
            return Err(taken(path));
        }
        let folder = Self::claimed(path)?;
        refuse_remains(path)?;
        if holds_run(path) {
            return Err(taken(path));
        }
        files::sync_folder(files::folder_of(path));
        // In this order: a plan without a network is none that a run has left.
        structure.write(&network_path(path))?;
        plan::file::write(&plan_path(path), plan)?;
        folder.write_record(record)?;
        Ok(folder)
    }

    /// Writes down what the run is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_record(&self, record: &Record) -> Result<()> {
        let path = settings_path(&self.path);
        let mut text = serde_json::to_string_pretty(record)
            .map_err(|error| Error::format(&path, error.to_string()))?;
        text.push('\n');
        files::write_atomically(&path, text.as_bytes())
    }

    /// The folder of a run that is to be continued as `record`.
    ///
    /// # Errors
    /// When it holds no run, another one, or is in use.
    pub fn open(path: &Path, record: &Record) -> Result<(Self, Record)> {
        let found = read_record(path)?;
        let differences = found.differences(record);
        if !differences.is_empty() {
            return Err(Error::invalid(format!(
                "{} holds another run: {}; give what it was started with, or start a new run in \
                 another folder",
                path.display(),
                some(&differences)
            )));
        }
        let folder = Self::claimed(path)?;
        if !plan_path(path).exists() {
            // As the settings tell it.
            plan::file::write(&plan_path(path), &read_plan(path, &found)?)?;
        }
        Ok((folder, found))
    }

    fn claimed(path: &Path) -> Result<Self> {
        match Presence::claim(path)? {
            Claim::Ours(presence) => Ok(Self {
                path: path.to_owned(),
                presence,
            }),
            Claim::Of(other) => {
                let host = other.map(|other| other.host).unwrap_or_default();
                let elsewhere = !host.is_empty() && host != Holder::own().host;
                let place = if elsewhere {
                    format!(", on {host}")
                } else {
                    String::new()
                };
                Err(Error::invalid(format!(
                    "another program works on the run in {}{place}; wait for it, or stop it first",
                    path.display()
                )))
            }
        }
    }

    /// Who works on the run: this program.
    #[must_use]
    pub const fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Where the last state is.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        checkpoint_path(&self.path)
    }

    /// Where the state of the best epoch is.
    #[must_use]
    pub fn best(&self) -> PathBuf {
        best_path(&self.path)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the events are.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        events_path(&self.path)
    }
}

/// Refuses a folder without a run that holds what a run would write over: a run whose settings are lost,
/// or files of something else. What a run that was killed while it began has left is its plan and its
/// network; it begins again.
///
/// # Errors
/// A sentence with the files.
pub fn refuse_remains(folder: &Path) -> Result<()> {
    if holds_run(folder) {
        return Ok(());
    }
    let is_there = |name: &&str| folder.join(name).exists();
    let results = RUN_FILES.iter().filter(|name| RESULTS.contains(name));
    let found: Vec<&str> = results.copied().filter(|name| is_there(name)).collect();
    let begun = is_there(&"network.json") || !is_there(&"plan.toml");
    let lost = match (&found[..], begun) {
        ([], true) => return Ok(()),
        ([], false) => "plan.toml".to_owned(),
        _ => found.join(", "),
    };
    Err(Error::invalid(format!(
        "{} holds {lost} but no settings.json, so that a new run would write over what is there: put the \
         settings of that run back, or choose another folder",
        folder.display()
    )))
}

fn taken(path: &Path) -> Error {
    Error::invalid(format!(
        "{} already holds a run: continue it with --resume, or choose another folder",
        path.display()
    ))
}

/// The first few of many phrases, and how many more there are.
fn some(phrases: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = phrases[..phrases.len().min(SHOWN)].join("; ");
    match phrases.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_differences_some_are_named() {
        let phrases: Vec<String> = ["a", "b", "c", "d", "e"].map(String::from).into();
        assert_eq!(some(&phrases[..2]), "a; b");
        assert_eq!(some(&phrases), "a; b; c; and 2 more");
    }
}
