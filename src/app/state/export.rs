//! The files that were, or will be, written.

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

/// What became of a format.
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

/// The files.
#[derive(Debug, Clone)]
pub struct ExportState {
    /// The selected format.
    pub format: Format,
    /// Paths typed by the user, by format name.
    pub paths: BTreeMap<&'static str, PathBuf>,
    /// What became of each format, by name.
    pub written: BTreeMap<&'static str, Exported>,
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
            folder: project.join("exports"),
        }
    }

    /// Where a format goes.
    #[must_use]
    pub fn path(&self, format: Format, run: &str) -> PathBuf {
        let usual = || {
            self.folder
                .join(format!("run-{run}.{}", format.extension()))
        };
        self.paths.get(format.name()).cloned().unwrap_or_else(usual)
    }

    /// Remembers the files of a run that are there already: names and bytes.
    pub fn find(&mut self, run: &str, files: &[(String, u64)]) {
        for format in Format::ALL {
            let path = self.path(format, run);
            let found = files
                .iter()
                .find(|(name, _)| path.file_name().is_some_and(|own| own == name.as_str()));
            if let Some((_, bytes)) = found {
                let earlier = Exported::Earlier(*bytes);
                self.written.insert(format.name(), earlier);
            }
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
