//! The window that opens a network: a line for each thing that is asked, with what is said of it below,
//! and how the line in work may go on.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::format::{cut_start, wrap};
use super::line::{Told, typed};
use super::{FILL, Hits, overlay, rows};
use crate::app::jobs::JobKind;
use crate::app::jobs::form::{Answer, Field};
use crate::app::msg::Target;
use crate::app::state::State;
use crate::app::state::form::Form;
use crate::app::theme::{Role, Theme};

/// Cells before a line.
const NAME: usize = 15;
/// Most lines of what is said of a line.
const MOST: usize = 3;

pub(super) fn draw(
    frame: &mut Frame,
    (state, form): (&State, &Form),
    hits: &mut Hits,
    theme: &Theme,
) {
    let screen = frame.area();
    let size = (screen.width.min(110), screen.height.min(32));
    let inside = overlay::window(frame, (size, "Open a network"), hits, theme);
    let mut rest = inside;
    for field in Field::ALL {
        let [line, after] = rows(rest, [1, FILL]);
        draw_line(frame, line, (form, field), theme);
        hits.add(line, Target::Row(row_of(field)));
        rest = answer(frame, after, (form, field, state), theme);
    }
    rest = score(frame, rest, form, theme);
    choices(frame, rest, (form, hits), theme);
}

/// The row that a click on a line names: those of choices come behind them.
const fn row_of(field: Field) -> usize {
    field as usize
}

fn draw_line(frame: &mut Frame, area: Rect, (form, field): (&Form, Field), theme: &Theme) {
    let name = format!("{:<width$}", field.name(), width = NAME - 1);
    if form.field == field {
        typed(frame, area, theme, (&name, form.line(field), Told::Nothing));
        let [mark, _] =
            Layout::horizontal([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
        frame.render_widget(
            Span::styled(theme.symbols.cursor, theme.style(Role::Key)),
            mark,
        );
        return;
    }
    let room = (area.width as usize).saturating_sub(NAME + 1);
    let text = form.line(field).value();
    let (text, role) = if text.is_empty() {
        (blank(field).to_owned(), Role::Muted)
    } else {
        (cut_start(text, room, theme.symbols.ellipsis), Role::Text)
    };
    let spans = vec![
        Span::styled(format!(" {name}"), theme.style(Role::Muted)),
        Span::styled(text, theme.style(role)),
    ];
    frame.render_widget(Line::from(spans), area);
}

/// What an empty line means.
const fn blank(field: Field) -> &'static str {
    match field {
        Field::Network => "a .pt2 or .onnx file, or a preset",
        Field::Weights => "the network's own",
        Field::Data => "where the images are, such as folder:DIR or npz:FILE",
        Field::Preprocessing => "as usual for the network",
        Field::Project => "named after network and data",
    }
}

/// What is said of a line; gives what is left below.
fn answer(
    frame: &mut Frame,
    area: Rect,
    (form, field, state): (&Form, Field, &State),
    theme: &Theme,
) -> Rect {
    let looks = state.job(JobKind::Look).is_some();
    let told = match form.answer(field) {
        None if field == Field::Network && looks => Some(("looking ...".to_owned(), Role::Muted)),
        None => None,
        Some(answer) => Some(in_words(answer)),
    };
    let Some((text, role)) = told else {
        return area;
    };
    said(frame, area, (&text, role), theme)
}

fn in_words(answer: Answer) -> (String, Role) {
    match answer {
        Answer::Good(text) => (text, Role::Muted),
        Answer::Doubtful(text) => (text, Role::Warning),
        Answer::Bad(text) => (text, Role::Bad),
    }
}

/// A text below a line; gives what is left.
fn said(frame: &mut Frame, area: Rect, (text, role): (&str, Role), theme: &Theme) -> Rect {
    let room = (area.width as usize).saturating_sub(NAME + 1);
    let mut lines = wrap(text, room);
    let most = if role == Role::Bad { 2 * MOST } else { MOST };
    lines.truncate(most.min(area.height as usize));
    let [shown, rest] = rows(area, [lines.len() as u16, FILL]);
    let before = " ".repeat(NAME);
    let lines = lines
        .into_iter()
        .map(|line| Line::styled(format!("{before}{line}"), theme.style(role)));
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), shown);
    rest
}

/// What the float network makes of some images.
fn score(frame: &mut Frame, area: Rect, form: &Form, theme: &Theme) -> Rect {
    let Some((text, role)) = form.score().map(in_words) else {
        return area;
    };
    let role = if role == Role::Muted {
        Role::Good
    } else {
        role
    };
    said(frame, area, (&text, role), theme)
}

/// How the line in work may go on.
fn choices(frame: &mut Frame, area: Rect, (form, hits): (&Form, &mut Hits), theme: &Theme) {
    let [rule, list] = rows(area, [1, FILL]);
    let Some(choices) = form
        .choices
        .as_ref()
        .filter(|choices| !choices.found.is_empty())
    else {
        return;
    };
    let count = choices.found.len();
    let text = format!(" {} may go on as ({count}):", form.field.name());
    frame.render_widget(Line::styled(text, theme.style(Role::Muted)), rule);
    let first = super::scroll(form.chosen.unwrap_or(0), count, list.height as usize);
    let rows = Field::ALL.len() + first..Field::ALL.len() + count;
    hits.rows(list, rows);
    let room = (list.width as usize).saturating_sub(4);
    let row = |(at, text): (usize, &String)| {
        let (mark, role) = if form.chosen == Some(at) {
            (theme.symbols.cursor, Role::Selected)
        } else {
            (" ", Role::Text)
        };
        let text = cut_start(text, room, theme.symbols.ellipsis);
        Line::styled(format!(" {mark} {text}"), theme.style(role))
    };
    let lines = choices.found.iter().enumerate().skip(first).map(row);
    let lines: Vec<Line> = lines.take(list.height as usize).collect();
    frame.render_widget(Paragraph::new(lines), list);
}
