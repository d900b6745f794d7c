//! Another plan beside the one on screen: the window that chooses it, and the sums of both.

use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::format::{bytes, cut, number, percent, short_count};
use super::{FILL, Hits, heading, overlay, rows, totals};
use crate::app::state::State;
use crate::app::state::comparison::{Choice, Other, Sum, SumKind};
use crate::app::state::planning;
use crate::app::theme::{Role, Theme};
use crate::engine::plan::Plan;

/// Cells of a plan's name in the window.
const NAME: usize = 34;
/// Cells of the name of a sum beside a wide table.
const SUM: usize = 12;
/// Cells of a sum there.
const VALUE: usize = 9;

/// The plans to choose from.
pub(super) fn choose(
    frame: &mut Frame,
    (state, selected): (&State, usize),
    hits: &mut Hits,
    theme: &Theme,
) {
    let choices = state.comparable();
    let size = (66, choices.len().min(18) as u16 + 3);
    let inside = overlay::window(frame, (size, "Compare with"), hits, theme);
    let [title, list] = rows(inside, [1, FILL]);
    let names = format!("  {:<NAME$} {:>8}  {}", "plan", "W-comp", "other bits");
    frame.render_widget(Line::styled(names, theme.style(Role::Muted)), title);
    let first = super::scroll(selected, choices.len(), list.height as usize);
    hits.rows(list, first..choices.len());
    let lines = choices.iter().enumerate().skip(first);
    let lines = lines.map(|(index, choice)| {
        let (mark, role) = if index == selected {
            (theme.symbols.cursor, Role::Selected)
        } else {
            (" ", Role::Text)
        };
        let text = format!("{mark} {}", described(choice, state, theme));
        Line::styled(text, theme.style(role))
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), list);
}

fn described(choice: &Choice, state: &State, theme: &Theme) -> String {
    let (Choice::Plan(other), Some(plan)) = (choice, &state.bits.plan) else {
        return "a plan file ...".to_owned();
    };
    let compression = planning::totals(&other.plan, &state.analysis.layers).weight_compression();
    let differ = match other.differences(plan) {
        0 => "none".to_owned(),
        1 => "1 layer".to_owned(),
        count => format!("{count} layers"),
    };
    let name = cut(&other.name, NAME, theme.symbols.ellipsis);
    format!(
        "{name:<NAME$} {:>8}  {differ}",
        format!("{compression:.2}x")
    )
}

/// What is compared with what.
fn title<'a>(other: &Other, plan: &Plan, width: u16, theme: &Theme) -> Line<'a> {
    let name = &other.name;
    let text = match other.differences(plan) {
        0 => format!("as in {name}"),
        1 => format!("1 differs from {name}"),
        count => format!("{count} differ from {name}"),
    };
    let room = (width as usize).saturating_sub(2);
    heading(cut(&text, room, theme.symbols.ellipsis), width, theme)
}

/// Sums of both plans, two to a line, under a narrow table.
pub(super) fn summary<'a>(
    (state, plan, other): (&State, &Plan, &Other),
    width: u16,
    theme: &Theme,
) -> Vec<Line<'a>> {
    let sums = Sum::both(state, plan, &other.plan);
    let room = usize::from(width / 2);
    let piece = |sum: &Sum| {
        let [this, that] = [sum.this, sum.other].map(|value| shown(sum.kind, value));
        let name = name(sum.kind, state);
        let text = format!("{this}{}{that} {}", theme.symbols.arrow, sum.change());
        let gap = room.saturating_sub(name.len() + 1);
        [
            Span::styled(format!("{name} "), theme.style(Role::Muted)),
            Span::styled(format!("{text:<gap$}"), theme.style(Role::Text)),
        ]
    };
    let line = |sums: &[Sum]| Line::from(sums.iter().flat_map(piece).collect::<Vec<_>>());
    vec![
        title(other, plan, width, theme),
        line(&sums[..2]),
        line(&sums[2..4]),
    ]
}

/// Sums of both plans beside a wide table.
pub(super) fn side<'a>(
    (state, plan, other): (&State, &Plan, &Other),
    width: u16,
    theme: &Theme,
) -> Vec<Line<'a>> {
    let head = format!(
        "{:SUM$}{:>VALUE$}{:>VALUE$}{:>8}",
        "", "this", "other", "change"
    );
    let mut lines = vec![
        title(other, plan, width, theme),
        Line::styled(head, theme.style(Role::Muted)),
    ];
    lines.extend(Sum::both(state, plan, &other.plan).iter().map(|sum| {
        let [this, that] = [sum.this, sum.other].map(|value| shown(sum.kind, value));
        let values = format!("{this:>VALUE$}{that:>VALUE$}{:>8}", sum.change());
        Line::from(vec![
            Span::styled(
                format!("{:<SUM$}", name(sum.kind, state)),
                theme.style(Role::Muted),
            ),
            Span::styled(values, theme.style(Role::Text)),
        ])
    }));
    lines
}

/// The accuracy of the other plan, when it was measured.
pub(super) fn accuracy(state: &State) -> Option<String> {
    let other = state.bits.other.as_ref()?;
    let score = state.bits.score_of(&other.plan)?;
    Some(percent(score.accuracy()))
}

const fn name(kind: SumKind, state: &State) -> &'static str {
    match kind {
        SumKind::Weights => "weights",
        SumKind::WeightCompression => "W-comp",
        SumKind::Bops => "BOPs",
        SumKind::Harm => totals::metric_name(state),
        SumKind::ActivationCompression => "A-comp",
        SumKind::File => "file",
    }
}

fn shown(kind: SumKind, value: Option<f64>) -> String {
    let show = |value: f64| match kind {
        SumKind::Weights | SumKind::File => bytes(value),
        SumKind::WeightCompression | SumKind::ActivationCompression => format!("{value:.2}x"),
        SumKind::Bops => short_count(value),
        SumKind::Harm => number(value),
    };
    value.map_or_else(|| "-".to_owned(), show)
}
