//! `tune`: fine-tunes a plan into a run folder.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::device::DeviceArgs;
use crate::cli::inputs::InputArgs;

const EXAMPLES: &str = "\
Examples:
  hawqeye tune --data demo --plan p.toml --epochs 2 --schedule joint -o run
  hawqeye tune ... --plan p.toml --sensitivity s.json --epochs 20 -o run     in stages
  hawqeye tune ... -o run --resume                 go on after ^C or a crash

The run folder holds events.jsonl, appended as the run goes, and its checkpoints.";

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
}

/// How a plan is trained.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Fine-tuning")]
pub struct Training {
    /// Bits of every layer
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// Sensitivity file that orders the stages by omega [default: measured first]
    #[arg(long, value_name = "FILE")]
    pub sensitivity: Option<PathBuf>,
    /// Epochs in all
    #[arg(long, value_name = "N", default_value = "10")]
    pub epochs: NonZeroUsize,
    /// Order of quantizing
    #[arg(long, value_enum, default_value_t)]
    pub schedule: Schedule,
    /// Learning rate at the start
    #[arg(long, value_name = "RATE", default_value_t = 0.01)]
    pub lr: f64,
    /// Images of a training step
    #[arg(long, value_name = "N", default_value = "128")]
    pub batch_size: NonZeroUsize,
    /// Also learn from the outputs of the float network
    #[arg(long)]
    pub distill: bool,
}

/// Order of quantizing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Schedule {
    /// Layer by layer in descending omega, as in the paper
    #[default]
    Staged,
    /// All layers at once
    Joint,
}
