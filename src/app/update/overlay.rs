//! Keys while a window is open, or a line is being typed.

use tui_input::{Input, InputRequest};

use crate::app::command::Command;
use crate::app::effect::{AtLeave, Effect};
use crate::app::key::{Key, KeyCode};
use crate::app::state::bits::BUDGETS;
use crate::app::state::form::dropped;
use crate::app::state::overlay::{Overlay, Purpose, matches};
use crate::app::state::planning::ACTIVATIONS;
use crate::app::state::tune::Run;
use crate::app::state::{Leaving, Level, State};
use crate::engine::finetune::{Kept, Start};

use super::{command, comparison, draft, edit, form, launch, leave, projects, runs, themes};

/// Longest line that can be typed.
pub(super) const LONGEST: usize = 4096;

/// What follows when a window closes; `None` while it stays.
type Closed = Option<Vec<Effect>>;

/// A key for the topmost window.
pub(super) fn press(state: &mut State, key: Key) -> Vec<Effect> {
    let closes = key == Key::plain(KeyCode::Esc) || key == control('c');
    let Some(mut top) = state.overlays.pop() else {
        return Vec::new();
    };
    if let Overlay::Themes { selected, before } = &mut top {
        let (effects, closed) = themes::press(state, key, (selected, before));
        if !closed {
            state.overlays.push(top);
        }
        return effects;
    }
    if closes {
        return Vec::new();
    }
    if let Overlay::Open(form) = &mut top {
        let (effects, closed) = form::press(state, key, form);
        if !closed {
            state.overlays.push(top);
        }
        return effects;
    }
    let closed = match &mut top {
        Overlay::Help { input, scroll } => help(key, input, scroll),
        Overlay::Log { input, scroll } => log(state, key, (input, scroll)),
        Overlay::Palette { input, selected } => palette(state, key, (input, selected)),
        Overlay::Line {
            purpose,
            input,
            problem,
        } => line(state, key, (*purpose, input, problem)),
        Overlay::Allocate {
            kind,
            input,
            suggested,
            problem,
        } => suggest(state, key, (kind, input, suggested, problem)),
        Overlay::Plans { selected } => comparison::press(state, key, selected),
        Overlay::Projects { selected, found } => projects::press(state, key, (selected, found)),
        // Handled above: escaping one has to show the former colours again, the other goes on asking.
        Overlay::Themes { .. } | Overlay::Open(_) => None,
        Overlay::EditAgain { .. } => draft::press(state, key),
        Overlay::Quit => quit(state, key),
        Overlay::Confirm(asked) => confirm(state, key, *asked),
    };
    closed.unwrap_or_else(|| {
        state.overlays.push(top);
        Vec::new()
    })
}

/// A click on a row of the list in the topmost window.
pub(super) fn choose(state: &mut State, at: usize) -> Vec<Effect> {
    if let Some(Overlay::Open(_)) = state.overlays.last()
        && let Some(Overlay::Open(mut form)) = state.overlays.pop()
    {
        let effects = form::choose(state, &mut form, at);
        state.overlays.push(Overlay::Open(form));
        return effects;
    }
    match state.overlays.last_mut() {
        Some(
            Overlay::Palette { selected, .. }
            | Overlay::Plans { selected }
            | Overlay::Projects { selected, .. },
        ) => {
            *selected = at;
            press(state, Key::plain(KeyCode::Enter))
        }
        Some(Overlay::Allocate { kind, .. }) => {
            let steps = (at + BUDGETS.len() - *kind) % BUDGETS.len();
            let turned = (0..steps).flat_map(|_| press(state, Key::plain(KeyCode::Down)));
            turned.collect()
        }
        Some(Overlay::Themes { selected, .. }) => {
            *selected = at;
            themes::show(state, at)
        }
        _ => Vec::new(),
    }
}

fn help(key: Key, input: &mut Input, scroll: &mut usize) -> Closed {
    if key == Key::plain(KeyCode::Char('?')) || key == Key::plain(KeyCode::Enter) {
        return Some(Vec::new());
    }
    if !scrolled(key, scroll) && typed(input, key) {
        *scroll = 0;
    }
    None
}

fn log(state: &State, key: Key, (input, scroll): (&mut Input, &mut usize)) -> Closed {
    if key.code == KeyCode::Enter {
        return Some(Vec::new());
    }
    // The log grows upwards: up is further from the newest line.
    let mirrored = match key.code {
        KeyCode::Up => KeyCode::Down,
        KeyCode::Down => KeyCode::Up,
        KeyCode::PageUp => KeyCode::PageDown,
        KeyCode::PageDown => KeyCode::PageUp,
        other => other,
    };
    if !scrolled(Key::plain(mirrored), scroll) && typed(input, key) {
        *scroll = 0;
    }
    let found = state.log_lines(input.value()).count();
    *scroll = (*scroll).min(found.saturating_sub(1));
    None
}

fn palette(state: &mut State, key: Key, (input, selected): (&mut Input, &mut usize)) -> Closed {
    let found = matches(input.value());
    if key.code == KeyCode::Enter {
        let chosen = found.get(*selected).copied();
        return Some(chosen.map_or_else(Vec::new, |chosen| command::execute(state, chosen)));
    }
    if scrolled(key, selected) {
        *selected = (*selected).min(found.len().saturating_sub(1));
    } else if typed(input, key) {
        *selected = 0;
    }
    None
}

fn line(
    state: &mut State,
    key: Key,
    (purpose, input, problem): (Purpose, &mut Input, &mut Option<String>),
) -> Closed {
    if key.code == KeyCode::Enter {
        match finish(state, purpose, input.value()) {
            Ok(effects) => return Some(effects),
            Err(reason) => *problem = Some(reason),
        }
    } else if typed(input, key) {
        *problem = None;
    }
    None
}

/// The budget window, whose value is a suggestion until something is typed.
fn suggest(
    state: &mut State,
    key: Key,
    (kind, input, suggested, problem): (&mut usize, &mut Input, &mut bool, &mut Option<String>),
) -> Closed {
    if *suggested && key.text().is_some() {
        *input = Input::default();
    }
    *suggested = match key.code {
        KeyCode::Up | KeyCode::Down => true,
        KeyCode::Tab | KeyCode::BackTab => *suggested,
        _ => false,
    };
    budget(state, key, (kind, input, problem))
}

fn confirm(state: &mut State, key: Key, asked: Command) -> Closed {
    match key.code {
        KeyCode::Char('y') | KeyCode::Enter => Some(confirmed(state, asked)),
        KeyCode::Char('n') => Some(Vec::new()),
        _ => None,
    }
}

fn control(c: char) -> Key {
    Key {
        ctrl: true,
        ..Key::plain(KeyCode::Char(c))
    }
}

fn confirmed(state: &mut State, asked: Command) -> Vec<Effect> {
    match asked {
        Command::AnalyzeAnew => launch::analyze(state, true),
        Command::KeepBest => launch::go_on(state, Start::Conclude(Kept::Best)),
        other => command::execute(state, other),
    }
}

fn quit(state: &mut State, key: Key) -> Closed {
    Some(match key.code {
        KeyCode::Char('f') if state.leaves_work_running() => leave(state, AtLeave::Keep),
        KeyCode::Char('f') => {
            state.leaving = Some(Leaving::WhenDone);
            state.notify(Level::Info, "leaves when the work is done; q asks again");
            command::unpause(state)
        }
        KeyCode::Char('s') | KeyCode::Enter => {
            state.leaving = Some(Leaving::WhenStopped);
            let stopping = command::stop(state);
            if stopping.is_empty() {
                leave(state, AtLeave::Stop)
            } else {
                stopping
            }
        }
        KeyCode::Char('c' | 'n') => {
            state.leaving = None;
            Vec::new()
        }
        _ => return None,
    })
}

/// Keys of the budget window; `Some` when it closes.
fn budget(
    state: &mut State,
    key: Key,
    (kind, input, problem): (&mut usize, &mut Input, &mut Option<String>),
) -> Option<Vec<Effect>> {
    let turned = match key.code {
        KeyCode::Down => Some((*kind + 1) % BUDGETS.len()),
        KeyCode::Up => Some((*kind + BUDGETS.len() - 1) % BUDGETS.len()),
        _ => None,
    };
    if let Some(next) = turned {
        *kind = next;
        let typed = state.bits.typed.get(&next).cloned();
        *input = typed
            .unwrap_or_else(|| BUDGETS[next].example.to_owned())
            .into();
        *problem = None;
    } else if matches!(key.code, KeyCode::Tab | KeyCode::BackTab) {
        let at = ACTIVATIONS
            .iter()
            .position(|choice| *choice == state.bits.activations);
        let step = if key.code == KeyCode::Tab {
            1
        } else {
            ACTIVATIONS.len() - 1
        };
        state.bits.activations = ACTIVATIONS[(at.unwrap_or(0) + step) % ACTIVATIONS.len()];
    } else if key.code == KeyCode::Enter {
        match edit::allocate(state, *kind, input.value()) {
            Ok(effects) => return Some(effects),
            Err(reason) => *problem = Some(reason),
        }
    } else if typed(input, key) {
        *problem = None;
    }
    None
}

fn finish(state: &mut State, purpose: Purpose, text: &str) -> Result<Vec<Effect>, String> {
    let text = text.trim();
    match purpose {
        Purpose::Filter => command::filter(state, text)?,
        Purpose::Pattern => edit::select(state, text)?,
        Purpose::Note => return runs::note(state, text),
        Purpose::Path | Purpose::OtherPlan if text.is_empty() => {
            return Err("expected the path of a file".to_owned());
        }
        Purpose::OtherPlan => return Ok(comparison::open(state, &dropped(text))),
        Purpose::Path => {
            if let Some(run) = state.tune.run.as_ref().map(Run::name) {
                let format = state.export.format;
                state.export.set_path(format, &run, dropped(text).into());
            }
        }
        Purpose::Rate => return launch::change_rate(state, text),
        Purpose::Training => return launch::set_training(state, text),
    }
    Ok(Vec::new())
}

/// Pasted text goes where typed text goes.
pub(super) fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    if let Some(Overlay::Open(_)) = state.overlays.last()
        && let Some(Overlay::Open(mut form)) = state.overlays.pop()
    {
        let effects = form::paste(state, &mut form, text);
        state.overlays.push(Overlay::Open(form));
        return effects;
    }
    insert(state, text);
    Vec::new()
}

fn insert(state: &mut State, text: &str) {
    let Some(top) = state.overlays.last_mut() else {
        return;
    };
    if let Overlay::Allocate {
        input, suggested, ..
    } = top
        && std::mem::take(suggested)
    {
        *input = Input::default();
    }
    let (Overlay::Help { input, .. }
    | Overlay::Log { input, .. }
    | Overlay::Palette { input, .. }
    | Overlay::Line { input, .. }
    | Overlay::Allocate { input, .. }) = top
    else {
        return;
    };
    let room = LONGEST.saturating_sub(input.value().len());
    for c in text.chars().filter(|c| !c.is_control()).take(room) {
        input.handle(InputRequest::InsertChar(c));
    }
}

/// Moves through a list of `len` rows where no text is typed, so that letters move too.
pub(super) fn moved(key: Key, at: &mut usize, len: usize) {
    let last = len.saturating_sub(1);
    match key.code {
        KeyCode::Char('j') => *at += 1,
        KeyCode::Char('k') => *at = at.saturating_sub(1),
        KeyCode::Home | KeyCode::Char('g') => *at = 0,
        KeyCode::End | KeyCode::Char('G') => *at = last,
        _ => drop(scrolled(key, at)),
    }
    *at = (*at).min(last);
}

/// Moves a list; whether the key was one for that.
pub(super) fn scrolled(key: Key, at: &mut usize) -> bool {
    *at = match key.code {
        KeyCode::Down => *at + 1,
        KeyCode::Up => at.saturating_sub(1),
        KeyCode::PageDown => *at + 10,
        KeyCode::PageUp => at.saturating_sub(10),
        _ => return false,
    };
    true
}

/// Edits a line; whether its text changed.
pub(super) fn typed(input: &mut Input, key: Key) -> bool {
    let request = match (key.code, key.ctrl) {
        (KeyCode::Backspace, _) | (KeyCode::Char('h'), true) => InputRequest::DeletePrevChar,
        (KeyCode::Delete, _) => InputRequest::DeleteNextChar,
        (KeyCode::Left, _) => InputRequest::GoToPrevChar,
        (KeyCode::Right, _) => InputRequest::GoToNextChar,
        (KeyCode::Home, _) | (KeyCode::Char('a'), true) => InputRequest::GoToStart,
        (KeyCode::End, _) | (KeyCode::Char('e'), true) => InputRequest::GoToEnd,
        (KeyCode::Char('w'), true) => InputRequest::DeletePrevWord,
        (KeyCode::Char('u'), true) => InputRequest::DeleteLine,
        _ => match key.text() {
            Some(c) if input.value().len() < LONGEST => InputRequest::InsertChar(c),
            _ => return false,
        },
    };
    input.handle(request).is_some_and(|changed| changed.value)
}
