//! The folder of a project as both front ends know it: its name, the places of its files, and the
//! inputs it was made with.
//!
//! ```text
//! <data folder>/projects/<name>/
//!   inputs.toml  session.toml  sensitivity.json[.partial]  plan.toml  runs/001/  exports/
//!   worker/  hawqeye.log  lock
//! ```

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::Result;
use crate::engine::data::preprocessing::Preprocessing;
use crate::engine::data::{DataSpec, Reading};
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::memory::Memory;
use crate::engine::model::ModelSource;
use crate::engine::text::{self, Wanted};

/// Largest text file of a project.
const LIMIT: u64 = 64 << 20;

/// Files and folders of a project that, like measurements, tell that a folder is one.
const MARKS: [&str; 5] = [
    "inputs.toml",
    "session.toml",
    "plan.toml",
    "runs",
    "hawqeye.log",
];

/// Files of a project that only the application writes.
pub const FILES: [&str; 8] = [
    "inputs.toml",
    "session.toml",
    "plan.toml",
    "sensitivity.json",
    "sensitivity.json.partial",
    "hawqeye.log",
    "lock",
    "heartbeat",
];

/// Whether the application has worked in a folder: what else is there may be anybody's.
#[must_use]
pub fn is_project(folder: &Path) -> bool {
    ["session.toml", "hawqeye.log"]
        .iter()
        .any(|name| folder.join(name).exists())
}

/// The inputs a project was made with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InputFile {
    /// A preset, or the path of a file of a network.
    pub model: String,
    /// Weights file; absent: embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// What the names of the set of weights in it begin with; absent: it holds one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_key: Option<String>,
    /// Data as on the command line.
    pub data: String,
    /// Means of the channels; absent: the architecture's usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f32>>,
    /// Standard deviations of the channels; absent: the architecture's usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f32>>,
    /// Seed of everything left to chance; absent: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// File with the names of the classes; absent: the data know them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<PathBuf>,
    /// Table of files and labels; absent: folders tell them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// SHA-256 of the weights when they were last loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// Fingerprint of model and data when they were last loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// What is done to pictures; what is absent is as usual for the network.
    #[serde(skip_serializing_if = "Preprocessing::is_empty")]
    pub input: Preprocessing,
}

impl InputFile {
    /// Reads the file of a project.
    ///
    /// # Errors
    /// When it cannot be read or is no inputs file.
    pub fn read(path: &Path) -> Result<Self> {
        read_toml(path)
    }

    /// The files and folders that they name.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let model = self.model.parse::<ModelSource>().ok();
        let model = model.and_then(|model| model.file().map(Path::to_owned));
        let data = self.data.parse::<DataSpec>();
        let data = data.map(|spec| spec.paths().into_iter().map(Path::to_owned).collect());
        let named = [&self.weights, &self.classes, &self.labels];
        let named = named.into_iter().flatten().cloned();
        named
            .chain(model)
            .chain(data.unwrap_or_else(|_| Vec::new()))
            .collect()
    }

    /// What the network is called.
    #[must_use]
    pub fn model_name(&self) -> String {
        let source = self.model.parse::<ModelSource>();
        source.map_or_else(|_| self.model.clone(), |source| source.name())
    }

    /// Whether these inputs name another network or other data than `other`, whose files are still
    /// there: where they are gone, they may have been moved.
    #[must_use]
    pub fn is_of_other_files(&self, other: &Self) -> bool {
        let data = |inputs: &Self| inputs.data.parse::<DataSpec>();
        let has_files = match data(self) {
            Ok(spec) => spec.paths().iter().all(|path| path.exists()),
            Err(_) => false,
        };
        let other_data = self.data != other.data && has_files;
        let model = |inputs: &Self| inputs.model.parse::<ModelSource>();
        let other_model = match (model(self), model(other)) {
            (Ok(ModelSource::File(own)), Ok(wanted)) => {
                wanted.file() != Some(&*own) && own.exists()
            }
            _ => self.model != other.model,
        };
        other_data || other_model
    }

    /// The same with every path named from the root: a project is opened again from anywhere.
    #[must_use]
    pub fn absolute(self) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let model = match self.model.parse::<ModelSource>() {
            Ok(ModelSource::File(path)) => absolute(&path).display().to_string(),
            _ => self.model,
        };
        let data = match self.data.parse::<DataSpec>() {
            Ok(spec) => spec.with_paths(absolute).to_string(),
            Err(_) => self.data,
        };
        let file = |path: Option<PathBuf>| path.map(|path| absolute(&path));
        Self {
            model,
            data,
            weights: file(self.weights),
            classes: file(self.classes),
            labels: file(self.labels),
            ..self
        }
    }

    /// A name for a project of these inputs below the user's data folder: that of the network and the
    /// data; numbered where projects of other files have it.
    #[must_use]
    pub fn project_name(&self, data: &Path) -> String {
        let kind = self.data.split(':').next().unwrap_or_default();
        let plain = |c: char| if is_name(&format!("a{c}")) { c } else { '-' };
        let model: String = self.model_name().chars().map(plain).collect();
        let base = format!("{}-{kind}", model.trim_start_matches('.'));
        let is_free = |name: &String| {
            let path = folder(data, name).join("inputs.toml");
            Self::read(&path).map_or(true, |kept| !kept.is_of_other_files(self))
        };
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let mut names = std::iter::once(base.clone()).chain(numbered);
        names.find(is_free).unwrap_or(base)
    }

    /// What is done to pictures, by the keys of earlier versions too.
    #[must_use]
    pub fn preprocessing(&self) -> Preprocessing {
        self.input.clone().or(Preprocessing {
            mean: self.mean.clone(),
            std: self.std.clone(),
            ..Preprocessing::default()
        })
    }

    /// How the data are read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading {
            preprocessing: self.preprocessing(),
            classes: self.classes.clone(),
            labels: self.labels.clone(),
            expected: None,
            memory: Memory::of_machine(),
        }
    }
}

/// Reads a text file of a project.
///
/// # Errors
/// When it cannot be read or is no text.
pub fn read_text(path: &Path) -> Result<String> {
    text::read(path, LIMIT)
}

/// Reads a TOML file of a project.
///
/// # Errors
/// When it cannot be read or is not what is expected; with the line and the next step.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    text::read_toml(path, &wanted(path))
}

/// What a TOML file of a project is, by its name.
fn wanted(path: &Path) -> Wanted<'static> {
    let is = |name: &str| path.file_name().is_some_and(|found| found == name);
    let (what, next) = if is("session.toml") {
        (
            "the session of a project",
            "it holds nothing but how the screens were left: mend it now, or it is kept under another \
             name when the screens are left again",
        )
    } else {
        (
            "the inputs of a project",
            "mend it, or remove it and name model and data again",
        )
    };
    Wanted {
        what,
        next,
        limit: LIMIT,
    }
}

/// Whether a name can be that of a project: it becomes the name of a folder.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.".contains(c))
}

/// The folder of the project of this name, below the user's data folder.
#[must_use]
pub fn folder(data: &Path, name: &str) -> PathBuf {
    data.join("projects").join(name)
}

/// Whether a folder holds a project.
#[must_use]
pub fn holds_project(folder: &Path) -> bool {
    MARKS.iter().any(|name| folder.join(name).exists()) || sensitivity(folder).exists()
}

/// Where measurements are: those of an analysis under way come before finished ones.
#[must_use]
pub fn sensitivity(folder: &Path) -> PathBuf {
    let finished = folder.join("sensitivity.json");
    let unfinished = Sensitivity::unfinished(&finished);
    if unfinished.exists() {
        unfinished
    } else {
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["demo", "resnet20-cifar10", "v1.2_final", "größe"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "<script>", "a b"] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_damaged_file_is_told_with_what_to_do_about_it() {
        let folder = tempfile::tempdir().unwrap();
        for (name, step) in [
            ("session.toml", "mend it now"),
            ("inputs.toml", "name model and data again"),
        ] {
            let path = folder.path().join(name);
            for content in [&b"model = resnet20"[..], b"\xff\xfe", b"models = 3"] {
                std::fs::write(&path, content).unwrap();
                let refused = InputFile::read(&path).unwrap_err().to_string();
                assert!(refused.contains(step), "{refused}");
                assert_eq!(refused.matches(" again").count(), 1, "one way: {refused}");
            }
        }
    }

    #[test]
    fn a_folder_is_a_project_by_what_is_in_it() {
        let data = tempfile::tempdir().unwrap();
        let folder = folder(data.path(), "demo");
        std::fs::create_dir_all(&folder).unwrap();
        assert!(!holds_project(&folder));
        std::fs::write(folder.join("hawqeye.log"), "").unwrap();
        assert!(holds_project(&folder));
        assert!(sensitivity(&folder).ends_with("sensitivity.json"));
        std::fs::write(folder.join("sensitivity.json.partial"), "").unwrap();
        assert!(sensitivity(&folder).ends_with("sensitivity.json.partial"));
    }
}
