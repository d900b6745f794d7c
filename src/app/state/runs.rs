//! The list of the project's runs: what their folders hold, which one is selected, and which ones
//! are marked to be compared.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tune::{Run, RunStatus, TuneState};
use crate::app::jobs::{Facts, Listed};

/// Runs that can be marked: as many as there are signs that differ.
pub const MARKS: usize = 6;

/// What fills the fine-tuning screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// One run, or the settings of the first.
    #[default]
    Run,
    /// The list of all runs.
    Runs,
}

/// What is shown of the marked runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Comparison {
    /// Their curves, one over the other.
    #[default]
    Curves,
    /// Their numbers, side by side.
    Table,
}

/// Since when the list is right: whenever this changes, the folders are read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// The run on screen.
    pub folder: Option<PathBuf>,
    /// Whether it is training.
    pub training: bool,
    /// Whether it is in its folder.
    pub begun: bool,
}

/// The runs of the project.
#[derive(Debug, Clone, Default)]
pub struct RunList {
    /// What fills the screen.
    pub pane: Pane,
    /// What is shown of the marked runs.
    pub comparison: Comparison,
    /// Those that were read, newest first.
    pub listed: Vec<Arc<Listed>>,
    /// Older ones that were not read.
    pub left_out: usize,
    /// Why they could not be read.
    pub problem: Option<String>,
    /// When they were read last; absent: not since the screen was opened.
    pub read: Option<Occasion>,
    /// The selected one; absent: the first.
    pub selected: Option<PathBuf>,
    /// The marked ones, each at the place of its sign.
    pub marks: [Option<PathBuf>; MARKS],
}

/// A row of the list.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// Its folder.
    pub folder: &'a Path,
    /// What is trained, and how; absent before it was read.
    pub facts: Option<&'a Facts>,
    /// What happened in it.
    pub run: Option<&'a Run>,
    /// What the user wrote about it.
    pub note: &'a str,
    /// Why it cannot be read.
    pub problem: Option<&'a str>,
    /// The place of its mark.
    pub mark: Option<usize>,
}

impl RunList {
    /// Selects, marks and shows what another list does.
    pub fn look_as(&mut self, other: &Self) {
        (self.pane, self.comparison) = (other.pane, other.comparison);
        self.selected.clone_from(&other.selected);
        self.marks.clone_from(&other.marks);
    }

    /// Marks a run, or takes its mark away; whether there was a sign left.
    pub fn mark(&mut self, folder: &Path) -> bool {
        let is = |mark: &Option<PathBuf>| mark.as_deref() == Some(folder);
        let at = self.marks.iter().position(is);
        let free = self.marks.iter().position(Option::is_none);
        match (at, free) {
            (Some(at), _) => self.marks[at] = None,
            (None, Some(free)) => self.marks[free] = Some(folder.to_owned()),
            (None, None) => return false,
        }
        true
    }

    /// What is known of a run.
    #[must_use]
    pub fn of(&self, folder: &Path) -> Option<&Arc<Listed>> {
        self.listed.iter().find(|listed| listed.folder == folder)
    }

    /// Takes down what the user wrote about a run.
    pub fn note(&mut self, folder: &Path, text: &str) {
        let mut listed = self.listed.iter_mut();
        if let Some(listed) = listed.find(|listed| listed.folder == folder) {
            text.clone_into(&mut Arc::make_mut(listed).note);
        }
    }
}

impl TuneState {
    /// The rows of the list: the run on screen as it is now, the others as their folders tell.
    #[must_use]
    pub fn rows(&self) -> Vec<Row<'_>> {
        let list = &self.list;
        let fresh = self.run.as_ref();
        let fresh = fresh.filter(|run| list.of(&run.folder).is_none());
        let first = fresh.map(|run| Row {
            folder: &run.folder,
            facts: None,
            run: Some(run),
            note: "",
            problem: None,
            mark: self.mark_of(&run.folder),
        });
        let others = list.listed.iter().map(|listed| self.row(listed));
        first.into_iter().chain(others).collect()
    }

    fn row<'a>(&'a self, listed: &'a Listed) -> Row<'a> {
        let known = listed.found.as_ref().ok();
        let shown = self.run.as_ref();
        let shown = shown.filter(|run| run.folder == listed.folder);
        Row {
            folder: &listed.folder,
            facts: known.map(|known| &known.facts),
            run: shown.or(known.map(|known| &known.run)),
            note: &listed.note,
            problem: listed.found.as_ref().err().map(String::as_str),
            mark: self.mark_of(&listed.folder),
        }
    }

    fn mark_of(&self, folder: &Path) -> Option<usize> {
        let mut marks = self.list.marks.iter();
        marks.position(|mark| mark.as_deref() == Some(folder))
    }

    /// The marked runs of the list in the order of their signs; the selected one when none is.
    #[must_use]
    pub fn compared(&self) -> Vec<Row<'_>> {
        let mut rows = self.rows();
        if rows.iter().all(|row| row.mark.is_none()) {
            let selected = self.selected(&rows);
            return rows.into_iter().skip(selected).take(1).collect();
        }
        rows.retain(|row| row.mark.is_some());
        rows.sort_by_key(|row| row.mark);
        rows
    }

    /// The position of the selected row.
    #[must_use]
    pub fn selected(&self, rows: &[Row]) -> usize {
        let wanted = self.list.selected.as_deref();
        let at = rows.iter().position(|row| Some(row.folder) == wanted);
        at.unwrap_or(0)
    }

    /// The folder of the selected row.
    #[must_use]
    pub fn selected_folder(&self) -> Option<PathBuf> {
        let rows = self.rows();
        rows.get(self.selected(&rows)).map(|row| row.folder.into())
    }

    /// The run that a note is about: the selected one of the list, or the one on screen.
    #[must_use]
    pub fn noted(&self) -> Option<&Arc<Listed>> {
        let folder = match self.list.pane {
            Pane::Runs => self.selected_folder()?,
            Pane::Run => self.run.as_ref()?.folder.clone(),
        };
        self.list.of(&folder)
    }

    /// Moves the selection by `steps`.
    pub fn select(&mut self, steps: isize) {
        let rows = self.rows();
        let last = rows.len().saturating_sub(1);
        let at = self.selected(&rows).saturating_add_signed(steps).min(last);
        self.list.selected = rows.get(at).map(|row| row.folder.to_owned());
    }

    /// Selects a row by its position.
    pub fn select_row(&mut self, at: usize) {
        let folder = self.rows().get(at).map(|row| row.folder.to_owned());
        self.list.selected = folder.or(self.list.selected.take());
    }

    /// When the list was right last, if it is read now.
    #[must_use]
    pub fn occasion(&self) -> Occasion {
        let run = self.run.as_ref();
        Occasion {
            folder: run.map(|run| run.folder.clone()),
            training: run.is_some_and(|run| run.status == RunStatus::Running),
            begun: run.is_some_and(|run| run.history.step > 0 || run.history.checkpoint.is_some()),
        }
    }
}
