//! The terminal application: state, pure update, read-only view, and a shell around them.
//!
//! ```text
//!  keys, signals ─> shell ─Msg─> update(&mut State) ─Effect─> effect ─> jobs ─> engine
//!                     └──────── view(&State, &Theme) ─> terminal    <─Msg── inbox
//! ```

pub mod command;
pub mod config;
pub mod effect;
pub mod engine;
pub mod jobs;
pub mod key;
pub mod keymap;
mod log;
pub mod msg;
pub mod notes;
pub mod project;
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
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crossterm::event::EventStream;
use tokio::signal::unix::{Signal as Caught, SignalKind, signal};

use crate::folders::Folders;
use crate::project::{folder as project_folder, is_name};
use config::Surroundings;
use effect::{Effects, Look};
use engine::ProjectEngine;
use jobs::{Engine, Jobs};
use msg::Signal;
use project::{InputFile, Project};
use state::{LongWork, Place, State, Themes};
use symbols::Symbols;
use theme::MONO;
use worker::Client;

/// Exit code when something failed.
const FAILED: u8 = 1;
/// Exit code when it cannot be done as asked.
const USAGE: u8 = 2;
/// The project of the embedded demo.
const DEMO: &str = "demo";
/// The theme when none was chosen.
const DEFAULT_THEME: &str = "terminal";

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
    /// A run to show, and to follow if some process works on it; it may be in any folder.
    pub attach: Option<PathBuf>,
    /// This executable, which workers are started from.
    pub program: PathBuf,
}

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
    term::check_interactive().map_err(|sentence| (USAGE, sentence.to_owned()))?;
    let surroundings = Surroundings::read();
    let folders = Folders::find().ok_or_else(|| {
        failed("there is no home folder; name one for projects with HAWQEYE_HOME")
    })?;
    let name = project_name(options, &folders)?;
    let project = Project::open(&project_folder(&folders.data, &name)).map_err(failed)?;
    remember(&folders.data, &name);
    let log = project.folder().join("hawqeye.log");
    log::to_file(&log, &surroundings.log).map_err(failed)?;
    let inputs = inputs(options, &project).map_err(failed)?;
    let (mut state, look) = prepare(
        options,
        (&folders, &surroundings),
        (&project, &inputs, log, name),
    )
    .map_err(failed)?;
    let engine = make(&inputs, &project);
    if engine.outlives() && !state.is_watching() {
        state.long_work = LongWork::InWorker;
    }
    let jobs = Jobs::new(engine);
    let effects = Effects::new(jobs, project, inputs, look);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(failed)?
        .block_on(in_terminal(state, effects))
}

/// The project that is meant; a name that is no folder name is refused.
fn project_name(options: &Options, folders: &Folders) -> Result<String, Refusal> {
    let last = || std::fs::read_to_string(folders.data.join("last-project")).ok();
    let named = match (&options.project, &options.inputs) {
        (Some(name), _) => Some(name.clone()),
        (None, Some(inputs)) => {
            let data = inputs.data.split(':').next().unwrap_or_default();
            Some(format!("{}-{data}", inputs.model))
        }
        (None, None) => last().filter(|name| project_folder(&folders.data, name).is_dir()),
    };
    let name = named.unwrap_or_else(|| DEMO.to_owned());
    if is_name(&name) {
        Ok(name)
    } else {
        Err((
            USAGE,
            format!("project {name:?}: expected letters, digits, -, _ and ."),
        ))
    }
}

/// The next start opens the same project. Only a convenience: failing to write it is logged.
fn remember(data: &Path, name: &str) {
    let written =
        crate::engine::files::write_atomically(&data.join("last-project"), name.as_bytes());
    if let Err(error) = written {
        tracing::warn!("{error}");
    }
}

fn inputs(options: &Options, project: &Project) -> crate::engine::Result<InputFile> {
    let stored = project.inputs()?;
    let demo = || InputFile {
        model: "resnet20".into(),
        data: DEMO.into(),
        ..InputFile::default()
    };
    let inputs = options.inputs.clone().or(stored).unwrap_or_else(demo);
    Ok(InputFile {
        seed: options.seed.or(inputs.seed),
        ..inputs
    })
}

/// The first state, and the colours.
fn prepare(
    options: &Options,
    (folders, surroundings): (&Folders, &Surroundings),
    (project, inputs, log, name): (&Project, &InputFile, PathBuf, String),
) -> crate::engine::Result<(State, Look)> {
    let left = Client::new(project.folder(), options.program.clone()).order();
    let mut stored = project.load();
    if let Some(order) = left {
        stored.adopt(&order.work);
    }
    if let Some(run) = &options.attach {
        stored.attach(run.clone())?;
    }
    let (keymap, problems) = config::keymap(&folders.config);
    stored.problems.extend(problems);
    let (library, problems) = config::themes(&folders.config);
    stored.problems.extend(problems);
    let place = Place {
        project: name,
        folder: project.folder().to_owned(),
        model: inputs.model.clone(),
        data: inputs.data.clone(),
        log,
    };
    let fixed = options.no_color || surroundings.no_color;
    let symbols = if surroundings.unicode {
        Symbols::UNICODE
    } else {
        Symbols::ASCII
    };
    let chosen = options
        .theme
        .clone()
        .or_else(|| stored.session.theme.clone());
    let wanted = if fixed {
        MONO
    } else {
        chosen.as_deref().unwrap_or(DEFAULT_THEME)
    };
    let theme = library
        .load(wanted, surroundings.depth, symbols)
        .or_else(|problem| {
            stored.problems.push(problem);
            let usual = if fixed { MONO } else { DEFAULT_THEME };
            theme::Library::default().load(usual, surroundings.depth, symbols)
        });
    let theme = theme.expect("invariant: the embedded themes are right");
    let look = Look {
        library,
        theme,
        depth: surroundings.depth,
        fixed,
    };
    let mut state = State::new(place, keymap, stored);
    if !fixed {
        state.themes = Themes {
            names: look.library.names().map(str::to_owned).collect(),
            shown: look.theme.name.clone(),
        };
    }
    Ok((state, look))
}

async fn in_terminal(mut state: State, mut effects: Effects) -> Result<u8, Refusal> {
    let mut signals = Signals::listen().map_err(failed)?;
    let (guard, terminal) = term::Guard::enter().map_err(failed)?;
    // Dropping it would print to a terminal that may be gone; the guard restores everything.
    let mut terminal = ManuallyDrop::new(terminal);
    signals.guard = Some(guard);
    let code = shell::run(&mut terminal, &mut signals, &mut state, &mut effects).await;
    tracing::info!("left with exit code {code}");
    Ok(code)
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
    type Input = EventStream;

    fn input(&mut self) -> EventStream {
        EventStream::new()
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
}
