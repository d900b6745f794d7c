//! The list of all runs, and below it the marked ones compared.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{SIGNS, compared, controls, key, name, overlaid};
use crate::app::command::Command;
use crate::app::msg::Target;
use crate::app::state::State;
use crate::app::state::runs::{Comparison, Row};
use crate::app::state::tune::RunStatus;
use crate::app::theme::{Role, Theme};
use crate::app::view::chrome::tail;
use crate::app::view::format::{cut, number, percent, wrap};
use crate::app::view::{FILL, Hits, heading, rows, scroll};

/// Cells of cursor and sign.
const SIGN: u16 = 4;
/// Lines of what is wrong with a run.
const WORDS: usize = 3;
/// Rows from which curves and table are both shown.
const TALL: u16 = 34;
/// Rows of the table.
const TABLE: u16 = 17;

/// A column of the list.
struct Column {
    title: &'static str,
    width: usize,
    /// Width of the screen from which it is shown.
    from: u16,
    text: fn(&Row) -> String,
}

/// The columns after the name, in order. Names and words start at the left, numbers end at the right.
const COLUMNS: [Column; 7] = [
    Column::new("status", 9, 0, |row| status(row).to_owned()),
    Column::new("W-comp", 8, 54, |row| {
        facts(row, |facts| format!("{:.2}x", facts.weight_compression))
    }),
    Column::new("schedule", 9, 76, |row| {
        facts(row, |facts| facts.settings.schedule.to_string())
    }),
    Column::new("epochs", 7, 76, |row| {
        facts(row, |facts| facts.settings.epochs.to_string())
    }),
    Column::new("rate", 8, 76, |row| {
        facts(row, |facts| number(facts.settings.learning_rate))
    }),
    Column::new("validation", 11, 0, |row| {
        accuracy(row.run.and_then(|run| run.history.validation()))
    }),
    Column::new("test", 9, 44, |row| {
        accuracy(row.run.and_then(|run| run.history.test()))
    }),
];
/// Cells of the name.
const NAME: usize = 10;
/// Width of the screen from which notes are shown in the list.
const NOTES: u16 = 96;

impl Column {
    const fn new(title: &'static str, width: usize, from: u16, text: fn(&Row) -> String) -> Self {
        Self {
            title,
            width,
            from,
            text,
        }
    }

    fn aligned(&self, text: &str) -> String {
        let width = self.width;
        match self.title {
            "status" => format!("{text:<width$}"),
            "schedule" => format!(" {text:<0$}", width - 1),
            _ => format!("{text:>width$}"),
        }
    }
}

fn facts(row: &Row, text: impl Fn(&crate::app::jobs::Facts) -> String) -> String {
    row.facts.map_or_else(|| "-".to_owned(), text)
}

fn accuracy(measured: Option<&crate::engine::events::history::Evaluation>) -> String {
    measured.map_or_else(
        || "-".to_owned(),
        |measured| percent(measured.score.accuracy()),
    )
}

/// Where a run stands, in a word.
pub(super) fn status(row: &Row) -> &'static str {
    match row.run.map(|run| &run.status) {
        None => "broken",
        Some(RunStatus::Running) => "training",
        Some(RunStatus::Stopped) => "stopped",
        Some(RunStatus::Done) => "done",
        Some(RunStatus::Failed(_)) => "failed",
    }
}

pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    (state, hits): (&State, &mut Hits),
    theme: &Theme,
) {
    let runs = state.tune.rows();
    if runs.is_empty() {
        return empty(frame, area, state, theme);
    }
    let at = state.tune.selected(&runs);
    let words = words(&runs[at], (area.width, theme));
    let most = (area.height / 3).max(3);
    let height = (runs.len() as u16).min(most);
    let [title, head, list, told, bar, below] =
        rows(area, [1, 1, height, words.len() as u16, 1, FILL]);
    frame.render_widget(
        heading(title_of(state, runs.len()), title.width, theme),
        title,
    );
    frame.render_widget(head_of(head.width, theme), head);
    let first = scroll(at, runs.len(), height as usize);
    let shown = runs.iter().enumerate().skip(first).take(height as usize);
    for ((position, run), y) in shown.zip(list.y..list.bottom()) {
        let place = Rect {
            y,
            height: 1,
            ..list
        };
        hits.add(place, Target::Run(position));
        let line = row(run, (state, position == at, place.width), theme);
        frame.render_widget(line, place);
    }
    frame.render_widget(Paragraph::new(words), told);
    chosen(frame, bar, (state, hits), theme);
    comparison(frame, below, state, theme);
}

fn empty(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let text = match &state.tune.list.problem {
        Some(problem) => format!("{} {problem}", theme.symbols.bad),
        None => format!(
            "There is no run yet; {} starts one, {} goes back.",
            key(state, Command::Tune),
            key(state, Command::Runs)
        ),
    };
    let mut lines = vec![heading("Runs", area.width, theme)];
    lines.extend(wrap(&text, area.width as usize).into_iter().map(Line::raw));
    frame.render_widget(Paragraph::new(lines), area);
}

fn title_of(state: &State, count: usize) -> String {
    let list = &state.tune.list;
    if let Some(problem) = &list.problem {
        return format!("Runs, as they were read before: {problem}");
    }
    match list.left_out {
        0 => format!("Runs {count}"),
        older => format!("Runs {count}, {older} older ones left out"),
    }
}

fn head_of<'a>(width: u16, theme: &Theme) -> Line<'a> {
    let mut text = format!("{:4}{:<NAME$}", "", "run");
    for column in COLUMNS.iter().filter(|column| width >= column.from) {
        text.push_str(&column.aligned(column.title));
    }
    if width >= NOTES {
        text.push_str("  note");
    }
    Line::styled(text, theme.style(Role::Muted))
}

fn row<'a>(run: &Row, (state, selected, width): (&State, bool, u16), theme: &Theme) -> Line<'a> {
    let style = theme.style(if selected { Role::Selected } else { Role::Text });
    let cursor = if selected { theme.symbols.cursor } else { " " };
    let sign = match run.mark {
        Some(mark) => Span::styled(format!("{} ", SIGNS[mark]), theme.series(mark)),
        None => Span::raw("  "),
    };
    let name = tail(&name(state, run), NAME - 1, theme);
    let mut text = format!("{name:<NAME$}");
    if let Some(problem) = run.problem.filter(|_| run.run.is_none()) {
        text.push_str("broken   ");
        text.push_str(problem);
    } else {
        for column in COLUMNS.iter().filter(|column| width >= column.from) {
            text.push_str(&column.aligned(&(column.text)(run)));
        }
        if width >= NOTES {
            text.push_str("  ");
            text.push_str(run.note);
        }
    }
    let text = cut(
        &text,
        width.saturating_sub(SIGN) as usize,
        theme.symbols.ellipsis,
    );
    Line::from(vec![
        Span::styled(format!("{cursor} "), style),
        sign,
        Span::styled(text, style),
    ])
}

/// What is wrong with the selected run, or what the user wrote about it.
fn words<'a>(run: &Row, (width, theme): (u16, &Theme)) -> Vec<Line<'a>> {
    let (text, role) = match (run.problem, run.note) {
        (Some(problem), _) => (problem.to_owned(), Role::Bad),
        (None, note) if !note.is_empty() && width < NOTES => (format!("note: {note}"), Role::Muted),
        _ => return vec![Line::raw("")],
    };
    let lines = wrap(&text, width as usize).into_iter().take(WORDS);
    lines
        .map(|line| Line::styled(line, theme.style(role)))
        .collect()
}

/// What is compared and how, with the keys that change it.
fn chosen(frame: &mut Frame, area: Rect, (state, hits): (&State, &mut Hits), theme: &Theme) {
    let list = &state.tune.list;
    let marked = list.marks.iter().flatten().count();
    let what = match marked {
        0 => "mark runs to compare them".to_owned(),
        1 => "1 is marked".to_owned(),
        more => format!("{more} are marked"),
    };
    let look = state.tune.look;
    let named = match list.comparison {
        Comparison::Curves => vec![
            (Command::MarkRun, what),
            (Command::CompareRuns, "curves".to_owned()),
            (
                Command::Smoothing,
                format!("smoothing {}", look.smoothing.name()),
            ),
            (Command::LossAxis, format!("loss {}", look.loss_axis.name())),
        ],
        Comparison::Table => vec![
            (Command::MarkRun, what),
            (Command::CompareRuns, "table".to_owned()),
        ],
    };
    controls(frame, area, (state, hits), (theme, &named));
}

fn comparison(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    if area.height >= TALL {
        let [curves, table] = rows(area, [FILL, TABLE]);
        overlaid::draw(frame, curves, state, theme);
        compared::draw(frame, table, state, theme);
        return;
    }
    match state.tune.list.comparison {
        Comparison::Curves => overlaid::draw(frame, area, state, theme),
        Comparison::Table => compared::draw(frame, area, state, theme),
    }
}
