//! Every event of a file, one after the other.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::line::{Line, parse};
use crate::engine::job::Event;
use crate::engine::{Error, Result};

/// Largest event file that is read, in bytes.
const LARGEST: u64 = 1 << 30;
/// Longest line that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// What reading a file brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Events.
    pub events: u64,
    /// Lines that are no events.
    pub unreadable: usize,
    /// Bytes of whole lines.
    pub bytes: u64,
}

/// Hands on every event of a file; of one that is not there, none. A last line that is not whole yet
/// is left out, and so are lines that are no events, but not all of them.
///
/// # Errors
/// When the file cannot be read, is larger than 1 GiB, or holds no event at all.
pub fn for_each(path: &Path, mut hear: impl FnMut(Event)) -> Result<Told> {
    let failed = |source| Error::file("read", path, source);
    match fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() <= LARGEST => {}
        Ok(_) => {
            let text = format!(
                "expected a file of at most {LARGEST} bytes; put back the events.jsonl that the \
                 run wrote"
            );
            return Err(Error::format(path, text));
        }
        Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(Told::default()),
        Err(source) => return Err(failed(source)),
    }
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let (mut told, mut line) = (Told::default(), Vec::new());
    loop {
        line.clear();
        let mut limited = reader.by_ref().take(LONGEST);
        let count = limited.read_until(b'\n', &mut line).map_err(failed)? as u64;
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            break;
        }
        told.bytes += count;
        match parse(&line) {
            Line::Event(event) => {
                told.events += 1;
                hear(event);
            }
            Line::Unreadable if !line.is_empty() => told.unreadable += 1,
            Line::Later | Line::Unreadable => {}
        }
        // It may grow while it is read.
        if told.bytes > LARGEST {
            break;
        }
    }
    if told.events == 0 && (told.unreadable > 0 || line.len() as u64 == LONGEST) {
        return Err(Error::format(
            path,
            "expected the events of a run, a line each; put back the events.jsonl that the run \
             wrote",
        ));
    }
    Ok(told)
}

/// Whole lines behind the first `from` bytes of a file that are no events; the last one may be cut.
///
/// # Errors
/// When the file cannot be read.
pub fn foreign_lines(path: &Path, from: u64) -> Result<usize> {
    let failed = |source| Error::file("read", path, source);
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let (mut reader, mut line, mut foreign) = (BufReader::new(file), Vec::new(), 0);
    loop {
        line.clear();
        let mut limited = reader.by_ref().take(LONGEST);
        let count = limited.read_until(b'\n', &mut line).map_err(failed)? as u64;
        let ended = line.pop_if(|byte| *byte == b'\n').is_some();
        let is_foreign = !line.is_empty() && matches!(parse(&line), Line::Unreadable);
        // A line without an end is one in the making, unless it is longer than any.
        foreign += usize::from(is_foreign && (ended || count == LONGEST));
        if !ended && count < LONGEST {
            return Ok(foreign);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Vec<Event>, Told)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        fs::write(&path, text).unwrap();
        let mut events = Vec::new();
        let told = for_each(&path, |event| events.push(event))?;
        Ok((events, told))
    }

    const LINE: &str = "{\"event\":\"checkpoint\",\"step\":4}";

    #[test]
    fn a_line_in_the_making_and_one_that_is_no_event_are_left_out() {
        let text = format!("{LINE}\nnonsense\n\n{LINE}\n{{\"event\":\"che");
        let (events, told) = read(&text).unwrap();
        assert_eq!(events, vec![Event::Checkpoint { step: 4 }; 2]);
        assert_eq!((told.events, told.unreadable), (2, 1));
        assert_eq!(told.bytes, text.rfind('\n').unwrap() as u64 + 1);
    }

    #[test]
    fn what_holds_no_event_is_refused_and_what_is_empty_is_not() {
        assert_eq!(read("").unwrap().1, Told::default());
        assert_eq!(read("{\"event\":\"che").unwrap().1.events, 0);
        let refused = read("what\nis this\n").unwrap_err().to_string();
        assert!(refused.contains("expected the events"), "{refused}");
        assert!(read(&"x".repeat(2 << 20)).is_err(), "one endless line");
        let nowhere = Path::new("nowhere/events.jsonl");
        assert_eq!(for_each(nowhere, drop).unwrap(), Told::default());
    }
}
