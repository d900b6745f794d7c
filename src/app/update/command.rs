//! What every command does.

use std::cmp::Ordering;

use crate::app::command::{Command, Group};
use crate::app::effect::{AtLeave, Effect};
use crate::app::jobs::{JobKind, Task};
use crate::app::state::analysis::Status;
use crate::app::state::bits::Change;
use crate::app::state::guide::{Step, guide};
use crate::app::state::overlay::{Overlay, Purpose};
use crate::app::state::running::Running;
use crate::app::state::runs::Pane;
use crate::app::state::{Filter, Level, Loading, Screen, State};
use crate::engine::quant::Bits;

use super::availability::why_not;
use super::{
    clipboard, comparison, detail, draft, edit, form, launch, leave, projects, runs, start, themes,
};

/// Sizes of the sample to choose from.
const SAMPLES: [usize; 6] = [32, 64, 128, 256, 512, 1024];
/// Residuals to choose from.
const TOLERANCES: [f64; 4] = [1e-2, 1e-3, 1e-4, 1e-5];
/// Rows of a page.
const PAGE: isize = 10;

/// Does what a command says, or says why not.
pub(super) fn execute(state: &mut State, command: Command) -> Vec<Effect> {
    if let Some(reason) = why_not(state, command) {
        let text = match command {
            Command::Proceed => reason,
            _ => format!("{}: {reason}", command.name()),
        };
        state.notify(Level::Info, text);
        return Vec::new();
    }
    match command.group() {
        Group::Global => global(state, command),
        Group::Movement => movement(state, command),
        Group::Sensitivity if command != Command::Sort => detail::execute(state, command),
        Group::Model | Group::Sensitivity => model(state, command),
        Group::Bits => bits(state, command),
        Group::Tune if runs::only_looks(command) || command == Command::Note => {
            runs::execute(state, command)
        }
        Group::Tune => launch::tune(state, command),
        Group::Export => launch::export(state, command),
    }
}

/// A command that no group knows what to do with; a test does all of them.
pub(super) fn unhandled(command: Command) -> ! {
    unreachable!("invariant: {} has something to do", command.name())
}

fn global(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Proceed => return proceed(state),
        Command::Help => {
            state.overlays.push(Overlay::Help {
                input: String::new().into(),
                scroll: 0,
            });
        }
        Command::Palette => {
            state.overlays.push(Overlay::Palette {
                input: String::new().into(),
                selected: 0,
            });
        }
        Command::ShowLog => {
            state.overlays.push(Overlay::Log {
                input: String::new().into(),
                scroll: 0,
            });
        }
        Command::Filter => {
            let text = state.filter.as_ref().map(|filter| filter.text.clone());
            ask(state, Purpose::Filter, text.unwrap_or_default());
        }
        Command::Pause => return pause(state),
        Command::Stop => return stop(state),
        Command::Undo | Command::Redo => return undo(state, command),
        Command::Back => back(state),
        Command::NextScreen => turn(state, 1),
        Command::PreviousScreen => turn(state, Screen::ALL.len() - 1),
        Command::Themes => return themes::open(state),
        Command::NextTheme => return themes::next(state),
        Command::Copy => return clipboard::copy(state),
        Command::CopyPlan => return clipboard::copy_plan(state),
        Command::Mouse => mouse(state),
        Command::Freeze => return detail::execute(state, command),
        Command::Projects => return projects::open(state),
        Command::OpenNetwork => return form::open(state),
        Command::Redraw => return vec![Effect::Redraw],
        Command::Suspend => return vec![Effect::Suspend],
        Command::Quit => return quit(state),
        Command::GoModel => go(state, Screen::Model),
        Command::GoSensitivity => go(state, Screen::Sensitivity),
        Command::GoBits => go(state, Screen::Bits),
        Command::GoTune => go(state, Screen::Tune),
        Command::GoExport => go(state, Screen::Export),
        other => unhandled(other),
    }
    Vec::new()
}

fn mouse(state: &mut State) {
    state.mouse = !state.mouse;
    let text = if state.mouse {
        "the mouse works here; M gives it to the terminal, to select text"
    } else {
        "the mouse selects text in the terminal; M takes it back"
    };
    state.notify(Level::Info, text);
}

pub(super) fn go(state: &mut State, screen: Screen) {
    if state.screen != screen {
        state.leave_notices(screen);
    }
    state.screen = screen;
    let visible = state.visible_layers();
    if state.cursor(&visible).is_none()
        && let Some(first) = visible.first()
    {
        state.layer = *first;
    }
}

fn turn(state: &mut State, steps: usize) {
    let at = Screen::ALL
        .iter()
        .position(|screen| *screen == state.screen)
        .unwrap_or(0);
    go(state, Screen::ALL[(at + steps) % Screen::ALL.len()]);
}

pub(super) fn ask(state: &mut State, purpose: Purpose, text: String) {
    state.overlays.push(Overlay::Line {
        purpose,
        input: text.into(),
        problem: None,
    });
}

fn proceed(state: &mut State) -> Vec<Effect> {
    match guide(state).step {
        Step::Run(command) => execute(state, command),
        Step::Go(screen) => {
            go(state, screen);
            Vec::new()
        }
        Step::Wait => Vec::new(),
    }
}

fn back(state: &mut State) {
    if state.bits.has_selection() && state.screen == Screen::Bits {
        state.bits.clear_selection();
    } else if state.bits.other.is_some() && state.screen == Screen::Bits {
        state.bits.other = None;
    } else if state.toast.is_some() {
        state.toast = None;
    } else if state.screen == Screen::Tune && state.tune.list.pane == Pane::Runs {
        state.tune.list.pane = Pane::Run;
    } else {
        state.filter = None;
    }
}

/// Shows only the layers that fit a text; an empty text shows all.
///
/// # Errors
/// When none fits.
pub(super) fn filter(state: &mut State, text: &str) -> Result<(), String> {
    let before = state.filter.take();
    if !text.is_empty() {
        state.filter = Some(Filter::new(text));
    }
    let visible = state.visible_layers();
    let Some(first) = visible.first().copied() else {
        state.filter = before;
        return Err(format!("no layer matches `{text}`"));
    };
    if state.cursor(&visible).is_none() {
        state.layer = first;
    }
    Ok(())
}

fn pause(state: &mut State) -> Vec<Effect> {
    let found = state
        .running
        .iter_mut()
        .find(|running| running.kind.is_foreground());
    let Some(running) = found else {
        return Vec::new();
    };
    running.paused = !running.paused;
    running.eta.interrupt();
    let (job, pause) = (running.id, running.paused);
    if let Some(run) = &mut state.tune.run {
        run.interrupt();
    }
    vec![Effect::Pause { job, pause }]
}

/// Lets work that is paused go on.
pub(super) fn unpause(state: &mut State) -> Vec<Effect> {
    let paused = |running: &Running| running.kind.is_foreground() && running.paused;
    if state.running.iter().any(paused) {
        pause(state)
    } else {
        Vec::new()
    }
}

/// Asks the work the user waits for to stop.
pub(super) fn stop(state: &mut State) -> Vec<Effect> {
    state.tune.then = None;
    let foreground = state
        .running
        .iter_mut()
        .filter(|running| running.kind.is_foreground());
    let stopped = foreground.map(|running| {
        (running.stopping, running.paused) = (true, false);
        Effect::Stop(running.id)
    });
    stopped.collect()
}

fn quit(state: &mut State) -> Vec<Effect> {
    let asks = |running: &Running| running.kind != JobKind::Open && !state.is_watching();
    if state.foreground().is_some_and(asks) {
        state.overlays.push(Overlay::Quit);
        return Vec::new();
    }
    leave(state, AtLeave::Stop)
}

fn undo(state: &mut State, command: Command) -> Vec<Effect> {
    let (what, verb) = if command == Command::Undo {
        (state.bits.undo(), "undone")
    } else {
        (state.bits.redo(), "done again")
    };
    let Some(what) = what else { return Vec::new() };
    state.notify(Level::Info, format!("{verb}: {what}"));
    edit::changed(state)
}

fn movement(state: &mut State, command: Command) -> Vec<Effect> {
    let steps = match command {
        Command::Down => 1,
        Command::Up => -1,
        Command::PageDown => PAGE,
        Command::PageUp => -PAGE,
        Command::First => isize::MIN,
        Command::Last => isize::MAX,
        other => unhandled(other),
    };
    if state.screen == Screen::Export {
        state.export.select(steps);
        return Vec::new();
    }
    if state.screen == Screen::Tune {
        state.tune.select(steps);
        return Vec::new();
    }
    let visible = state.drawn().visible_layers();
    if let Some(last) = visible.len().checked_sub(1) {
        let at = state.cursor(&visible).unwrap_or(0);
        state.layer = visible[at.saturating_add_signed(steps).min(last)];
    }
    Vec::new()
}

fn model(state: &mut State, command: Command) -> Vec<Effect> {
    let measured = state.analysis.measured_count() > 0;
    let done = state.analysis.status == Status::Done;
    let request = &mut state.analysis.request;
    match command {
        Command::Analyze if !done => return launch::analyze(state, false),
        // What is done can only be done anew.
        Command::Analyze | Command::AnalyzeAnew if measured => {
            state.overlays.push(Overlay::Confirm(Command::AnalyzeAnew));
        }
        Command::Analyze | Command::AnalyzeAnew => return launch::analyze(state, true),
        Command::Check => {
            state.inputs = Loading::Running;
            return start(state, Task::Open);
        }
        Command::Samples => {
            let larger = SAMPLES
                .into_iter()
                .find(|samples| *samples > request.samples);
            request.samples = larger.unwrap_or(SAMPLES[0]);
        }
        Command::Tolerance => {
            let finer = TOLERANCES
                .into_iter()
                .find(|tolerance| *tolerance < request.tolerance);
            request.tolerance = finer.unwrap_or(TOLERANCES[0]);
        }
        Command::Metrics => {
            (request.trace, request.loss_change) = match (request.trace, request.loss_change) {
                (true, true) => (false, false),
                (false, false) => (true, false),
                (true, false) => (false, true),
                (false, true) => (true, true),
            };
        }
        Command::Sort => state.analysis.sort = state.analysis.sort.next(),
        other => unhandled(other),
    }
    Vec::new()
}

fn bits(state: &mut State, command: Command) -> Vec<Effect> {
    let by = match command {
        Command::MoreBits => Change::More,
        Command::FewerBits => Change::Fewer,
        Command::BitsFloat => Change::Set(Bits::FLOAT),
        Command::Bits2 => set(2),
        Command::Bits3 => set(3),
        Command::Bits4 => set(4),
        Command::Bits5 => set(5),
        Command::Bits6 => set(6),
        Command::Bits7 => set(7),
        Command::Bits8 => set(8),
        other => return bits_other(state, other),
    };
    edit::set_bits(state, by)
}

fn set(bits: u64) -> Change {
    Change::Set(Bits::new(bits).expect("invariant: the commands name widths that exist"))
}

fn bits_other(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Column => edit::switch_column(state),
        Command::Visual => edit::visual(state),
        Command::SelectPattern => ask(state, Purpose::Pattern, String::new()),
        Command::PasteBits => return clipboard::paste_bits(state),
        Command::Pin => return edit::pin(state),
        Command::Tie => return edit::tie(state, true),
        Command::Untie => return edit::tie(state, false),
        Command::Reset => return edit::reset(state),
        Command::SmallerBest => return edit::frontier_step(state, Ordering::Less),
        Command::LargerBest => return edit::frontier_step(state, Ordering::Greater),
        Command::Metric => return edit::next_metric(state),
        Command::SortTable => state.bits.sort = state.bits.sort.next(),
        Command::EditPlan => return draft::open(state),
        Command::ComparePlan => return comparison::toggle(state),
        Command::NextDifference | Command::PreviousDifference => comparison::jump(state, command),
        Command::Allocate => edit::ask_budget(state),
        other => unhandled(other),
    }
    Vec::new()
}
