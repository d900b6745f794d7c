//! What the plan adds up to, and the frontier of the best plans with this one on it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::format::{bytes, cell, percent, short_count, wrap};
use super::plot::{self, Curve, Kind, Labels};
use super::{FILL, columns, comparison, heading, rows};
use crate::app::command::Command;
use crate::app::state::bits::Accuracy;
use crate::app::state::{Checking, State, planning};
use crate::app::theme::{Role, Theme};
use crate::engine::plan::{Plan, Totals};

/// What the whole plan comes to: names and values.
fn sums(state: &State, plan: &Plan, totals: &Totals) -> Vec<(&'static str, String)> {
    let pinned = plan.layers.iter().filter(|row| row.pinned).count();
    let harm = harm(state, plan);
    let predicted = planning::predicted_bytes(state, plan);
    vec![
        ("weights", bytes(totals.weight_bytes())),
        (
            "file",
            predicted.map_or_else(|| "-".to_owned(), |size| bytes(size as f64)),
        ),
        ("mean bits", format!("{:.2}", totals.average_bits())),
        ("W-comp", format!("{:.2}x", totals.weight_compression())),
        (
            "A-comp",
            totals
                .activation_compression()
                .map_or_else(|| "-".to_owned(), |a| format!("{a:.2}x")),
        ),
        (
            "BOPs",
            totals
                .bops
                .map_or_else(|| "-".to_owned(), |bops| short_count(bops as f64)),
        ),
        (metric_name(state), harm),
        ("pinned", pinned.to_string()),
    ]
}

/// The predicted harm of the plan; of how many layers, where it is not of all.
fn harm(state: &State, plan: &Plan) -> String {
    let harm = planning::harm_of(plan, &state.analysis.layers, state.bits.metric);
    let (all, without) = (plan.layers.len(), harm.without.len());
    match without {
        0 => cell(Some(harm.known)),
        _ if without == all => "-".to_owned(),
        _ => format!("{} ({} of {all})", cell(Some(harm.known)), all - without),
    }
}

pub(super) const fn metric_name(state: &State) -> &'static str {
    match state.bits.metric {
        crate::engine::hessian::Metric::Eigenvalue => "omega",
        crate::engine::hessian::Metric::Trace => "trace harm",
        crate::engine::hessian::Metric::LossChange => "loss change",
    }
}

/// What is known while the accuracy of this plan is not: that of the plan before.
fn before(state: &State, doing: &str) -> String {
    let last = state.bits.history().next_back();
    let last = last.map_or_else(String::new, |last| format!("was {}, ", percent(last)));
    format!("{last}{doing} ...")
}

/// The accuracy of exactly this plan.
fn accuracy<'a>(state: &State, theme: &Theme) -> Span<'a> {
    match state.bits.accuracy() {
        Accuracy::Unknown => Span::styled("not measured", theme.style(Role::Muted)),
        Accuracy::Waiting => Span::styled(before(state, "waiting"), theme.style(Role::Muted)),
        Accuracy::Running => Span::styled(before(state, "measuring"), theme.style(Role::Muted)),
        Accuracy::Failed(_) => {
            let keys = state
                .keymap
                .keys_of(&state.screen.scopes(), Command::ShowLog);
            let key = keys.into_iter().next();
            let key = key.unwrap_or_else(|| format!(":{}", Command::ShowLog));
            Span::styled(
                format!("not possible; {key} says why"),
                theme.style(Role::Bad),
            )
        }
        Accuracy::Done(score) => {
            let float = match &state.check {
                Checking::Done(float) => format!(" (float {})", percent(float.accuracy())),
                _ => String::new(),
            };
            Span::styled(
                format!("{}{float}", percent(score.accuracy())),
                theme.style(Role::Good),
            )
        }
    }
}

/// Totals under a narrow table.
pub(super) fn summary(
    frame: &mut Frame,
    area: Rect,
    (state, plan, totals): (&State, &Plan, &Totals),
    theme: &Theme,
) {
    let sums = sums(state, plan, totals);
    let other = state.bits.other.as_ref();
    let piece = |(name, value): &(&'static str, String)| {
        [
            Span::styled(format!("{name} "), theme.style(Role::Muted)),
            Span::styled(format!("{value:<11}"), theme.style(Role::Text)),
        ]
    };
    let line = |range: &[(&'static str, String)]| {
        Line::from(range.iter().flat_map(piece).collect::<Vec<_>>())
    };
    let mut measured = Line::from(vec![
        Span::styled("post-training accuracy ", theme.style(Role::Muted)),
        accuracy(state, theme),
    ]);
    if let Some(other) = comparison::accuracy(state) {
        measured.spans.push(Span::raw(format!(", other {other}")));
    }
    let lines = if area.height == 1 {
        vec![measured]
    } else if let Some(other) = other {
        let mut lines = comparison::summary((state, plan, other), area.width, theme);
        lines.push(measured);
        lines
    } else {
        let title = heading("This plan", area.width, theme);
        vec![title, line(&sums[..4]), line(&sums[4..]), measured]
    };
    frame.render_widget(Paragraph::new(lines), area);
}

/// Cells of a sum and its name where two stand side by side.
const HALF: usize = 20;

/// Totals beside the frontier, under a table that is neither wide nor high.
pub(super) fn low(
    frame: &mut Frame,
    area: Rect,
    (state, plan, totals): (&State, &Plan, &Totals),
    theme: &Theme,
) {
    if state.bits.other.is_some() {
        return summary(frame, area, (state, plan, totals), theme);
    }
    let [left, _, right] = columns(area, [2 * HALF as u16, 2, FILL]);
    let sums = sums(state, plan, totals);
    let mut lines = vec![heading("This plan", left.width, theme)];
    let piece = |(name, value): &(&'static str, String)| {
        let room = HALF.saturating_sub(name.len() + 1).max(value.len() + 1);
        [
            Span::styled(format!("{name} "), theme.style(Role::Muted)),
            Span::styled(format!("{value:<room$}"), theme.style(Role::Text)),
        ]
    };
    let pairs = sums.chunks(2);
    lines.extend(pairs.map(|pair| Line::from(pair.iter().flat_map(piece).collect::<Vec<_>>())));
    lines.push(Line::from(vec![
        Span::styled("accuracy ", theme.style(Role::Muted)),
        accuracy(state, theme),
    ]));
    lines.extend(history(state, left.width as usize, theme));
    frame.render_widget(Paragraph::new(lines), left);
    frontier(frame, right, (state, plan, totals), theme);
}

/// Totals and frontier beside a wide table.
pub(super) fn side(
    frame: &mut Frame,
    area: Rect,
    (state, plan, totals): (&State, &Plan, &Totals),
    theme: &Theme,
) {
    let mut lines = match &state.bits.other {
        Some(other) => comparison::side((state, plan, other), area.width, theme),
        None => alone((state, plan, totals), area.width, theme),
    };
    let mut measured = super::fact("accuracy", "", theme);
    measured.spans.pop();
    measured.spans.push(accuracy(state, theme));
    lines.push(measured);
    lines
        .extend(comparison::accuracy(state).map(|other| super::fact("of the other", other, theme)));
    lines.push(Line::styled(
        "              post-training, test set",
        theme.style(Role::Muted),
    ));
    lines.extend(history(state, area.width as usize, theme));
    let [top, _, bottom] = rows(area, [lines.len() as u16, 1, FILL]);
    frame.render_widget(Paragraph::new(lines), top);
    frontier(frame, bottom, (state, plan, totals), theme);
}

/// The sums of the plan, one to a line.
fn alone<'a>(
    (state, plan, totals): (&State, &Plan, &Totals),
    width: u16,
    theme: &Theme,
) -> Vec<Line<'a>> {
    let sums = sums(state, plan, totals).into_iter();
    let facts = sums.map(|(name, value)| super::fact(name, value, theme));
    std::iter::once(heading("This plan", width, theme))
        .chain(facts)
        .collect()
}

/// The accuracies of the plans measured last, from the lowest to the highest of them; nothing
/// before there are two.
fn history<'a>(state: &State, width: usize, theme: &Theme) -> Option<Line<'a>> {
    let room = width.saturating_sub(14);
    let all = state.bits.history();
    let shown: Vec<f64> = all.rev().take(room).collect();
    let [low, high] = plot::bounds(shown.iter().copied());
    let level = |value: &f64| {
        let share = plot::unit((value - low) / (high - low));
        theme.symbols.levels[(share * 7.0).round() as usize]
    };
    let drawn: String = shown.iter().rev().map(level).collect();
    (shown.len() > 1)
        .then(|| super::fact("its history", Span::styled(drawn, theme.series(0)), theme))
}

/// The best plans by size and predicted harm, and this plan.
pub(super) fn frontier(
    frame: &mut Frame,
    area: Rect,
    (state, plan, totals): (&State, &Plan, &Totals),
    theme: &Theme,
) {
    let [title, chart] = rows(area, [1, FILL]);
    frame.render_widget(heading("Frontier", title.width, theme), title);
    let Some(raw) = &state.bits.frontier else {
        let text = "The best plans by size and harm appear here after the analysis.";
        let lines = wrap(text, chart.width as usize);
        let lines: Vec<Line> = lines.into_iter().map(Line::raw).collect();
        frame.render_widget(Paragraph::new(lines).style(theme.style(Role::Muted)), chart);
        return;
    };
    let points = plot::logarithmic(raw.iter().copied());
    let own = planning::harm_of(plan, &state.analysis.layers, state.bits.metric).whole();
    let mine = own.map(|harm| (totals.weight_bytes(), harm));
    let sizes = points.iter().map(|p| p.0).chain(mine.map(|p| p.0));
    let ends = sizes_around(plot::bounds(sizes));
    let [low, high] = ends.map(bytes);
    let curves = [
        Curve {
            points,
            style: theme.series(0),
            kind: Kind::Line,
        },
        Curve {
            points: plot::logarithmic(mine),
            style: theme.series(1),
            kind: Kind::Mark,
        },
    ];
    let labels = Labels {
        title: "harm over weight size; X: this plan",
        x: [&low, &high],
        log: true,
        within: plot::ANY,
    };
    plot::draw_over(frame, chart, theme, (ends, (labels, &curves)));
}

/// Sizes around others that are round in the unit they are told in.
fn sizes_around(range: [f64; 2]) -> [f64; 2] {
    let [low, high] = range.map(|size| size.max(0.0));
    let unit = 1024f64.powf((high.max(1.0).ln() / 1024f64.ln()).floor());
    plot::round_ends([low / unit, high / unit]).map(|size| size.max(0.0) * unit)
}
