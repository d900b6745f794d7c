//! Where images come from: the `--data` option.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use super::{Dataset, Reading, arrays, cifar, demo, divided, folder, idx, mnist, nearby};
use crate::engine::score::Split;
use crate::engine::{Error, Result};

/// What `--data` accepts.
const ACCEPTED: &str = "demo, cifar10:DIR, fashion-mnist:DIR, mnist:DIR, idx:DIR, npz:FILE, \
    npy:X,Y or folder:DIR";

/// The kind of set that lies in two files.
const NPY: &str = "npy";

/// One of the two sets of files that a data set comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// All training images; held-out ones are among them until [`super::split_train`].
    Train,
    /// The test images.
    Test,
}

impl Part {
    const fn other(self) -> Self {
        match self {
            Self::Train => Self::Test,
            Self::Test => Self::Train,
        }
    }
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
    /// The same of MNIST and its kin.
    Mnist(PathBuf),
    /// A folder with IDX files of any extents.
    Idx(PathBuf),
    /// A file of NumPy's arrays.
    Npz(PathBuf),
    /// A file of one array of images, and one of labels.
    Npy {
        /// The images.
        images: PathBuf,
        /// The labels.
        labels: PathBuf,
    },
    /// A folder of pictures in folders of classes.
    Folder(PathBuf),
}

/// A kind of set that lies somewhere.
struct Kind {
    name: &'static str,
    /// What follows the colon.
    takes: &'static str,
    of: fn(&str) -> Option<DataSpec>,
}

const KINDS: [Kind; 7] = [
    Kind {
        name: cifar::NAME,
        takes: "DIR",
        of: |path| Some(DataSpec::Cifar10(path.into())),
    },
    Kind {
        name: idx::NAME,
        takes: "DIR",
        of: |path| Some(DataSpec::FashionMnist(path.into())),
    },
    Kind {
        name: mnist::MNIST,
        takes: "DIR",
        of: |path| Some(DataSpec::Mnist(path.into())),
    },
    Kind {
        name: mnist::NAME,
        takes: "DIR",
        of: |path| Some(DataSpec::Idx(path.into())),
    },
    Kind {
        name: "npz",
        takes: "FILE",
        of: |path| Some(DataSpec::Npz(path.into())),
    },
    Kind {
        name: NPY,
        takes: "X,Y",
        of: |paths| {
            let (images, labels) = paths.split_once(',')?;
            let both = !images.is_empty() && !labels.is_empty();
            both.then(|| DataSpec::Npy {
                images: images.into(),
                labels: labels.into(),
            })
        },
    },
    Kind {
        name: "folder",
        takes: "DIR",
        of: |path| Some(DataSpec::Folder(path.into())),
    },
];

impl DataSpec {
    /// Whether a name is one that a path follows, behind a colon.
    #[must_use]
    pub fn has_path(name: &str) -> bool {
        KINDS.iter().any(|kind| kind.name == name)
    }

    /// What a set is asked for with, up to where it lies: `demo`, `npz:`, `folder:`, ...
    pub fn kinds() -> impl Iterator<Item = String> {
        let placed = KINDS.iter().map(|kind| format!("{}:", kind.name));
        std::iter::once(demo::NAME.to_owned()).chain(placed)
    }

    /// Whether two paths follow the name, with a comma between them.
    #[must_use]
    pub fn has_two_paths(name: &str) -> bool {
        name == NPY
    }

    /// How a set of this name in results is asked for: `npz:FILE` for `npz:kws01.npz`.
    #[must_use]
    pub fn form(name: &str) -> String {
        let kind = name.split(':').next().unwrap_or(name);
        let takes = KINDS.iter().find(|known| known.name == kind);
        format!("{kind}:{}", takes.map_or("DIR", |known| known.takes))
    }

    /// The kind of the data set, without where it lies.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Demo => demo::NAME,
            Self::Cifar10(_) => cifar::NAME,
            Self::FashionMnist(_) => idx::NAME,
            Self::Mnist(_) => mnist::MNIST,
            Self::Idx(_) => mnist::NAME,
            Self::Npz(_) => "npz",
            Self::Npy { .. } => NPY,
            Self::Folder(_) => "folder",
        }
    }

    /// Whether the set has classes that are always the same.
    #[must_use]
    pub const fn has_own_classes(&self) -> bool {
        matches!(self, Self::Demo | Self::Cifar10(_) | Self::FashionMnist(_))
    }

    /// The files or folders that are read; none for the demo.
    #[must_use]
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Demo => Vec::new(),
            Self::Cifar10(path)
            | Self::FashionMnist(path)
            | Self::Mnist(path)
            | Self::Idx(path)
            | Self::Npz(path)
            | Self::Folder(path) => vec![path],
            Self::Npy { images, labels } => vec![images, labels],
        }
    }

    /// The same set with every path changed.
    #[must_use]
    pub fn with_paths(&self, change: impl Fn(&Path) -> PathBuf) -> Self {
        match self {
            Self::Demo => Self::Demo,
            Self::Cifar10(path) => Self::Cifar10(change(path)),
            Self::FashionMnist(path) => Self::FashionMnist(change(path)),
            Self::Mnist(path) => Self::Mnist(change(path)),
            Self::Idx(path) => Self::Idx(change(path)),
            Self::Npz(path) => Self::Npz(change(path)),
            Self::Npy { images, labels } => Self::Npy {
                images: change(images),
                labels: change(labels),
            },
            Self::Folder(path) => Self::Folder(change(path)),
        }
    }

    /// Reads one part as it is; the files of the other are not touched.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Format`] naming the file and what was expected of it.
    pub fn load(&self, part: Part) -> Result<Dataset> {
        self.read(part, &Reading::default())
    }

    /// Reads one part; the files of the other are not touched.
    ///
    /// # Errors
    /// As [`load`](Self::load), and when what is asked for does not suit the set.
    pub fn read(&self, part: Part, reading: &Reading) -> Result<Dataset> {
        reading.preprocessing.check()?;
        let own = |dataset: Result<Dataset>| {
            reading.refuse_lists(self.name())?;
            reading.reshaped(dataset?)
        };
        if !matches!(self, Self::Folder(_)) {
            reading.refuse_table(self.name())?;
        }
        match self {
            Self::Demo => own(demo::load(part)),
            Self::Cifar10(folder) => own(cifar::load(folder, part)),
            Self::FashionMnist(folder) => own(idx::load(folder, part)),
            Self::Mnist(folder) | Self::Idx(folder) => {
                mnist::load((self.name(), folder), part, reading)
            }
            Self::Npz(file) => arrays::npz(file, part, reading),
            Self::Npy { images, labels } => arrays::npy(images, labels, reading),
            Self::Folder(at) => folder::load(at, part, reading),
        }
    }
}

impl FromStr for DataSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, rest) = match text.split_once(':') {
            Some((name, rest)) => (name, Some(rest)),
            None => (text, None),
        };
        match (name, rest) {
            ("demo", None) => return Ok(Self::Demo),
            ("demo", Some(_)) => {
                return Err(Error::invalid("demo is embedded and takes no folder"));
            }
            _ => {}
        }
        let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
            return Err(Error::invalid(format!(
                "unknown data `{text}`: expected {ACCEPTED}"
            )));
        };
        let rest = rest.filter(|rest| !rest.is_empty());
        rest.and_then(kind.of).ok_or_else(|| {
            let what = match kind.takes {
                "DIR" => "the folder of its files",
                "FILE" => "its file",
                _ => "its two files, images and labels",
            };
            Error::invalid(format!("{name} needs {what}: {name}:{}", kind.takes))
        })
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())?;
        let mut separator = ':';
        for path in self.paths() {
            write!(formatter, "{separator}{}", path.display())?;
            separator = ',';
        }
        Ok(())
    }
}

/// A data set whose parts are read when they are first asked for.
#[derive(Debug)]
pub struct DataSource {
    /// What is read.
    pub spec: DataSpec,
    /// How it is read.
    pub reading: Reading,
    /// Seed by which a set in one part is divided, where it is.
    held_out: Option<u64>,
    train: OnceLock<Dataset>,
    test: OnceLock<Dataset>,
}

impl DataSource {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(spec: DataSpec) -> Self {
        Self {
            spec,
            reading: Reading::default(),
            held_out: None,
            train: OnceLock::new(),
            test: OnceLock::new(),
        }
    }

    /// The same, read in another way.
    #[must_use]
    pub fn read_as(self, reading: Reading) -> Self {
        Self {
            reading,
            ..Self::new(self.spec)
        }
    }

    /// The same, where a set in one part is divided: a fifth, drawn with `seed`, are test images.
    #[must_use]
    pub fn holding_out(self, seed: u64) -> Self {
        Self {
            held_out: Some(seed),
            reading: self.reading,
            ..Self::new(self.spec)
        }
    }

    /// Divides a set in one part that was read as a whole.
    ///
    /// # Errors
    /// When it is too small, or cannot be read.
    pub fn hold_out(&mut self, seed: u64) -> Result<()> {
        self.held_out = Some(seed);
        let whole = self.part(Part::Train)?.clone();
        if whole.origin.whole {
            let (train, test) = divided(&whole, seed)?;
            (self.train, self.test) = (train.into(), test.into());
        }
        Ok(())
    }

    /// One part, read now if it was not before. A set in one part is both.
    ///
    /// # Errors
    /// Those of [`DataSpec::read`].
    pub fn part(&self, part: Part) -> Result<&Dataset> {
        let place = |part| match part {
            Part::Train => &self.train,
            Part::Test => &self.test,
        };
        if let Some(loaded) = place(part).get() {
            return Ok(loaded);
        }
        let loaded = match place(part.other()).get() {
            Some(other) if other.origin.whole => other.clone(),
            _ => self.spec.read(part, &self.reading)?,
        };
        let (Some(seed), true) = (self.held_out, loaded.origin.whole) else {
            return Ok(place(part).get_or_init(|| loaded));
        };
        let (train, test) = divided(&loaded, seed)?;
        self.train.get_or_init(|| train);
        self.test.get_or_init(|| test);
        Ok(place(part).get_or_init(|| loaded))
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
        for text in [
            "demo",
            "cifar10:some/dir",
            "fashion-mnist:/a:b",
            "mnist:d",
            "idx:d",
            "npz:a b.npz",
            "npy:x.npy,y.npy",
            "folder:photos",
        ] {
            assert_eq!(text.parse::<DataSpec>().unwrap().to_string(), text);
        }
        let read: DataSpec = "npy:a,b".parse().unwrap();
        assert_eq!(read.paths(), [Path::new("a"), Path::new("b")]);
        let moved = read.with_paths(|path| Path::new("/r").join(path));
        assert_eq!(moved.to_string(), "npy:/r/a,/r/b");
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
        assert_eq!(refused("npz:"), "npz needs its file: npz:FILE");
        let two = "npy needs its two files, images and labels: npy:X,Y";
        for text in ["npy", "npy:x", "npy:x,", "npy:,y"] {
            assert_eq!(refused(text), two);
        }
        assert_eq!(DataSpec::form("npz:kws01.npz"), "npz:FILE");
        assert_eq!(DataSpec::form("cifar10"), "cifar10:DIR");
        let unknown = "unknown data `cifar`: expected demo, cifar10:DIR, fashion-mnist:DIR, \
            mnist:DIR, idx:DIR, npz:FILE, npy:X,Y or folder:DIR";
        assert_eq!(refused("cifar"), unknown);
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

    #[test]
    fn what_does_not_suit_a_set_is_refused() {
        let list = Reading {
            classes: Some("c.txt".into()),
            ..Reading::default()
        };
        let refused = |reading: &Reading| {
            let read = DataSpec::Demo.read(Part::Test, reading);
            read.unwrap_err().to_string()
        };
        assert!(refused(&list).contains("leave --classes out"));
        let table = Reading {
            labels: Some("l.csv".into()),
            ..Reading::default()
        };
        assert!(refused(&table).contains("demo is no folder"));
    }

    #[test]
    fn embedded_images_are_resized_as_asked_for() {
        let reading = Reading {
            preprocessing: toml::from_str("size = [14, 20]\nchannels = \"rgb\"").unwrap(),
            ..Reading::default()
        };
        let read = DataSpec::Demo.read(Part::Test, &reading).unwrap();
        assert_eq!((read.channels, read.height, read.width), (3, 14, 20));
        assert_eq!(read.len(), demo::TEST_IMAGES);
        let plain = DataSpec::Demo.load(Part::Test).unwrap();
        assert_ne!(read.checksum(), plain.checksum());
    }
}
