//! The layers ranked by eigenvalue, by trace and by loss change, side by side.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::app::state::State;
use crate::app::state::ranking::{Ranked, Ranking};
use crate::app::theme::{Role, Theme};
use crate::app::view::chrome::tail;
use crate::app::view::format::{cut, number, wrap};
use crate::app::view::{FILL, Hits, columns, heading, rows, scroll};

/// Cells of a number.
const NUMBER: usize = 9;
/// Width from which a column shows the numbers.
const WIDE: u16 = 24;

/// Draws the three rankings, each scrolled to the selected layer, and how far they agree.
pub(in crate::app::view) fn compare(
    frame: &mut Frame,
    area: Rect,
    (state, hits): (&State, &mut Hits),
    theme: &Theme,
) {
    let rankings = state.rankings();
    let agreed = wrap(&agreements(state, &rankings, theme), area.width as usize);
    let below = if area.height >= 8 {
        1 + agreed.len() as u16
    } else {
        0
    };
    let [lists, agreement] = rows(area, [FILL, below]);
    let [a, _, b, _, c] = columns(lists, [FILL, 1, FILL, 1, FILL]);
    for (place, ranking) in [a, b, c].into_iter().zip(&rankings) {
        column(frame, place, (ranking, state, hits), theme);
    }
    let lines = std::iter::once(String::new()).chain(agreed).map(Line::raw);
    let lines: Vec<Line> = lines.collect();
    frame.render_widget(Paragraph::new(lines), agreement);
}

/// How far each two of the rankings agree.
fn agreements(state: &State, rankings: &[Ranking; 3], theme: &Theme) -> String {
    let lambda = theme.symbols.lambda;
    let names = [
        format!("{lambda}-trace"),
        format!("{lambda}-loss change"),
        "trace-loss change".to_owned(),
    ];
    let pairs = names.into_iter().zip(state.rank_agreements(rankings));
    let pairs = pairs.map(|(name, agreement)| {
        let text = agreement.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        format!("{name} {text}")
    });
    format!("agreement: {}", pairs.collect::<Vec<_>>().join(", "))
}

fn column(
    frame: &mut Frame,
    area: Rect,
    (ranking, state, hits): (&Ranking, &State, &mut Hits),
    theme: &Theme,
) {
    let [title, list] = rows(area, [1, FILL]);
    let name = cut(&ranking.name, area.width as usize, theme.symbols.ellipsis);
    frame.render_widget(heading(name, title.width, theme), title);
    if ranking.layers.is_empty() {
        frame.render_widget(Line::styled("not measured", theme.style(Role::Muted)), list);
        return;
    }
    let mut layers = ranking.layers.iter();
    let at = layers.position(|ranked| ranked.index == state.layer);
    let height = list.height as usize;
    let first = scroll(at.unwrap_or(0), ranking.layers.len(), height);
    let shown = ranking.layers.iter().skip(first).take(height);
    let reached: Vec<usize> = shown.clone().map(|ranked| ranked.index).collect();
    hits.layers(list, &reached);
    let lines: Vec<Line> = shown
        .map(|ranked| row(ranked, (area.width, state), theme))
        .collect();
    frame.render_widget(Paragraph::new(lines), list);
}

/// Rank, name, and the number where there is room.
fn row<'a>(ranked: &Ranked, (width, state): (u16, &State), theme: &Theme) -> Line<'a> {
    let selected = ranked.index == state.layer;
    let mark = if selected { theme.symbols.cursor } else { " " };
    let number = if width >= WIDE {
        format!("{:>NUMBER$}", number(ranked.value))
    } else {
        String::new()
    };
    let rank = format!("{mark}{:>3} ", ranked.rank);
    let room = (width as usize).saturating_sub(rank.chars().count() + number.len());
    let name = tail(&state.analysis.layers[ranked.index].layer, room, theme);
    let style = theme.style(if selected { Role::Selected } else { Role::Text });
    Line::from(Span::styled(format!("{rank}{name:<room$}{number}"), style))
}
