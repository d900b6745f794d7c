//! The sensitivity screen: a bar of log10 of the eigenvalue for every layer, filling in live, and
//! the selected layer in detail.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::chrome::tail;
use super::format::{count, maybe, number};
use super::plot::{self, Curve, Kind, Labels};
use super::{FILL, columns, fact, heading, rows, scroll};
use crate::app::state::State;
use crate::app::state::analysis::Status;
use crate::app::theme::{Role, Theme};
use crate::engine::hessian::sensitivity::{LayerSensitivity, PerBits};

/// Cells of a layer's name.
const NAME: usize = 16;
/// Cells of a number.
const NUMBER: usize = 9;
/// Cells of the name of a fact.
const LABEL: usize = 14;
/// Rows from which a layer's eigenvalue and sensitivity get a line each.
const ROOMY: u16 = 12;

pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    if state.analysis.layers.is_empty() {
        frame.render_widget(Line::raw("no layers yet"), area);
        return;
    }
    if area.width >= 96 {
        let [left, _, right] = columns(area, [FILL, 2, 46.min(area.width * 2 / 5)]);
        bars(frame, left, state, theme);
        detail(frame, right, state, theme);
    } else if area.height >= 16 {
        let [top, bottom] = rows(area, [FILL, 9]);
        bars(frame, top, state, theme);
        detail(frame, bottom, state, theme);
    } else {
        bars(frame, area, state, theme);
    }
}

/// log10 of the size of the estimate.
fn height(state: &State, layer: &LayerSensitivity) -> Option<f64> {
    state
        .analysis
        .estimate(layer)
        .map(|value| value.abs().log10())
        .filter(|h| h.is_finite())
}

fn bars(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let visible = state.visible_layers();
    let layers = &state.analysis.layers;
    let scale = plot::bounds(layers.iter().filter_map(|layer| height(state, layer)));
    // A little length even for the smallest, so that measured and not measured differ.
    let scale = [scale[0] - 0.1 * (scale[1] - scale[0]), scale[1]];
    let [title, list] = rows(area, [1, FILL]);
    let measured = state.analysis.measured_count();
    let name = theme.symbols.lambda;
    let text = format!(
        "log10 {name}, {measured} of {} layers, by {}",
        layers.len(),
        state.analysis.sort.name()
    );
    frame.render_widget(bars_heading(text, title.width, theme), title);
    let cursor = state.cursor(&visible).unwrap_or(0);
    let first = scroll(cursor, visible.len(), list.height as usize);
    let shown = visible.iter().skip(first).take(list.height as usize);
    let lines: Vec<Line> = shown
        .map(|index| bar(state, *index, (list.width, scale), theme))
        .collect();
    frame.render_widget(Paragraph::new(lines), list);
}

/// The heading over the bars, with the names of the numbers where there is room for both.
fn bars_heading<'a>(text: String, width: u16, theme: &Theme) -> Line<'a> {
    let room = 3 + NAME + bar_room(width);
    if room <= text.len() {
        return heading(text, width, theme);
    }
    let mut line = heading(text, room as u16, theme);
    let lambda = theme.symbols.lambda;
    let names = if numbers(width) > NUMBER {
        format!(" {lambda:>NUMBER$}{:>NUMBER$}", "S")
    } else {
        format!(" {lambda:>NUMBER$}")
    };
    line.spans
        .push(Span::styled(names, theme.style(Role::Title)));
    line
}

/// Cells of the numbers; a narrow list gives up S for the bar.
const fn numbers(width: u16) -> usize {
    if width < 50 { NUMBER } else { 2 * NUMBER }
}

/// Cells of the bar.
fn bar_room(width: u16) -> usize {
    let used = NAME + numbers(width) + 6;
    (width as usize).saturating_sub(used).min(60)
}

/// One layer: cursor, name, bar, eigenvalue, S.
fn bar<'a>(
    state: &State,
    index: usize,
    (width, scale): (u16, [f64; 2]),
    theme: &Theme,
) -> Line<'a> {
    let layer = &state.analysis.layers[index];
    let selected = index == state.layer;
    let live = state.analysis.current.as_ref() == Some(&layer.layer);
    let estimate = state.analysis.estimate(layer);
    let room = bar_room(width);
    let ratio = height(state, layer).map(|h| plot::unit((h - scale[0]) / (scale[1] - scale[0])));
    let drawn = ratio.map_or_else(String::new, |ratio| theme.symbols.bar(ratio, room));
    let row = if selected {
        theme.style(Role::Selected)
    } else {
        theme.style(Role::Text)
    };
    let colour = theme.style(if live { Role::LiveBar } else { Role::Bar });
    let mark = if selected { theme.symbols.cursor } else { " " };
    let sign = sign(layer, live, theme);
    let mut line = Line::from(vec![
        Span::styled(
            format!("{mark} {:<NAME$} ", tail(&layer.layer, NAME, theme)),
            row,
        ),
        Span::styled(format!("{drawn:<room$}"), colour),
        Span::styled(format!(" {:>NUMBER$}", maybe(estimate)), row),
        Span::styled(
            format!("{:>NUMBER$}", maybe(layer.sensitivity)),
            muted(row, selected, theme),
        ),
        Span::styled(format!(" {sign}"), row),
    ]);
    if numbers(width) == NUMBER {
        line.spans.remove(3);
    }
    line
}

fn muted(row: Style, selected: bool, theme: &Theme) -> Style {
    if selected {
        row
    } else {
        theme.style(Role::Muted)
    }
}

/// Being measured, not converged, or not measured.
fn sign(layer: &LayerSensitivity, live: bool, theme: &Theme) -> &'static str {
    match (live, layer.converged) {
        (true, _) => "*",
        (false, Some(false)) => "?",
        (false, None) if layer.eigenvalue.is_none() => theme.symbols.dot,
        (false, _) => " ",
    }
}

/// The layer shown in detail: while measuring, the one being measured unless another is selected.
fn shown(state: &State) -> &LayerSensitivity {
    &state.analysis.layers[state.layer.min(state.analysis.layers.len() - 1)]
}

fn detail(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let live = state
        .analysis
        .current
        .as_ref()
        .filter(|_| state.analysis.status == Status::Running);
    let selected = shown(state);
    let wide = area.height > 12;
    let facts_height = if wide { ROOMY + 3 } else { area.height };
    if wide {
        let [facts, curve, agreement] = rows(area, [facts_height, FILL, 5]);
        facts_of(frame, facts, (selected, state), theme);
        let followed =
            live.and_then(|name| state.analysis.layers.iter().find(|l| l.layer == *name));
        convergence(frame, curve, (followed.unwrap_or(selected), state), theme);
        agreements(frame, agreement, state, theme);
    } else {
        let [facts, _, curve] = columns(area, [38.min(area.width / 2), 2, FILL]);
        facts_of(frame, facts, (selected, state), theme);
        let followed =
            live.and_then(|name| state.analysis.layers.iter().find(|l| l.layer == *name));
        if live.is_none() && state.analysis.status == Status::Done {
            agreements(frame, curve, state, theme);
        } else {
            convergence(frame, curve, (followed.unwrap_or(selected), state), theme);
        }
    }
}

fn facts_of(
    frame: &mut Frame,
    area: Rect,
    (layer, state): (&LayerSensitivity, &State),
    theme: &Theme,
) {
    let shape: Vec<String> = layer.shape.iter().map(ToString::to_string).collect();
    let last = state.analysis.convergence(layer).last();
    let residual = layer.residual.or(last.map(|(_, residual)| *residual));
    let iterations = layer
        .iterations
        .unwrap_or(state.analysis.convergence(layer).len());
    let converged = match layer.converged {
        Some(false) => ", not converged",
        Some(true) | None => "",
    };
    let mut lines = vec![
        heading(layer.layer.to_string(), area.width, theme),
        fact(
            "weights",
            format!("{} = {}", shape.join("x"), count(layer.parameters as u64)),
            theme,
        ),
    ];
    let lambda = maybe(state.analysis.estimate(layer));
    let sensitivity = maybe(layer.sensitivity);
    if area.height < ROOMY {
        let name = format!("{}, S", theme.symbols.lambda);
        lines.push(fact(&name, format!("{lambda}, {sensitivity}"), theme));
    } else {
        lines.push(fact(theme.symbols.lambda, lambda, theme));
        lines.push(fact("S", sensitivity, theme));
    }
    let reached = format!("{iterations}, residual {}{converged}", maybe(residual));
    lines.push(fact("iterations", reached, theme));
    lines.push(fact("trace", trace(layer), theme));
    for (name, values) in [
        (theme.symbols.omega, &layer.omega),
        ("loss change", &layer.loss_change),
        ("perturbation", &layer.perturbation),
    ] {
        lines.extend(per_bits(name, values, area.width, theme));
    }
    lines.push(fact("MACs", count(layer.macs), theme));
    lines.truncate(area.height as usize);
    frame.render_widget(Paragraph::new(lines), area);
}

/// A number for each bit-width, on as many lines as they take.
fn per_bits<'a>(name: &str, values: &PerBits, width: u16, theme: &Theme) -> Vec<Line<'a>> {
    let room = (width as usize).saturating_sub(LABEL);
    let mut texts: Vec<String> = Vec::new();
    for (bits, value) in values {
        let text = format!("{bits}:{}", number(*value));
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

fn trace(layer: &LayerSensitivity) -> String {
    match (layer.trace, layer.trace_stderr) {
        (Some(trace), Some(error)) if error > 0.0 => {
            format!("{} +- {}", number(trace), number(error))
        }
        (trace, _) => maybe(trace),
    }
}

fn convergence(
    frame: &mut Frame,
    area: Rect,
    (layer, state): (&LayerSensitivity, &State),
    theme: &Theme,
) {
    let history = state.analysis.convergence(layer);
    if history.is_empty() {
        let text = "not measured yet";
        frame.render_widget(Line::styled(text, theme.style(Role::Muted)), area);
        return;
    }
    let residuals = history
        .iter()
        .enumerate()
        .map(|(at, (_, residual))| ((at + 1) as f64, *residual));
    let curve = Curve {
        points: plot::logarithmic(residuals),
        style: theme.series(0),
        kind: Kind::Line,
    };
    let last = format!("iteration {}", history.len());
    let title = format!("residual of {}", layer.layer);
    let labels = Labels {
        title: &title,
        x: ["1", &last],
        log: true,
        within: plot::ANY,
    };
    plot::draw(frame, area, theme, (labels, &[curve]));
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
                format!(
                    "{:<room$}",
                    super::format::cut(name, room, theme.symbols.ellipsis)
                ),
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
        let name = super::format::cut(name, room, theme.symbols.ellipsis);
        lines.push(Line::styled(
            format!("{name:<room$} {share}"),
            theme.style(Role::Muted),
        ));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
