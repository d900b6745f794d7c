//! The model and the data, the same for every command: options, and what they load.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::destination::Input;
use super::failure::Failure;
use super::preprocess::{LabelArgs, PreprocessArgs};
use super::report::Reporter;
use crate::engine::data::{DataSource, DataSpec, Dataset, Normalization, Part};
use crate::engine::memory::Memory;
use crate::engine::model::weights::Source;
use crate::engine::model::{Architecture, Model, ModelSource, Opened, Wanted, demo, may_be_of};
use crate::engine::plan::{self, Plan};
use crate::numbers::counted;

/// Which network, and which images.
#[derive(Debug, Clone, PartialEq, clap::Args)]
#[command(next_help_heading = "Model and data")]
pub struct InputArgs {
    /// Network: FILE.pt2 (torch.export.save), FILE.onnx, or resnet20, resnet32, resnet44 or resnet56
    /// [default with the demo: resnet20]
    #[arg(long, value_name = "MODEL")]
    pub model: Option<ModelSource>,
    /// Trained weights: .safetensors, .pth, .th or .pkl [default with the demo, and with a file of a
    /// network: those in it]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Which set of weights, when several in the file fit: what their names begin with
    ///
    /// Such as state_dict_ema or student; a dot takes the names as they are.
    #[arg(long, value_name = "NAME", requires = "weights")]
    pub weights_key: Option<String>,
    /// Images: demo, cifar10:DIR, fashion-mnist:DIR, mnist:DIR, idx:DIR, npz:FILE, npy:X,Y or
    /// folder:DIR [default: demo]
    #[arg(long, value_name = "DATA")]
    pub data: Option<DataSpec>,
    /// Which label means what.
    #[command(flatten)]
    pub lists: LabelArgs,
    /// What is done to pictures.
    #[command(flatten)]
    pub preprocess: PreprocessArgs,
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

impl Inputs {
    /// Says what was done to find the weights in their file.
    pub fn tell_notes(&self, reporter: &Reporter) {
        for note in &self.model.notes {
            reporter.note(&format!("weights: {note}"));
        }
    }

    /// Says that the images serve for everything, where they come in one part.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn tell_whole(&self, part: Part, reporter: &Reporter) -> Result<(), Failure> {
        let dataset = self.source.part(part)?;
        tell_whole(dataset, reporter);
        Ok(())
    }

    /// Divides a set that comes in one part into training and test images; says so.
    ///
    /// # Errors
    /// When it is too small, or cannot be read.
    pub fn hold_out(&mut self, seed: u64, reporter: &Reporter) -> Result<(), Failure> {
        if !self.source.part(Part::Train)?.origin.whole {
            return Ok(());
        }
        self.source.hold_out(seed)?;
        let train = self.source.part(Part::Train)?;
        let test = self.source.part(Part::Test)?;
        reporter.note(&format!(
            "{} comes in one part: a fifth of its images, {} drawn with seed {seed}, is kept for \
             the test, and {} are trained on",
            train.name,
            test.len(),
            train.len()
        ));
        Ok(())
    }

    /// Reads a plan for this network.
    ///
    /// # Errors
    /// When it is of another one, or not as it should be.
    pub fn plan(&self, path: &Path) -> Result<Plan, Failure> {
        let plan = plan::file::read(path, Some(&self.layer_names()))?;
        let own = &self.model.name;
        if may_be_of(&plan.model, own) {
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
        let preprocess = self.preprocess.preprocess.as_deref().map(|path| Input {
            path,
            what: "what is done to pictures",
        });
        let model = self.model.as_ref().and_then(ModelSource::file);
        let model = model.map(|path| Input {
            path,
            what: "the network",
        });
        model
            .into_iter()
            .chain(weights)
            .chain(images(self.data.as_ref()))
            .chain(self.lists.files())
            .chain(preprocess)
            .collect()
    }

    /// The images that were asked for, as they were asked for; `memory` bounds what is kept of pictures.
    ///
    /// # Errors
    /// When the file that says what is done to pictures cannot be read.
    pub fn source(&self, memory: Memory) -> Result<DataSource, Failure> {
        let spec = self.data.clone().unwrap_or(DataSpec::Demo);
        let reading = self.lists.reading(self.preprocess.said()?, memory);
        Ok(DataSource::new(spec).read_as(reading))
    }

    /// The network and the images that were asked for.
    fn wanted(&self, memory: Memory) -> Result<Wanted<'_>, Failure> {
        let said = self.preprocess.said()?;
        let data = self.data.clone().unwrap_or(DataSpec::Demo);
        Ok(Wanted {
            model: self.network(&data)?,
            weights: self.weights_source(),
            reading: self.lists.reading(said, memory),
            data,
        })
    }

    /// Reads the network and one part of the images; the other is read when it is first needed. `memory`
    /// bounds what is kept of pictures.
    ///
    /// # Errors
    /// When an option is missing, or a file is not what it should be.
    pub fn load(&self, part: Part, memory: Memory) -> Result<Inputs, Failure> {
        let wanted = self.wanted(memory)?;
        wanted.check().map_err(Failure::usage)?;
        let Opened { source, model } = wanted.open(part)?;
        let normalization = wanted.normalization(source.part(part)?);
        let normalization = normalization.map_err(Failure::usage)?;
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
    fn network(&self, data: &DataSpec) -> Result<ModelSource, Failure> {
        match &self.model {
            Some(source) => Ok(source.clone()),
            None if *data == DataSpec::Demo => Ok(ModelSource::Preset(demo::ARCHITECTURE)),
            None => {
                let names = Architecture::NAMES.join(", ");
                Err(Failure::usage(format!(
                    "--data {data} needs a network: give --model FILE.pt2, FILE.onnx, or one of {names}"
                )))
            }
        }
    }
}

/// The files or folders of the images, as something that is read.
pub fn images(data: Option<&DataSpec>) -> impl Iterator<Item = Input<'_>> {
    let paths = data.map(DataSpec::paths).unwrap_or_default();
    let what = "one of the files of the images";
    paths.into_iter().map(move |path| Input { path, what })
}

/// Says that images serve for everything, where they come in one part.
pub fn tell_whole(dataset: &Dataset, reporter: &Reporter) {
    tell_unlisted(dataset, reporter);
    if dataset.origin.whole {
        let (name, images) = (&dataset.name, counted(dataset.len(), "image"));
        reporter.note(&format!(
            "{name} comes in one part, {images}: it serves for training and for the test"
        ));
    }
}

/// Says that images are those that a run kept for the test, where they came in one part.
pub fn tell_divided(dataset: &Dataset, reporter: &Reporter) {
    if dataset.origin.divided {
        let (name, images) = (&dataset.name, counted(dataset.len(), "image"));
        reporter.note(&format!(
            "{name} comes in one part: scored are {images}, those of it that fine-tuning keeps for the test"
        ));
    }
}

/// Says that pictures of the folder are in no line of the table of labels.
fn tell_unlisted(dataset: &Dataset, reporter: &Reporter) {
    let left = dataset.origin.unlisted;
    if left > 0 {
        reporter.note(&format!(
            "{} of {} {} in no line of --labels and left out",
            counted(left, "picture"),
            dataset.name,
            if left == 1 { "is" } else { "are" }
        ));
    }
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
            "{} was trained on {trained_on}: say where its images are with --data {}",
            path.display(),
            DataSpec::form(trained_on)
        ))),
    }
}
