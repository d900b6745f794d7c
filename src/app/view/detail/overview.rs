//! The numbers of the selected layer, how its eigenvalue or that of the layer in work converges, and how
//! far the metrics agree.

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::convergence;
use crate::app::state::State;
use crate::app::state::analysis::Status;
use crate::app::theme::{Role, Theme};
use crate::app::view::format::{cell, count, cut};
use crate::app::view::{FILL, columns, fact, heading, rows};
use crate::engine::allocate::harm::harm;
use crate::engine::hessian::Metric;
use crate::engine::hessian::sensitivity::{LayerSensitivity, PerBits};
use crate::engine::quant::Bits;

/// Cells of the name of a fact.
const LABEL: usize = 14;
/// Rows from which a layer's eigenvalue and sensitivity get a line each.
const ROOMY: u16 = 12;

/// Draws everything that is known in numbers.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let Some(selected) = state.selected() else {
        return;
    };
    let followed = in_work(state).unwrap_or(selected);
    if area.height > 12 {
        let lines = facts((selected, state), (area.width, Room::Enough), theme);
        let told = (lines.len() as u16 + 1).min(area.height - 9);
        let [facts, curve, agreement] = rows(area, [told, FILL, 5]);
        frame.render_widget(Paragraph::new(lines), facts);
        convergence::residual(frame, curve, (followed, state), theme);
        agreements(frame, agreement, state, theme);
    } else {
        let [facts, _, curve] = columns(area, [38.min(area.width / 2), 2, FILL]);
        numbers(frame, facts, (selected, state), theme);
        if in_work(state).is_none() && state.analysis.status == Status::Done {
            agreements(frame, curve, state, theme);
        } else {
            convergence::residual(frame, curve, (followed, state), theme);
        }
    }
}

/// The layer whose eigenvalue is being found.
fn in_work(state: &State) -> Option<&LayerSensitivity> {
    let name = state.analysis.current.as_ref()?;
    state.analysis.layers.iter().find(|l| l.layer == *name)
}

/// The numbers of a layer.
pub(in crate::app::view) fn numbers(
    frame: &mut Frame,
    area: Rect,
    of: (&LayerSensitivity, &State),
    theme: &Theme,
) {
    let room = if area.height < ROOMY {
        Room::Little
    } else {
        Room::Enough
    };
    let mut lines = facts(of, (area.width, room), theme);
    lines.truncate(area.height as usize);
    frame.render_widget(Paragraph::new(lines), area);
}

/// How many lines there are for the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// Eigenvalue and sensitivity share a line.
    Little,
    /// Each has its own.
    Enough,
}

/// What is known of a layer, a line each.
fn facts<'a>(
    (layer, state): (&LayerSensitivity, &State),
    (width, room): (u16, Room),
    theme: &Theme,
) -> Vec<Line<'a>> {
    let shape: Vec<String> = layer.shape.iter().map(ToString::to_string).collect();
    let last = state.analysis.convergence(layer).last();
    let residual = layer.residual.or(last.map(|(_, residual)| *residual));
    let iterations = layer
        .iterations
        .unwrap_or(state.analysis.convergence(layer).len());
    let converged = match (layer.converged, layer.tolerance) {
        (Some(false), _) => " ?".to_owned(),
        (_, Some(tolerance)) => format!(" (to {tolerance:e})"),
        _ => String::new(),
    };
    let mut lines = vec![
        heading(layer.layer.to_string(), width, theme),
        fact(
            "weights",
            format!("{} = {}", shape.join("x"), count(layer.parameters as u64)),
            theme,
        ),
    ];
    let plus_minus = theme.symbols.plus_minus;
    let mut lambda = cell(state.analysis.estimate(layer));
    if let Some(error) = state.analysis.error(layer) {
        lambda = format!("{lambda} {plus_minus} {}", cell(Some(error)));
    }
    let sensitivity = cell(layer.sensitivity);
    if room == Room::Little {
        let name = format!("{}, S", theme.symbols.lambda);
        lines.push(fact(&name, format!("{lambda}, {sensitivity}"), theme));
    } else {
        lines.push(fact(theme.symbols.lambda, lambda, theme));
        lines.push(fact("S", sensitivity, theme));
    }
    let reached = format!("{iterations}, residual {}{converged}", cell(residual));
    lines.push(fact("iterations", reached, theme));
    lines.push(fact("trace", trace(layer, plus_minus), theme));
    let [omega, perturbation] = at_known_widths(layer, state);
    for (name, values) in [
        (theme.symbols.omega, &omega),
        ("loss change", &layer.loss_change),
        ("perturbation", &perturbation),
    ] {
        lines.extend(per_bits(name, values, width, theme));
    }
    lines.push(fact(
        "MACs",
        layer.macs.map_or_else(|| "-".to_owned(), count),
        theme,
    ));
    lines
}

/// Omega and the perturbation at every width that something was measured at, with the step sizes of the
/// plan: they follow from the weights, so that no width has one number and lacks the others.
fn at_known_widths(layer: &LayerSensitivity, state: &State) -> [PerBits; 2] {
    let plan = state.bits.plan.as_ref();
    let scale = plan.map(|plan| plan.scale).unwrap_or_default();
    let measured = [&layer.omega, &layer.loss_change, &layer.perturbation];
    let widths: BTreeSet<u8> = measured.iter().flat_map(|it| it.keys().copied()).collect();
    let widths = || {
        widths
            .iter()
            .filter_map(|width| Bits::new(u64::from(*width)).ok())
    };
    let omega = |bits: Bits| {
        let own = layer.omega.get(&bits.get()).copied();
        harm(layer, bits, Metric::Eigenvalue, scale).ok().or(own)
    };
    let told = |of: &dyn Fn(Bits) -> Option<f64>| {
        let known = widths().filter_map(|bits| Some((bits.get(), of(bits)?)));
        known.collect()
    };
    [
        told(&omega),
        told(&|bits| layer.perturbation_at(bits, scale)),
    ]
}

/// A number for each bit-width, on as many lines as they take.
fn per_bits<'a>(name: &str, values: &PerBits, width: u16, theme: &Theme) -> Vec<Line<'a>> {
    let room = (width as usize).saturating_sub(LABEL);
    let mut texts: Vec<String> = Vec::new();
    for (bits, value) in values {
        let text = format!("{bits}:{}", cell(Some(*value)));
        match texts.last_mut() {
            Some(line) if line.len() + 1 + text.len() <= room => {
                line.push(' ');
                line.push_str(&text);
            }
            _ => texts.push(text),
        }
    }
    if texts.is_empty() {
        texts.push("-".to_owned());
    }
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    let lines = names.zip(texts);
    lines.map(|(name, text)| fact(name, text, theme)).collect()
}

fn trace(layer: &LayerSensitivity, plus_minus: &str) -> String {
    match (layer.trace, layer.trace_stderr) {
        (Some(trace), Some(error)) if error > 0.0 => {
            format!("{} {plus_minus} {}", cell(Some(trace)), cell(Some(error)))
        }
        (trace, _) => cell(trace),
    }
}

/// Rank correlations between metrics.
fn agreements(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let mut lines = vec![heading("Rank agreement", area.width, theme)];
    for (name, agreement) in state.analysis.agreements() {
        let text = agreement.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let room = (area.width as usize).saturating_sub(6);
        let role = if agreement.is_some_and(|value| value < 0.5) {
            Role::Warning
        } else {
            Role::Text
        };
        lines.push(Line::from(vec![
            Span::styled(
                format!("{:<room$}", cut(name, room, theme.symbols.ellipsis)),
                theme.style(Role::Muted),
            ),
            Span::styled(format!("{text:>6}"), theme.style(role)),
        ]));
    }
    let report = state.analysis.report.as_ref();
    if let Some(curvature) = report.and_then(|report| report.curvature) {
        let share = format!("{:.2} %", 100.0 * curvature.left_out);
        let name = "curvature left to drawn rows";
        let room = (area.width as usize).saturating_sub(share.len() + 1);
        let name = cut(name, room, theme.symbols.ellipsis);
        lines.push(Line::styled(
            format!("{name:<room$} {share}"),
            theme.style(Role::Muted),
        ));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
