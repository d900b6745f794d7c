//! The terminal application: state, pure update, read-only view, and a shell around them.
//!
//! ```text
//!  keys, signals ─> shell ─Msg─> update(&mut State) ─Effect─> effect ─> jobs ─> engine
//!                     └──────── view(&State, &Theme) ─> terminal    <─Msg── inbox
//! ```

pub mod command;
pub mod config;
mod editor;
pub mod effect;
pub mod engine;
pub mod jobs;
pub mod key;
pub mod keymap;
mod log;
pub mod msg;
pub mod notes;
mod opening;
pub mod project;
pub mod settings;
pub mod shell;
pub mod state;
pub mod symbols;
pub mod term;
pub mod theme;
pub mod update;
pub mod view;
pub mod worker;

use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal as Caught, SignalKind, signal};
use tokio::time::timeout;

use effect::{Edit, Next};
use engine::ProjectEngine;
use jobs::Engine;
use msg::Signal;
use opening::{Around, Opened};
use project::{InputFile, Project};
use shell::Left;
use state::Level;
use term::events::Events;
use worker::Client;

/// Exit code when something failed.
const FAILED: u8 = 1;
/// Exit code when it cannot be done as asked.
const USAGE: u8 = 2;

/// How long an interrupt may take to be told after the editor that it was meant for.
const ECHO: Duration = Duration::from_millis(50);

/// What the application is opened on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Model and data; absent: those of the project.
    pub inputs: Option<InputFile>,
    /// Seed of everything left to chance; absent: as before, or 0.
    pub seed: Option<u64>,
    /// The project's name; absent: named after the inputs, or the last one, or the demo.
    pub project: Option<String>,
    /// The theme; absent: the one chosen last.
    pub theme: Option<String>,
    /// Draw without colours.
    pub no_color: bool,
    /// Leave aside what the last session left: its screen, settings and colours.
    pub fresh: bool,
    /// A run to show, and to follow if some process works on it; it may be in any folder.
    pub attach: Option<PathBuf>,
    /// This executable, which workers are started from.
    pub program: PathBuf,
}

impl Options {
    /// The same wishes for another project.
    fn on(&self, next: &Next) -> Self {
        let (inputs, project) = match next {
            Next::Project(name) => (None, name),
            Next::Inputs(opening) => (Some(opening.inputs.clone()), &opening.project),
        };
        Self {
            inputs,
            seed: None,
            project: Some(project.clone()),
            attach: None,
            fresh: false,
            ..self.clone()
        }
    }
}

/// How another project is opened.
type Reopen<'a> = &'a dyn Fn(&Next) -> Result<Opened, Refusal>;

/// How the engine of a project is made.
type MakeEngine<'a> = &'a dyn Fn(&InputFile, &Project) -> Arc<dyn Engine>;

/// Opens the application and runs it until the user leaves.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    run_with(options, &|inputs, project| {
        Arc::new(ProjectEngine::new(
            inputs.clone(),
            project.sensitivity_path(),
            Client::new(project.folder(), options.program.clone()),
        ))
    })
}

/// As [`run`], over another engine.
#[must_use]
pub fn run_with(options: &Options, make: MakeEngine) -> ExitCode {
    let code = match open(options, make) {
        Ok(code) => code,
        Err((code, sentence)) => {
            // Nobody is left to tell when standard error is closed.
            let sentence = crate::engine::shown::shown(&sentence);
            let _ = writeln!(io::stderr(), "error: {sentence}");
            code
        }
    };
    ExitCode::from(code)
}

type Refusal = (u8, String);

#[expect(clippy::needless_pass_by_value, reason = "passed to map_err")]
fn failed<E: ToString>(error: E) -> Refusal {
    (FAILED, error.to_string())
}

fn open(options: &Options, make: MakeEngine) -> Result<u8, Refusal> {
    term::check_interactive().map_err(|sentence| (USAGE, sentence))?;
    let around = Around::find()?;
    let first = around.open(options, make)?;
    let reopen = |next: &Next| around.open(&options.on(next), make);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(failed)?
        .block_on(in_terminal(first, &reopen))
}

/// Shows a project, and those that the user goes to from there. The terminal stays ours between
/// them. One that cannot be opened is told in the one before.
async fn in_terminal(mut opened: Opened, reopen: Reopen<'_>) -> Result<u8, Refusal> {
    let mut signals = Signals::listen().map_err(failed)?;
    let (guard, terminal) = term::Guard::enter().map_err(failed)?;
    // Dropping it would print to a terminal that may be gone; the guard restores everything.
    let mut terminal = ManuallyDrop::new(terminal);
    signals.guard = Some(guard);
    loop {
        let Opened { state, effects } = &mut opened;
        let next = match shell::run(&mut terminal, &mut signals, state, effects).await {
            Left::Code(code) => {
                tracing::info!("left with exit code {code}");
                return Ok(code);
            }
            Left::For(next) => next,
        };
        let here = state.place.project.clone();
        // Its lock is free from here on.
        drop(opened);
        opened = match reopen(&next) {
            Ok(opened) => opened,
            Err((_, sentence)) => {
                let mut back = reopen(&Next::Project(here))?;
                back.state
                    .notify(Level::Bad, format!("{}: {sentence}", next.name()));
                back
            }
        };
    }
}

/// The real outside: this process's terminal and signals.
struct Signals {
    terminate: Caught,
    hang_up: Caught,
    interrupt: Caught,
    guard: Option<term::Guard>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            guard: None,
        })
    }
}

impl shell::Outside for Signals {
    type Input = Events;

    fn input(&mut self) -> Events {
        Events::read()
    }

    async fn signal(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.hang_up.recv() => Signal::HangUp,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.guard.as_ref().map_or(Ok(()), term::Guard::suspend)
    }

    async fn edit(&mut self, edit: &Edit) -> io::Result<Result<(), String>> {
        let ended = match &self.guard {
            Some(guard) => guard.lend(|| editor::run(edit))?,
            None => editor::run(edit),
        };
        // ^C in the editor was not meant for us; it is told once the runtime looked around.
        while timeout(ECHO, self.interrupt.recv()).await == Ok(Some(())) {}
        Ok(ended)
    }
}
