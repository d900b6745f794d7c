//! What is drawn. Reads the state, changes nothing.
//!
//! ```text
//! ┌ header: project · model · data · device                     running job, ETA ┐
//! │ tabs:   1 Model  2 Sensitivity  3 Bits  4 Fine-tune  5 Export                │
//! │ body:   the screen                                                           │
//! │ guide:  what comes next, or the last notice, or the line being typed         │
//! └ footer: the keys that work now                                               ┘
//! ```
//! Below 16 rows the header goes, below 8 rows everything but body and footer.

mod axis;
mod bits;
mod chrome;
mod comparison;
mod detail;
mod export;
mod filter;
mod form;
pub mod format;
mod freeze;
mod help;
mod hits;
mod line;
mod model;
mod overlay;
pub mod plot;
mod projects;
mod question;
mod sensitivity;
mod split;
mod totals;
mod tune;
mod which;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

use super::command::Command;
use super::msg::Target;
use super::state::{Screen, State};

use super::theme::{Role, Theme};
use crate::engine::shown::is_unseen;
pub use hits::Hits;

/// Draws everything; tells what the mouse can reach.
pub fn frame(frame: &mut Frame, state: &State, theme: &Theme) -> Hits {
    let mut hits = Hits::default();
    let area = frame.area();
    frame.render_widget(Block::new().style(theme.style(Role::Text)), area);
    let (header, tabs, guide) = match area.height {
        0..8 => (0, 0, 0),
        8..16 => (0, 1, 1),
        _ => (1, 1, 1),
    };
    let [header, tabs, body, guide, footer] = rows(area, [header, tabs, FILL, guide, 1]);
    chrome::header(frame, header, state, theme);
    chrome::tabs(frame, tabs, (state, &mut hits), theme);
    freeze::mark(frame, tabs, state, theme);
    filter::mark(frame, tabs, state, theme);
    let body = padded(body);
    match state.screen {
        Screen::Model => model::draw(frame, body, state, theme),
        Screen::Sensitivity => sensitivity::draw(frame, body, (state.drawn(), &mut hits), theme),
        Screen::Bits => bits::draw(frame, body, (state, &mut hits), theme),
        Screen::Tune => tune::draw(frame, body, (state.drawn(), &mut hits), theme),
        Screen::Export => export::draw(frame, body, (state, &mut hits), theme),
    }
    chrome::guide(frame, guide, state, theme);
    if state.overlays.is_empty() {
        hits.add(guide, Target::Command(Command::Proceed));
    }
    overlay::draw(frame, (state, &mut hits), theme);
    which::draw(frame, (state, &mut hits), theme);
    chrome::footer(frame, footer, (state, &mut hits), theme);
    clean(frame.buffer_mut());
    hits
}

/// Takes out of every cell what must reach no terminal: names of layers, runs and files come from
/// others, and marks of the direction of writing take no cell of their own.
fn clean(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol().chars().any(is_unseen) {
            let kept: String = cell.symbol().chars().filter(|c| !is_unseen(*c)).collect();
            cell.set_symbol(if kept.is_empty() { "\u{fffd}" } else { &kept });
        }
    }
}

/// A column of space left and right, where there is room.
fn padded(area: Rect) -> Rect {
    if area.width < 40 {
        return area;
    }
    Rect {
        x: area.x + 1,
        width: area.width - 2,
        ..area
    }
}

/// The size that takes the rest.
pub(super) const FILL: u16 = u16::MAX;

/// Splits `area` from top to bottom; [`FILL`] takes the rest.
pub(super) fn rows<const N: usize>(area: Rect, heights: [u16; N]) -> [Rect; N] {
    area.layout(&Layout::vertical(heights.map(constraint)))
}

/// Splits `area` from left to right; [`FILL`] takes the rest.
pub(super) fn columns<const N: usize>(area: Rect, widths: [u16; N]) -> [Rect; N] {
    area.layout(&Layout::horizontal(widths.map(constraint)))
}

const fn constraint(size: u16) -> Constraint {
    if size == FILL {
        Constraint::Fill(1)
    } else {
        Constraint::Length(size)
    }
}

/// First row of a list of `len` rows so that `cursor` is among the `height` rows shown.
pub(super) fn scroll(cursor: usize, len: usize, height: usize) -> usize {
    cursor
        .saturating_sub(height / 2)
        .min(len.saturating_sub(height))
}

/// A heading over a region.
pub(super) fn heading<'a>(text: impl Into<String>, width: u16, theme: &Theme) -> Line<'a> {
    let text: String = text.into();
    let used = unicode_width::UnicodeWidthStr::width(text.as_str()) + 1;
    let rule = theme
        .symbols
        .rule
        .repeat((width as usize).saturating_sub(used));
    Line::from(vec![
        Span::styled(text, theme.style(Role::Title)),
        Span::raw(" "),
        Span::styled(rule, theme.style(Role::Border)),
    ])
}

/// A named fact.
pub(super) fn fact<'a>(name: &str, value: impl Into<Span<'a>>, theme: &Theme) -> Line<'a> {
    Line::from(vec![
        Span::styled(format!("{name:<14}"), theme.style(Role::Muted)),
        value.into(),
    ])
}
