//! The mark that says the screen is held.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::FILL;
use super::format::duration;
use crate::app::command::Command;
use crate::app::state::State;
use crate::app::theme::{Role, Theme};

/// Columns that the names of the screens take.
const TABS: u16 = 58;

/// Draws it at the end of the line of tabs, shorter where there is little room.
pub(super) fn mark(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let Some(frozen) = state.frozen.as_ref().filter(|_| state.can_freeze()) else {
        return;
    };
    if area.height == 0 {
        return;
    }
    let keys = state
        .keymap
        .keys_of(&state.screen.scopes(), Command::Freeze);
    let key = keys.into_iter().next().unwrap_or_default();
    let age = duration(state.now.saturating_sub(frozen.since));
    let room = area.width.saturating_sub(TABS) as usize;
    let texts = [
        format!(" FROZEN {age} ago; {key} goes on "),
        format!(" FROZEN; {key} goes on "),
        " FROZEN ".to_owned(),
    ];
    let fits = texts.iter().find(|text| text.width() <= room);
    let text = fits.unwrap_or(&texts[2]).clone();
    let [_, place] = super::columns(area, [FILL, (text.width() as u16).min(area.width)]);
    let line = Line::from(Span::styled(text, theme.style(Role::ActiveTab)));
    frame.render_widget(line.alignment(Alignment::Right), place);
}
