//! The events of a run as they went to disk, one JSON line each, and their way to the observer.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::engine::counts::counted;
use crate::engine::job::{Event, Observer, Verdict};
use crate::engine::presence::Presence;
use crate::engine::{Error, Result, events, files};

/// An event file that grows line by line.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Journal {
    /// Opens the file, or creates it, and keeps its first `keep` bytes: what was written until the
    /// checkpoint beside it. Where they are not there, or what stands behind them is not of this run,
    /// the file is kept beside as it was found, the whole lines that are left go on, and a sentence
    /// says so.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn open(path: &Path, keep: u64) -> Result<(Self, Option<String>)> {
        let failed = |source| Error::file("write", path, source);
        let (keep, note) = match change(path, keep)? {
            None => (keep, None),
            Some(Change::Gone) => (0, Some(format!("{} is gone: {UNKNOWN}", path.display()))),
            Some(Change::Other { kept, what }) => {
                let aside = files::aside(path);
                std::fs::copy(path, &aside)
                    .map_err(|source| Error::file("write", &aside, source))?;
                let found = format!(
                    "{} {what}: {UNKNOWN}; as it was found, it is kept as {}",
                    path.display(),
                    aside.display()
                );
                (kept, Some(found))
            }
        };
        let options = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut file = options.map_err(failed)?;
        file.set_len(keep).map_err(failed)?;
        file.seek(SeekFrom::Start(keep)).map_err(failed)?;
        let journal = Self {
            path: path.to_owned(),
            file,
            bytes: keep,
        };
        Ok((journal, note))
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

/// What is the matter where events are missing.
const UNKNOWN: &str = "what happened before is not fully known";

/// How an event file is not what a checkpoint left.
enum Change {
    /// It is not there.
    Gone,
    /// It is another; its first `kept` bytes are whole lines.
    Other { kept: u64, what: String },
}

/// Looks whether the first `keep` bytes of an event file are whole lines, and what follows is events.
fn change(path: &Path, keep: u64) -> Result<Option<Change>> {
    let failed = |source| Error::file("read", path, source);
    let found = match std::fs::metadata(path) {
        Ok(found) => found.len(),
        Err(missing) if missing.kind() == ErrorKind::NotFound => {
            return Ok((keep > 0).then_some(Change::Gone));
        }
        Err(source) => return Err(failed(source)),
    };
    let events = |kept, what| Ok(Some(Change::Other { kept, what }));
    let until = |bytes| ends_of_lines(path, bytes).map_err(failed);
    if found < keep {
        let bytes = counted(found as usize, "byte");
        let what = format!("holds {bytes}, {keep} were written until the checkpoint");
        return events(until(found)?, what);
    }
    let kept = until(keep)?;
    if kept < keep {
        return events(
            kept,
            "was changed since the checkpoint was written".to_owned(),
        );
    }
    let foreign = events::foreign_lines(path, keep)?;
    if foreign > 0 {
        let lines = counted(foreign, "line");
        let what = format!("holds {lines} behind the checkpoint that no run wrote");
        return events(keep, what);
    }
    Ok(None)
}

/// Where the last whole line within the first `bytes` of a file ends.
fn ends_of_lines(path: &Path, bytes: u64) -> std::io::Result<u64> {
    const PIECE: u64 = 64 << 10;
    let mut file = File::open(path)?;
    let mut end = bytes;
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        let mut piece = vec![0; (end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
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
        let (mut journal, _) = Journal::open(&path, 0).unwrap();
        journal.append(&checkpoint(1)).unwrap();
        let kept = journal.bytes();
        journal.append(&checkpoint(2)).unwrap();
        drop(journal);
        let (mut journal, note) = Journal::open(&path, kept).unwrap();
        assert_eq!(note, None);
        journal.append(&checkpoint(3)).unwrap();
        assert_eq!(told(&path), [checkpoint(1), checkpoint(3)]);
    }

    fn told(path: &Path) -> Vec<Event> {
        let mut told = Vec::new();
        for_each(path, |event| told.push(event)).unwrap();
        told
    }

    #[test]
    fn a_journal_that_is_not_what_was_written_goes_on_and_is_kept_as_it_was_found() {
        let line = |step| serde_json::to_string(&checkpoint(step)).unwrap() + "\n";
        let whole = line(1) + &line(2);
        let keep = whole.len() as u64;
        let cut = whole[..whole.len() - 3].to_owned();
        for (found, said, kept) in [
            (cut.clone(), "were written until the checkpoint", vec![1]),
            (cut + "         ", "was changed since", vec![1]),
            (
                whole.clone() + "what is this\n",
                "1 line behind",
                vec![1, 2],
            ),
            (String::new(), "holds 0 bytes", vec![]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("events.jsonl");
            std::fs::write(&path, &found).unwrap();
            let (_, note) = Journal::open(&path, keep).unwrap();
            let note = note.unwrap();
            assert!(note.contains(said) && note.contains("left-aside"), "{note}");
            let kept: Vec<Event> = kept.into_iter().map(checkpoint).collect();
            assert_eq!(told(&path), kept);
            let aside = folder.path().join("events-left-aside.jsonl");
            assert_eq!(std::fs::read_to_string(aside).unwrap(), found);
        }
        let folder = tempfile::tempdir().unwrap();
        let (_, note) = Journal::open(&folder.path().join("events.jsonl"), keep).unwrap();
        assert!(note.unwrap().contains("is gone"));
    }

    #[test]
    fn what_a_killed_run_wrote_behind_its_checkpoint_is_made_again_without_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let line = serde_json::to_string(&checkpoint(1)).unwrap() + "\n";
        std::fs::write(&path, format!("{line}{line}{{\"event\":\"che")).unwrap();
        let (_, note) = Journal::open(&path, line.len() as u64).unwrap();
        assert_eq!(note, None);
        assert_eq!(told(&path), [checkpoint(1)]);
    }
}
