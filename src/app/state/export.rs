//! The files that were, or will be, written: what is known of a file is known of that run in that
//! format at that path, and of no other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::export::{Format, Written};

/// Settings of the export.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportSettings {
    /// The selected format.
    #[serde(default)]
    pub format: Format,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Exported {
    /// Being written.
    Running,
    /// Written, read back and compared.
    Done(Box<Written>),
    /// Written in an earlier session; this many bytes are there.
    Earlier(u64),
    /// Not possible, with the reason.
    Failed(String),
}

/// A run in a format at a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Name of the run.
    pub run: String,
    /// Name of the format.
    pub format: &'static str,
    /// The file.
    pub path: PathBuf,
}

/// The files.
#[derive(Debug, Clone)]
pub struct ExportState {
    /// The selected format.
    pub format: Format,
    /// Paths typed by the user, by run and by format.
    paths: BTreeMap<(String, &'static str), PathBuf>,
    written: BTreeMap<Place, Exported>,
    /// The file that is being written.
    under_way: Option<Place>,
    folder: PathBuf,
}

impl ExportState {
    /// Nothing written.
    #[must_use]
    pub fn new(settings: &ExportSettings, project: &Path) -> Self {
        Self {
            format: settings.format,
            paths: BTreeMap::new(),
            written: BTreeMap::new(),
            under_way: None,
            folder: project.join("exports"),
        }
    }

    /// Where a run goes in a format.
    #[must_use]
    pub fn place(&self, format: Format, run: &str) -> Place {
        let typed = self.paths.get(&(run.to_owned(), format.name())).cloned();
        let usual = || self.usual(format, run);
        Place {
            run: run.to_owned(),
            format: format.name(),
            path: typed.unwrap_or_else(usual),
        }
    }

    fn usual(&self, format: Format, run: &str) -> PathBuf {
        self.folder
            .join(format!("run-{run}.{}", format.extension()))
    }

    /// Where a run goes in a format is typed.
    pub fn set_path(&mut self, format: Format, run: &str, path: PathBuf) {
        self.paths.insert((run.to_owned(), format.name()), path);
    }

    /// What became of a run in a format, where it goes now.
    #[must_use]
    pub fn of(&self, format: Format, run: &str) -> Option<&Exported> {
        self.written.get(&self.place(format, run))
    }

    /// Whether anything was written of a run.
    #[must_use]
    pub fn count(&self, run: &str) -> usize {
        let known = |format: &Format| self.of(*format, run).is_some();
        Format::ALL.iter().filter(|format| known(format)).count()
    }

    /// A file is being written: whatever was known of that path is over.
    pub fn begin(&mut self, place: Place) {
        self.written.retain(|other, _| other.path != place.path);
        self.written.insert(place.clone(), Exported::Running);
        self.under_way = Some(place);
    }

    /// What became of the file that was being written; `None`: it was stopped.
    pub fn end(&mut self, became: Option<Exported>) {
        let Some(place) = self.under_way.take() else {
            return;
        };
        match became {
            Some(became) => self.written.insert(place, became),
            None => self.written.remove(&place),
        };
    }

    /// A run was trained on: files of it are of what it was.
    pub fn forget(&mut self, run: &str) {
        self.written.retain(|place, _| place.run != run);
    }

    /// Remembers the files that are there already: names and bytes. A name tells run and format.
    pub fn find(&mut self, files: &[(String, u64)]) {
        for (name, bytes) in files {
            let told = |format: &Format| {
                let rest = name.strip_prefix("run-")?;
                let run = rest.strip_suffix(format.extension())?.strip_suffix('.')?;
                Some((*format, run))
            };
            // One ending can be the end of another.
            let formats = Format::ALL.iter().filter_map(told);
            let Some((format, run)) = formats.min_by_key(|(_, run)| run.len()) else {
                continue;
            };
            let place = Place {
                run: run.to_owned(),
                format: format.name(),
                path: self.usual(format, run),
            };
            self.written.insert(place, Exported::Earlier(*bytes));
        }
    }

    /// Moves the selection by `steps`.
    pub fn select(&mut self, steps: isize) {
        let at = Format::ALL
            .iter()
            .position(|format| *format == self.format)
            .unwrap_or(0);
        let last = Format::ALL.len() - 1;
        self.format = Format::ALL[at.saturating_add_signed(steps).min(last)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> ExportState {
        ExportState::new(&ExportSettings::default(), Path::new("project"))
    }

    #[test]
    fn what_became_of_a_file_is_told_of_its_run_and_path_alone() {
        let (mut state, format) = (state(), Format::ALL[0]);
        state.begin(state.place(format, "001"));
        state.end(Some(Exported::Earlier(7)));
        assert_eq!(state.of(format, "001"), Some(&Exported::Earlier(7)));
        assert_eq!(state.of(format, "002"), None);
        assert_eq!(state.of(Format::ALL[1], "001"), None);
        state.set_path(format, "001", "elsewhere".into());
        assert_eq!(state.of(format, "001"), None);
    }

    #[test]
    fn a_file_that_another_run_is_written_over_is_not_that_of_the_first_any_more() {
        let (mut state, format) = (state(), Format::ALL[0]);
        for run in ["001", "002"] {
            state.set_path(format, run, "same".into());
            state.begin(state.place(format, run));
            state.end(Some(Exported::Earlier(7)));
        }
        assert_eq!(state.of(format, "001"), None);
        assert_eq!(state.of(format, "002"), Some(&Exported::Earlier(7)));
    }

    #[test]
    fn files_that_are_there_belong_to_the_runs_in_their_names() {
        let (mut state, format) = (state(), Format::ALL[0]);
        let name = |run: &str| format!("run-{run}.{}", format.extension());
        state.find(&[(name("001"), 5), (name("002"), 6), ("other".into(), 9)]);
        assert_eq!(state.of(format, "001"), Some(&Exported::Earlier(5)));
        assert_eq!(state.of(format, "002"), Some(&Exported::Earlier(6)));
        assert_eq!(state.count("003"), 0);
        state.forget("001");
        assert_eq!((state.count("001"), state.count("002")), (0, 1));
    }
}
