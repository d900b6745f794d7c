//! Results: to stdout, or to the file of `-o`.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::failure::Failure;
use crate::engine::error::said;
use crate::engine::shown::{escaped_json, shown_lines};
use crate::engine::{Error, files};

/// Writes text for people to stdout; what must reach no terminal is replaced.
///
/// # Errors
/// When stdout cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    print_data(&shown_lines(text))
}

/// Writes text for programs to stdout, as it is: JSON and TOML escape what must reach no terminal. A
/// reader that has gone away is no failure, and nothing more is written.
///
/// # Errors
/// When stdout cannot be written.
fn print_data(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    printed(written)
}

/// What it means how writing to stdout ended.
///
/// # Errors
/// When the text did not arrive.
pub fn printed(written: io::Result<()>) -> Result<(), Failure> {
    if CLOSED.load(Ordering::Relaxed) {
        return Err(Failure::failed(
            "cannot write to stdout: it is closed; give it a file or a pipe",
        ));
    }
    match written {
        Ok(()) => Ok(()),
        Err(refused) if refused.kind() == ErrorKind::BrokenPipe => Err(Failure::unread()),
        Err(refused) => Err(Failure::failed(format!(
            "cannot write to stdout: {}",
            said(&refused)
        ))),
    }
}

/// Whether this process was started without a stdout.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Says that this process was started without a stdout. Before `main` begins, the standard library
/// puts a file there that swallows everything, so it has to be found out earlier.
pub fn stdout_is_closed() {
    CLOSED.store(true, Ordering::Relaxed);
}

/// Writes to stderr, for people. A stderr that cannot be written is no failure.
pub fn tell(text: &str) {
    let _ = io::stderr().write_all(shown_lines(text).as_bytes());
}

/// Writes a result to `path`, atomically, or to stdout.
///
/// # Errors
/// When it cannot be written.
pub fn deliver(path: Option<&Path>, text: &str) -> Result<(), Failure> {
    match path {
        Some(path) => Ok(files::write_atomically(path, text.as_bytes())?),
        None if text.starts_with(['{', '[']) => print_data(&escaped_json(text)),
        None => print(text),
    }
}

/// Refuses a file that could not be written, before a long computation instead of after it.
///
/// # Errors
/// What writing the file would say.
pub fn probe(path: &Path) -> Result<(), Failure> {
    let failed = |source| Failure::from(Error::file("write", path, source));
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(failed(io::Error::from(ErrorKind::IsADirectory))),
        Ok(found) if !found.is_file() => Ok(()),
        _ => probe_folder(files::folder_of(path)).map_err(failed),
    }
}

/// Makes a folder that is not there yet.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|source| Error::file("create", path, source).into())
}

/// Refuses a folder in which no file could be made, before a long computation; one that is not
/// there yet is judged by the nearest folder above it, and not made.
///
/// # Errors
/// What making it would say.
pub fn probe_new_folder(path: &Path) -> Result<(), Failure> {
    let failed = |source| Failure::from(Error::file("create", path, source));
    let here = Path::new(".");
    let mut above = path.ancestors().map(|folder| match folder.as_os_str() {
        name if name.is_empty() => here,
        _ => folder,
    });
    let above = above.find(|folder| folder.exists());
    probe_folder(above.unwrap_or(here)).map_err(failed)
}

/// Whether a file can be created in `folder`; what ended commands left there is removed.
///
/// # Errors
/// What the operating system says.
pub fn probe_folder(folder: &Path) -> io::Result<()> {
    files::sweep(folder, files::ABANDONED);
    // The name of the temporary file is of no use to anybody.
    files::probe(folder).map_err(|refused| io::Error::from(refused.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probing_leaves_nothing_and_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        probe(&folder.path().join("s.json")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let missing = folder.path().join("none").join("s.json");
        let refused = probe(&missing).unwrap_err();
        assert!(refused.message.contains("s.json"), "{refused:?}");
        assert!(probe(folder.path()).is_err());
    }
}
