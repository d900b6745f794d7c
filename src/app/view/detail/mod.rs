//! Closer looks at the selected layer, one of them at a time.
//!
//! ```text
//! ┌ spectrum of layer1.0.conv1 ──────────┐
//! │ what it is, in words                 │
//! │ the picture                          │
//! └ its axis                             ┘
//! ```

mod columns;
mod compare;
mod convergence;
mod landscape;
pub(super) mod overview;
mod spectrum;
mod weights;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

pub(super) use compare::compare;

use super::format::wrap;
use super::{FILL, heading, rows};
use crate::app::command::Command;
use crate::app::state::State;
use crate::app::state::detail::View;
use crate::app::theme::{Role, Theme};

/// Rows from which the numbers of the layer stand below its picture.
const TALL: u16 = 30;
/// Rows below which sentences are cut.
const LOW: u16 = 10;
/// Rows of those numbers.
const NUMBERS: u16 = 13;

/// Draws the view of the selected layer that was chosen.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let Some(layer) = state.selected() else {
        return;
    };
    if state.detail.view == View::Overview {
        return overview::draw(frame, area, state, theme);
    }
    let numbers = if area.height >= TALL { NUMBERS } else { 0 };
    let [title, picture, _, below] = rows(area, [1, FILL, numbers.min(1), numbers]);
    let text = format!("{} of {}", state.detail.view.name(), layer.layer);
    frame.render_widget(heading(text, title.width, theme), title);
    match state.detail.view {
        View::Spectrum => spectrum::draw(frame, picture, state, theme),
        View::Landscape => landscape::draw(frame, picture, state, theme),
        View::Weights => weights::draw(frame, picture, state, theme),
        _ => convergence::draw(frame, picture, (layer, state), theme),
    }
    if numbers > 0 {
        overview::numbers(frame, below, (layer, state), theme);
    }
}

/// Sentences above a picture; what is left of the area.
fn told(frame: &mut Frame, area: Rect, sentences: &[String], theme: &Theme) -> Rect {
    let wrapped = sentences
        .iter()
        .flat_map(|sentence| wrap(sentence, area.width as usize));
    // Where there is little room, the picture needs most of it.
    let most = if area.height < LOW {
        usize::from(area.height / 3).max(1)
    } else {
        usize::MAX
    };
    let lines: Vec<Line> = wrapped.take(most).map(Line::raw).collect();
    let height = (lines.len() as u16).min(area.height);
    let [text, rest] = rows(area, [height, FILL]);
    frame.render_widget(Paragraph::new(lines).style(theme.style(Role::Text)), text);
    rest
}

/// The key of a command, for sentences.
fn key(state: &State, command: Command) -> String {
    let keys = state.keymap.keys_of(&state.screen.scopes(), command);
    let key = keys.into_iter().next();
    key.unwrap_or_else(|| format!(":{}", command.name()))
}

/// What is said where there is no picture yet.
fn absent(frame: &mut Frame, area: Rect, (what, state): (&str, &State), theme: &Theme) {
    let name = state.selected().map_or("", |layer| &layer.layer);
    let text = if state.detail.is_computing(state.detail.view, name) {
        format!(
            "{what} is being computed; {} stops it.",
            key(state, Command::Stop)
        )
    } else {
        format!(
            "{what} is not computed yet; {} computes it.",
            key(state, Command::Compute)
        )
    };
    told(frame, area, &[text], theme);
}

/// What is said where it could not be computed.
fn failed(frame: &mut Frame, area: Rect, (reason, state): (&str, &State), theme: &Theme) {
    let key = key(state, Command::Compute);
    let text = format!("{} {reason}; {key} tries again.", theme.symbols.bad);
    let lines: Vec<Line> = wrap(&text, area.width as usize)
        .into_iter()
        .map(Line::raw)
        .collect();
    frame.render_widget(Paragraph::new(lines).style(theme.style(Role::Bad)), area);
}
