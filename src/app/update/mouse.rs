//! What the mouse does: everything that a key does too.

use super::{availability, command, detail, overlay};
use crate::app::command::Command;
use crate::app::effect::Effect;
use crate::app::key::{Key, KeyCode};
use crate::app::msg::{Gesture, Target};
use crate::app::state::overlay::Overlay;
use crate::app::state::{Screen, State};
use crate::engine::export::Format;

/// Rows that the wheel moves a list.
const WHEEL: usize = 3;

/// A gesture, and what it hit.
pub(super) fn pointed(state: &mut State, gesture: Gesture, target: Option<Target>) -> Vec<Effect> {
    let dragging = std::mem::take(&mut state.dragging);
    if state.overlays.is_empty() {
        return match gesture {
            Gesture::Drag => {
                drag(state, dragging, target);
                Vec::new()
            }
            Gesture::Release => Vec::new(),
            Gesture::Click => target.map_or_else(Vec::new, |target| click(state, target)),
            Gesture::WheelUp => wheel(state, Command::Up),
            Gesture::WheelDown => wheel(state, Command::Down),
        };
    }
    match gesture {
        Gesture::Drag | Gesture::Release => Vec::new(),
        Gesture::Click => click_window(state, target),
        Gesture::WheelUp => turn(state, KeyCode::Up),
        Gesture::WheelDown => turn(state, KeyCode::Down),
    }
}

/// Moves the line between two panes, if that is what was pressed.
fn drag(state: &mut State, dragging: bool, target: Option<Target>) {
    state.dragging = dragging;
    if let (true, Some(Target::Share(share))) = (dragging, target) {
        detail::set_share(state, share);
    }
}

fn click(state: &mut State, target: Target) -> Vec<Effect> {
    state.pending.clear();
    match target {
        Target::Screen(screen) => command::go(state, screen),
        Target::Layer(layer) => state.layer = layer,
        Target::Bits(layer, column) => {
            (state.layer, state.bits.column) = (layer, column);
        }
        Target::Run(at) => state.tune.select_row(at),
        Target::Format(at) => {
            state.export.format = Format::ALL.get(at).copied().unwrap_or(state.export.format);
        }
        Target::Command(asked) => return command::execute(state, asked),
        Target::Splitter => state.dragging = true,
        Target::Share(_) | Target::Row(_) | Target::Answer(_) | Target::Window => {}
    }
    Vec::new()
}

/// The wheel over a screen; nothing where there is no list.
fn wheel(state: &mut State, towards: Command) -> Vec<Effect> {
    let steps = if state.screen == Screen::Export {
        1
    } else {
        WHEEL
    };
    if availability::available(state, towards) {
        (0..steps).for_each(|_| drop(command::execute(state, towards)));
    }
    Vec::new()
}

/// A click beside a window closes it.
fn click_window(state: &mut State, target: Option<Target>) -> Vec<Effect> {
    let typing = matches!(state.overlays.last(), Some(Overlay::Line { .. }));
    match target {
        Some(Target::Answer(key)) => overlay::press(state, key),
        Some(Target::Row(at)) => overlay::choose(state, at),
        None if !typing => overlay::press(state, Key::plain(KeyCode::Esc)),
        _ => Vec::new(),
    }
}

fn turn(state: &mut State, towards: KeyCode) -> Vec<Effect> {
    let long = matches!(
        state.overlays.last(),
        Some(Overlay::Help { .. } | Overlay::Log { .. })
    );
    let steps = if long { WHEEL } else { 1 };
    let turned = (0..steps).flat_map(|_| overlay::press(state, Key::plain(towards)));
    turned.collect()
}
