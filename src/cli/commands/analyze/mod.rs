//! `analyze`: measures how sensitive every layer is.

mod kept;
pub mod measure;

use std::time::Instant;

use crate::cli::args::Shared;
use crate::cli::destination::{self, Destination};
use crate::cli::device::{DeviceArgs, Work};
use crate::cli::failure::Failure;
use crate::cli::inputs::InputArgs;
use crate::cli::output;
use crate::cli::report::Reporter;
use crate::engine::backend::Backend;
use crate::engine::backend::candle::Candle;
use crate::engine::data::{Part, Selection};
use crate::engine::export::About;
use crate::engine::hessian::analysis::{self, Subject};
use crate::engine::hessian::identity::Ground;
use crate::engine::hessian::sensitivity::{CurvatureFacts, Sensitivity};
use crate::engine::hessian::verify::verify;
use crate::engine::hessian::{Analysis, Metric};
use crate::engine::job::Outcome;
use crate::engine::model::{Envelope, Model};
use crate::numbers::counted;
use crate::pace::{Pace, SAVED_EVERY};

use kept::{Found, Kept, Mode};
use measure::{Earlier, Measure};

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
    /// Sensitivity file, or - for stdout [default: stdout]
    #[arg(short, long, value_name = "FILE", help_heading = "Result")]
    pub output: Option<Destination>,
    /// Go on with the interrupted analysis of the same file, or add to a finished one what it lacks;
    /// what is not given is as in that file
    #[arg(
        long,
        requires = "output",
        conflicts_with = "merge",
        help_heading = "Result"
    )]
    pub resume: bool,
    /// Put the measured layers into the file that is there; its other layers stay
    #[arg(long, requires = "output", help_heading = "Result")]
    pub merge: bool,
    /// Overwrite a finished file
    #[arg(long, conflicts_with_all = ["resume", "merge"], help_heading = "Result")]
    pub force: bool,
}

/// Measures the layers.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &Args, shared: &Shared) -> Result<(), Failure> {
    let kept = args.kept()?;
    let mut reporter = shared.reporter()?;
    let start = Instant::now();
    let earlier = kept.earlier()?;
    let earlier = earlier.as_ref().map(Earlier);
    let inputs = args.inputs.load(Part::Train, args.device.memory())?;
    inputs.tell_notes(&reporter);
    inputs.tell_whole(Part::Train, &reporter)?;
    let before = earlier.and_then(Earlier::seed);
    let seed = shared.seed.or(before).unwrap_or(0);
    let settings = args.measure.settings(&inputs.model, seed, earlier)?;
    let images = args.measure.sample(&inputs, seed, earlier, &reporter)?;
    let trained = inputs.source.part(Part::Train)?;
    let about = About::expected(&inputs.model, trained, &inputs.normalization);
    let work = Measuring {
        args,
        envelope: about.envelope(&inputs.model.graph),
        settings: &settings,
        model: &inputs.model,
        images: &images,
        kept,
        reporter: &mut reporter,
        start,
    };
    args.device
        .run_in_chunks(args.measure.batch_size.get(), work)
}

impl Args {
    /// What is there of this analysis; refuses places that cannot be written, before anything is read.
    fn kept(&self) -> Result<Kept, Failure> {
        let mode = match (self.resume, self.merge, self.force) {
            (true, ..) => Mode::Resume,
            (_, true, _) => Mode::Merge,
            (.., true) => Mode::Overwrite,
            _ => Mode::New,
        };
        let output = Destination::file(self.output.as_ref());
        let kept = Kept::of(output, mode);
        let Some(path) = output else {
            return Ok(kept);
        };
        let inputs = self.inputs.files();
        for written in [Some(path), kept.path()].into_iter().flatten() {
            destination::refuse_input(written, &inputs)?;
        }
        kept.refuse_overwriting()?;
        output::probe(path)?;
        Ok(kept)
    }
}

struct Measuring<'a> {
    args: &'a Args,
    /// What a packed file of the network will hold besides its layers.
    envelope: Envelope,
    settings: &'a Analysis,
    model: &'a Model,
    images: &'a Selection<'a>,
    kept: Kept,
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
        let mut fresh = analysis::prepare(&subject, self.settings)?;
        fresh.packed = Some(self.envelope.clone());
        let ground = Ground::of(&subject);
        // Refused before the work, not after it.
        self.kept.joined(&ground, &fresh)?;
        let state = match self.kept.find(&ground, fresh, self.reporter)? {
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
        // What was begun by an older program does not know it.
        state.packed = Some(self.envelope.clone());
        let clock = Clock {
            before: state.seconds.unwrap_or(0.0),
            start: self.start,
        };
        self.kept.save(&state)?;
        let kept = &self.kept;
        let mut pace = Pace::new(SAVED_EVERY);
        let mut save = |state: &Sensitivity| {
            if pace.is_due() {
                kept.save(&clock.stamp(state))
            } else {
                Ok(())
            }
        };
        let done = analysis::run(subject, self.settings, &mut state, &mut save, self.reporter);
        let mut outcome = done.inspect_err(|_| {
            if !state.is_begun() {
                kept.remove();
            }
        })?;
        if outcome == Outcome::Done && self.args.measure.verify {
            outcome = self.verify(subject, &mut state)?;
        }
        let state = clock.stamp(&state);
        match outcome {
            Outcome::Done => self.finish(&Ground::of(subject), &state),
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

    fn finish(&mut self, ground: &Ground, state: &Sensitivity) -> Result<(), Failure> {
        self.reporter.finish();
        let output = Destination::file(self.args.output.as_ref());
        let result = self.kept.joined(ground, state)?;
        output::deliver(output, &result.to_json())?;
        self.kept.remove();
        if let Some(path) = output {
            let layers = counted(state.layers.len(), "layer");
            let (seconds, path) = (state.seconds.unwrap_or(0.0), path.display());
            self.reporter
                .note(&format!("{layers} measured in {seconds:.1} s: {path}"));
            if let Some(curvature) = state.curvature {
                self.reporter.note(&left_out(&curvature));
            }
        }
        for doubt in result.doubts() {
            self.reporter.warn(doubt.to_string());
        }
        Ok(())
    }

    fn stop(&mut self, state: &Sensitivity) -> Result<(), Failure> {
        self.kept.save(state)?;
        self.reporter.finish();
        let Some(path) = self.kept.path() else {
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
            "{finished} of {} are finished and kept in {path}; run the same command with --resume \
             to go on",
            counted(total, "layer")
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
    let (rows, images) = (counted(*rows, "row"), counted(*images, "image"));
    // A difference that cancels may be -0.
    let left_out = left_out.max(0.0) + 0.0;
    format!("curvature: {rows} of {images}; {left_out:.1e} of it is left to drawn rows")
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
