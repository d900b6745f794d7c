//! The export screen: formats, where the file goes, and how it compares after it was read back.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::chrome::tail;
use super::format::{bytes, count, number, percent, wrap};
use super::{Hits, fact, heading};
use crate::app::msg::Target;
use crate::app::state::State;
use crate::app::state::export::Exported;
use crate::app::state::planning;
use crate::app::state::tune::Run;
use crate::app::theme::{Role, Theme};
use crate::engine::export::{Format, Written};

pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    (state, hits): (&State, &mut Hits),
    theme: &Theme,
) {
    for (at, y) in (area.y + 1..area.bottom())
        .enumerate()
        .take(Format::ALL.len())
    {
        let row = Rect {
            y,
            height: 1,
            ..area
        };
        hits.add(row, Target::Format(at));
    }
    let mut lines = vec![heading("Formats", area.width, theme)];
    lines.extend(
        Format::ALL
            .into_iter()
            .map(|format| row(state, format, theme)),
    );
    let format = state.export.format;
    let room = (area.width as usize).saturating_sub(14);
    let name = state.tune.run.as_ref().map(Run::name).unwrap_or_default();
    lines.push(Line::raw(""));
    lines.push(heading(format.name(), area.width, theme));
    let docs = wrap(format.doc(), area.width as usize);
    lines.extend(
        docs.into_iter()
            .map(|text| Line::styled(text, theme.style(Role::Muted))),
    );
    if name.is_empty() && state.loaded().is_none() {
        lines.push(fact("run", "not known before the inputs are read", theme));
    } else if name.is_empty() {
        lines.push(fact("run", "none yet: fine-tune first", theme));
    } else {
        let path = state.export.place(format, &name).path.display().to_string();
        lines.push(fact("run", name, theme));
        lines.push(fact("file", tail(&path, room, theme), theme));
    }
    if let Some((weights, packed)) = size(state) {
        let predicted = packed.map_or_else(String::new, |size| {
            format!("; packed file {} as predicted", bytes(size as f64))
        });
        lines.push(fact(
            "weights",
            format!("{} at their bits{predicted}", bytes(weights)),
            theme,
        ));
    }
    lines.extend(result(state, format, area, theme));
    if lines.len() as u16 > area.height {
        lines.retain(|line| line.width() > 0);
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// Bytes of the weights at their bits and of the packed file, of the run on screen, whatever became of
/// the plan since; before there is one, of the plan.
fn size(state: &State) -> Option<(f64, Option<u64>)> {
    if let Some(run) = &state.tune.run {
        let known = state.tune.list.of(&run.folder)?.found.as_ref().ok()?;
        return Some((known.facts.weight_bytes, known.facts.packed_bytes));
    }
    let (plan, layers) = (state.bits.plan.as_ref()?, &state.analysis.layers);
    let weights = planning::totals(plan, layers).weight_bytes();
    Some((weights, planning::predicted_bytes(state, plan)))
}

/// What became of the run on screen in a format.
fn exported(state: &State, format: Format) -> Option<&Exported> {
    let run = state.tune.run.as_ref()?;
    state.export.of(format, &run.name())
}

fn row<'a>(state: &State, format: Format, theme: &Theme) -> Line<'a> {
    let selected = format == state.export.format;
    let style = theme.style(if selected { Role::Selected } else { Role::Text });
    let mark = if selected { theme.symbols.cursor } else { " " };
    let status = match exported(state, format) {
        None if state.loaded().is_none() => Span::raw(""),
        None => Span::styled("not written", theme.style(Role::Muted)),
        Some(Exported::Running) => Span::styled("being written ...", theme.style(Role::LiveBar)),
        Some(Exported::Earlier(size)) => Span::styled(
            format!("written earlier, {}", bytes(*size as f64)),
            theme.style(Role::Text),
        ),
        Some(Exported::Failed(_)) => Span::styled(
            format!("{} failed", theme.symbols.bad),
            theme.style(Role::Bad),
        ),
        Some(Exported::Done(report)) => Span::styled(
            format!(
                "{} verified, {}",
                theme.symbols.good,
                bytes(report.bytes as f64)
            ),
            theme.style(Role::Good),
        ),
    };
    Line::from(vec![
        Span::styled(format!("{mark} {:<13}", format.name()), style),
        Span::raw("  "),
        status,
    ])
}

fn result<'a>(state: &State, format: Format, area: Rect, theme: &Theme) -> Vec<Line<'a>> {
    match exported(state, format) {
        Some(Exported::Done(report)) => verified(report, area, theme),
        Some(Exported::Failed(reason)) => {
            let lines = wrap(reason, area.width as usize);
            lines
                .into_iter()
                .map(|text| Line::styled(text, theme.style(Role::Bad)))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn verified<'a>(written: &Written, area: Rect, theme: &Theme) -> Vec<Line<'a>> {
    let room = (area.width as usize).saturating_sub(14);
    let cut = |text: &str| super::format::cut(text, room, theme.symbols.ellipsis);
    let ratio = written.bytes as f64 / written.theoretical_bytes.max(1.0);
    let size = format!(
        "{} bytes, {ratio:.3} times the {} of weights at their bits",
        count(written.bytes),
        count(written.theoretical_bytes as u64)
    );
    let found = &written.comparison;
    let difference = format!(
        "{} other predictions, largest logit difference {}",
        count(found.different as u64),
        number(found.largest_difference)
    );
    let accuracy = format!(
        "{}: {} of {} test images",
        percent(found.file.accuracy()),
        count(found.file.correct as u64),
        count(found.file.total as u64)
    );
    let mut lines = vec![
        fact("on disk", cut(&size), theme),
        fact("read back", cut(&difference), theme),
        fact("accuracy", cut(&accuracy), theme),
        fact("sha-256", cut(&written.sha256), theme),
    ];
    if let Some(beside) = &written.beside {
        let path = beside.display().to_string();
        lines.push(fact("beside it", tail(&path, room, theme), theme));
    }
    lines
}
