//! Opening a project: its folder, what was saved there, and what the user set.

use std::path::Path;

use super::config::{self, Surroundings};
use super::effect::{Effects, Look};
use super::jobs::Jobs;
use super::log::Log;
use super::project::{InputFile, Project, Session, Stored};
use super::settings::{Settings, SymbolChoice};
use super::state::tune::TuneSettings;
use super::state::{LongWork, Place, State, Themes};
use super::symbols::Symbols;
use super::theme::{Library, MONO, Theme};
use super::worker::Client;
use super::{MakeEngine, Options, Refusal, USAGE, failed};
use crate::folders::Folders;
use crate::project::{folder as project_folder, is_name};

/// The project of the embedded demo.
const DEMO: &str = "demo";

/// What is the same for every project.
pub(super) struct Around {
    folders: Folders,
    surroundings: Surroundings,
    log: Log,
}

/// An open project.
pub(super) struct Opened {
    /// What the screens show.
    pub(super) state: State,
    /// What it does outside.
    pub(super) effects: Effects,
}

impl Around {
    /// The user's folders and environment.
    ///
    /// # Errors
    /// When there is no home folder.
    pub(super) fn find() -> Result<Self, Refusal> {
        let surroundings = Surroundings::read();
        let folders = Folders::find().ok_or_else(|| {
            failed("there is no home folder; name one for projects with HAWQEYE_HOME")
        })?;
        let log = Log::start(&surroundings.log);
        Ok(Self {
            folders,
            surroundings,
            log,
        })
    }

    /// Opens the project that is meant.
    ///
    /// # Errors
    /// When its folder cannot be used, or its inputs cannot be read.
    pub(super) fn open(&self, options: &Options, make: MakeEngine) -> Result<Opened, Refusal> {
        let name = project_name(options, &self.folders)?;
        let project = Project::open(&project_folder(&self.folders.data, &name));
        let Found {
            inputs,
            problem,
            unknown,
        } = inputs(options, &project, &name);
        if !project.is_watched() {
            remember(&self.folders.data, &name);
        }
        let log = project.folder().join("hawqeye.log");
        let logged = self.log.write_to(&log);
        let place = Place {
            project: name,
            folder: project.folder().to_owned(),
            model: inputs.model_name(),
            data: inputs.data.clone(),
            inputs: inputs.clone(),
            log,
        };
        let mut stored = stored(options, &project).map_err(failed)?;
        stored.problems.extend(problem.clone());
        let read_only = project.why_read_only().map(read_only);
        if read_only.is_none()
            && let Err(error) = logged
        {
            let problem = format!("{error}: nothing is logged");
            stored.problems.push(problem);
        }
        stored.problems.extend(read_only.clone());
        stored.only_watched = read_only.or_else(|| problem.clone().filter(|_| unknown));
        let (mut state, look) = self.prepare(options, place, stored);
        let engine = make(&inputs, &project);
        if engine.outlives() && !state.is_watching() {
            state.long_work = LongWork::InWorker;
        }
        let kept = problem.is_none() || options.inputs.is_some();
        let effects = Effects::new(Jobs::new(engine), (project, inputs), look)
            .with_editor(self.surroundings.editor.clone())
            .keeping_inputs(kept);
        Ok(Opened { state, effects })
    }

    /// The first state, and the colours.
    fn prepare(&self, options: &Options, place: Place, mut stored: Stored) -> (State, Look) {
        let (keymap, problems) = config::keymap(&self.folders.config);
        stored.problems.extend(problems);
        let (library, problems) = config::themes(&self.folders.config);
        stored.problems.extend(problems);
        let (settings, problems) = config::settings(&self.folders.config, &library);
        stored.problems.extend(problems);
        let fixed = options.no_color || self.surroundings.no_color;
        let chosen = options.theme.as_ref().or(stored.session.theme.as_ref());
        let wanted = if fixed {
            MONO.to_owned()
        } else {
            chosen.unwrap_or(&settings.theme).clone()
        };
        let theme = self.theme(&library, (&wanted, &settings), &mut stored.problems);
        let look = Look {
            library,
            theme,
            depth: self.surroundings.depth,
            fixed,
        };
        let mut state = State::new(place, keymap, stored).with_settings(settings);
        if !fixed {
            state.themes = Themes {
                names: look.library.names().map(str::to_owned).collect(),
                shown: look.theme.name.clone(),
            };
        }
        (state, look)
    }

    /// The theme that is wanted, or the default with what is wrong with that one.
    fn theme(
        &self,
        library: &Library,
        (wanted, settings): (&str, &Settings),
        problems: &mut Vec<String>,
    ) -> Theme {
        let unicode = match settings.symbols {
            SymbolChoice::Auto => self.surroundings.unicode,
            SymbolChoice::Unicode => true,
            SymbolChoice::Ascii => false,
        };
        let symbols = if unicode {
            Symbols::UNICODE
        } else {
            Symbols::ASCII
        };
        let depth = self.surroundings.depth;
        let loaded = library.load(wanted, depth, symbols).or_else(|problem| {
            problems.push(problem);
            let usual = Settings::default().theme;
            let usual = if wanted == MONO { MONO } else { &usual };
            Library::default().load(usual, depth, symbols)
        });
        loaded.expect("invariant: the embedded themes are right")
    }
}

/// What the project folder holds, and what a worker is doing in it.
fn stored(options: &Options, project: &Project) -> crate::engine::Result<Stored> {
    let mut stored = project.load();
    if options.fresh {
        // Which run is shown is no setting but belongs to the project.
        let last_run = stored.session.tune.last_run.take();
        stored.session = Session {
            tune: TuneSettings {
                last_run,
                ..TuneSettings::default()
            },
            ..Session::default()
        };
    }
    if let Some(order) = Client::new(project.folder(), options.program.clone()).order() {
        stored.adopt(&order.work);
    }
    if let Some(run) = &options.attach {
        stored.attach(run.clone())?;
    }
    Ok(stored)
}

/// The project that is meant; a name that is no folder name is refused.
fn project_name(options: &Options, folders: &Folders) -> Result<String, Refusal> {
    let last = || std::fs::read_to_string(folders.data.join("last-project")).ok();
    let known = |name: &String| is_name(name) && project_folder(&folders.data, name).is_dir();
    let named = match (&options.project, &options.inputs) {
        (Some(name), _) => Some(name.clone()),
        (None, Some(inputs)) => Some(inputs.project_name(&folders.data)),
        (None, None) => last().filter(known),
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

/// The inputs of a project.
struct Found {
    inputs: InputFile,
    /// Why its file says nothing, and what to do.
    problem: Option<String>,
    /// They are not those of the project, which is not to be changed with them.
    unknown: bool,
}

/// The inputs that were given, else those of the project's file; where that is damaged, the demo.
fn inputs(options: &Options, project: &Project, name: &str) -> Found {
    let demo = || InputFile {
        model: "resnet20".into(),
        data: DEMO.into(),
        ..InputFile::default()
    };
    let (stored, problem) = match project.inputs().and_then(named) {
        Ok(stored) => (stored, None),
        Err(error) => {
            let problem = format!(
                "{error}, with hawqeye --project {name} --model MODEL --weights FILE --data DATA: the \
                 inputs of this project are unknown"
            );
            (None, Some(problem))
        }
    };
    let unknown = problem.is_some() && options.inputs.is_none() && name != DEMO;
    let inputs = options.inputs.clone().or(stored).unwrap_or_else(demo);
    Found {
        inputs: InputFile {
            seed: options.seed.or(inputs.seed),
            ..inputs
        },
        problem,
        unknown,
    }
}

/// The content of the file if it says which model and which data.
fn named(stored: Option<InputFile>) -> crate::engine::Result<Option<InputFile>> {
    let whole = |inputs: &InputFile| !inputs.model.is_empty() && !inputs.data.is_empty();
    if stored.as_ref().is_none_or(whole) {
        return Ok(stored);
    }
    Err(crate::engine::Error::invalid(
        "inputs.toml names no model or no data: mend it, or remove it and name model and data again",
    ))
}

/// What is said of a project that cannot be written.
fn read_only(reason: &str) -> String {
    format!(
        "{reason}: nothing is kept and this project is only watched; name another place for projects \
         with XDG_DATA_HOME, HOME or HAWQEYE_HOME"
    )
}
