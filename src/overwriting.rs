//! What a result must not be written over, for both front ends: no command overwrites what it reads, a
//! file of a run or a project, or, unless told to, anything but an earlier result of its own kind.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::engine::{Error, Result, files, finetune};
use crate::project;

/// A file or a folder that a command reads.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// What it is, such as `the weights`.
    pub what: &'a str,
}

/// A result of this program, as its file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sensitivity file.
    Measurements,
    /// A plan.
    Plan,
    /// An exported network.
    Export,
    /// What lies beside an exported network.
    Description,
    /// A report.
    Report,
}

impl Kind {
    /// In words, behind the name of a file.
    const fn told(self) -> &'static str {
        match self {
            Self::Measurements => "holds measurements",
            Self::Plan => "is a plan",
            Self::Export => "is an exported network",
            Self::Description => "describes an exported network",
            Self::Report => "is a report",
        }
    }
}

/// How much of a file tells who wrote it.
const HEAD: u64 = 1 << 16;
/// What every file of this program says of itself near its beginning.
const MARK: &[u8] = b"hawqeye";
/// What texts of this program say of themselves.
const MARKS: [(&[u8], Kind); 3] = [
    (b"hawqeye/sensitivity", Kind::Measurements),
    (b"hawqeye/plan", Kind::Plan),
    (b"hawqeye/quantization", Kind::Description),
];

/// What the metadata of exported networks hold; those of older programs only the second.
const MARKS_OF_EXPORTS: [&[u8]; 2] = [b"\"hawqeye/sha256\"", b"\"hawqeye/packed\""];

/// Refuses to write an export over the file that the weights of its run came from, whatever was told.
///
/// # Errors
/// A sentence with the file.
pub fn refuse_origin(output: &Path, weights_sha256: &str) -> Result<()> {
    // Behind the checksum may be the name of a set.
    if holds_something(output) && weights_sha256.starts_with(&files::sha256_of_file(output)?) {
        return Err(Error::invalid(format!(
            "{} holds the weights that the run was trained from; write to another file",
            output.display()
        )));
    }
    Ok(())
}

/// Refuses an output that the command reads, or that belongs to a run or a project; through links and
/// other spellings, and whatever was told.
///
/// # Errors
/// A sentence with both names.
pub fn refuse_input(output: &Path, inputs: &[Input]) -> Result<()> {
    let shown = output.display();
    for Input { path, what } in inputs {
        if is_same(output, path) || is_inside(output, path) && kind(output).is_none() {
            return Err(Error::invalid(format!(
                "{shown} is {what}, which this command reads; write to another file"
            )));
        }
    }
    match owner(output) {
        Some((what, folder)) => Err(Error::invalid(format!(
            "{shown} is a file of the {what} in {}; write to another file",
            folder.display()
        ))),
        None => Ok(()),
    }
}

/// What stands where a result of a kind is to be written and is no such result: words behind its name.
/// Nothing when there is nothing, or an earlier result.
#[must_use]
pub fn occupant(output: &Path, own: Kind) -> Option<&'static str> {
    if !holds_something(output) {
        return None;
    }
    match kind(output) {
        Some(there) if there == own => None,
        Some(there) => Some(there.told()),
        None => Some("exists and was not written by hawqeye"),
    }
}

/// Whether there is a regular file with anything in it.
#[must_use]
pub fn holds_something(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0)
}

/// Which result of this program a file is.
fn kind(path: &Path) -> Option<Kind> {
    let mut head = Vec::new();
    let file = File::open(path).ok()?;
    file.take(HEAD).read_to_end(&mut head).ok()?;
    let holds = |mark: &[u8]| head.windows(mark.len()).any(|window| window == mark);
    if is_export(&head) {
        return Some(Kind::Export);
    }
    // Binary files of others name many programs.
    if !holds(MARK) || head.contains(&0) {
        return None;
    }
    let is_page = head.trim_ascii_start().first() == Some(&b'<');
    if is_page {
        return Some(Kind::Report);
    }
    let mut marks = MARKS.iter().filter(|(mark, _)| holds(mark));
    marks.next().map(|(_, kind)| *kind)
}

/// Whether this is the beginning of an exported network: a safetensors file whose metadata say so, or an ONNX
/// file that names this program as its producer, as the format has it (fields 1 and 2).
fn is_export(head: &[u8]) -> bool {
    let metadata = head.get(8..).is_some_and(|text| {
        let holds = |mark: &[u8]| text.windows(mark.len()).any(|window| window == mark);
        text.starts_with(b"{\"__metadata__\":{") && MARKS_OF_EXPORTS.into_iter().any(holds)
    });
    let producer = match head {
        [0x08, version, 0x12, rest @ ..] if *version < 0x80 => Some(rest),
        _ => None,
    };
    let produced = producer.and_then(|rest| rest.split_first());
    metadata
        || produced.is_some_and(|(&length, name)| {
            usize::from(length) == MARK.len() && name.starts_with(MARK)
        })
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
    fn a_result_takes_the_place_of_an_earlier_one_of_its_kind_only() {
        let folder = tempfile::tempdir().unwrap();
        let kinds = [
            ("{\"format\": \"hawqeye/sensitivity\"}", Kind::Measurements),
            ("format = \"hawqeye/plan\"", Kind::Plan),
            (
                "\u{30}\0\0\0\0\0\0\0{\"__metadata__\":{\"hawqeye/sha256\":\"0\"}}",
                Kind::Export,
            ),
            ("\u{8}\u{9}\u{12}\u{7}hawqeye\u{1a}\u{5}0.1.0", Kind::Export),
            ("{\"format\": \"hawqeye/quantization\"}", Kind::Description),
            ("<!doctype html> hawqeye/plan", Kind::Report),
        ];
        for (text, there) in kinds {
            let path = folder.path().join("file");
            fs::write(&path, text).unwrap();
            for (_, own) in kinds {
                assert_eq!(
                    occupant(&path, own).is_none(),
                    own == there,
                    "{text} {own:?}"
                );
            }
        }
        for (text, stays) in [
            ("thesis", true),
            ("# colours of hawqeye", true),
            ("PK\0\0/venvs/hawqeye/lib/torch", true),
            ("\u{8}\u{9}\u{12}\u{7}pytorch\0/venvs/hawqeye/lib", true),
            ("\u{30}\0\0\0\0\0\0\0{\"hawqeye.weight\":{}}", true),
            ("", false),
        ] {
            let path = folder.path().join("theirs");
            fs::write(&path, text).unwrap();
            assert_eq!(occupant(&path, Kind::Plan).is_some(), stays, "{text}");
        }
        assert_eq!(occupant(&folder.path().join("none"), Kind::Plan), None);
    }
}
