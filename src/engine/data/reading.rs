//! How a set is read: what is done to its pictures, and which label means what.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dataset::{ClassSource, Origin};
use super::preprocessing::Preprocessing;
use super::shaped::{Planes, Uniform, shaped};
use super::{Dataset, Label};
use crate::engine::counts::counted;
use crate::engine::memory::Memory;
use crate::engine::shape::Shape;
use crate::engine::{Error, Result, text};

/// The largest list of classes or labels.
const LIMIT: u64 = 1 << 30;

/// How a set is read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// What is done to pictures.
    pub preprocessing: Preprocessing,
    /// A file with the names of the classes, one a line, in the order of the labels.
    pub classes: Option<PathBuf>,
    /// A table of files and labels (`file,label`), for folders whose order is not the label.
    pub labels: Option<PathBuf>,
    /// What the network reads, where it is known before the images are.
    pub expected: Option<Shape>,
    /// How much of the pictures is kept, once they were read.
    pub memory: Memory,
}

impl Reading {
    /// A set whose images have one size.
    pub(super) fn dataset(
        &self,
        name: &str,
        images: Uniform,
        labels: Vec<Label>,
        whole: bool,
    ) -> Result<Dataset> {
        let listed = self.class_names()?;
        let most = labels.iter().copied().max().unwrap_or_default();
        let classes = usize::from(most) + 1;
        if let (Some(listed), Some(file)) = (&listed, &self.classes)
            && listed.len() < classes
        {
            return Err(Error::format(
                file,
                format!(
                    "{}, but {name} has label {most}; list all classes, one a line",
                    counted(listed.len(), "class")
                ),
            ));
        }
        let Uniform { images, extent } = images;
        let source = if listed.is_some() {
            ClassSource::List
        } else {
            ClassSource::Labels
        };
        Ok(Dataset {
            name: name.to_owned(),
            classes: listed.as_ref().map_or(classes, Vec::len),
            class_names: listed.unwrap_or_default(),
            channels: extent.channels,
            height: extent.size.height,
            width: extent.size.width,
            images,
            labels,
            origin: Origin {
                whole,
                classes: source,
                geometry: self.preprocessing.geometry(),
                part: None,
                ..Origin::default()
            },
        })
    }

    /// A set of pictures in memory, resized and cut as asked for.
    pub(super) fn reshaped(&self, dataset: Dataset) -> Result<Dataset> {
        let geometry = self.preprocessing.geometry();
        if geometry.is_empty() {
            return Ok(dataset);
        }
        let planes = Planes {
            name: dataset.name.clone(),
            extent: dataset.extent(),
            images: Arc::clone(&dataset.images),
        };
        let Uniform { images, extent } = shaped(Box::new(planes), &geometry, self.memory)?;
        Ok(Dataset {
            channels: extent.channels,
            height: extent.size.height,
            width: extent.size.width,
            images,
            origin: Origin {
                geometry,
                ..dataset.origin
            },
            ..dataset
        })
    }

    /// The names that the file of classes lists, without empty lines.
    pub(super) fn class_names(&self) -> Result<Option<Vec<String>>> {
        let Some(path) = &self.classes else {
            return Ok(None);
        };
        let names: Vec<String> = lines(path)?;
        if names.is_empty() {
            return Err(Error::format(path, "no class in it; list them, one a line"));
        }
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(Some(names)),
            Some(pair) => Err(Error::format(
                path,
                format!("class {} is listed twice; list each once", pair[0]),
            )),
        }
    }

    /// Refuses what only pictures take.
    pub(super) fn refuse_shaping(&self, place: &str) -> Result<()> {
        if self.preprocessing.geometry().is_empty() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "{place}: numbers are taken as they are, so they are not resized, cut or put into \
             another order of channels; leave these options out, or give uint8 pixels"
        )))
    }

    /// Refuses files of classes and labels where a set tells its own.
    pub(super) fn refuse_lists(&self, name: &str) -> Result<()> {
        let option = match (&self.classes, &self.labels) {
            (None, None) => return Ok(()),
            (Some(_), _) => "--classes",
            (None, Some(_)) => "--labels",
        };
        Err(Error::invalid(format!(
            "{name} has classes and labels of its own: leave {option} out"
        )))
    }

    /// Refuses a table of files where there are no files.
    pub(super) fn refuse_table(&self, name: &str) -> Result<()> {
        match self.labels {
            None => Ok(()),
            Some(_) => Err(Error::invalid(format!(
                "--labels names the labels of files in folder:DIR, but {name} is no folder: leave \
                 it out"
            ))),
        }
    }
}

/// The lines of a file that are not empty, without blanks around them.
fn lines(path: &Path) -> Result<Vec<String>> {
    let text = text::read(path, LIMIT)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}
