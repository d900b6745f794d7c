//! The list of runs: reading it, marking, opening and comparing runs, notes; and how curves are
//! looked at.

use super::availability::busy;
use super::command::{ask, unhandled};
use super::start;
use crate::app::command::Command;
use crate::app::effect::Effect;
use crate::app::jobs::{JobKind, Known, LeftRun, LeftRunning, Runs, RunsRequest, Task};
use crate::app::notes;
use crate::app::state::overlay::Purpose;
use crate::app::state::runs::{Comparison, MARKS, Pane, Row};
use crate::app::state::tune::RunStatus;
use crate::app::state::{Level, Loading, Screen, State};

/// Whether a command of the fine-tuning screen changes nothing but what is looked at.
pub(super) const fn only_looks(command: Command) -> bool {
    matches!(
        command,
        Command::CurveSpan
            | Command::Smoothing
            | Command::LossAxis
            | Command::Runs
            | Command::MarkRun
            | Command::CompareRuns
            | Command::OpenRun
    )
}

/// Why one of these commands does nothing now.
pub(super) fn why_not(state: &State, command: Command) -> Option<String> {
    let reason = |wrong: bool, reason: &str| wrong.then(|| reason.to_owned());
    let list = &state.tune.list;
    let closed = || {
        let keys = state
            .keymap
            .keys_of(&Screen::Tune.scopes(), Command::Runs)
            .join(", ");
        let open = list.pane == Pane::Runs;
        (!open).then(|| format!("open the list of runs first ({keys})"))
    };
    let none = || reason(state.tune.rows().is_empty(), "there is no run yet");
    match command {
        Command::MarkRun => closed().or_else(none).or_else(|| problem(state)),
        Command::CompareRuns => closed().or_else(none),
        Command::OpenRun => closed().or_else(none).or_else(|| why_not_open(state)),
        Command::Note => reason(
            state.tune.noted().is_none(),
            "there is no run in its folder yet",
        ),
        _ => None,
    }
}

fn why_not_open(state: &State) -> Option<String> {
    let rows = state.tune.rows();
    let row = rows.get(state.tune.selected(&rows))?;
    let shown = state.tune.run.as_ref();
    if shown.is_some_and(|run| run.folder == row.folder) {
        return None;
    }
    busy(state).or_else(|| problem(state))
}

/// Why the selected run cannot be read.
fn problem(state: &State) -> Option<String> {
    let rows = state.tune.rows();
    let row = rows.get(state.tune.selected(&rows))?;
    row.problem.map(str::to_owned)
}

/// Does one of these commands.
pub(super) fn execute(state: &mut State, command: Command) -> Vec<Effect> {
    let (look, list) = (&mut state.tune.look, &mut state.tune.list);
    match command {
        Command::CurveSpan => look.span = look.span.other(),
        Command::Smoothing => look.smoothing = look.smoothing.next(),
        Command::LossAxis => look.loss_axis = look.loss_axis.other(),
        Command::Runs => {
            list.pane = match list.pane {
                Pane::Run => Pane::Runs,
                Pane::Runs => Pane::Run,
            };
        }
        Command::CompareRuns => {
            list.comparison = match list.comparison {
                Comparison::Curves => Comparison::Table,
                Comparison::Table => Comparison::Curves,
            };
        }
        Command::MarkRun => mark(state),
        Command::Note => {
            let note = state.tune.noted().map(|listed| listed.note.clone());
            ask(state, Purpose::Note, note.unwrap_or_default());
        }
        Command::OpenRun => return open(state),
        other => unhandled(other),
    }
    Vec::new()
}

fn mark(state: &mut State) {
    let Some(folder) = state.tune.selected_folder() else {
        return;
    };
    if !state.tune.list.mark(&folder) {
        let text = format!(
            "{MARKS} runs are marked, which is all there are signs for; m takes a mark away"
        );
        state.notify(Level::Info, text);
    }
}

/// Makes the selected run the one on screen, and follows it if some process works on it.
fn open(state: &mut State) -> Vec<Effect> {
    let known = |row: &Row| {
        let listed = state.tune.list.of(row.folder)?;
        listed.found.clone().ok()
    };
    let rows = state.tune.rows();
    let chosen = rows.get(state.tune.selected(&rows));
    let shown = state.tune.run.as_ref().map(|run| &*run.folder);
    if chosen.is_some_and(|row| Some(row.folder) == shown) {
        state.tune.list.pane = Pane::Run;
        return Vec::new();
    }
    let chosen = chosen.and_then(known);
    let Some(Known { run, read, .. }) = chosen else {
        return Vec::new();
    };
    let (folder, goes_on) = (run.folder.clone(), run.status == RunStatus::Running);
    state.tune.open(run);
    state.tune.list.pane = Pane::Run;
    state.frozen = None;
    let mut effects = vec![Effect::SaveSession];
    if goes_on {
        let left = LeftRunning::Run(LeftRun { folder, read });
        effects.extend(start(state, Task::Attach(left)));
    }
    effects
}

/// Takes down what the user wrote about the run.
///
/// # Errors
/// When it is too long.
pub(super) fn note(state: &mut State, text: &str) -> Result<Vec<Effect>, String> {
    if text.chars().count() > notes::LONGEST {
        let most = notes::LONGEST;
        return Err(format!("a note has at most {most} characters"));
    }
    let Some(run) = state.tune.noted().map(|listed| listed.folder.clone()) else {
        return Ok(Vec::new());
    };
    state.tune.list.note(&run, text);
    let note = text.to_owned();
    Ok(vec![Effect::SaveNote { run, note }])
}

/// Reads the runs when a screen that tells of them is opened, and when the run on screen begins or
/// ends.
pub(super) fn follow(state: &mut State) -> Vec<Effect> {
    if !matches!(state.screen, Screen::Tune | Screen::Export) {
        state.tune.list.read = None;
        return Vec::new();
    }
    let occasion = Some(state.tune.occasion());
    let waits = state.inputs == Loading::Running || state.job(JobKind::Runs).is_some();
    if waits || state.tune.list.read == occasion {
        return Vec::new();
    }
    state.tune.list.read = occasion;
    let run = state.tune.run.as_ref();
    let request = RunsRequest {
        folder: state.tune.runs.clone(),
        shown: run.map(|run| run.folder.clone()),
        ours: state.job(JobKind::Tune).is_some(),
        known: state.tune.list.listed.clone(),
    };
    start(state, Task::Runs(request))
}

/// The runs that were read.
pub(super) fn read(state: &mut State, found: Runs) {
    let list = &mut state.tune.list;
    (list.listed, list.left_out) = (found.listed, found.left_out);
    list.problem = None;
}
