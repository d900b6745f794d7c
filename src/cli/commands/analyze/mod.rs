//! `analyze`: measures how sensitive every layer is.

mod partial;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::ValueEnum;

use crate::cli::args::{Shared, count};
use crate::cli::device::{DeviceArgs, Work};
use crate::cli::failure::Failure;
use crate::cli::inputs::{InputArgs, Inputs};
use crate::cli::output;
use crate::cli::report::Reporter;
use crate::engine::backend::Backend;
use crate::engine::backend::candle::Candle;
use crate::engine::data::{Order, Part, Selection, sample};
use crate::engine::hessian::analysis::{self, Subject};
use crate::engine::hessian::merge::merge;
use crate::engine::hessian::sensitivity::{CurvatureFacts, Sensitivity};
use crate::engine::hessian::verify::verify;
use crate::engine::hessian::{Analysis, Method, Metric};
use crate::engine::job::Outcome;
use crate::engine::model::Model;
use crate::engine::plan::pattern;
use crate::engine::quant::{Bits, ScaleRule};
use crate::pace::{Pace, SAVED_EVERY};

use partial::{Found, Partial};

const EXAMPLES: &str = "\
Examples:
  hawqeye analyze --data demo -o s.json
  hawqeye analyze --model resnet20 --weights resnet20.th --data cifar10:cifar-10-batches-bin \\
      --metric eigenvalue,trace,loss-change -o s.json
  hawqeye analyze ... --layers 'layer3.*' --samples 128      some layers only, to stdout
  hawqeye analyze ... -o s.json --resume                     go on after ^C or a crash
  hawqeye analyze ... -o s.json --layers conv1 --tolerance 1e-5 --merge
                                                             measure a layer of s.json again

While it runs, what is finished is kept in FILE.partial.";

/// Options of `analyze`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Which network, and which images.
    #[command(flatten)]
    pub inputs: InputArgs,
    /// Which device.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// What is measured, and how well.
    #[command(flatten)]
    pub measure: Measure,
    /// Sensitivity file [default: stdout]
    #[arg(short, long, value_name = "FILE", help_heading = "Result")]
    pub output: Option<PathBuf>,
    /// Go on with the interrupted analysis of the same file
    #[arg(long, requires = "output", help_heading = "Result")]
    pub resume: bool,
    /// Put the measured layers into the file that is there; its other layers stay
    #[arg(long, requires = "output", help_heading = "Result")]
    pub merge: bool,
}

/// What is measured, and how well.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Analysis")]
pub struct Measure {
    /// Training images in the sample
    #[arg(long, value_name = "N", default_value = "512", value_parser = count, allow_negative_numbers = true)]
    pub samples: NonZeroUsize,
    /// Images that a GPU walks at once; the CPU takes as many as its cache holds
    #[arg(long, value_name = "N", default_value = "128", value_parser = count, allow_negative_numbers = true)]
    pub batch_size: NonZeroUsize,
    /// eigenvalue, trace, loss-change: one or several
    #[arg(
        long,
        value_name = "METRICS",
        value_delimiter = ',',
        default_value = "eigenvalue"
    )]
    pub metric: Vec<Metric>,
    /// Relative residual of an eigenvalue that counts as converged
    #[arg(
        long,
        value_name = "R",
        default_value_t = 1e-3,
        allow_negative_numbers = true
    )]
    pub tolerance: f64,
    /// How eigenvalues are found: lanczos, or power as in the paper
    #[arg(long, value_name = "METHOD", default_value_t)]
    pub method: Method,
    /// Hessian products a layer at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        allow_negative_numbers = true
    )]
    pub max_iterations: usize,
    /// Only the layers that match a glob such as 'layer3.*' (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub layers: Vec<String>,
    /// Candidate bit-widths
    #[arg(
        long,
        value_name = "BITS",
        value_delimiter = ',',
        default_value = "2,3,4,8"
    )]
    pub bits: Vec<Bits>,
    /// Step sizes of weights: max (nothing clipped) or mse (least squared error) for each layer,
    /// max-channel or mse-channel for each output channel
    #[arg(long, value_name = "RULE", default_value_t = ScaleRule::Max)]
    pub scale: ScaleRule,
    /// How the sample is taken
    #[arg(long, value_enum, default_value_t)]
    pub order: SampleOrder,
    /// Measure the three largest eigenvalues again in float64
    #[arg(long)]
    pub verify: bool,
}

/// How the sample is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SampleOrder {
    /// The first training images in file order
    File,
    /// By chance, from `--seed`
    #[default]
    Random,
}

impl From<SampleOrder> for Order {
    fn from(order: SampleOrder) -> Self {
        match order {
            SampleOrder::File => Self::File,
            SampleOrder::Random => Self::Random,
        }
    }
}

impl Measure {
    /// The engine's settings for this network.
    ///
    /// # Errors
    /// When a pattern matches no layer, or a setting makes no sense.
    pub fn settings(&self, model: &Model, seed: u64) -> Result<Analysis, Failure> {
        let settings = Analysis {
            metrics: sorted(&self.metric),
            tolerance: self.tolerance,
            method: self.method,
            max_iterations: self.max_iterations,
            layers: self.layers(model)?,
            bits: sorted(&self.bits),
            scale: self.scale,
            seed,
        };
        settings.check().map_err(Failure::usage)?;
        Ok(settings)
    }

    fn layers(&self, model: &Model) -> Result<Vec<Arc<str>>, Failure> {
        let layers = model.graph.layers();
        let names: Vec<Arc<str>> = layers.iter().map(|layer| layer.name.clone()).collect();
        let mut chosen = Vec::new();
        for pattern in &self.layers {
            chosen.extend(pattern::matching(pattern, &names).map_err(Failure::usage)?);
        }
        Ok(sorted(&chosen)
            .into_iter()
            .map(|index| names[index].clone())
            .collect())
    }
}

fn sorted<T: Ord + Clone>(values: &[T]) -> Vec<T> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.dedup();
    values
}

/// Measures the layers.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &Args, shared: &Shared) -> Result<(), Failure> {
    if let Some(path) = &args.output {
        output::probe(path)?;
    }
    let mut reporter = shared.reporter()?;
    let start = Instant::now();
    let inputs = args.inputs.load(Part::Train)?;
    inputs.tell_notes(&reporter);
    let settings = args.measure.settings(&inputs.model, shared.seed())?;
    let images = args.measure.sample(&inputs, shared.seed())?;
    let work = Measuring {
        args,
        settings: &settings,
        model: &inputs.model,
        images: &images,
        partial: Partial::of(args.output.as_deref()),
        reporter: &mut reporter,
        start,
    };
    args.device
        .run_in_chunks(args.measure.batch_size.get(), work)
}

impl Measure {
    fn sample<'a>(&self, inputs: &'a Inputs, seed: u64) -> Result<Selection<'a>, Failure> {
        let dataset = inputs.source.part(Part::Train)?;
        let (order, samples) = (self.order.into(), self.samples.get());
        let indices = sample(order, samples, seed, dataset.len()).map_err(Failure::usage)?;
        Ok(Selection::new(dataset, &inputs.normalization, indices)?)
    }
}

struct Measuring<'a> {
    args: &'a Args,
    settings: &'a Analysis,
    model: &'a Model,
    images: &'a Selection<'a>,
    partial: Partial,
    reporter: &'a mut Reporter,
    start: Instant,
}

impl Work for Measuring<'_> {
    type Output = ();

    fn run<B: Backend>(self, backend: &B) -> Result<(), Failure> {
        let subject = Subject {
            model: self.model,
            backend,
            images: self.images,
        };
        let fresh = analysis::prepare(&subject, self.settings)?;
        // Refused before the work, not after it.
        self.merged(&fresh)?;
        let state = match self.partial.find(fresh, self.args.resume, self.reporter)? {
            Found::State(state) => state,
            Found::Complete => return Ok(()),
        };
        self.measure(&subject, *state)
    }
}

impl Measuring<'_> {
    fn measure<B: Backend>(
        mut self,
        subject: &Subject<B>,
        mut state: Sensitivity,
    ) -> Result<(), Failure> {
        let clock = Clock {
            before: state.seconds.unwrap_or(0.0),
            start: self.start,
        };
        self.partial.save(&state)?;
        let partial = &self.partial;
        let mut pace = Pace::new(SAVED_EVERY);
        let mut save = |state: &Sensitivity| {
            if pace.is_due() {
                partial.save(&clock.stamp(state))
            } else {
                Ok(())
            }
        };
        let mut outcome =
            analysis::run(subject, self.settings, &mut state, &mut save, self.reporter)?;
        if outcome == Outcome::Done && self.args.measure.verify {
            outcome = self.verify(subject, &mut state)?;
        }
        let state = clock.stamp(&state);
        match outcome {
            Outcome::Done => self.finish(&state),
            Outcome::Stopped => self.stop(&state),
        }
    }

    /// Measures the largest eigenvalues again in float64, and tells how they compare.
    fn verify<B: Backend>(
        &mut self,
        subject: &Subject<B>,
        state: &mut Sensitivity,
    ) -> Result<Outcome, Failure> {
        let reference = Candle::float64_cpu();
        let outcome = verify(subject, &reference, (self.settings, state), self.reporter)?;
        self.reporter.finish();
        for layer in &state.layers {
            let (Some(again), Some(value)) = (layer.verified, layer.eigenvalue) else {
                continue;
            };
            let difference = (again.eigenvalue / value - 1.0).abs();
            self.reporter.note(&format!(
                "{}: eigenvalue {value:.6e}, in float64 {:.6e} ({difference:.0e} apart, relative \
                 residual {:.0e})",
                layer.layer, again.eigenvalue, again.residual
            ));
        }
        Ok(outcome)
    }

    /// The file that is there with the layers of `state` in it, where that was asked for.
    fn merged(&self, state: &Sensitivity) -> Result<Option<Sensitivity>, Failure> {
        let Some(path) = self.args.output.as_deref().filter(|_| self.args.merge) else {
            return Ok(None);
        };
        let mut file = Sensitivity::read(path)?;
        merge(&mut file, state)?;
        Ok(Some(file))
    }

    fn finish(&mut self, state: &Sensitivity) -> Result<(), Failure> {
        self.reporter.finish();
        let output = self.args.output.as_deref();
        let merged = self.merged(state)?;
        output::deliver(output, &merged.as_ref().unwrap_or(state).to_json())?;
        self.partial.remove();
        if let Some(path) = output {
            let (layers, seconds) = (state.layers.len(), state.seconds.unwrap_or(0.0));
            let (path, s) = (path.display(), if layers == 1 { "" } else { "s" });
            self.reporter.note(&format!(
                "{layers} layer{s} measured in {seconds:.1} s: {path}"
            ));
            if let Some(curvature) = state.curvature {
                self.reporter.note(&left_out(&curvature));
            }
        }
        Ok(())
    }

    fn stop(&mut self, state: &Sensitivity) -> Result<(), Failure> {
        self.partial.save(state)?;
        self.reporter.finish();
        let Some(path) = self.partial.path() else {
            return Err(Failure::interrupted(
                "nothing was kept; with -o FILE what is finished is kept and can be resumed",
            ));
        };
        let is_finished = |metric: &Metric| {
            let layers = state.layers.iter();
            layers.filter(|layer| metric.is_measured(layer)).count()
        };
        let metrics = &self.settings.metrics;
        let finished = metrics.iter().map(is_finished).min().unwrap_or(0);
        let (total, path) = (state.layers.len(), path.display());
        Err(Failure::interrupted(format!(
            "{finished} of {total} layers are finished and kept in {path}; run the same command \
             with --resume to go on"
        )))
    }
}

/// What the measurements stand on.
fn left_out(curvature: &CurvatureFacts) -> String {
    let CurvatureFacts {
        images,
        rows,
        left_out,
    } = curvature;
    format!("curvature: {rows} rows of {images} images; {left_out:.1e} of it is left to drawn rows")
}

/// Wall time over all parts of an interrupted analysis.
struct Clock {
    before: f64,
    start: Instant,
}

impl Clock {
    fn stamp(&self, state: &Sensitivity) -> Sensitivity {
        let mut state = state.clone();
        state.seconds = Some(self.before + self.start.elapsed().as_secs_f64());
        state
    }
}
