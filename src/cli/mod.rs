//! The headless front end: every subcommand is a thin observer over an engine job.
//!
//! ```text
//! arguments ──args──> Command ──commands::*──> engine job ──Event──> report (stderr)
//!                                  └─ result ──output──> stdout or -o FILE
//! ```
//! Exit codes: 0 done, 1 failed, 2 usage, 3 budget infeasible, 130 interrupted.

pub mod args;
pub mod commands;
pub mod destination;
pub mod device;
pub mod expect;
pub mod failure;
mod home;
pub mod inputs;
mod lacking;
mod machine;
pub mod output;
pub mod preprocess;
pub mod report;
pub mod stop;
mod table;
mod warnings;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory, FromArgMatches};

use args::{Arguments, Command, Shared};
use failure::{Exit, Failure};

use crate::engine::shown::shown_lines;

/// Parses the arguments, runs the command, and says how it went.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let home = std::env::home_dir();
    let arguments: Vec<OsString> = arguments
        .into_iter()
        .map(|argument| home::expanded(argument, home.as_deref()))
        .collect();
    match parse(&arguments) {
        Ok(parsed) => match &parsed.command {
            // It logs to the project's file: standard error belongs to the screen.
            None => open(&parsed),
            Some(command) => finish(run(command, &parsed)),
        },
        Err(refused) if refused.use_stderr() => {
            // Nothing can be done when even the message cannot be written.
            let _ = print_usage(&refused);
            Exit::Usage.into()
        }
        Err(asked) => finish(output::printed(
            asked.print().and_then(|()| std::io::stdout().flush()),
        )),
    }
}

/// The command line as `clap` sees it; `--no-color` counts before anything else is understood.
fn parse(arguments: &[OsString]) -> Result<Arguments, clap::Error> {
    let plain = arguments.iter().any(|argument| argument == "--no-color");
    let color = if plain {
        ColorChoice::Never
    } else {
        ColorChoice::Auto
    };
    let command = Arguments::command().color(color);
    let matches = command.try_get_matches_from(arguments)?;
    Arguments::from_arg_matches(&matches)
}

/// Writes what the parser of the command line says; what must reach no terminal, such as a name of
/// a file that the shell filled in, is replaced.
fn print_usage(refused: &clap::Error) -> std::io::Result<()> {
    let plain = refused.render().to_string();
    match shown_lines(&plain) {
        Cow::Borrowed(_) => refused.print(),
        Cow::Owned(text) => std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()),
    }
}

fn open(arguments: &Arguments) -> ExitCode {
    match arguments.shared.start_threads() {
        Ok(()) => commands::application::run(&arguments.application, &arguments.shared),
        Err(failure) => finish(Err(failure)),
    }
}

fn run(command: &Command, arguments: &Arguments) -> Result<(), Failure> {
    start_log();
    arguments.application.refuse()?;
    if command.computes() {
        arguments.shared.start_threads()?;
    }
    let shared = &arguments.shared;
    perform(command, shared)?;
    shared.warnings.judge(shared.strict)
}

fn perform(command: &Command, shared: &Shared) -> Result<(), Failure> {
    match command {
        Command::Analyze(args) => commands::analyze::run(args, shared),
        Command::Plan(args) => commands::plan::run(args, shared),
        Command::Eval(args) => commands::eval::run(args, shared),
        Command::Tune(args) => commands::tune::run(args, shared),
        Command::Export(args) => commands::export::run(args, shared),
        Command::Report(args) => commands::report::run(args, shared),
        Command::Bench(args) => commands::bench::run(args, shared),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::Doctor => commands::doctor::run(),
        Command::Config(args) => commands::config::run(args),
        Command::Completions(args) => commands::completions::run(args),
        Command::Man(args) => commands::man::run(args),
        Command::DemoImages(args) => commands::demo_images::run(args),
        Command::DemoWeights(args) => commands::demo_weights::run(args, shared),
        Command::Worker => commands::worker::run(shared),
    }
}

fn finish(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            failure.print();
            failure.exit.into()
        }
    }
}

/// Logs to stderr what `HAWQEYE_LOG` asks for, such as `debug` or `hawqeye::engine=trace`.
fn start_log() {
    use tracing_subscriber::EnvFilter;
    let Some(asked) = std::env::var("HAWQEYE_LOG")
        .ok()
        .filter(|text| !text.is_empty())
    else {
        return;
    };
    let filter = match EnvFilter::try_new(&asked) {
        Ok(filter) => filter,
        Err(refused) => return output::tell(&format!("warning: HAWQEYE_LOG={asked}: {refused}\n")),
    };
    // A second subscriber in one process (tests) is no failure.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}
