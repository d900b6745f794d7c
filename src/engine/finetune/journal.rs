//! The events of a run as they went to disk, one JSON line each, and their way to the observer.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::engine::counts::counted;
use crate::engine::job::{Event, Observer, Verdict};
use crate::engine::presence::Presence;
use crate::engine::{Error, Result};

/// An event file that grows line by line.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Journal {
    /// Opens the file, or creates it, and keeps its first `keep` bytes.
    ///
    /// # Errors
    /// When it cannot be written, or holds less than that.
    pub fn open(path: &Path, keep: u64) -> Result<Self> {
        let failed = |source| Error::file("write", path, source);
        let options = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut file = options.map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        if found < keep {
            return Err(Error::format(
                path,
                format!(
                    "{}, but the checkpoint beside it was written after {keep}; the file was cut \
                     or replaced: start a new run in another folder",
                    counted(found as usize, "byte")
                ),
            ));
        }
        file.set_len(keep).map_err(failed)?;
        file.seek(SeekFrom::Start(keep)).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes: keep,
        })
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends an event.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&mut self, event: &Event) -> Result<()> {
        let mut line = serde_json::to_string(event)
            .map_err(|error| Error::format(&self.path, error.to_string()))?;
        line.push('\n');
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|source| Error::file("write", &self.path, source))?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// When the device fails.
    pub fn sync(&self) -> Result<()> {
        let synced = self.file.sync_data();
        synced.map_err(|source| Error::file("write", &self.path, source))
    }
}

/// Writes events down and hands them on.
pub(super) struct Reporter<'o> {
    journal: Journal,
    observer: &'o mut dyn Observer,
    presence: &'o Presence,
    stopping: bool,
}

impl<'o> Reporter<'o> {
    pub fn new(journal: Journal, observer: &'o mut dyn Observer, presence: &'o Presence) -> Self {
        Self {
            journal,
            observer,
            presence,
            stopping: false,
        }
    }

    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Whether the observer asked to stop.
    pub const fn stopping(&self) -> bool {
        self.stopping
    }

    /// Writes an event down, and hands it on.
    ///
    /// # Errors
    /// When the file cannot be written, or the run is not ours any more.
    pub fn record(&mut self, event: Event) -> Result<()> {
        if self.presence.is_lost() {
            self.presence.check()?;
        }
        self.journal.append(&event)?;
        self.tell(event);
        Ok(())
    }

    /// Hands an event on that does not belong to the run's story; waits while somebody wishes so.
    pub fn tell(&mut self, event: Event) {
        let stop = self.observer.on(event) == Verdict::Stop;
        self.stopping |= stop || self.presence.mind(self.observer) == Verdict::Stop;
    }
}

impl Observer for Reporter<'_> {
    fn on(&mut self, event: Event) -> Verdict {
        self.tell(event);
        if self.stopping {
            Verdict::Stop
        } else {
            Verdict::Continue
        }
    }

    fn held(&mut self) -> Verdict {
        self.observer.held()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::events::for_each;

    fn checkpoint(step: u64) -> Event {
        Event::Checkpoint { step }
    }

    #[test]
    fn a_journal_is_cut_back_and_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut journal = Journal::open(&path, 0).unwrap();
        journal.append(&checkpoint(1)).unwrap();
        let kept = journal.bytes();
        journal.append(&checkpoint(2)).unwrap();
        drop(journal);
        let mut journal = Journal::open(&path, kept).unwrap();
        journal.append(&checkpoint(3)).unwrap();
        let mut kept = Vec::new();
        for_each(&path, |event| kept.push(event)).unwrap();
        assert_eq!(kept, [checkpoint(1), checkpoint(3)]);
        let error = Journal::open(&path, 1000).unwrap_err().to_string();
        assert!(error.contains("cut or replaced"), "{error}");
    }
}
