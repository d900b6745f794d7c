//! Where a layer's weights lie, with the grid that they are moved to.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::columns::columns;
use super::{failed, told};
use crate::app::state::State;
use crate::app::theme::{Role, Theme};
use crate::app::view::axis;
use crate::app::view::format::{count, number};
use crate::app::view::{FILL, rows};
use crate::engine::quant::histogram::{BINS, Histogram, Levels, WeightHistogram};

/// Values of a grid up to which each is told.
const FEW: usize = 7;

pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let kept = state
        .selected()
        .and_then(|layer| state.detail.weights.of(&layer.layer));
    match kept.map(|kept| &kept.result) {
        None => {
            told(
                frame,
                area,
                &["The weights are being counted.".to_owned()],
                theme,
            );
        }
        Some(Err(reason)) => failed(frame, area, (reason, state), theme),
        Some(Ok(weights)) => {
            let sentences = words(weights, theme);
            let rest = told(frame, area, &sentences, theme);
            picture(frame, rest, weights, theme);
        }
    }
}

/// What the bits do, in words.
fn words(weights: &WeightHistogram, theme: &Theme) -> Vec<String> {
    let total: u64 = weights.histogram.counts.iter().sum();
    let Some(levels) = &weights.levels else {
        return vec![format!(
            "{} weights, left as they are (32 bits).",
            count(total)
        )];
    };
    let share = |part: u64| 100.0 * part as f64 / total.max(1) as f64;
    let (bits, scale) = (weights.bits, weights.scale);
    let plus_minus = theme.symbols.plus_minus;
    let mut sentences = vec![
        format!(
            "{bits} bits, scale {scale}: {} values {} apart, up to {plus_minus}{}; {:.1} % of {} weights \
             are clipped.",
            levels.counts.len(),
            number(levels.grid.step),
            number(levels.grid.high * levels.grid.step),
            share(levels.clipped),
            count(total)
        ),
        format!(
            "Perturbation {}: {} % of the squared norm.",
            number(levels.perturbation),
            number(100.0 * levels.perturbation / weights.squares)
        ),
    ];
    if scale.is_per_channel() {
        let text = "Every channel has a grid of its own; they are drawn as one of their mean step.";
        sentences.push(text.to_owned());
    }
    if levels.counts.len() <= FEW {
        let each = levels.values().into_iter().zip(&levels.counts);
        let each = each.map(|(value, part)| format!("{}:{:.0}%", number(value), share(*part)));
        let each: Vec<String> = each.collect();
        sentences.push(format!("Share at each: {}.", each.join(" ")));
    }
    sentences
}

/// The histogram, the values of the grid below it, and an axis.
fn picture(frame: &mut Frame, area: Rect, weights: &WeightHistogram, theme: &Theme) {
    let Some(width) = width(area.width as usize).filter(|_| area.height >= 4) else {
        return;
    };
    let area = Rect {
        width: width as u16,
        ..area
    };
    let [picture, marks, ticks] = rows(area, [FILL, 1, 1]);
    let histogram = &weights.histogram;
    let heights: Vec<f64> = histogram.joined(width).iter().map(|c| *c as f64).collect();
    let drawn = columns(&heights, picture.height as usize, theme);
    frame.render_widget(Paragraph::new(drawn), picture);
    let marked = weights
        .levels
        .as_ref()
        .map(|levels| marked(histogram, levels, width));
    let line = Line::styled(marked.unwrap_or_default(), theme.style(Role::Warning));
    frame.render_widget(line, marks);
    let middle = (0.5, "0".to_owned());
    let places = [(0.0, number(histogram.low)), middle];
    let mut axis = axis::labels(places, width, theme);
    let end = number(histogram.high);
    let used = axis.width();
    if used + end.len() < width {
        axis.push_span(format!("{end:>room$}", room = width - used));
    }
    frame.render_widget(axis, ticks);
}

/// A mark in each cell that holds a value of the grid.
fn marked(histogram: &Histogram, levels: &Levels, width: usize) -> String {
    let mut cells = vec![' '; width];
    let span = histogram.high - histogram.low;
    for value in levels.values() {
        let at = (value - histogram.low) / span * width as f64;
        let at = (at as usize).min(width - 1);
        cells[at] = '^';
    }
    cells.into_iter().collect()
}

/// The most columns that the bins can be joined into.
fn width(room: usize) -> Option<usize> {
    (16..=room.min(BINS))
        .rev()
        .find(|width| BINS.is_multiple_of(*width))
}
