//! The model and the data, the same for every command: options, and what they load.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::destination::Input;
use super::failure::Failure;
use super::report::Reporter;
use crate::engine::data::{DataSource, DataSpec, Dataset, Normalization, Part, image_shape};
use crate::engine::graph::Graph;
use crate::engine::model::weights::Source;
use crate::engine::model::{Architecture, Model, demo};
use crate::engine::plan::{self, Plan};

/// Which network, and which images.
#[derive(Debug, Clone, PartialEq, clap::Args)]
#[command(next_help_heading = "Model and data")]
pub struct InputArgs {
    /// Architecture: resnet20, resnet32, resnet44 or resnet56 [default with the demo: resnet20]
    #[arg(long, value_name = "ARCH")]
    pub model: Option<Architecture>,
    /// Trained weights: .safetensors, .pth, .th or .pkl [default with the demo: embedded]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Which set of weights, when several in the file fit: what their names begin with
    ///
    /// Such as state_dict_ema or student; a dot takes the names as they are.
    #[arg(long, value_name = "NAME", requires = "weights")]
    pub weights_key: Option<String>,
    /// Images: demo, cifar10:DIR or fashion-mnist:DIR [default: demo]
    #[arg(long, value_name = "DATA")]
    pub data: Option<DataSpec>,
    /// Mean of each channel, of pixels between 0 and 1 [default: the model's usual one]
    #[arg(
        long,
        value_name = "R,G,B",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub mean: Option<Vec<f32>>,
    /// Standard deviation of each channel [default: the model's usual one]
    #[arg(
        long,
        value_name = "R,G,B",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub std: Option<Vec<f32>>,
}

/// What was loaded.
#[derive(Debug)]
pub struct Inputs {
    /// The images.
    pub source: DataSource,
    /// How they become numbers.
    pub normalization: Normalization,
    /// The network.
    pub model: Model,
}

/// Where trained weights come from.
enum Weights<'a> {
    File(Source<'a>),
    Embedded,
}

impl Inputs {
    /// Says what was done to find the weights in their file.
    pub fn tell_notes(&self, reporter: &Reporter) {
        for note in &self.model.notes {
            reporter.note(&format!("weights: {note}"));
        }
    }

    /// Reads a plan for this network.
    ///
    /// # Errors
    /// When it is of another one, or not as it should be.
    pub fn plan(&self, path: &Path) -> Result<Plan, Failure> {
        let plan = plan::file::read(path, Some(&self.layer_names()))?;
        let own = self.model.architecture.to_string();
        if plan.model.is_empty() || plan.model == own {
            return Ok(plan);
        }
        Err(Failure::failed(format!(
            "{}: the plan is of {}, but the network is {own}; choose the plan of this network",
            path.display(),
            plan.model
        )))
    }

    /// The layers by name, in the order of the network.
    #[must_use]
    pub fn layer_names(&self) -> Vec<Arc<str>> {
        let layers = self.model.graph.layers();
        layers.iter().map(|layer| layer.name.clone()).collect()
    }
}

impl InputArgs {
    /// The files and folders that are read.
    #[must_use]
    pub fn files(&self) -> Vec<Input<'_>> {
        let weights = self.weights.as_deref().map(|path| Input {
            path,
            what: "the weights",
        });
        weights
            .into_iter()
            .chain(images(self.data.as_ref()))
            .collect()
    }

    /// The images that were asked for.
    #[must_use]
    pub fn source(&self) -> DataSource {
        DataSource::new(self.data.clone().unwrap_or(DataSpec::Demo))
    }

    /// Reads the network and one part of the images; the other is read when it is first needed.
    ///
    /// # Errors
    /// When an option is missing, or a file is not what it should be.
    pub fn load(&self, part: Part) -> Result<Inputs, Failure> {
        let source = self.source();
        let (architecture, weights) = self.network(&source.spec)?;
        let dataset = source.part(part)?;
        let normalization = self.normalization(architecture, dataset)?;
        let fit = (image_shape(dataset), dataset.classes);
        let model = match weights {
            Weights::File(source) => Model::load(architecture, fit, source)?,
            Weights::Embedded => demo::load()?,
        };
        Ok(Inputs {
            source,
            normalization,
            model,
        })
    }

    /// The weights file, and the set in it, that were named.
    #[must_use]
    pub fn weights_source(&self) -> Option<Source<'_>> {
        let key = self.weights_key.as_deref();
        let path = self.weights.as_deref()?;
        Some(Source { path, key })
    }

    /// The network that was named, or on the demo's images that of the demo.
    fn network(&self, data: &DataSpec) -> Result<(Architecture, Weights<'_>), Failure> {
        let on_demo = *data == DataSpec::Demo;
        let architecture = match self.model {
            Some(architecture) => architecture,
            None if on_demo => demo::ARCHITECTURE,
            None => {
                let names = Architecture::NAMES.join(", ");
                return Err(Failure::usage(format!(
                    "--data {data} needs a network: give --model ARCH, one of {names}"
                )));
            }
        };
        let weights = match self.weights_source() {
            Some(source) => Weights::File(source),
            None if on_demo && architecture == demo::ARCHITECTURE => Weights::Embedded,
            None => {
                return Err(Failure::usage(format!(
                    "{architecture} on {data} needs trained weights: give --weights FILE"
                )));
            }
        };
        Ok((architecture, weights))
    }

    /// Mean and deviation, those of the architecture where none are given.
    ///
    /// # Errors
    /// When they do not suit the images.
    pub fn normalization(
        &self,
        architecture: Architecture,
        dataset: &Dataset,
    ) -> Result<Normalization, Failure> {
        let usual = architecture.normalization(dataset.channels);
        let mean = self.mean.clone().unwrap_or(usual.mean);
        let std = self.std.clone().unwrap_or(usual.std);
        let (given, channels) = (mean.len().max(std.len()), dataset.channels);
        if given != channels {
            let name = &dataset.name;
            return Err(Failure::usage(format!(
                "--mean and --std have {given} values, but images of {name} have {channels} \
                 channels; give {channels} values each"
            )));
        }
        Normalization::new(mean, std).map_err(Failure::usage)
    }
}

/// The folder of the images, as something that is read.
#[must_use]
pub fn images(data: Option<&DataSpec>) -> Option<Input<'_>> {
    let path = data?.folder()?;
    let what = "one of the files of the images";
    Some(Input { path, what })
}

/// As many images as usual, or all of a smaller set; says so.
#[must_use]
pub fn usual_images(usual: usize, dataset: &Dataset, reporter: &Reporter) -> usize {
    let all = dataset.len();
    if all < usual {
        reporter.note(&format!(
            "{} has {all} training images, fewer than the usual {usual}: all of them are taken",
            dataset.name
        ));
    }
    usual.min(all)
}

/// Images for a network that was kept: those asked for; those of the demo need not be named where
/// they were trained on.
///
/// # Errors
/// A usage error when they must be named.
pub fn images_of(
    asked: Option<&DataSpec>,
    trained_on: &str,
    path: &Path,
) -> Result<DataSource, Failure> {
    match asked {
        Some(spec) => Ok(DataSource::new(spec.clone())),
        None if trained_on == DataSpec::Demo.name() => Ok(DataSource::new(DataSpec::Demo)),
        None => Err(Failure::usage(format!(
            "{} was trained on {trained_on}: say where its images are with --data {trained_on}:DIR",
            path.display()
        ))),
    }
}

/// Refuses images that a network cannot take.
///
/// # Errors
/// When shape or classes differ.
pub fn check_fit(dataset: &Dataset, graph: &Graph) -> Result<(), Failure> {
    let found = (image_shape(dataset), dataset.classes);
    let expected = (graph.input_shape(), graph.classes());
    if found == expected {
        return Ok(());
    }
    let name = &dataset.name;
    Err(Failure::failed(format!(
        "the network takes images of {} in {} classes, but those of {name} are {} in {}; choose \
         other images with --data",
        expected.0, expected.1, found.0, found.1
    )))
}
