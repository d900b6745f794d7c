//! A network and images as they are asked for, opened together: each tells how the other is read.

use super::weights::Source;
use super::{Architecture, Model, ModelSource, demo};
use crate::engine::counts::counted;
use crate::engine::data::{
    DataSource, DataSpec, Dataset, Normalization, Part, Reading, image_shape,
};
use crate::engine::graph::Graph;
use crate::engine::{Error, Result, import};

/// A network and images as they are asked for.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The network.
    pub model: ModelSource,
    /// Its weights; absent: those in its file, or the embedded ones.
    pub weights: Option<Source<'a>>,
    /// The images.
    pub data: DataSpec,
    /// How they are read.
    pub reading: Reading,
}

/// A network, and images for it.
#[derive(Debug)]
pub struct Opened {
    /// The images; one part of them was read.
    pub source: DataSource,
    /// The network.
    pub model: Model,
}

impl Wanted<'_> {
    /// Refuses a network without weights.
    ///
    /// # Errors
    /// When weights must be named.
    pub fn check(&self) -> Result<()> {
        match &self.model {
            ModelSource::Preset(architecture)
                if self.weights.is_none() && !self.is_demo(*architecture) =>
            {
                Err(Error::invalid(format!(
                    "{architecture} on {} needs trained weights: give --weights FILE",
                    self.data
                )))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is the embedded network.
    fn is_demo(&self, architecture: Architecture) -> bool {
        self.data == DataSpec::Demo && architecture == demo::ARCHITECTURE
    }

    /// Reads the network, and one part of the images; the other is read when it is first needed.
    ///
    /// # Errors
    /// When a file is not what it should be, or the network cannot read the images.
    pub fn open(&self, part: Part) -> Result<Opened> {
        self.check()?;
        let opened = match &self.model {
            ModelSource::Preset(architecture) => self.preset(*architecture, part)?,
            ModelSource::File(path) => {
                let model = Model::import(path, self.options(part)?, self.weights)?;
                let expected = Some(model.graph.input_shape());
                let reading = Reading {
                    expected,
                    ..self.reading.clone()
                };
                let source = DataSource::new(self.data.clone()).read_as(reading);
                Opened { source, model }
            }
        };
        check_fit(opened.source.part(part)?, &opened.model.graph)?;
        Ok(opened)
    }

    fn preset(&self, architecture: Architecture, part: Part) -> Result<Opened> {
        let source = DataSource::new(self.data.clone()).read_as(self.reading.clone());
        let model = match self.weights {
            Some(weights) => Model::load_for(architecture, source.part(part)?, weights)?,
            None => demo::load()?,
        };
        Ok(Opened { source, model })
    }

    /// Rows and columns of the image, where the file of the network leaves them open: those asked for,
    /// else those of the images, if they all have the same.
    fn options(&self, part: Part) -> Result<import::Options> {
        let asked = self.reading.preprocessing.size_after();
        let size = match (asked, &self.data) {
            (Some(size), _) => Some([size.height, size.width]),
            (None, DataSpec::Folder(_)) => None,
            (None, spec) => {
                // The extents of arrays may be in either order until the network is known.
                let known = spec.read(part, &self.reading)?;
                Some([known.height, known.width])
            }
        };
        Ok(import::Options { size })
    }

    /// How the images become numbers for the network.
    ///
    /// # Errors
    /// When that is not known, or what was asked for does not suit the images.
    pub fn normalization(&self, dataset: &Dataset) -> Result<Normalization> {
        let usual = match &self.model {
            ModelSource::Preset(architecture) => Some(architecture.normalization(dataset.channels)),
            ModelSource::File(_) => None,
        };
        self.reading.preprocessing.normalization(usual, dataset)
    }
}

/// Refuses images that a network cannot read, and labels that it does not tell apart.
///
/// # Errors
/// When shape or classes differ.
pub fn check_fit(dataset: &Dataset, graph: &Graph) -> Result<()> {
    let (found, expected) = (image_shape(dataset), graph.input_shape());
    if dataset.suits(expected) {
        return dataset.check_labels(graph.classes());
    }
    Err(Error::invalid(format!(
        "the network takes images of {expected} in {}, but those of {} are {found} in {}; choose \
         other images with --data, or resize pictures with --size",
        counted(graph.classes(), "class"),
        dataset.name,
        dataset.classes
    )))
}
