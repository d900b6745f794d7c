//! Where a network comes from: the `--model` option.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Architecture;
use crate::engine::{Error, Result};

/// Endings of the files that hold a whole network.
pub const ENDINGS: [&str; 2] = ["pt2", "onnx"];

/// What files of any network are called.
const SAY_NOTHING: [&str; 9] = [
    "model", "network", "net", "best", "last", "final", "weights", "export", "exported",
];

/// Where a network comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ModelSource {
    /// A network that is known by name.
    Preset(Architecture),
    /// A file that holds the whole network.
    File(PathBuf),
}

impl ModelSource {
    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Preset(_) => None,
            Self::File(path) => Some(path),
        }
    }

    /// What the network is called: the preset, or the file without its ending.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Preset(architecture) => architecture.to_string(),
            Self::File(path) => named(path),
        }
    }
}

/// A file without its ending; behind its folder where that says more.
fn named(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    let stem = stem.to_string_lossy().into_owned();
    let folder = path.parent().and_then(Path::file_name);
    match folder {
        Some(folder) if SAY_NOTHING.contains(&&*stem.to_lowercase()) => {
            format!("{}-{stem}", folder.to_string_lossy())
        }
        _ => stem,
    }
}

impl FromStr for ModelSource {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let path = Path::new(text);
        if let Ok(architecture) = text.parse() {
            return Ok(Self::Preset(architecture));
        }
        let ending = path.extension().and_then(|ending| ending.to_str());
        let is_named_so = ending.is_some_and(|found| {
            ENDINGS
                .iter()
                .any(|ending| found.eq_ignore_ascii_case(ending))
        });
        if is_named_so || path.components().count() > 1 {
            return Ok(Self::File(path.to_owned()));
        }
        Err(Error::invalid(format!(
            "model {text:?}: expected a file of a network (FILE.pt2, FILE.onnx) or one of {}",
            Architecture::NAMES.join(", ")
        )))
    }
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset(architecture) => architecture.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_and_files_are_told_apart() {
        let read = |text: &str| text.parse::<ModelSource>();
        assert!(matches!(read("resnet20"), Ok(ModelSource::Preset(_))));
        for file in ["net.pt2", "a/resnet20.ONNX", "./resnet20"] {
            let source = read(file).unwrap();
            assert_eq!(source.file(), Some(Path::new(file)));
            assert_eq!(source.to_string(), file);
        }
        assert_eq!(read("a/resnet20.onnx").unwrap().name(), "resnet20");
        assert_eq!(
            read("a/keywords/model.pt2").unwrap().name(),
            "keywords-model"
        );
        assert_eq!(read("model.pt2").unwrap().name(), "model");
        let error = read("resnet21").unwrap_err().to_string();
        assert!(
            error.contains("FILE.pt2") && error.contains("resnet56"),
            "{error}"
        );
    }
}
