//! The mark that says not every layer is shown.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::FILL;
use super::format::cut;
use crate::app::state::{Screen, State};
use crate::app::theme::{Role, Theme};

/// Columns that the names of the screens take.
const TABS: u16 = 58;
/// Columns below which the mark tells nothing.
const LEAST: usize = 10;

/// Draws it at the end of the line of tabs, where the screen lists layers.
pub(super) fn mark(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let lists = matches!(state.screen, Screen::Sensitivity | Screen::Bits);
    let held = state.frozen.is_some() && state.can_freeze();
    let Some(filter) = state.filter.as_ref().filter(|_| lists && !held) else {
        return;
    };
    let room = area.width.saturating_sub(TABS) as usize;
    if area.height == 0 || room < LEAST {
        return;
    }
    let count = format!(": {}", found(&filter.text, state));
    let name = format!(" /{}", filter.text);
    let name = cut(
        &name,
        room.saturating_sub(count.width() + 1),
        theme.symbols.ellipsis,
    );
    let text = cut(&format!("{name}{count} "), room, theme.symbols.ellipsis);
    let [_, place] = super::columns(area, [FILL, text.width() as u16]);
    let line = Line::from(Span::styled(text, theme.style(Role::Match)));
    frame.render_widget(line.alignment(Alignment::Right), place);
}

/// How many layers a filter shows: `8 of 20`.
pub(super) fn found(text: &str, state: &State) -> String {
    let filter = crate::app::state::Filter::new(text.trim());
    let layers = &state.analysis.layers;
    let shown = layers.iter().filter(|layer| filter.shows(&layer.layer));
    format!("{} of {}", shown.count(), layers.len())
}
