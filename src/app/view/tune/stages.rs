//! The stages of a run, and how good the network was before and after each.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::app::state::tune::{Run, RunStatus};
use crate::app::theme::{Role, Theme};
use crate::app::view::chrome::tail;
use crate::app::view::heading;
use crate::engine::events::history::EnteredStage;

/// Width without accuracies, with those of the batches, and with those of the validation too.
const WIDTHS: [u16; 3] = [26, 44, 60];
/// Cells of two accuracies.
const PAIR: usize = 14;
/// Cells of sign and number.
const SIGN: usize = 6;

/// The width of the list on a screen of this width.
pub(super) const fn width(screen: u16) -> u16 {
    match screen {
        0..110 => WIDTHS[0],
        110..150 => WIDTHS[1],
        _ => WIDTHS[2],
    }
}

pub(super) fn draw(frame: &mut Frame, area: Rect, run: &Run, theme: &Theme) {
    let mut lines = vec![title(run, area.width, theme)];
    let room = (area.height as usize).saturating_sub(2);
    let first = run.history.stages.len().saturating_sub(room);
    let shown = run.history.stages.iter().enumerate().skip(first);
    lines.extend(shown.map(|stage| row(run, stage, (area.width, theme))));
    let open = run
        .history
        .stage_total
        .saturating_sub(run.history.stages.len());
    if open > 0 {
        lines.push(Line::styled(
            format!("{} {open} to come", theme.symbols.dot),
            theme.style(Role::Muted),
        ));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// How many there are, and what the columns are.
fn title<'a>(run: &Run, width: u16, theme: &Theme) -> Line<'a> {
    let text = format!(
        "Stages {}/{}",
        run.history.stages.len(),
        run.history.stage_total
    );
    let names = [("batches right", WIDTHS[1]), ("validation %", WIDTHS[2])];
    let names = names.iter().filter(|(_, from)| width >= *from);
    let names: Vec<String> = names.map(|(name, _)| format!(" {name:>PAIR$}")).collect();
    let names = names.concat();
    let mut line = heading(text, width.saturating_sub(names.len() as u16), theme);
    line.spans
        .push(Span::styled(names, theme.style(Role::Muted)));
    line
}

fn row<'a>(
    run: &Run,
    (index, stage): (usize, &EnteredStage),
    (width, theme): (u16, &Theme),
) -> Line<'a> {
    let last = index + 1 == run.history.stages.len();
    let (sign, role) = match (last, &run.status) {
        (true, RunStatus::Running) => (theme.symbols.cursor, Role::LiveBar),
        (false, _) | (true, RunStatus::Done) => (theme.symbols.good, Role::Good),
        _ => (theme.symbols.dot, Role::Warning),
    };
    let accuracies = accuracies(run, index, (width, theme));
    let room = (width as usize).saturating_sub(SIGN + accuracies.chars().count());
    let name = layers(stage, room, theme);
    Line::from(vec![
        Span::styled(format!("{sign:<2} "), theme.style(role)),
        Span::styled(
            format!("{:>2} {name:<room$}", index + 1),
            theme.style(Role::Text),
        ),
        Span::styled(accuracies, theme.style(Role::Text)),
    ])
}

fn layers(stage: &EnteredStage, width: usize, theme: &Theme) -> String {
    match &stage.layers[..] {
        [one] => tail(one, width, theme),
        [one, rest @ ..] => {
            let more = format!(" +{}", rest.len());
            let room = width.saturating_sub(more.len());
            format!("{}{more}", tail(one, room, theme))
        }
        [] => String::new(),
    }
}

/// Accuracies before and after a stage in per cent, as far as there is room.
fn accuracies(run: &Run, stage: usize, (width, theme): (u16, &Theme)) -> String {
    let Some((before, after)) = run.before_and_after(stage) else {
        return String::new();
    };
    let text = |value: Option<f64>| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{:.1}", 100.0 * value))
    };
    let pair = |(before, after): (Option<f64>, Option<f64>)| {
        let text = format!(
            "{} {} {:>5}",
            text(before),
            theme.symbols.arrow,
            text(after)
        );
        format!(" {text:>PAIR$}")
    };
    let pairs = [
        ((before.batches, after.batches), WIDTHS[1]),
        ((before.validation, after.validation), WIDTHS[2]),
    ];
    let shown = pairs.into_iter().filter(|(_, from)| width >= *from);
    let shown: Vec<String> = shown.map(|(both, _)| pair(both)).collect();
    shown.concat()
}
