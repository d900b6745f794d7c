//! Choosing the colours, which are shown while one chooses.

use super::overlay::scrolled;
use crate::app::effect::Effect;
use crate::app::key::{Key, KeyCode};
use crate::app::state::overlay::Overlay;
use crate::app::state::{Level, State};

/// Opens the list of themes; they cannot be changed when colours are off.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    if let Some(selected) = current(state) {
        let before = state.themes.shown.clone();
        state.overlays.push(Overlay::Themes { selected, before });
    }
    Vec::new()
}

/// Shows the theme after the one that is shown.
pub(super) fn next(state: &mut State) -> Vec<Effect> {
    current(state).map_or_else(Vec::new, |at| {
        let next = (at + 1) % state.themes.names.len();
        let effects = show(state, next);
        state.notify(Level::Info, format!("theme: {}", state.themes.shown));
        effects
    })
}

/// Where the theme that is shown stands in the list.
fn current(state: &mut State) -> Option<usize> {
    if state.themes.names.is_empty() {
        let text = "colours are off (NO_COLOR, --no-color or TERM=dumb)";
        state.notify(Level::Info, text);
        return None;
    }
    let themes = &state.themes;
    let at = themes.names.iter().position(|name| *name == themes.shown);
    Some(at.unwrap_or(0))
}

/// Shows the theme at a position of the list.
pub(super) fn show(state: &mut State, at: usize) -> Vec<Effect> {
    let Some(name) = state.themes.names.get(at).cloned() else {
        return Vec::new();
    };
    state.themes.shown.clone_from(&name);
    vec![Effect::ShowTheme(name)]
}

/// A key in the list; with whether the list closes.
pub(super) fn press(
    state: &mut State,
    key: Key,
    (selected, before): (&mut usize, &str),
) -> (Vec<Effect>, bool) {
    if key.code == KeyCode::Enter {
        return (vec![Effect::SaveSession], true);
    }
    if key == Key::plain(KeyCode::Esc) || key == Key::plain(KeyCode::Char('q')) {
        let back = state.themes.names.iter().position(|name| name == before);
        return (back.map_or_else(Vec::new, |at| show(state, at)), true);
    }
    let moved = match key.code {
        KeyCode::Char('j') => scrolled(Key::plain(KeyCode::Down), selected),
        KeyCode::Char('k') => scrolled(Key::plain(KeyCode::Up), selected),
        _ => scrolled(key, selected),
    };
    *selected = (*selected).min(state.themes.names.len() - 1);
    let effects = if moved {
        show(state, *selected)
    } else {
        Vec::new()
    };
    (effects, false)
}
