//! The numbers of the marked runs, side by side; accuracies beside those of the first.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::runs::status;
use super::{SIGNS, name};
use crate::app::jobs::Facts;
use crate::app::state::State;
use crate::app::state::runs::Row;
use crate::app::state::tune::Run;
use crate::app::theme::{Role, Theme};
use crate::app::view::chrome::tail;
use crate::app::view::format::{count, cut, number, percent};
use crate::engine::job::Split;

/// Cells of the names of the rows.
const NAMES: usize = 17;
/// Cells of a run.
const CELL: usize = 17;

/// A row of the table: its name, and the text of a run beside the first one.
type Fact = (&'static str, fn(&Row, &Row) -> String);

const FACTS: [Fact; 16] = [
    ("test", |row, first| accuracy(test, row, first)),
    ("validation now", |row, first| accuracy(now, row, first)),
    ("validation best", |row, first| accuracy(best, row, first)),
    ("post-training", |row, first| {
        accuracy(untrained, row, first)
    }),
    ("float", |row, first| accuracy(float, row, first)),
    ("W-comp", |row, _| {
        of(row, |facts| format!("{:.2}x", facts.weight_compression))
    }),
    ("A-comp", |row, _| {
        of(row, |facts| {
            let factor = facts.activation_compression;
            factor.map_or_else(unknown, |factor| format!("{factor:.2}x"))
        })
    }),
    ("other bits", other_bits),
    ("schedule", |row, _| {
        of(row, |facts| facts.settings.schedule.to_string())
    }),
    ("epochs", |row, _| {
        of(row, |facts| facts.settings.epochs.to_string())
    }),
    ("learning rate", |row, _| {
        of(row, |facts| number(facts.settings.learning_rate))
    }),
    ("batch size", |row, _| {
        of(row, |facts| facts.settings.batch_size.to_string())
    }),
    ("distillation", |row, _| {
        of(row, |facts| number(facts.settings.distill))
    }),
    ("seed", |row, _| {
        of(row, |facts| facts.settings.seed.to_string())
    }),
    ("steps", |row, _| {
        let run = row.run;
        run.map_or_else(unknown, |run| {
            format!(
                "{} of {}",
                count(run.history.step),
                count(run.history.total)
            )
        })
    }),
    ("status", |row, _| status(row).to_owned()),
];

fn unknown() -> String {
    "-".to_owned()
}

fn of(row: &Row, text: impl Fn(&Facts) -> String) -> String {
    row.facts.map_or_else(unknown, text)
}

fn test(run: &Run) -> Option<f64> {
    run.history.test().map(|measured| measured.score.accuracy())
}

fn now(run: &Run) -> Option<f64> {
    run.history
        .validation()
        .map(|measured| measured.score.accuracy())
}

fn best(run: &Run) -> Option<f64> {
    let trained = run
        .history
        .evaluated(Split::Validation)
        .filter(|measured| measured.step > 0);
    trained
        .map(|measured| measured.score.accuracy())
        .max_by(f64::total_cmp)
}

fn untrained(run: &Run) -> Option<f64> {
    run.history
        .validated("post-training")
        .map(|measured| measured.score.accuracy())
}

fn float(run: &Run) -> Option<f64> {
    run.history
        .validated("float")
        .map(|measured| measured.score.accuracy())
}

/// An accuracy, and in points how far it is from that of the first run.
fn accuracy(value: fn(&Run) -> Option<f64>, row: &Row, first: &Row) -> String {
    let Some(own) = row.run.and_then(value) else {
        return unknown();
    };
    let text = percent(own);
    let beside = first
        .run
        .and_then(value)
        .filter(|_| row.folder != first.folder);
    match beside {
        Some(other) => format!("{text} {:+.2}", 100.0 * (own - other)),
        None => text,
    }
}

/// Layers whose bits are not those of the first run.
fn other_bits(row: &Row, first: &Row) -> String {
    let plans = row
        .facts
        .zip(first.facts)
        .map(|(own, other)| (&own.plan, &other.plan));
    match plans {
        Some((own, other)) if own.len() == other.len() => {
            let differ = own.iter().zip(other).filter(|(a, b)| a != b).count();
            match differ {
                0 => "none".to_owned(),
                1 => "1 layer".to_owned(),
                more => format!("{more} layers"),
            }
        }
        Some(_) => "another network".to_owned(),
        None => unknown(),
    }
}

pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let all = state.tune.compared();
    let fit = ((area.width as usize).saturating_sub(NAMES) / CELL).max(1);
    let runs = &all[..all.len().min(fit)];
    let Some(first) = runs.first() else {
        return;
    };
    let mut lines = vec![head(state, (runs, all.len()), theme)];
    lines.extend(FACTS.iter().map(|(name, text)| {
        let texts: Vec<String> = runs.iter().map(|run| text(run, first)).collect();
        // What tells runs apart stands out.
        let alike = texts.iter().all(|text| *text == texts[0]) && runs.len() > 1;
        let style = theme.style(if alike { Role::Muted } else { Role::Text });
        let cells = texts.iter().map(|text| cell(text, style, theme));
        let name = Span::styled(format!("{name:<NAMES$}"), theme.style(Role::Muted));
        Line::from(std::iter::once(name).chain(cells).collect::<Vec<_>>())
    }));
    frame.render_widget(Paragraph::new(lines), area);
}

fn cell<'a>(text: &str, style: Style, theme: &Theme) -> Span<'a> {
    let text = cut(text, CELL - 1, theme.symbols.ellipsis);
    Span::styled(format!("{text:<CELL$}"), style)
}

/// Signs and names of the runs, and how many more are marked.
fn head<'a>(state: &State, (runs, marked): (&[Row], usize), theme: &Theme) -> Line<'a> {
    let left_out = marked - runs.len();
    let text = match left_out {
        0 => String::new(),
        more => format!("{more} more marked"),
    };
    let mut spans = vec![Span::styled(
        format!("{text:<NAMES$}"),
        theme.style(Role::Warning),
    )];
    for run in runs {
        let place = run.mark.unwrap_or(0);
        let name = tail(&name(state, run), CELL - 3, theme);
        spans.push(Span::styled(
            format!("{} ", SIGNS[place]),
            theme.series(place),
        ));
        let width = CELL - 2;
        spans.push(Span::styled(
            format!("{name:<width$}"),
            theme.style(Role::Title),
        ));
    }
    Line::from(spans)
}
