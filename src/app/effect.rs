//! What the state asks for outside of itself, and the one place that does it.

use std::path::PathBuf;
use std::sync::Arc;

use super::jobs::form::Opening;
use super::jobs::{Inbox, Inputs, JobId, Jobs, Task};
use super::msg::Msg;
use super::notes;
use super::project::{InputFile, Project, Session};
use super::state::export::ExportSettings;
use super::state::{Level, State};
use super::theme::{Depth, Library, Theme};
use super::update::update;
use crate::engine::plan::{Plan, file as plan_file};

/// Something to do outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Start a job.
    Start {
        /// Its number.
        job: JobId,
        /// What it does.
        task: Task,
    },
    /// Ask a job to stop.
    Stop(JobId),
    /// Hold a job, or let it go on.
    Pause {
        /// Which job.
        job: JobId,
        /// Hold it?
        pause: bool,
    },
    /// Write the plan.
    SavePlan(Arc<Plan>),
    /// Keep the plan file that cannot be taken under another name.
    SetPlanAside(String),
    /// Write what a later session goes on with.
    SaveSession,
    /// Write what was loaded.
    SaveInputs(Arc<Inputs>),
    /// Write what the user wrote about the run in a folder.
    SaveNote {
        /// The run folder.
        run: PathBuf,
        /// One line; empty: there is none any more.
        note: String,
    },
    /// Show other colours.
    ShowTheme(String),
    /// Draw everything again.
    Redraw,
    /// Put a text into the clipboard.
    Copy(String),
    /// Ring the bell of the terminal.
    Ring,
    /// Give the terminal to the shell.
    Suspend,
    /// Give the terminal to the user's editor, with this text of a plan.
    EditPlan(String),
    /// The edited text was taken over or given up: its file is not needed any more.
    DropEdited,
    /// Leave for the project of this name; what can outlive the application goes on.
    OpenProject(String),
    /// Leave for another network, in a project of its own.
    Open(Box<Opening>),
    /// Leave with an exit code.
    Leave {
        /// The exit code.
        code: u8,
        /// What becomes of the work that runs.
        work: AtLeave,
    },
}

/// What becomes of the work that runs when the application leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtLeave {
    /// It stops and saves its state.
    Stop,
    /// What can outlive the application goes on; the rest stops.
    Keep,
}

/// A file for the user's editor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The editor, as a shell understands it.
    pub editor: String,
    /// The file.
    pub path: PathBuf,
}

/// What is opened next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// The project of this name, as it was left.
    Project(String),
    /// A network, in a project of its own.
    Inputs(Box<Opening>),
}

impl Next {
    /// The name of the project.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Project(name) => name,
            Self::Inputs(opening) => &opening.project,
        }
    }
}

/// How the loop goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Flow {
    /// As before.
    Continue,
    /// After drawing everything again.
    Redraw,
    /// After the shell had the terminal.
    Suspend,
    /// After the editor had the terminal.
    Edit(Edit),
    /// With another project.
    Open(Next),
    /// Not at all.
    Leave(u8),
}

/// Colours: what there is, and what is shown.
pub struct Look {
    /// The themes.
    pub library: Library,
    /// The theme that is shown.
    pub theme: Theme,
    /// What the terminal can show.
    pub depth: Depth,
    /// Never change the theme: colours are off.
    pub fixed: bool,
}

/// Does what the state asks for.
pub struct Effects {
    jobs: Jobs,
    project: Project,
    inputs: InputFile,
    /// Whether the file of the inputs is written.
    keeps_inputs: bool,
    look: Look,
    editor: Option<String>,
    copies: Vec<String>,
    ring: bool,
}

impl Effects {
    /// For an open project.
    #[must_use]
    pub fn new(jobs: Jobs, (project, inputs): (Project, InputFile), look: Look) -> Self {
        Self {
            jobs,
            project,
            inputs,
            keeps_inputs: true,
            look,
            editor: None,
            copies: Vec::new(),
            ring: false,
        }
    }

    /// Edits plans with this editor.
    #[must_use]
    pub fn with_editor(self, editor: Option<String>) -> Self {
        Self { editor, ..self }
    }

    /// Writes the file of the inputs, or leaves a damaged one as it is.
    #[must_use]
    pub fn keeping_inputs(self, keeps_inputs: bool) -> Self {
        Self {
            keeps_inputs,
            ..self
        }
    }

    /// Whether something happened to the project: its folder is gone, or whoever had it open is.
    #[must_use]
    pub fn look_around(&self, state: &State) -> Option<Msg> {
        if state.only_watched.is_some() {
            return None;
        }
        if let Some(reason) = self.project.why_lost() {
            return Some(Msg::OnlyWatched(format!(
                "{reason}: leave with q and open it again"
            )));
        }
        let free = "the hawqeye that had this project open is gone: leave with q and open it again \
                    to take it over";
        self.project
            .is_free()
            .then(|| Msg::OnlyWatched(free.to_owned()))
    }

    /// Texts for the clipboard of the terminal, once.
    pub fn take_copies(&mut self) -> Vec<String> {
        std::mem::take(&mut self.copies)
    }

    /// Whether to ring, once.
    pub fn take_ring(&mut self) -> bool {
        std::mem::take(&mut self.ring)
    }

    /// Where the jobs report.
    #[must_use]
    pub fn inbox(&self) -> Arc<Inbox> {
        self.jobs.inbox()
    }

    /// The colours.
    #[must_use]
    pub fn theme(&self) -> &Theme {
        &self.look.theme
    }

    /// Writes new notices to the log file.
    pub fn log(&mut self, state: &mut State) {
        for notice in state.fresh.drain(..) {
            match notice.level {
                Level::Info => tracing::info!("{}", notice.text),
                Level::Warning => tracing::warn!("{}", notice.text),
                Level::Bad => tracing::error!("{}", notice.text),
            }
        }
    }

    /// Does it.
    pub fn perform(&mut self, effect: Effect, state: &mut State) -> Flow {
        match effect {
            Effect::Start { job, task } => self.jobs.start(job, task),
            Effect::Stop(job) => self.jobs.stop(job),
            Effect::Pause { job, pause } => self.jobs.pause(job, pause),
            Effect::SavePlan(plan) => {
                report(state, self.project.save_plan(&plan_file::to_toml(&plan)));
            }
            Effect::SetPlanAside(reason) => match self.project.set_plan_aside() {
                Ok(Some(kept)) => {
                    let text = format!("{reason}; it is kept as {}", kept.display());
                    state.notify(Level::Warning, text);
                }
                Ok(None) => {}
                Err(error) => report(state, Err(error)),
            },
            Effect::SaveSession => {
                let session = self.session(state);
                report(state, self.project.save_session(&session));
            }
            Effect::SaveInputs(inputs) => {
                self.inputs.weights_sha256 = Some(inputs.weights_sha256.clone());
                self.inputs.fingerprint = Some(inputs.fingerprint.clone());
                if self.keeps_inputs {
                    report(state, self.project.save_inputs(&self.inputs));
                }
            }
            Effect::SaveNote { run, note } => {
                if !self.project.is_watched() {
                    report(state, notes::write(&run, &note));
                }
            }
            Effect::ShowTheme(name) => self.show_theme(&name, state),
            Effect::Copy(text) => self.copies.push(text),
            Effect::Ring => self.ring = state.settings.bell,
            Effect::EditPlan(text) => return self.edit(&text, state),
            Effect::DropEdited => self.project.drop_edited(),
            Effect::Redraw => return Flow::Redraw,
            Effect::Suspend => return Flow::Suspend,
            Effect::OpenProject(name) => {
                self.jobs.leave(true);
                return Flow::Open(Next::Project(name));
            }
            Effect::Open(opening) => {
                self.jobs.leave(true);
                return Flow::Open(Next::Inputs(opening));
            }
            Effect::Leave { code, work } => {
                self.jobs.leave(work == AtLeave::Keep);
                return Flow::Leave(code);
            }
        }
        Flow::Continue
    }

    /// Writes the text for the editor.
    fn edit(&self, text: &str, state: &mut State) -> Flow {
        let Some(editor) = self.editor.clone() else {
            let text = "no editor is named; set EDITOR, as in EDITOR=nano hawqeye";
            state.notify(Level::Warning, text);
            return Flow::Continue;
        };
        match self.project.write_edited(text) {
            Ok(path) => Flow::Edit(Edit { editor, path }),
            Err(error) => {
                state.notify(Level::Bad, error.to_string());
                Flow::Continue
            }
        }
    }

    /// What the editor left; `ended` is how it ended, a sentence when not well.
    #[must_use]
    pub fn edited(&self, ended: Result<(), String>) -> Msg {
        match self.project.read_edited() {
            Ok(text) => Msg::Edited { text, ended },
            Err(error) => Msg::Edited {
                text: String::new(),
                ended: ended.and(Err(error.to_string())),
            },
        }
    }

    /// The theme that is shown, where it is not the one of the settings.
    fn chosen_theme(&self, state: &State) -> Option<String> {
        let shown = &self.look.theme.name;
        (!self.look.fixed && *shown != state.settings.theme).then(|| shown.clone())
    }

    fn session(&self, state: &State) -> Session {
        Session {
            screen: state.screen,
            theme: self.chosen_theme(state),
            mouse: (state.mouse != state.settings.mouse).then_some(state.mouse),
            list_share: state.list_share,
            layer: state.selected().map(|layer| layer.layer.to_string()),
            sort: state.analysis.sort,
            table_sort: state.bits.sort,
            view: state.detail.view,
            analysis: state.analysis.request.clone(),
            tune: state.tune.settings.clone(),
            export: ExportSettings {
                format: state.export.format,
            },
        }
    }

    fn show_theme(&mut self, name: &str, state: &mut State) {
        let Look { library, depth, .. } = &self.look;
        match library.load(name, *depth, self.look.theme.symbols) {
            Ok(theme) => self.look.theme = theme,
            Err(problem) => state.notify(Level::Warning, problem),
        }
    }
}

/// A write that failed becomes a message.
fn report(state: &mut State, result: crate::engine::Result<()>) {
    if let Err(error) = result {
        update(state, Msg::WriteFailed(error.to_string()));
    }
}
