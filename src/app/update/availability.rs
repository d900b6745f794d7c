//! When a command can be done, and why not else.

use super::{detail, runs};
use crate::app::command::{Command, Group};
use crate::app::state::guide::{Step, guide};
use crate::app::state::runs::Pane;
use crate::app::state::tune::{Run, RunStatus};
use crate::app::state::{Screen, State};

/// Whether a command does something now.
#[must_use]
pub fn available(state: &State, command: Command) -> bool {
    why_not(state, command).is_none()
}

/// Why a command does nothing now; `None` when it does.
#[must_use]
pub fn why_not(state: &State, command: Command) -> Option<String> {
    let reason = |wrong: bool, reason: &str| wrong.then(|| reason.to_owned());
    if state.is_watching() && steers(command) {
        return Some(state.why_watching());
    }
    if command.group() == Group::Bits {
        return why_not_edit(state, command);
    }
    match command {
        Command::Analyze
        | Command::AnalyzeAnew
        | Command::Samples
        | Command::Tolerance
        | Command::Metrics => needs_inputs(state).or_else(|| busy(state)),
        Command::Check => busy(state),
        Command::Tune | Command::TuneAnew => why_not_tune(state, command),
        Command::ChangeRate | Command::KeepBest => why_not_go_on(state, command),
        _ if command.group() == Group::Tune => runs::why_not(state, command),
        Command::Export => reason(
            state.tune.finished().is_none(),
            "there is no finished run yet",
        )
        .or_else(|| busy(state)),
        Command::Pause | Command::Stop => {
            let running = state.foreground();
            // A run that was to go on afterwards can still be stopped for good.
            let goes_on = command == Command::Stop && state.tune.then.is_some();
            let stops = running.is_some_and(|running| running.stopping) && !goes_on;
            reason(running.is_none(), "no work is running")
                .or_else(|| reason(stops, "it is stopping already"))
        }
        Command::Undo => reason(!state.bits.can_undo(), "nothing to undo"),
        Command::Redo => reason(!state.bits.can_redo(), "nothing to redo"),
        Command::Sort | Command::Filter => needs_inputs(state),
        Command::Freeze => detail::why_not(state, command),
        _ if command.group() == Group::Sensitivity => detail::why_not(state, command),
        Command::Proceed => reason(guide(state).step == Step::Wait, &guide(state).text),
        _ if command.group() == Group::Movement => {
            let list = match state.screen {
                Screen::Model => false,
                Screen::Tune => state.tune.list.pane == Pane::Runs,
                _ => true,
            };
            reason(!list, "there is no list on this screen")
        }
        _ => None,
    }
}

/// Whether a command changes the project or its work.
const fn steers(command: Command) -> bool {
    match command.group() {
        Group::Bits => !matches!(
            command,
            Command::SortTable
                | Command::ComparePlan
                | Command::NextDifference
                | Command::PreviousDifference
        ),
        Group::Model | Group::Export => true,
        Group::Tune => !runs::only_looks(command),
        Group::Sensitivity => matches!(command, Command::Remeasure | Command::RemeasureShown),
        Group::Movement => false,
        Group::Global => matches!(
            command,
            Command::Pause | Command::Stop | Command::Undo | Command::Redo
        ),
    }
}

fn needs_inputs(state: &State) -> Option<String> {
    state
        .loaded()
        .is_none()
        .then(|| "nothing is loaded yet".to_owned())
}

pub(super) fn busy(state: &State) -> Option<String> {
    let running = state.foreground()?;
    Some(format!(
        "wait for {} to end, or stop it (x)",
        running.kind.name()
    ))
}

fn why_not_edit(state: &State, command: Command) -> Option<String> {
    if state.bits.plan.is_none() {
        return Some("nothing is loaded yet".to_owned());
    }
    match command {
        Command::Allocate | Command::Metric | Command::SmallerBest | Command::LargerBest
            if state.analysis.sensitivity().is_none() =>
        {
            Some("finish the analysis first (screen 2)".to_owned())
        }
        Command::NextDifference | Command::PreviousDifference if state.bits.other.is_none() => {
            Some("compare with another plan first (c)".to_owned())
        }
        Command::PasteBits if state.bits.copied.is_none() => {
            Some("no row was copied yet (y)".to_owned())
        }
        Command::Reset if state.bits.automatic.is_none() => {
            Some("there is no automatic plan yet; allocate one first".to_owned())
        }
        _ => None,
    }
}

fn why_not_tune(state: &State, command: Command) -> Option<String> {
    let quantized = state.bits.plan.as_ref().is_some_and(|plan| {
        plan.layers
            .iter()
            .any(|row| !row.weight_bits.is_float() || !row.activation_bits.is_float())
    });
    let nothing = (!quantized).then(|| "the plan quantizes nothing; set bits first".to_owned());
    let done = command == Command::Tune && state.tune.finished().is_some();
    let done = done.then(|| "this run is done; a new one is started with its own key".to_owned());
    needs_inputs(state)
        .or_else(|| busy(state))
        .or(nothing)
        .or(done)
        .or_else(|| unordered(state, command))
}

/// Why the stages of a new run have no order yet.
fn unordered(state: &State, command: Command) -> Option<String> {
    let goes_on = state.tune.run.as_ref().is_some_and(Run::is_resumable);
    let new = command == Command::TuneAnew || !goes_on;
    let told = "the analysis orders the stages: analyse first, or train all layers at once (s)";
    (new && state.is_unordered()).then(|| told.to_owned())
}

/// Why a run cannot go on otherwise.
fn why_not_go_on(state: &State, command: Command) -> Option<String> {
    let run = state.tune.run.as_ref();
    let under_way = run.filter(|run| run.status != RunStatus::Done && run.history.step > 0);
    let Some(run) = under_way else {
        return Some("there is no run under way".to_owned());
    };
    if run.status != RunStatus::Running && run.history.checkpoint.is_none() {
        return Some("the run has no checkpoint to go on from".to_owned());
    }
    let no_best = command == Command::KeepBest && run.history.best().is_none();
    let no_best = no_best.then(|| "no epoch has ended since every stage entered".to_owned());
    let other = || busy(state).filter(|_| run.status != RunStatus::Running);
    no_best.or_else(other)
}
