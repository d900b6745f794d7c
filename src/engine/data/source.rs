//! Where images come from: the `--data` option.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use super::{Dataset, cifar, demo, idx, nearby};
use crate::engine::job::Split;
use crate::engine::{Error, Result};

/// What `--data` accepts.
const ACCEPTED: &str = "demo, cifar10:DIR or fashion-mnist:DIR";

/// One of the two sets of files that a data set comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// All training images; held-out ones are among them until [`super::split_train`].
    Train,
    /// The test images.
    Test,
}

impl From<Split> for Part {
    /// The part whose files hold the images of `split`.
    fn from(split: Split) -> Self {
        match split {
            Split::Train | Split::Validation => Self::Train,
            Split::Test => Self::Test,
        }
    }
}

/// A data set and where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DataSpec {
    /// The part of Fashion-MNIST embedded in the program.
    Demo,
    /// A folder with the binary version of CIFAR-10.
    Cifar10(PathBuf),
    /// A folder with the IDX files of Fashion-MNIST, plain or compressed.
    FashionMnist(PathBuf),
}

impl DataSpec {
    /// The names that a folder follows, behind a colon.
    pub const WITH_FOLDER: [&'static str; 2] = [cifar::NAME, idx::NAME];

    /// The data set's name, without the folder.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Demo => demo::NAME,
            Self::Cifar10(_) => cifar::NAME,
            Self::FashionMnist(_) => idx::NAME,
        }
    }

    /// The folder that is read; `None` for the demo.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Demo => None,
            Self::Cifar10(folder) | Self::FashionMnist(folder) => Some(folder),
        }
    }

    /// Reads one part; the files of the other are not touched.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Format`] naming the file and what was expected of it.
    pub fn load(&self, part: Part) -> Result<Dataset> {
        match self {
            Self::Demo => demo::load(part),
            Self::Cifar10(folder) => cifar::load(folder, part),
            Self::FashionMnist(folder) => idx::load(folder, part),
        }
    }
}

impl FromStr for DataSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, folder) = match text.split_once(':') {
            Some((name, folder)) => (name, Some(folder)),
            None => (text, None),
        };
        match (name, folder) {
            ("demo", None) => Ok(Self::Demo),
            ("demo", Some(_)) => Err(Error::invalid("demo is embedded and takes no folder")),
            ("cifar10" | "fashion-mnist", None | Some("")) => Err(Error::invalid(format!(
                "{name} needs the folder of its files: {name}:DIR"
            ))),
            ("cifar10", Some(folder)) => Ok(Self::Cifar10(folder.into())),
            ("fashion-mnist", Some(folder)) => Ok(Self::FashionMnist(folder.into())),
            ("folder", _) => Err(Error::invalid(format!(
                "folder:DIR is not supported yet; use {ACCEPTED}"
            ))),
            _ => Err(Error::invalid(format!(
                "unknown data `{text}`: expected {ACCEPTED}"
            ))),
        }
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.folder() {
            None => formatter.write_str(self.name()),
            Some(folder) => write!(formatter, "{}:{}", self.name(), folder.display()),
        }
    }
}

/// A data set whose parts are read when they are first asked for.
#[derive(Debug)]
pub struct DataSource {
    /// What is read.
    pub spec: DataSpec,
    train: OnceLock<Dataset>,
    test: OnceLock<Dataset>,
}

impl DataSource {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(spec: DataSpec) -> Self {
        Self {
            spec,
            train: OnceLock::new(),
            test: OnceLock::new(),
        }
    }

    /// One part, read now if it was not before.
    ///
    /// # Errors
    /// Those of [`DataSpec::load`].
    pub fn part(&self, part: Part) -> Result<&Dataset> {
        let place = match part {
            Part::Train => &self.train,
            Part::Test => &self.test,
        };
        if let Some(loaded) = place.get() {
            return Ok(loaded);
        }
        let loaded = self.spec.load(part)?;
        Ok(place.get_or_init(|| loaded))
    }
}

/// A file that a data set needs is not there; the names of some that are, are told.
pub(super) fn missing(folder: &Path, file: &str, expected: &str) -> Error {
    /// Names that are told.
    const TOLD: usize = 6;
    if folder.is_dir() {
        let names = nearby::names(folder);
        let told = names.iter().take(TOLD).map(String::as_str);
        let there = match names.len() {
            0 => "the folder is empty".to_owned(),
            1..=TOLD => format!("there is {}", told.collect::<Vec<_>>().join(", ")),
            more => {
                let told = told.collect::<Vec<_>>().join(", ");
                format!("there is {told} and {} more", more - TOLD)
            }
        };
        Error::format(
            &folder.join(file),
            format!("file not found; expected {expected}; {there}"),
        )
    } else {
        Error::format(
            folder,
            format!("folder not found; expected one with {expected}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spec_reads_back_from_its_text() {
        for text in ["demo", "cifar10:some/dir", "fashion-mnist:/a:b"] {
            assert_eq!(text.parse::<DataSpec>().unwrap().to_string(), text);
        }
        assert_eq!(
            "cifar10:~/x".parse::<DataSpec>().unwrap().folder(),
            Some(Path::new("~/x"))
        );
    }

    #[test]
    fn other_specs_are_refused_with_what_is_accepted() {
        let refused = |text: &str| text.parse::<DataSpec>().unwrap_err().to_string();
        assert_eq!(
            refused("cifar10"),
            "cifar10 needs the folder of its files: cifar10:DIR"
        );
        assert_eq!(
            refused("cifar10:"),
            "cifar10 needs the folder of its files: cifar10:DIR"
        );
        assert_eq!(refused("demo:x"), "demo is embedded and takes no folder");
        assert!(refused("folder:x").contains("not supported yet"));
        let unknown = "unknown data `mnist`: expected demo, cifar10:DIR or fashion-mnist:DIR";
        assert_eq!(refused("mnist"), unknown);
    }

    #[test]
    fn held_out_images_lie_in_the_training_files() {
        assert_eq!(Part::from(Split::Validation), Part::Train);
        assert_eq!(Part::from(Split::Test), Part::Test);
    }

    #[test]
    fn a_source_reads_a_part_once() {
        let source = DataSource::new(DataSpec::Demo);
        let first: *const Dataset = source.part(Part::Test).unwrap();
        assert!(std::ptr::eq(first, source.part(Part::Test).unwrap()));
    }
}
