//! The fine-tuning screen: settings, or a run with its stages and curves, or the list of all runs.
//!
//! ```text
//! ┌ progress: status, numbers, scores, note ┐   ┌ runs: one a row                     ┐
//! │ stages      │ curves                    │   │ the selected one in words           │
//! │             │                           │   │ curves of the marked ones, or table │
//! └─────────────┴───────────────────────────┘   └─────────────────────────────────────┘
//! ```

mod compared;
mod curves;
mod overlaid;
mod progress;
mod runs;
mod settings;
mod stages;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::format::wrap;
use super::{FILL, Hits, columns, rows};
use crate::app::command::Command;
use crate::app::msg::Target;
use crate::app::state::State;
use crate::app::state::runs::{MARKS, Pane, Row};
use crate::app::state::tune::RunStatus;
use crate::app::theme::{Role, Theme};

/// Rows of the progress.
const PROGRESS: u16 = 6;
/// The signs of marked runs, in every terminal.
const SIGNS: [char; MARKS] = ['o', 'x', '+', '*', '#', '@'];
/// Width from which the stages stand beside the curves.
const BESIDE: u16 = 70;

pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    (state, hits): (&State, &mut Hits),
    theme: &Theme,
) {
    if state.tune.list.pane == Pane::Runs {
        return runs::draw(frame, area, (state, hits), theme);
    }
    let problem = problem(state, area, theme);
    let height = (problem.len() as u16).min(area.height / 2);
    let [told, area] = rows(area, [height, FILL]);
    frame.render_widget(Paragraph::new(problem), told);
    let Some(run) = &state.tune.run else {
        return settings::draw(frame, area, state, theme);
    };
    let [facts, rest] = rows(area, [area.height.min(PROGRESS), FILL]);
    progress::draw(frame, facts, (state, run), theme);
    if rest.height < 4 {
        return;
    }
    if rest.width < BESIDE {
        return curves::draw(frame, rest, (state, hits, run), theme);
    }
    let [left, _, right] = columns(rest, [stages::width(rest.width), 2, FILL]);
    stages::draw(frame, left, run, theme);
    curves::draw(frame, right, (state, hits, run), theme);
}

/// Why the run on screen failed, or the last attempt began none, whole.
fn problem<'a>(state: &State, area: Rect, theme: &Theme) -> Vec<Line<'a>> {
    let failed = state.tune.run.as_ref().and_then(|run| match &run.status {
        RunStatus::Failed(reason) => Some(reason.clone()),
        _ => None,
    });
    let refused = state.tune.refused.as_ref();
    let refused = refused.map(|reason| format!("No new run began: {reason}"));
    let text = refused.or(failed);
    let lines = text.map_or_else(Vec::new, |text| wrap(&text, area.width as usize));
    let style = theme.style(Role::Bad);
    let lines = lines.into_iter().map(|line| Line::styled(line, style));
    lines.collect()
}

/// The name of a run in the project; the path of one that is elsewhere.
fn name(state: &State, row: &Row) -> String {
    let own = row.folder.parent() == Some(&state.tune.runs);
    let name = row.folder.file_name().filter(|_| own);
    name.map_or_else(
        || row.folder.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// The key of a command, for sentences.
fn key(state: &State, command: Command) -> String {
    let keys = state.keymap.keys_of(&state.screen.scopes(), command);
    let key = keys.into_iter().next();
    key.unwrap_or_else(|| format!(":{}", command.name()))
}

/// What keys would change, as it is now; each can be clicked.
fn controls(
    frame: &mut Frame,
    area: Rect,
    (state, hits): (&State, &mut Hits),
    (theme, named): (&Theme, &[(Command, String)]),
) {
    let (mut spans, mut x) = (Vec::new(), area.x);
    for (command, text) in named {
        let key = key(state, *command);
        let width = (key.width() + text.width() + 1) as u16;
        if x + width > area.right() {
            break;
        }
        let place = Rect {
            x,
            width,
            height: 1,
            ..area
        };
        hits.add(place.intersection(area), Target::Command(*command));
        spans.push(Span::styled(key, theme.style(Role::Key)));
        spans.push(Span::styled(format!(" {text}  "), theme.style(Role::Text)));
        x += width + 2;
    }
    frame.render_widget(Line::from(spans), area);
}
