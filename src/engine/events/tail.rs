//! The whole lines that are added to a file, as they come.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::engine::{Error, Result};

/// Bytes that are read at once, and the longest line.
const MOST: u64 = 1 << 24;

/// A file that somebody else appends lines to.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    offset: u64,
    /// A line whose end is not there yet.
    begun: Vec<u8>,
}

impl Tail {
    /// The lines after the first `offset` bytes.
    #[must_use]
    pub const fn new(path: PathBuf, offset: u64) -> Self {
        Self {
            path,
            offset,
            begun: Vec::new(),
        }
    }

    /// The whole lines that were added since the last call, or the first of very many; none while
    /// there is no file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn lines(&mut self) -> Result<Vec<String>> {
        let failed = |source| Error::file("read", &self.path, source);
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let length = file.metadata().map_err(failed)?.len();
        if length < self.offset {
            // Cut back by a run that goes on from its checkpoint.
            self.offset = length;
            self.begun.clear();
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        let mut some = file.take(MOST);
        let read = some.read_to_end(&mut self.begun).map_err(failed)?;
        self.offset += read as u64;
        let whole = self.take_whole();
        if self.begun.len() as u64 > MOST {
            // No line is so long.
            self.begun.clear();
        }
        Ok(whole)
    }

    fn take_whole(&mut self) -> Vec<String> {
        let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let rest = self.begun.split_off(end + 1);
        let whole = std::mem::replace(&mut self.begun, rest);
        let lines = whole[..end].split(|byte| *byte == b'\n');
        lines
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    #[test]
    fn lines_come_when_they_are_whole_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut tail = Tail::new(path.clone(), 0);
        assert!(tail.lines().unwrap().is_empty());
        fs::write(&path, "one\ntw").unwrap();
        assert_eq!(tail.lines().unwrap(), ["one"]);
        assert!(tail.lines().unwrap().is_empty());
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"o\n\nthree\nfour").unwrap();
        assert_eq!(tail.lines().unwrap(), ["two", "", "three"]);
        assert_eq!(Tail::new(path, 4).lines().unwrap(), ["two", "", "three"]);
    }

    #[test]
    fn a_file_that_was_cut_back_is_followed_from_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        fs::write(&path, "one\ntwo\n").unwrap();
        let mut tail = Tail::new(path.clone(), 0);
        assert_eq!(tail.lines().unwrap().len(), 2);
        fs::write(&path, "one\n").unwrap();
        assert!(tail.lines().unwrap().is_empty());
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"2\n").unwrap();
        assert_eq!(tail.lines().unwrap(), ["2"]);
    }
}
