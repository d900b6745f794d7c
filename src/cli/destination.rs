//! Where a result goes, and what it must not touch: no command overwrites what it reads, a file of a run,
//! or, unless told to, what somebody made or measured.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::output;
use crate::engine::finetune;
use crate::project;

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
    /// When there is a file with another content, or it cannot be written.
    pub fn deliver(&self, text: &str) -> Result<(), Failure> {
        let file = Destination::file(self.output.as_ref());
        if let Some(path) = file {
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

/// A file or a folder that a command reads.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// What it is, such as `the weights`.
    pub what: &'a str,
}

/// How much of a file tells who wrote it.
const HEAD: u64 = 1 << 16;
/// What every file of this program says of itself near its beginning.
const MARK: &[u8] = b"hawqeye";

/// Refuses an output that the command reads, or that belongs to a run; through links and other spellings,
/// and whatever was told.
///
/// # Errors
/// A sentence with both names.
pub fn refuse_input(output: &Path, inputs: &[Input]) -> Result<(), Failure> {
    let shown = output.display();
    for Input { path, what } in inputs {
        if is_same(output, path) || is_inside(output, path) && !is_ours(output) {
            return Err(Failure::failed(format!(
                "{shown} is {what}, which this command reads; write to another file"
            )));
        }
    }
    match owner(output) {
        Some((what, folder)) => Err(Failure::failed(format!(
            "{shown} is a file of the {what} in {}; write to another file",
            folder.display()
        ))),
        None => Ok(()),
    }
}

/// Refuses to overwrite what this program did not write.
///
/// # Errors
/// A sentence with the way to do it all the same.
pub fn refuse_foreign(output: &Path, force: bool) -> Result<(), Failure> {
    if force || !holds_something(output) || is_ours(output) {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} exists and was not written by hawqeye; choose another file, or overwrite it with --force",
        output.display()
    )))
}

/// Whether there is a regular file with anything in it.
#[must_use]
pub fn holds_something(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0)
}

fn is_ours(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.is_ok() && head.windows(MARK.len()).any(|window| window == MARK)
}

/// Whether two paths are one file, however they are spelt.
#[must_use]
pub fn is_same(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let place = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            Some((found.dev(), found.ino()))
        };
        place(a).is_some_and(|found| Some(found) == place(b))
    }
    #[cfg(not(unix))]
    {
        let place = |path: &Path| fs::canonicalize(path).ok();
        place(a).is_some_and(|found| Some(found) == place(b))
    }
}

/// Whether an existing file lies in a folder that is read.
fn is_inside(output: &Path, folder: &Path) -> bool {
    if !folder.is_dir() || finetune::holds_run(folder) {
        return false;
    }
    let place = |path: &Path| fs::canonicalize(path).ok();
    place(output)
        .zip(place(folder))
        .is_some_and(|(output, folder)| output.starts_with(folder))
}

/// The run or the project that a path would be a file of.
fn owner(output: &Path) -> Option<(&'static str, PathBuf)> {
    let followed = fs::canonicalize(output).unwrap_or_else(|_| output.to_owned());
    let folder = match followed.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = followed.file_name()?;
    let is_of = |files: &[&str]| files.iter().any(|file| name == *file);
    if is_of(&finetune::RUN_FILES) && finetune::holds_run(folder) {
        return Some(("run", folder.to_owned()));
    }
    (is_of(&project::FILES) && project::is_project(folder)).then(|| ("project", folder.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(output: &Path, inputs: &[Input]) -> bool {
        refuse_input(output, inputs).is_err()
    }

    #[test]
    fn a_dash_is_stdout() {
        let [dash, file] = ["-", "s.json"].map(|text| Destination::from(OsString::from(text)));
        assert_eq!(Destination::file(Some(&dash)), None);
        assert_eq!(Destination::file(Some(&file)), Some(Path::new("s.json")));
    }

    #[cfg(unix)]
    #[test]
    fn an_input_is_known_through_links_and_other_spellings() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("weights"), "w").unwrap();
        fs::write(at("other"), "o").unwrap();
        fs::create_dir(at("sub")).unwrap();
        std::os::unix::fs::symlink(at("weights"), at("link")).unwrap();
        fs::hard_link(at("weights"), at("hard")).unwrap();
        let path = at("weights");
        let inputs = [Input {
            path: &path,
            what: "the weights",
        }];
        for name in ["weights", "link", "hard", "sub/../weights"] {
            assert!(refused(&at(name), &inputs), "{name}");
        }
        assert!(!refused(&at("other"), &inputs));
        assert!(!refused(&at("new"), &inputs));
    }

    #[test]
    fn files_of_a_folder_that_is_read_and_of_a_run_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["data", "run"] {
            fs::create_dir(at(name)).unwrap();
        }
        fs::write(at("data/batch.bin"), "b").unwrap();
        fs::write(at("data/mine.json"), "hawqeye/sensitivity").unwrap();
        fs::write(at("run/settings.json"), "{}").unwrap();
        let path = at("data");
        let inputs = [Input {
            path: &path,
            what: "the images",
        }];
        assert!(refused(&at("data/batch.bin"), &inputs));
        assert!(!refused(&at("data/mine.json"), &inputs));
        assert!(!refused(&at("data/new.json"), &inputs));
        assert!(refused(&at("run/best.safetensors"), &[]));
        assert!(refused(&at("run/plan.toml"), &[]));
        assert!(!refused(&at("run/small.safetensors"), &[]));
        assert!(!refused(&at("plan.toml"), &[]));
    }

    #[test]
    fn what_others_wrote_is_overwritten_only_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("theirs"), "thesis").unwrap();
        fs::write(at("ours"), "format = \"hawqeye/plan\"").unwrap();
        fs::write(at("empty"), "").unwrap();
        assert!(refuse_foreign(&at("theirs"), false).is_err());
        assert!(refuse_foreign(&at("theirs"), true).is_ok());
        for name in ["ours", "empty", "none"] {
            assert!(refuse_foreign(&at(name), false).is_ok(), "{name}");
        }
    }
}
