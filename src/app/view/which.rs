//! What may follow the keys that were typed so far, in a small window above the footer.
//!
//! ```text
//! ┌ b ──────────────────┐
//! │ 2  Set 2 bits       │
//! │ 3  Set 3 bits       │
//! └─────────────────────┘
//! ```

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

use super::Hits;
use super::format::cut;
use crate::app::key;
use crate::app::msg::Target;
use crate::app::state::State;
use crate::app::theme::{Role, Theme};

/// Widest window.
const WIDEST: usize = 64;

/// Draws it when the rest of a sequence is waited for, and was for a moment.
pub(super) fn draw(frame: &mut Frame, (state, hits): (&State, &mut Hits), theme: &Theme) {
    if !state.hints_sequence() || !state.overlays.is_empty() {
        return;
    }
    let next = state
        .keymap
        .continuations(&state.screen.scopes(), &state.pending);
    let keys = next.iter().map(|(keys, _)| keys.width()).max().unwrap_or(0);
    let docs = next.iter().map(|(_, command)| command.doc().width()).max();
    let width = (keys + docs.unwrap_or(0) + 6).min(WIDEST);
    let screen = frame.area();
    let width = (width as u16).min(screen.width);
    let height = (next.len() as u16 + 2).min(screen.height.saturating_sub(1));
    let area = Rect {
        x: screen.width - width,
        y: screen.height.saturating_sub(height + 1),
        width,
        height,
    };
    let title = format!(" {} ", key::show(&state.pending));
    let block = Block::bordered()
        .border_set(theme.symbols.border)
        .border_style(theme.style(Role::Border))
        .title(Span::styled(title, theme.style(Role::Title)))
        .style(theme.style(Role::Overlay));
    let inside = block.inner(area);
    let room = (inside.width as usize).saturating_sub(keys + 3);
    let line = |(text, command): &(String, crate::app::command::Command)| {
        let works = state.is_available(*command);
        let role = if works { Role::Text } else { Role::Muted };
        let doc = cut(command.doc(), room, theme.symbols.ellipsis);
        Line::from(vec![
            Span::styled(format!(" {text:<keys$}  "), theme.style(Role::Key)),
            Span::styled(doc, theme.style(role)),
        ])
    };
    let lines: Vec<Line> = next.iter().map(line).collect();
    hits.add(area, Target::Window);
    for (y, (_, command)) in (inside.y..inside.bottom()).zip(&next) {
        let row = Rect {
            y,
            height: 1,
            ..inside
        };
        hits.add(row, Target::Command(*command));
    }
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(lines), inside);
}
