//! `tune`: fine-tunes a plan into a run folder.

mod order;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::cli::args::{Shared, count};
use crate::cli::device::{DeviceArgs, Work};
use crate::cli::failure::Failure;
use crate::cli::inputs::{InputArgs, Inputs};
use crate::cli::output;
use crate::cli::report::{Reporter, sentence};
use crate::engine::backend::Backend;
use crate::engine::data::Part;
use crate::engine::finetune::{
    self, Decay, EarlierStages, Kept, Norms, Record, Request, Schedule, Settings, StageOrder,
    Start, Subject, Variation,
};
use crate::engine::job::Outcome;
use crate::engine::plan::Plan;

const EXAMPLES: &str = "\
Examples:
  hawqeye tune --data demo --plan p.toml --epochs 2 --schedule joint -o run
  hawqeye tune ... --plan p.toml --sensitivity s.json --epochs 20 -o run     in stages
  hawqeye tune ... --schedule joint --epochs 60 --lr 0.05 --distill 0.7 -o run    for low bits
  hawqeye tune ... -o run --resume                 go on after ^C or a crash
  hawqeye tune ... -o run --resume --change-lr 0.005   go on at another learning rate
  hawqeye tune ... -o run --resume --conclude best     end it with the best epoch so far

The run folder holds events.jsonl, appended as the run goes, and its checkpoints.
With --resume, the plan and the settings are those the run was started with.";

/// Options of `tune`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Which network, and which images.
    #[command(flatten)]
    pub inputs: InputArgs,
    /// Which device.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// How it is trained.
    #[command(flatten)]
    pub training: Training,
    /// Run folder
    #[arg(short, long, value_name = "DIR", help_heading = "Result")]
    pub output: PathBuf,
    /// Go on with the run in the folder
    #[arg(long, help_heading = "Result")]
    pub resume: bool,
    /// Go on at this learning rate, which falls from there in the proportion it would have
    #[arg(
        long,
        value_name = "RATE",
        requires = "resume",
        help_heading = "Result"
    )]
    pub change_lr: Option<f64>,
    /// End the run without further training, with the network of its best epoch by validation, or
    /// its last: best or last
    #[arg(
        long,
        value_name = "WHICH",
        requires = "resume",
        conflicts_with = "change_lr"
    )]
    #[arg(help_heading = "Result")]
    pub conclude: Option<Kept>,
}

/// How a plan is trained; what is not given is usual, or with `--resume` as before.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Fine-tuning")]
pub struct Training {
    /// Bits of every layer
    #[arg(long, value_name = "FILE", required_unless_present = "resume")]
    pub plan: Option<PathBuf>,
    /// Sensitivity file that orders the stages by omega [default: measured first]
    #[arg(long, value_name = "FILE")]
    pub sensitivity: Option<PathBuf>,
    /// Epochs in all [default: 10]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub epochs: Option<NonZeroUsize>,
    /// Order of quantizing: staged (layer by layer in descending omega, as in the paper) or joint
    /// (all layers at once) [default: staged]
    #[arg(long, value_name = "ORDER")]
    pub schedule: Option<Schedule>,
    /// Order of the stages by omega: descending (the paper), ascending or random [default:
    /// descending]
    #[arg(long, value_name = "ORDER")]
    pub stage_order: Option<StageOrder>,
    /// Share of the steps in which the stages enter, one after the other [default: 0.5]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub staging: Option<f64>,
    /// What becomes of the layers of earlier stages while later ones enter: trained on, or frozen
    /// [default: trained]
    #[arg(long, value_name = "HOW")]
    pub earlier_stages: Option<EarlierStages>,
    /// Learning rate at the start [default: 0.01]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub lr: Option<f64>,
    /// How the learning rate falls: cosine (to zero), step (to a tenth at half, again at three
    /// quarters) or constant [default: cosine]
    #[arg(long, value_name = "HOW")]
    pub decay: Option<Decay>,
    /// Pull of weights towards zero [default: 0.0001]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    pub weight_decay: Option<f64>,
    /// Images of a training step [default: 128]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub batch_size: Option<NonZeroUsize>,
    /// Also learn from the outputs of the float network; their weight in the loss
    #[arg(long, value_name = "WEIGHT", num_args = 0..=1, default_missing_value = "0.5")]
    pub distill: Option<f64>,
    /// Temperature of those outputs [default: 4]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub temperature: Option<f64>,
    /// Statistics of batch normalisation in training: batch, frozen as they are, or reestimated (of
    /// the batch, and measured anew when training ends) [default: batch]
    #[arg(long, value_name = "WHICH")]
    pub norms: Option<Norms>,
    /// Share of the training images held out for validation [default: 0.1]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub hold_out: Option<f64>,
}

impl Training {
    /// The settings of a run: what is given, else what it was started with, else what is usual.
    fn settings(&self, started: Option<Settings>, data: &str, seed: Option<u64>) -> Settings {
        let usual = || Settings {
            variation: Variation::usual(data),
            ..Settings::default()
        };
        let base = started.unwrap_or_else(usual);
        Settings {
            epochs: self.epochs.map_or(base.epochs, NonZeroUsize::get),
            schedule: self.schedule.unwrap_or(base.schedule),
            learning_rate: self.lr.unwrap_or(base.learning_rate),
            batch_size: self.batch_size.map_or(base.batch_size, NonZeroUsize::get),
            stage_order: self.stage_order.unwrap_or(base.stage_order),
            staging: self.staging.unwrap_or(base.staging),
            earlier_stages: self.earlier_stages.unwrap_or(base.earlier_stages),
            decay: self.decay.unwrap_or(base.decay),
            weight_decay: self.weight_decay.unwrap_or(base.weight_decay),
            distill: self.distill.unwrap_or(base.distill),
            temperature: self.temperature.unwrap_or(base.temperature),
            norms: self.norms.unwrap_or(base.norms),
            validation: self.hold_out.unwrap_or(base.validation),
            seed: seed.unwrap_or(base.seed),
            ..base
        }
    }
}

/// Fine-tunes.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &Args, shared: &Shared) -> Result<(), Failure> {
    let folder = args.output.as_path();
    let start = args.start(folder)?;
    let reporter = shared.reporter()?;
    let mut inputs = args.inputs.load(Part::Train, args.device.memory())?;
    inputs.tell_notes(&reporter);
    let started = match start {
        Start::Fresh => None,
        _ => Some(finetune::read_record(folder)?),
    };
    let plan = match (&args.training.plan, &started) {
        (None, Some(record)) => finetune::read_plan(folder, record)?,
        (Some(path), _) => inputs.plan(path)?,
        (None, None) => unreachable!("invariant: clap asks for a plan without --resume"),
    };
    let data = inputs.source.spec.name();
    let before = started.as_ref().map(|record| record.settings.clone());
    let settings = args.training.settings(before, data, shared.seed);
    settings.check().map_err(Failure::usage)?;
    inputs.hold_out(settings.seed, &reporter)?;
    args.device.run(Tuning {
        args,
        started: started.as_ref(),
        start,
        inputs: &inputs,
        plan: &plan,
        settings: &settings,
        reporter,
    })
}

impl Args {
    /// Whether the run begins or goes on; refuses a folder that suits neither, before any work.
    fn start(&self, folder: &Path) -> Result<Start, Failure> {
        let shown = folder.display();
        finetune::refuse_remains(folder)?;
        match (self.resume, finetune::holds_run(folder)) {
            (true, true) => Ok(self.resumed()),
            (false, false) => {
                output::probe_new_folder(folder)?;
                Ok(Start::Fresh)
            }
            (false, true) => Err(Failure::failed(format!(
                "{shown} already holds a run: go on with --resume, or choose another folder"
            ))),
            (true, false) if self.training.plan.is_some() && self.conclude.is_none() => {
                output::probe_new_folder(folder)?;
                Ok(Start::Fresh)
            }
            (true, false) => Err(Failure::failed(format!(
                "{shown} holds no run to go on with; start one with --plan FILE"
            ))),
        }
    }
}

impl Args {
    /// How a run that was begun goes on.
    fn resumed(&self) -> Start {
        match (self.change_lr, self.conclude) {
            (Some(rate), _) => Start::ChangeRate(rate),
            (None, Some(kept)) => Start::Conclude(kept),
            (None, None) => Start::Resume,
        }
    }
}

struct Tuning<'a> {
    args: &'a Args,
    started: Option<&'a Record>,
    start: Start,
    inputs: &'a Inputs,
    plan: &'a Plan,
    settings: &'a Settings,
    reporter: Reporter,
}

impl Work for Tuning<'_> {
    type Output = ();

    fn run<B: Backend>(mut self, backend: &B) -> Result<(), Failure> {
        let Inputs { source, model, .. } = self.inputs;
        let folder = self.args.output.as_path();
        let stages = self.stages(backend)?;
        let images = (source.part(Part::Train)?, source.part(Part::Test)?);
        let subject = Subject::new(model, &self.inputs.normalization, images);
        let request = Request {
            plan: self.plan,
            stages: &stages,
            settings: self.settings,
            folder,
            start: self.start,
        };
        let report = finetune::tune(backend, &subject, &request, &mut self.reporter)?;
        self.reporter.finish();
        match (report.outcome, report.test) {
            (Outcome::Done, Some(score)) => output::print(&format!("{}\n", sentence(score))),
            _ => Err(Failure::interrupted(format!(
                "the run is kept in {}; run the same command with --resume to go on",
                folder.display()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::engine::finetune::DISTILLATION_WEIGHT;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn settings(line: &[&str], started: Option<Settings>) -> Settings {
        let line = ["tune", "--plan", "p", "-o", "run"].iter().chain(line);
        let parsed = Line::try_parse_from(line).unwrap();
        parsed.args.training.settings(started, "cifar10", None)
    }

    #[test]
    fn distilling_without_a_weight_takes_the_usual_one() {
        assert_eq!(settings(&[], None).distill.to_bits(), 0.0_f64.to_bits());
        let usual = settings(&["--distill"], None).distill;
        assert_eq!(usual.to_bits(), DISTILLATION_WEIGHT.to_bits());
        let given = settings(&["--distill", "0.25"], None).distill;
        assert_eq!(given.to_bits(), 0.25_f64.to_bits());
    }

    #[test]
    fn a_resumed_run_keeps_its_settings_unless_others_are_given() {
        let started = Settings {
            epochs: 7,
            seed: 3,
            ..Settings::default()
        };
        assert_eq!(settings(&[], Some(started.clone())), started);
        assert_eq!(settings(&["--epochs", "2"], Some(started)).epochs, 2);
    }
}
