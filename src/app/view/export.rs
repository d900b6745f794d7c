//! The export screen: formats, where the file goes, and how it compares after it was read back.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::chrome::tail;
use super::format::{bytes, count, number, percent, wrap};
use super::{fact, heading};
use crate::app::jobs::{ExportReport, Format};
use crate::app::state::State;
use crate::app::state::export::Written;
use crate::app::state::planning;
use crate::app::state::tune::Run;
use crate::app::theme::{Role, Theme};

pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
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
    if name.is_empty() {
        lines.push(fact("run", "none yet: fine-tune first", theme));
    } else {
        let path = state.export.path(format, &name).display().to_string();
        lines.push(fact("run", name, theme));
        lines.push(fact("file", tail(&path, room, theme), theme));
    }
    if let Some(plan) = &state.bits.plan {
        let totals = planning::totals(plan, &state.analysis.layers);
        lines.push(fact(
            "weights",
            format!("{} at their bits", bytes(totals.weight_bytes())),
            theme,
        ));
    }
    lines.extend(result(state, format, area, theme));
    if lines.len() as u16 > area.height {
        lines.retain(|line| line.width() > 0);
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn row<'a>(state: &State, format: Format, theme: &Theme) -> Line<'a> {
    let selected = format == state.export.format;
    let style = theme.style(if selected { Role::Selected } else { Role::Text });
    let mark = if selected { theme.symbols.cursor } else { " " };
    let status = match state.export.written.get(format.name()) {
        None => Span::styled("not written", theme.style(Role::Muted)),
        Some(Written::Running) => Span::styled("being written ...", theme.style(Role::LiveBar)),
        Some(Written::Failed(_)) => Span::styled(
            format!("{} failed", theme.symbols.bad),
            theme.style(Role::Bad),
        ),
        Some(Written::Done(report)) => Span::styled(
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
    match state.export.written.get(format.name()) {
        Some(Written::Done(report)) => verified(report, area, theme),
        Some(Written::Failed(reason)) => {
            let lines = wrap(reason, area.width as usize);
            lines
                .into_iter()
                .map(|text| Line::styled(text, theme.style(Role::Bad)))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn verified<'a>(report: &ExportReport, area: Rect, theme: &Theme) -> Vec<Line<'a>> {
    let ratio = report.bytes as f64 / report.theoretical_bytes.max(1) as f64;
    let size = format!(
        "{} bytes, {ratio:.3} times the {} of the weights at their bits",
        count(report.bytes),
        count(report.theoretical_bytes)
    );
    let difference = report.logit_difference.map_or_else(
        || "not compared".to_owned(),
        |value| format!("largest logit difference {}", number(value)),
    );
    let accuracy = report.score.map_or_else(
        || "not measured".to_owned(),
        |score| {
            let (right, all) = (count(score.correct as u64), count(score.total as u64));
            format!(
                "{}: {right} of {all} test images",
                percent(score.accuracy())
            )
        },
    );
    let room = (area.width as usize).saturating_sub(14);
    vec![
        fact(
            "on disk",
            super::format::cut(&size, room, theme.symbols.ellipsis),
            theme,
        ),
        fact("read back", difference, theme),
        fact("accuracy", accuracy, theme),
        fact(
            "sha-256",
            super::format::cut(&report.sha256, room, theme.symbols.ellipsis),
            theme,
        ),
    ]
}
