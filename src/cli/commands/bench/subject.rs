//! What is timed: a network and images, trained and real where they were given.

use std::path::Path;

use crate::cli::failure::Failure;
use crate::cli::inputs::InputArgs;
use crate::engine::autodiff::batch_step::Batch;
use crate::engine::backend::Backend;
use crate::engine::bench::settle;
use crate::engine::data::{
    DataSpec, Dataset, Images, Normalization, Order, Part, Selection, image_shape, noise, sample,
};
use crate::engine::graph::Shape;
use crate::engine::import;
use crate::engine::memory::Memory;
use crate::engine::model::{Architecture, Model, ModelSource, check_fit, demo};

/// The network when none is named.
const USUAL: Architecture = Architecture::ResNet { depth: 20 };
/// Images and classes when no data are named: those of CIFAR-10.
const IMAGE: (Shape, usize) = (Shape::map(3, 32, 32), 10);

/// A network and the images it is timed on.
#[derive(Debug)]
pub struct Subject {
    /// The network.
    pub model: Model,
    /// Where its weights come from, in words.
    pub weights: String,
    /// Where the images come from, in words.
    pub data: String,
    is_trained: bool,
    dataset: Dataset,
    normalization: Normalization,
}

/// What a benchmark asks of its images.
#[derive(Debug, Clone, Copy)]
pub struct Needed {
    /// How many.
    pub images: usize,
    /// Of weights and images by chance.
    pub seed: u64,
    /// Bounds what is kept of pictures.
    pub memory: Memory,
}

impl Needed {
    /// Images of a shape in some classes, and where they come from, in words.
    fn noise(self, fit: (Shape, usize)) -> (Dataset, String) {
        let Self { images, seed, .. } = self;
        let said = format!("noise, no --data given (seed {seed})");
        (noise(fit, images, seed), said)
    }
}

impl Subject {
    /// Reads what was named; weights and images are by chance otherwise.
    ///
    /// # Errors
    /// When a file is not what it should be.
    pub fn load(inputs: &InputArgs, needed: Needed) -> Result<Self, Failure> {
        match &inputs.model {
            Some(ModelSource::File(path)) => Self::of_file(inputs, path, needed),
            Some(ModelSource::Preset(architecture)) => {
                Self::of_preset(inputs, *architecture, needed)
            }
            None => Self::of_preset(inputs, USUAL, needed),
        }
    }

    /// A network from a file, which has its weights.
    fn of_file(inputs: &InputArgs, path: &Path, needed: Needed) -> Result<Self, Failure> {
        let weights = inputs.weights_source().map_or(path, |source| source.path);
        let weights = weights.display().to_string();
        if let Some(spec) = &inputs.data {
            let loaded = inputs.load(Part::Train, needed.memory)?;
            let dataset = loaded.source.part(Part::Train)?.clone();
            return Ok(Self {
                is_trained: true,
                model: loaded.model,
                weights,
                data: spec.to_string(),
                dataset,
                normalization: loaded.normalization,
            });
        }
        let said = inputs.preprocess.said()?;
        let options = import::Options {
            size: said.size_after().map(|size| [size.height, size.width]),
        };
        let model = Model::import(path, options, inputs.weights_source())?;
        let (dataset, data) = needed.noise((model.graph.input_shape(), model.graph.classes()));
        Ok(Self {
            is_trained: true,
            normalization: Normalization::none(dataset.channels),
            model,
            weights,
            data,
            dataset,
        })
    }

    fn of_preset(
        inputs: &InputArgs,
        architecture: Architecture,
        needed: Needed,
    ) -> Result<Self, Failure> {
        let seed = needed.seed;
        let (dataset, data) = match &inputs.data {
            Some(spec) => (
                inputs.source(needed.memory)?.part(Part::Train)?.clone(),
                spec.to_string(),
            ),
            None => needed.noise(IMAGE),
        };
        let usual = architecture.normalization(dataset.channels);
        let said = inputs.preprocess.said()?;
        let normalization = said.normalization(Some(usual), &dataset);
        let normalization = normalization.map_err(Failure::usage)?;
        let fit = (image_shape(&dataset), dataset.classes);
        let is_demo = inputs.data == Some(DataSpec::Demo) && architecture == demo::ARCHITECTURE;
        let (model, weights) = match inputs.weights_source() {
            Some(source) => (
                Model::load_for(architecture, &dataset, source)?,
                source.path.display().to_string(),
            ),
            None if is_demo => (demo::load()?, "those of the demo".to_owned()),
            None => (
                Model::untrained(architecture, fit, seed)?,
                format!("untrained, no --weights given (He's initialisation, seed {seed})"),
            ),
        };
        check_fit(&dataset, &model.graph)?;
        Ok(Self {
            is_trained: inputs.weights.is_some() || is_demo,
            model,
            weights,
            data,
            dataset,
            normalization,
        })
    }

    /// Gives an untrained network sane activations.
    ///
    /// # Errors
    /// When the device fails.
    pub fn settle<B: Backend>(&mut self, backend: &B, images: usize) -> Result<(), Failure> {
        if self.is_trained {
            return Ok(());
        }
        let batch = self.batch(images)?;
        Ok(settle(&mut self.model, backend, &batch)?)
    }

    /// The first images, in file order, as `analyze --order file` takes them.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn first(&self, count: usize) -> Result<Selection<'_>, Failure> {
        let indices = sample(Order::File, count, 0, self.dataset.len()).map_err(Failure::usage)?;
        Ok(Selection::new(&self.dataset, &self.normalization, indices)?)
    }

    /// The first images as a batch that is ready to be walked.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn batch(&self, count: usize) -> Result<Batch, Failure> {
        let images = self.first(count)?;
        Ok(Batch {
            images: images.load(0..count)?,
            labels: images.labels(0..count),
        })
    }
}
