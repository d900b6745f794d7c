//! `demo-weights` (hidden): trains the network of the demo from the original images of
//! Fashion-MNIST. The recipe is all here; the result lies in `assets/demo/`.

use std::path::PathBuf;

use crate::cli::args::Shared;
use crate::cli::device::{DeviceArgs, Work};
use crate::cli::failure::Failure;
use crate::cli::report::{Reporter, sentence};
use crate::engine::backend::Backend;
use crate::engine::data::{DataSource, DataSpec, Normalization, Part, image_shape};
use crate::engine::finetune::{self, Request, Schedule, Settings, Start, Subject, Variation};
use crate::engine::job::Outcome;
use crate::engine::model::Model;
use crate::engine::model::demo::ARCHITECTURE;
use crate::engine::plan::{LayerFacts, Plan};
use crate::engine::quant::Bits;

/// Options of `demo-weights`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder with the original files of Fashion-MNIST
    #[arg(value_name = "DIR")]
    pub original: PathBuf,
    /// Which device.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Passes over the 60,000 training images
    #[arg(long, value_name = "N", default_value = "20")]
    pub epochs: usize,
    /// Folder of the training run; one that holds it already is gone on with
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Weights file
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "assets/demo/resnet20.safetensors"
    )]
    pub output: PathBuf,
}

/// The recipe: SGD on the cross-entropy of all training images, padded, cropped and flipped at
/// random, from He's initialisation, the learning rate along half a cosine.
fn recipe(epochs: usize, seed: u64) -> Settings {
    Settings {
        epochs,
        schedule: Schedule::Joint,
        learning_rate: 0.1,
        weight_decay: 5e-4,
        validation: 0.0,
        variation: Variation::CropAndFlip,
        seed,
        ..Settings::default()
    }
}

/// Trains the network and writes its weights.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &Args, shared: &Shared) -> Result<(), Failure> {
    let source = DataSource::new(DataSpec::FashionMnist(args.original.clone()));
    let train = source.part(Part::Train)?;
    let fit = (image_shape(train), train.classes);
    let work = Training {
        args,
        model: Model::untrained(ARCHITECTURE, fit, shared.seed())?,
        normalization: ARCHITECTURE.normalization(train.channels),
        source: &source,
        seed: shared.seed(),
        reporter: shared.reporter()?,
    };
    args.device.run(work)
}

struct Training<'a> {
    args: &'a Args,
    model: Model,
    normalization: Normalization,
    source: &'a DataSource,
    seed: u64,
    reporter: Reporter,
}

impl Work for Training<'_> {
    type Output = ();

    fn run<B: Backend>(mut self, backend: &B) -> Result<(), Failure> {
        let images = (
            self.source.part(Part::Train)?,
            self.source.part(Part::Test)?,
        );
        let name = ARCHITECTURE.to_string();
        let subject = Subject::new(&self.model, &self.normalization, images);
        let plan = unquantized(&name, &LayerFacts::of(&self.model.graph));
        let folder = self.args.run.as_path();
        let settings = recipe(self.args.epochs, self.seed);
        let request = Request {
            plan: &plan,
            stages: &finetune::stages(&plan, &settings, None)?,
            settings: &settings,
            folder,
            start: if finetune::holds_run(folder) {
                Start::Resume
            } else {
                Start::Fresh
            },
        };
        let report = finetune::tune(backend, &subject, &request, &mut self.reporter)?;
        self.reporter.finish();
        if report.outcome == Outcome::Stopped {
            return Err(Failure::interrupted("the same command goes on"));
        }
        self.model.parameters = finetune::load_run(folder)?.network.parameters;
        self.model.save(&self.args.output)?;
        if let Some(score) = report.test {
            self.reporter.note(&sentence(score));
        }
        Ok(())
    }
}

/// Every layer in floating point, the image too.
fn unquantized(name: &str, facts: &[LayerFacts]) -> Plan {
    let mut plan = Plan::uniform(name, facts, Bits::FLOAT, Bits::FLOAT);
    for layer in &mut plan.layers {
        layer.activation_bits = Bits::FLOAT;
    }
    plan
}
