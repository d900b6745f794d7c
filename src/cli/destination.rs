//! Where a result goes: a file or stdout.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::output;
pub use crate::overwriting::{Input, Kind, holds_something, is_same, refuse_input, refuse_origin};

use crate::overwriting::occupant;

/// Where a result goes: a file, or stdout for `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl From<OsString> for Destination {
    fn from(text: OsString) -> Self {
        if text == "-" {
            Self::Stdout
        } else {
            Self::File(text.into())
        }
    }
}

impl Destination {
    /// The file of `-o`; none when the result goes to stdout.
    #[must_use]
    pub fn file(asked: Option<&Self>) -> Option<&Path> {
        match asked {
            Some(Self::File(path)) => Some(path),
            Some(Self::Stdout) | None => None,
        }
    }
}

/// Where a text goes that is made from nothing.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ToFile {
    /// File, or - for stdout [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<Destination>,
    /// Overwrite a file with another content
    #[arg(long)]
    pub force: bool,
}

impl ToFile {
    /// Writes the text.
    ///
    /// # Errors
    /// When it is an input or a file of a run or a project, when there is a file with another content, or
    /// it cannot be written.
    pub fn deliver(&self, text: &str, inputs: &[Input]) -> Result<(), Failure> {
        let file = Destination::file(self.output.as_ref());
        if let Some(path) = file {
            refuse_input(path, inputs)?;
            let is_there = || fs::read(path).is_ok_and(|there| there == text.as_bytes());
            if !self.force && holds_something(path) && !is_there() {
                return Err(Failure::failed(format!(
                    "{} exists with another content; choose another file, or overwrite it with --force",
                    path.display()
                )));
            }
            output::probe(path)?;
        }
        output::deliver(file, text)
    }
}

/// Refuses to overwrite anything but an earlier result of a kind.
///
/// # Errors
/// A sentence with the way to do it all the same.
pub fn refuse_others(output: &Path, own: Kind, force: bool) -> Result<(), Failure> {
    let there = occupant(output, own).filter(|_| !force);
    there.map_or(Ok(()), |there| {
        Err(Failure::failed(format!(
            "{} {there}; choose another file, or overwrite it with --force",
            output.display()
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_is_stdout() {
        let [dash, file] = ["-", "s.json"].map(|text| Destination::from(OsString::from(text)));
        assert_eq!(Destination::file(Some(&dash)), None);
        assert_eq!(Destination::file(Some(&file)), Some(Path::new("s.json")));
    }
}
