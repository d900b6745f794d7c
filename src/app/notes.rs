//! What the user writes about a run: one line in its folder, written atomically, read up to a limit.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::engine::files::write_atomically;
use crate::engine::{Error, Result};

/// Characters of the longest note.
pub const LONGEST: usize = 200;
/// Bytes of a note that are read.
const LIMIT: u64 = 4 * LONGEST as u64;

fn path(run: &Path) -> PathBuf {
    run.join("notes.txt")
}

/// The note in the folder of a run; empty when there is none.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(run: &Path) -> Result<String> {
    let path = path(run);
    let failed = |source| Error::file("read", &path, source);
    match fs::metadata(&path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => {
            return Err(Error::format(
                &path,
                "expected a regular file; move it away",
            ));
        }
        Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Err(source) => return Err(failed(source)),
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(&path).map_err(failed)?;
    file.take(LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    Ok(line(&String::from_utf8_lossy(&bytes)))
}

/// Writes the note of a run; an empty one takes the file away.
///
/// # Errors
/// When it cannot be written, or the folder does not exist.
pub fn write(run: &Path, note: &str) -> Result<()> {
    let path = path(run);
    let note = line(note);
    if note.is_empty() {
        return match fs::remove_file(&path) {
            Err(refused) if refused.kind() != ErrorKind::NotFound => {
                Err(Error::file("remove", &path, refused))
            }
            _ => Ok(()),
        };
    }
    write_atomically(&path, format!("{note}\n").as_bytes())
}

/// The first line that says something, without what a terminal could take as an order.
fn line(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let line = lines.into_iter().find(|line| !line.is_empty());
    let plain = line.unwrap_or_default().chars();
    plain.filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_back_and_an_empty_one_goes() {
        let run = tempfile::tempdir().unwrap();
        assert_eq!(read(run.path()).unwrap(), "");
        write(run.path(), " with distillation ").unwrap();
        assert_eq!(read(run.path()).unwrap(), "with distillation");
        write(run.path(), "  ").unwrap();
        assert!(!path(run.path()).exists());
        write(run.path(), "").unwrap();
        let error = write(&run.path().join("gone"), "x").unwrap_err();
        assert!(error.to_string().contains("notes.txt"), "{error}");
    }

    #[test]
    fn whatever_is_in_the_file_one_plain_line_comes_out() {
        let run = tempfile::tempdir().unwrap();
        fs::write(path(run.path()), b"\n\n\x1b[31mred\xff\nsecond\n").unwrap();
        assert_eq!(read(run.path()).unwrap(), "[31mred\u{fffd}");
        fs::write(path(run.path()), "a".repeat(1 << 20)).unwrap();
        assert_eq!(read(run.path()).unwrap().len(), LONGEST);
        fs::remove_file(path(run.path())).unwrap();
        fs::create_dir(path(run.path())).unwrap();
        assert!(read(run.path()).is_err());
    }
}
