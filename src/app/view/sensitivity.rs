//! The sensitivity screen: a bar of every layer's eigenvalue on a logarithmic scale, filling in live,
//! and a closer look at the selected layer.
//!
//! ```text
//! wide:   bars | closer look      narrow: bars         low: one of the two
//!                                         closer look
//! ```

use ratatui::Frame;
use ratatui::layout::{Direction, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::chrome::tail;
use super::format::{cell, cut};
use super::split::Split;
use super::{FILL, Hits, axis, detail, heading, plot, rows, scroll};
use crate::app::state::State;
use crate::app::state::detail::View;
use crate::app::theme::{Role, Theme};
use crate::engine::hessian::sensitivity::LayerSensitivity;

/// Cells of a layer's name.
const NAME: usize = 16;
/// Cells of a number.
const NUMBER: usize = 9;
/// Cells of the marks behind the numbers.
const MARKS: usize = 6;
/// Cells of a tolerance that is not the usual one.
const TOLERANCE: usize = 6;
/// Shortest bar whose numbers have their names above them.
const SHORTEST: usize = 6;
/// Widest bar.
const WIDEST: usize = 60;
/// Rows of the overview below the bars.
const OVERVIEW: u16 = 9;
/// Rows of the bars above a closer look.
const FEW_BARS: u16 = 7;

pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    (state, hits): (&State, &mut Hits),
    theme: &Theme,
) {
    if state.analysis.layers.is_empty() {
        frame.render_widget(Line::raw("no layers yet"), area);
        return;
    }
    let overview = state.detail.view == View::Overview;
    if state.detail.view == View::Compare {
        detail::compare(frame, area, (state, hits), theme);
    } else if let Some((split, usual)) = split(area, overview) {
        let [list, closer] = split.panes((state.list_share, usual), hits);
        bars(frame, list, (state, hits), theme);
        detail::draw(frame, closer, state, theme);
    } else if overview {
        bars(frame, area, (state, hits), theme);
    } else {
        detail::draw(frame, area, state, theme);
    }
}

/// How the list and the closer look share the area, and the usual size of the closer look; `None`
/// where there is room for one of them.
fn split(area: Rect, overview: bool) -> Option<(Split, u16)> {
    if area.width >= 96 {
        let (share, most) = if overview { (40, 46) } else { (48, 90) };
        let usual = (u32::from(area.width) * share / 100) as u16;
        Some((Split::new(area, Direction::Horizontal), usual.min(most)))
    } else if area.height >= 16 {
        let usual = if overview {
            OVERVIEW
        } else {
            area.height - FEW_BARS
        };
        Some((Split::new(area, Direction::Vertical), usual))
    } else {
        None
    }
}

/// What is drawn of each layer, and on which scale.
struct Columns {
    /// log10 of the ends of the bars; nothing before there is one.
    scale: Option<[f64; 2]>,
    /// Cells of the longest bar.
    bar: usize,
    /// Whether the error of the eigenvalue has a column.
    error: bool,
    /// Whether S has a column.
    sensitivity: bool,
    /// Whether tolerances have a column: one is not the usual one.
    tolerance: bool,
}

impl Columns {
    fn new(width: u16, state: &State) -> Self {
        let layers = &state.analysis.layers;
        let (error, sensitivity) = (width >= 66, width >= 50);
        let tolerance = layers.iter().any(|layer| layer.tolerance.is_some());
        let numbers = 1 + usize::from(error) + usize::from(sensitivity);
        let used = NAME + NUMBER * numbers + MARKS + if tolerance { TOLERANCE } else { 0 };
        Self {
            scale: scale(state),
            bar: (width as usize).saturating_sub(used).min(WIDEST),
            error,
            sensitivity,
            tolerance,
        }
    }

    /// The part of the longest bar that a layer fills.
    fn ratio(&self, state: &State, layer: &LayerSensitivity) -> Option<f64> {
        let [low, high] = self.scale?;
        height(state, layer).map(|height| plot::unit((height - low) / (high - low)))
    }
}

/// log10 of the size of the estimate.
fn height(state: &State, layer: &LayerSensitivity) -> Option<f64> {
    let estimate = state.analysis.estimate(layer);
    let height = estimate.map(|value| value.abs().log10());
    height.filter(|height| height.is_finite())
}

/// Whole decades around all layers; even the smallest gets a little length, so that measured and not
/// measured differ.
fn scale(state: &State) -> Option<[f64; 2]> {
    let layers = state.analysis.layers.iter();
    let heights = layers.filter_map(|layer| height(state, layer));
    let (low, high) = heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), height| {
        (low.min(height), high.max(height))
    });
    if low > high {
        return None;
    }
    let low = (low - 0.1).floor();
    Some([low, high.ceil().max(low + 1.0)])
}

fn bars(frame: &mut Frame, area: Rect, (state, hits): (&State, &mut Hits), theme: &Theme) {
    let visible = state.visible_layers();
    let columns = Columns::new(area.width, state);
    let scaled = u16::from(area.height >= 7);
    let [title, list, axis] = rows(area, [1, FILL, scaled]);
    let count = state.analysis.layers.len();
    let text = format!(
        "{}, {} of {count} layers, by {}",
        theme.symbols.lambda,
        state.analysis.measured_count(),
        state.analysis.sort.name()
    );
    frame.render_widget(bars_heading(&text, (title.width, &columns), theme), title);
    let cursor = state.cursor(&visible).unwrap_or(0);
    let first = scroll(cursor, visible.len(), list.height as usize);
    hits.layers(list, &visible[first.min(visible.len())..]);
    let shown = visible.iter().skip(first).take(list.height as usize);
    let lines: Vec<Line> = shown
        .map(|index| bar(state, *index, &columns, theme))
        .collect();
    // The scale stands right below the last layer.
    let used = (lines.len() as u16).min(list.height);
    frame.render_widget(Paragraph::new(lines), list);
    let below = Rect {
        x: axis.x + 3 + NAME as u16,
        y: list.y + used,
        width: axis
            .width
            .saturating_sub(3 + NAME as u16)
            .min(columns.bar as u16),
        height: axis.height,
    };
    if let Some(scale) = columns.scale {
        frame.render_widget(axis::decades(scale, columns.bar, theme), below);
    }
}

/// The heading over the bars, with the names of the numbers where there is room for both.
fn bars_heading<'a>(text: &str, (width, columns): (u16, &Columns), theme: &Theme) -> Line<'a> {
    let room = 3 + NAME + columns.bar;
    if columns.bar < SHORTEST {
        let room = (width as usize).saturating_sub(1);
        return heading(cut(text, room, theme.symbols.ellipsis), width, theme);
    }
    let short = text.split(", by ").next().unwrap_or_default();
    let text = if text.width() < room { text } else { short };
    let text = cut(text, room - 1, theme.symbols.ellipsis);
    let mut line = heading(text, room as u16, theme);
    let named = [
        (true, theme.symbols.lambda),
        (columns.error, theme.symbols.plus_minus),
        (columns.sensitivity, "S"),
    ];
    let named = named.into_iter().filter(|(shown, _)| *shown);
    let named = named.map(|(_, name)| format!("{name:>NUMBER$}"));
    let mut names = format!(" {}", named.collect::<Vec<_>>().concat());
    if columns.tolerance {
        names.push_str("    tol");
    }
    line.spans
        .push(Span::styled(names, theme.style(Role::Title)));
    line
}

/// One layer: cursor, name, bar, eigenvalue, its error, S, marks.
fn bar<'a>(state: &State, index: usize, columns: &Columns, theme: &Theme) -> Line<'a> {
    let layer = &state.analysis.layers[index];
    let selected = index == state.layer;
    let live = state.analysis.current.as_ref() == Some(&layer.layer);
    let ratio = columns.ratio(state, layer);
    let room = columns.bar;
    let drawn = ratio.map_or_else(String::new, |ratio| theme.symbols.bar(ratio, room));
    let row = theme.style(if selected { Role::Selected } else { Role::Text });
    let colour = theme.style(if live { Role::LiveBar } else { Role::Bar });
    let mark = if selected { theme.symbols.cursor } else { " " };
    let name = tail(&layer.layer, NAME, theme);
    let mut spans = vec![
        Span::styled(format!("{mark} {name:<NAME$} "), row),
        Span::styled(format!("{drawn:<room$}"), colour),
        Span::styled(
            format!(" {:>NUMBER$}", cell(state.analysis.estimate(layer))),
            row,
        ),
    ];
    let quiet = muted(row, selected, theme);
    if columns.error {
        let error = cell(state.analysis.error(layer));
        spans.push(Span::styled(format!("{error:>NUMBER$}"), quiet));
    }
    if columns.sensitivity {
        let text = format!("{:>NUMBER$}", cell(layer.sensitivity));
        spans.push(Span::styled(text, quiet));
    }
    spans.push(Span::styled(format!(" {}", sign(layer, live, theme)), row));
    if columns.tolerance {
        let text = layer.tolerance.map(|tolerance| format!("{tolerance:e}"));
        let text = format!("{:>room$}", text.unwrap_or_default(), room = TOLERANCE - 1);
        spans.push(Span::styled(text, quiet));
    }
    Line::from(spans)
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
