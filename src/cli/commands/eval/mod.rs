//! `eval`: loss and accuracy of a network, a plan, a packed file or a run.

mod kept;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;

use crate::cli::args::{Shared, count};
use crate::cli::device::{DeviceArgs, Work};
use crate::cli::expect::{self, ExpectArgs};
use crate::cli::failure::Failure;
use crate::cli::inputs::{InputArgs, usual_images};
use crate::cli::output;
use crate::cli::report::{Reporter, sentence};
use crate::engine::agreement::Agreement;
use crate::engine::autodiff::{Program, overflow};
use crate::engine::backend::Backend;
use crate::engine::boost::{self, Boost};
use crate::engine::data::preprocessing;
use crate::engine::data::{
    DataSource, Images, Normalization, Order, Part, Selection, sample, split_train, validation_size,
};
use crate::engine::evaluation;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::graph::{Graph, Parameters};
use crate::engine::job::{Score, Split};
use crate::engine::model::Model;
use crate::engine::model::check_fit;
use crate::engine::plan::Plan;
use crate::engine::post_training;
use crate::engine::quant::QuantizedNetwork;

const EXAMPLES: &str = "\
Examples:
  hawqeye eval                                               the embedded demo
  hawqeye eval --model resnet20 --weights resnet20.th --data cifar10:cifar-10-batches-bin --json
  hawqeye eval ... --plan p.toml                             a plan, before any training
  hawqeye eval --run run --data cifar10:cifar-10-batches-bin a run, as trained so far
  hawqeye eval --packed small.safetensors --data cifar10:cifar-10-batches-bin";

/// Options of `eval`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Which network, and which images.
    #[command(flatten)]
    pub inputs: InputArgs,
    /// Which device.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Which images: test, train, or those held out of training for validation
    #[arg(long, value_enum, default_value_t, help_heading = "Evaluation")]
    pub split: SplitName,
    /// The network of a run, as trained so far; needs no --model and no --weights
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = OF_A_NETWORK,
        help_heading = "Evaluation"
    )]
    pub run: Option<PathBuf>,
    /// A packed file, as export writes it; needs no --model and no --weights
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = OF_A_NETWORK,
        conflicts_with = "run",
        help_heading = "Evaluation"
    )]
    pub packed: Option<PathBuf>,
    /// Quantize to this plan first, without training
    #[arg(long, value_name = "FILE", help_heading = "Evaluation")]
    pub plan: Option<PathBuf>,
    /// Training images that activation ranges are fitted to, with --plan [default: 512, or all where
    /// there are fewer]
    #[arg(
        long,
        value_name = "N",
        help_heading = "Evaluation", value_parser = count, allow_negative_numbers = true)]
    pub calibration: Option<NonZeroUsize>,
    /// Repairs of the quantized network without training, with --plan: rounding, bias, norms
    ///
    /// Rounding chooses the code of every weight by what its layer reads, bias moves the mean of every output
    /// back, norms measures the statistics of batch normalisation anew; all on the calibration images.
    #[arg(
        long,
        value_name = "BOOSTS",
        value_delimiter = ',',
        requires = "plan",
        help_heading = "Evaluation"
    )]
    pub boost: Vec<Boost>,
    /// What the outputs should be.
    #[command(flatten)]
    pub expect: ExpectArgs,
    /// Print JSON: correct, total, loss, correct_top5
    #[arg(long, help_heading = "Evaluation")]
    pub json: bool,
}

/// Options that say what a run or a file knows itself.
const OF_A_NETWORK: [&str; 13] = [
    "expect",
    "plan",
    "model",
    "weights",
    "preprocess",
    "size",
    "resize",
    "crop",
    "interpolation",
    "channels",
    "pixel_scale",
    "mean",
    "std",
];

/// Which images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SplitName {
    /// The test images
    #[default]
    Test,
    /// The training images less those held out
    Train,
    /// The images held out of training
    Validation,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Test => Self::Test,
            SplitName::Train => Self::Train,
            SplitName::Validation => Self::Validation,
        }
    }
}

/// Evaluates.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &Args, shared: &Shared) -> Result<(), Failure> {
    let mut reporter = shared.reporter()?;
    let split = Split::from(args.split);
    let evaluated = match args.kept(Part::from(split), &mut reporter)? {
        Some(kept) => {
            let seed = shared.seed.unwrap_or(kept.seed);
            let images = select(&kept.source, &kept.normalization, (split, seed))?;
            let score = args.device.run(Evaluating {
                network: Network::Ready(&kept.graph, &kept.parameters),
                images: &images,
                reporter,
            })?;
            Evaluated {
                score,
                expect: None,
            }
        }
        None => args.trained(split, shared.seed(), reporter)?,
    };
    print(args.json, &evaluated)
}

/// A score, and how far the outputs are from those that are expected.
struct Evaluated {
    score: Score,
    expect: Option<Agreement>,
}

/// The images of a split; held-out ones are those that fine-tuning with the same seed holds out.
///
/// # Errors
/// When the files cannot be read, or the normalisation does not suit them.
pub fn select<'a>(
    source: &'a DataSource,
    normalization: &'a Normalization,
    (split, seed): (Split, u64),
) -> Result<Selection<'a>, Failure> {
    let dataset = source.part(Part::from(split))?;
    let held_out = || split_train(dataset.len(), validation_size(dataset.len()), seed);
    let indices = match split {
        Split::Test => (0..dataset.len()).collect(),
        Split::Train => held_out()?.0,
        Split::Validation => held_out()?.1,
    };
    Ok(Selection::new(dataset, normalization, indices)?)
}

impl Args {
    /// Scores trained weights, quantized to a plan first if there is one.
    fn trained(
        &self,
        split: Split,
        seed: u64,
        mut reporter: Reporter,
    ) -> Result<Evaluated, Failure> {
        let inputs = self.inputs.load(Part::from(split), self.device.memory())?;
        inputs.tell_notes(&reporter);
        inputs.tell_whole(Part::from(split), &reporter)?;
        let (source, normalization) = (&inputs.source, &inputs.normalization);
        let doubtful = preprocessing::doubt(source.part(Part::from(split))?, normalization)?;
        if let Some(doubt) = doubtful {
            reporter.warn(doubt);
        }
        let expect = self.expect.of(&inputs.model)?;
        let expect = expect.map(|work| self.device.run(work)).transpose()?;
        if let Some(agreement) = &expect {
            match expect::doubt(agreement) {
                Some(doubt) => reporter.warn(doubt),
                None => reporter.note(&expect::sentence(agreement)),
            }
        }
        let with = |score| Evaluated { score, expect };
        let images = select(source, normalization, (split, seed))?;
        let evaluating = |network, reporter| Evaluating {
            network,
            images: &images,
            reporter,
        };
        let Some(path) = &self.plan else {
            let Model {
                graph, parameters, ..
            } = &inputs.model;
            let network = Network::Ready(graph, parameters);
            return self.device.run(evaluating(network, reporter)).map(with);
        };
        let plan = inputs.plan(path)?;
        let dataset = source.part(Part::Train)?;
        check_fit(dataset, &inputs.model.graph)?;
        let usual = || usual_images(post_training::CALIBRATION_IMAGES, dataset, &reporter);
        let fitted = self.calibration.map_or_else(usual, NonZeroUsize::get);
        let indices = sample(Order::Random, fitted, seed, dataset.len()).map_err(Failure::usage)?;
        let calibration = Selection::new(dataset, normalization, indices)?;
        let boosts = self.boost.iter().copied().collect();
        let network = Network::Planned(&inputs.model, &plan, (&calibration, &boosts));
        self.device.run(evaluating(network, reporter)).map(with)
    }
}

/// What is evaluated.
enum Network<'a> {
    /// As it is.
    Ready(&'a Graph, &'a Parameters),
    /// Quantized to a plan without training, activation ranges fitted to images, and repaired on them.
    Planned(
        &'a Model,
        &'a Plan,
        (&'a Selection<'a>, &'a BTreeSet<Boost>),
    ),
}

struct Evaluating<'a> {
    network: Network<'a>,
    images: &'a Selection<'a>,
    reporter: Reporter,
}

impl Work for Evaluating<'_> {
    type Output = Score;

    fn run<B: Backend>(mut self, backend: &B) -> Result<Score, Failure> {
        let reporter = &mut self.reporter;
        let score = match self.network {
            Network::Ready(graph, parameters) => {
                let walk = (BatchNormMode::Running, Purpose::Evaluate);
                let program = Program::new(graph, backend, parameters, walk)?;
                let score = evaluation::evaluate(&program, self.images, reporter)?;
                refuse_overflow(backend, (graph, parameters), self.images, score)?
            }
            Network::Planned(model, plan, (calibration, boosts)) => {
                let with = (backend, calibration as _);
                let quantized = post_training::quantize(model, plan, with, reporter)?;
                match boosted(quantized, boosts, with, reporter)? {
                    Some(network) => {
                        let score = network.evaluate(backend, self.images, reporter)?;
                        let of = (&network.graph, &network.effective());
                        refuse_overflow(backend, of, self.images, score)?
                    }
                    None => None,
                }
            }
        };
        score.ok_or_else(|| Failure::interrupted("nothing was evaluated to the end"))
    }
}

/// A quantized network with its repairs; nothing when the user asked to stop.
fn boosted<B: Backend>(
    quantized: Option<QuantizedNetwork>,
    boosts: &BTreeSet<Boost>,
    with: (&B, &dyn Images),
    reporter: &mut Reporter,
) -> Result<Option<QuantizedNetwork>, Failure> {
    let Some(mut network) = quantized else {
        return Ok(None);
    };
    let done = boost::boost(&mut network, boosts, with, reporter)?;
    Ok(done.then_some(network))
}

/// Refuses a score with a loss that is not finite, with the place where numbers overflow.
fn refuse_overflow<B: Backend>(
    backend: &B,
    (graph, parameters): (&Graph, &Parameters),
    images: &Selection,
    score: Option<Score>,
) -> Result<Option<Score>, Failure> {
    if score.is_none_or(|score| score.loss.is_finite()) {
        return Ok(score);
    }
    let walk = (BatchNormMode::Running, Purpose::Analyse);
    let program = Program::new(graph, backend, parameters, walk)?;
    Err(overflow::located(&program, parameters, images, "the loss")?.into())
}

/// Prints a score as one line, or as JSON.
///
/// # Errors
/// When stdout cannot be written.
fn print(as_json: bool, evaluated: &Evaluated) -> Result<(), Failure> {
    let Evaluated { score, expect } = *evaluated;
    let text = if as_json {
        let Score {
            loss,
            correct,
            correct_top5,
            total,
        } = score;
        let mut told =
            json!({"correct": correct, "total": total, "loss": loss, "correct_top5": correct_top5});
        if let Some(agreement) = expect {
            told["expect"] = json!(agreement);
        }
        told.to_string()
    } else {
        sentence(score)
    };
    output::print(&(text + "\n"))
}
