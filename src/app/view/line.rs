//! A line of text that is being typed.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::format::cut;
use crate::app::theme::{Role, Theme};

/// What is said behind a line of text.
pub(super) enum Told<'a> {
    /// Nothing.
    Nothing,
    /// What is wrong with it.
    Problem(&'a str),
    /// What comes of it.
    Note(String),
}

/// A line of text with its cursor.
pub(super) fn typed(
    frame: &mut Frame,
    area: Rect,
    theme: &Theme,
    (prompt, input, told): (&str, &tui_input::Input, Told),
) {
    let wide = area.width as usize;
    let (text, role) = match told {
        Told::Nothing => (String::new(), Role::Text),
        Told::Problem(text) => (text.to_owned(), Role::Bad),
        Told::Note(text) => (text, Role::Muted),
    };
    // What is told stays in sight beside a long line.
    let text = cut(&text, wide / 2, theme.symbols.ellipsis);
    let told = if text.is_empty() { 0 } else { text.width() + 2 };
    let room = wide.saturating_sub(prompt.width() + 2 + told);
    let start = input.visual_scroll(room);
    let shown: String = input.value().chars().skip(start).take(room).collect();
    let spans = vec![
        Span::styled(format!(" {prompt}"), theme.style(Role::Key)),
        Span::styled(shown, theme.style(Role::Text)),
        Span::styled(format!("  {text}"), theme.style(role)),
    ];
    frame.render_widget(Line::from(spans), area);
    let at = 1 + prompt.width() + input.visual_cursor().saturating_sub(start);
    let x = area.x + (at as u16).min(area.width.saturating_sub(1));
    frame.set_cursor_position((x, area.y));
}
