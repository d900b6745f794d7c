//! The command line.

use std::error::Error as _;
use std::num::NonZeroUsize;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use super::commands::{
    analyze, application, bench, completions, config, demo_images, demo_weights, eval, export,
    inspect, man, plan, report, tune,
};
use super::failure::Failure;
use super::output;
use super::report::Reporter;
use super::stop::Stop;
use super::warnings::Warnings;
use crate::engine::error::said;
use crate::engine::shown::shown;
use crate::numbers::counted;

const EXAMPLES: &str = "\
Examples:
  hawqeye                                  open the terminal application on the embedded demo
  hawqeye --attach run                     watch a run, also one started by a command
  hawqeye analyze --data demo -o s.json    measure every layer of the demo network
  hawqeye plan s.json --budget compression=10x -o p.toml
  hawqeye eval --data demo --plan p.toml   accuracy of that plan without training
  hawqeye tune --data demo --plan p.toml --epochs 2 -o run
  hawqeye export run --format packed -o small.safetensors
  hawqeye report run -o report.html        every plot and table, as one page

Exit codes:
  0 done   1 failed   2 usage   3 budget infeasible   130 interrupted, state saved

HAWQEYE_LOG=debug logs to stderr. `hawqeye COMMAND --help` has the examples of a command.";

/// Shows where a neural network can afford fewer bits, lets you decide, and carries the decision
/// out: Hessian-aware mixed-precision quantization (HAWQ, arXiv 1905.03696).
///
/// Without a command the terminal application opens.
#[derive(Debug, Parser)]
#[command(name = "hawqeye", version = env!("HAWQEYE_VERSION"), about, long_about, after_long_help = EXAMPLES)]
pub struct Arguments {
    /// What to do; the terminal application opens without one.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What the terminal application is opened on.
    #[command(flatten)]
    pub application: application::Args,
    /// What every command understands.
    #[command(flatten)]
    pub shared: Shared,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure how sensitive every layer is: eigenvalue, trace, loss change
    Analyze(Box<analyze::Args>),
    /// Choose bits for every layer under a budget
    Plan(plan::Args),
    /// Loss and accuracy of a network, a plan, a packed file or a run
    Eval(Box<eval::Args>),
    /// Fine-tune a plan into a run folder
    Tune(Box<tune::Args>),
    /// Write a run as a packed, qonnx or dequantized file
    Export(export::Args),
    /// Every plot and table of a project or a run, as one HTML page
    Report(report::Args),
    /// Time what the others do: walks, products, sweeps, training steps, convolutions
    Bench(Box<bench::Args>),
    /// What is in a network file, and whether it can be used
    Inspect(Box<inspect::Args>),
    /// Describe this machine, for a bug report
    Doctor,
    /// Print a default file of the terminal application to copy and change
    Config(config::Args),
    /// Print the completions of a shell
    Completions(completions::Args),
    /// Print the manual page
    Man(man::Args),
    /// Make the embedded images of the demo from the original files of Fashion-MNIST
    #[command(hide = true)]
    DemoImages(demo_images::Args),
    /// Train the network of the demo from the original files of Fashion-MNIST
    #[command(hide = true)]
    DemoWeights(demo_weights::Args),
    /// Do what the terminal application orders on standard input
    #[command(hide = true)]
    Worker,
}

impl Command {
    /// Whether it needs the threads that compute.
    #[must_use]
    pub const fn computes(&self) -> bool {
        match self {
            Self::Analyze(_)
            | Self::Plan(_)
            | Self::Eval(_)
            | Self::Tune(_)
            | Self::Export(_)
            | Self::Report(_)
            | Self::Bench(_)
            | Self::Doctor
            | Self::DemoImages(_)
            | Self::DemoWeights(_)
            | Self::Worker => true,
            Self::Inspect(_) | Self::Config(_) | Self::Completions(_) | Self::Man(_) => false,
        }
    }
}

/// What every command understands.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "General")]
pub struct Shared {
    /// Threads that compute [default: one a core, or as many as a Slurm job has]
    #[arg(long, value_name = "N", global = true, value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<NonZeroUsize>,
    /// Seed of everything left to chance [default: 0]
    #[arg(long, value_name = "N", global = true, value_parser = seed, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Progress on stderr
    #[arg(long, value_name = "HOW", global = true, value_enum, default_value_t)]
    pub progress: Progress,
    /// Write nothing to stderr but errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Warnings are errors: exit code 1 once the work is done
    #[arg(long, global = true)]
    pub strict: bool,
    /// What was warned of.
    #[arg(skip)]
    pub warnings: Warnings,
    /// No colours, as with `NO_COLOR=1`
    #[arg(long, global = true, action = ArgAction::SetTrue)]
    pub no_color: bool,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Progress {
    /// A bar with the time left, when stderr is a terminal
    #[default]
    Auto,
    /// One JSON line for each event
    Json,
    /// None
    None,
}

/// Most threads that can be asked for; the rest of the machine would only wait for them.
const MOST_THREADS: usize = 1024;

/// A number of things, as typed.
///
/// # Errors
/// When it is no whole number, or 0.
pub fn count(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse()
        .map_err(|_| "expected a whole number from 1 on")
}

/// A number of threads, as typed.
fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse::<NonZeroUsize>().ok();
    let sensible = threads.filter(|threads| threads.get() <= MOST_THREADS);
    sensible.ok_or_else(|| format!("expected a whole number from 1 to {MOST_THREADS}"))
}

/// Threads where none were asked for.
fn usual_threads() -> NonZeroUsize {
    let number = |name: &str| {
        std::env::var(name)
            .ok()?
            .trim()
            .parse::<NonZeroUsize>()
            .ok()
    };
    if let Some(asked) = number("RAYON_NUM_THREADS") {
        return asked;
    }
    // Affinity and the quota of the control group.
    let here = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    number("SLURM_CPUS_PER_TASK").map_or(here, |share| share.min(here))
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

impl Shared {
    /// The seed that was given, or 0.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(0)
    }

    /// Starts the threads that compute: as many as were asked for, else one a core that this process
    /// may use, by its affinity, its control group and its share of a Slurm job.
    ///
    /// # Errors
    /// When the operating system refuses them.
    pub fn start_threads(&self) -> Result<(), Failure> {
        let threads = self.threads.unwrap_or_else(usual_threads);
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build_global()
            .map_err(|refused| {
                let by_system = refused.source().and_then(|by| by.downcast_ref());
                let refused = by_system.map_or_else(|| refused.to_string(), said);
                Failure::failed(format!(
                    "cannot start {} ({refused}); ask for fewer with --threads, or \
                     allow this user more processes (ulimit -u)",
                    counted(threads.get(), "thread")
                ))
            })
    }

    /// Tells something doubtful on stderr, for commands that show no progress.
    pub fn warn(&self, message: &str) {
        if self.warnings.add(message) && !self.quiet {
            output::tell(&format!("warning: {}\n", shown(message)));
        }
    }

    /// Shows progress as asked, and stops on ^C and the signals that ask for an end.
    ///
    /// # Errors
    /// When the operating system refuses the signal handlers.
    pub fn reporter(&self) -> Result<Reporter, Failure> {
        let stop = Stop::on_signals().map_err(|refused| {
            Failure::failed(format!(
                "cannot watch for ^C ({}); allow this user more processes (ulimit -u)",
                said(&refused)
            ))
        })?;
        let progress = if self.quiet {
            Progress::None
        } else {
            self.progress
        };
        Ok(Reporter::new(progress, self.quiet, stop).with_warnings(self.warnings.clone()))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
