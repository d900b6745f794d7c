//! The spectral density of a layer's block: eigenvalues for each decade, over their decades.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::columns::columns;
use super::{absent, failed, key, told};
use crate::app::command::Command;
use crate::app::state::State;
use crate::app::theme::{Role, Theme};
use crate::app::view::axis;
use crate::app::view::format::{count, number};
use crate::app::view::{FILL, rows};
use crate::engine::hessian::spectrum::{Source, Spectrum};

/// Widest histogram.
const WIDEST: usize = 120;
/// Most bins of it, so that a few hundred eigenvalues make a density and no comb.
const BINS: usize = 60;

pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let kept = state
        .selected()
        .and_then(|layer| state.detail.spectra.of(&layer.layer));
    match kept.map(|kept| &kept.result) {
        None => absent(frame, area, ("The spectrum", state), theme),
        Some(Err(reason)) => failed(frame, area, (reason, state), theme),
        Some(Ok(spectrum)) => {
            let mut sentences = words(spectrum);
            if !state.is_computed() {
                let key = key(state, Command::Compute);
                sentences.push(format!(
                    "The settings changed since; {key} computes it again."
                ));
            }
            let rest = told(frame, area, &sentences, theme);
            density(frame, rest, spectrum, theme);
        }
    }
}

/// What the picture shows.
fn words(spectrum: &Spectrum) -> Vec<String> {
    let samples = count(spectrum.samples as u64);
    let source = match spectrum.source {
        Source::Exact { rows } => {
            format!("Exact: all eigenvalues, from {rows} gradient rows of {samples} images.")
        }
        Source::Quadrature { probes, steps } => format!(
            "Estimated by stochastic Lanczos quadrature, {probes} probes of {steps} steps, \
             {samples} images."
        ),
    };
    let about = if matches!(spectrum.source, Source::Exact { .. }) {
        ""
    } else {
        "About "
    };
    let (zeros, size) = (
        count(spectrum.zeros.round() as u64),
        count(spectrum.size as u64),
    );
    let near_zero = spectrum.near_zero;
    let negative = spectrum.values.iter().filter(|(value, _)| *value < 0.0);
    let negative: f64 = negative.map(|(_, count)| count).sum();
    let mut sentences = vec![
        source,
        format!("{about}{zeros} of {size} are zero (below {near_zero:e} of the largest)."),
        format!(
            "Largest {}, sum {}.",
            spectrum.largest().map_or_else(|| "none".to_owned(), number),
            number(spectrum.trace)
        ),
    ];
    if negative > 0.0 {
        sentences.push(format!("{negative:.0} are negative; drawn by size."));
    }
    sentences
}

/// Eigenvalues for each decade, in columns of a cell or more.
fn density(frame: &mut Frame, area: Rect, spectrum: &Spectrum, theme: &Theme) {
    let Some(range) = range(spectrum).filter(|_| area.height >= 4 && area.width >= 16) else {
        return;
    };
    let (bins, wide) = bins((area.width as usize).min(WIDEST), spectrum);
    let area = Rect {
        width: (bins * wide) as u16,
        ..area
    };
    let [title, picture, ticks] = rows(area, [1, FILL, 1]);
    let heights = heights(spectrum, (range, bins));
    let most = heights.iter().copied().fold(0.0, f64::max);
    let heights: Vec<f64> = heights
        .into_iter()
        .flat_map(|height| vec![height; wide])
        .collect();
    let text = format!("eigenvalues a decade, up to {}", number(most));
    frame.render_widget(Line::styled(text, theme.style(Role::Muted)), title);
    let drawn = columns(&heights, picture.height as usize, theme);
    frame.render_widget(Paragraph::new(drawn), picture);
    frame.render_widget(axis::decades(range, ticks.width as usize, theme), ticks);
}

/// How many bins a width has, and how many cells each takes: fewer bins where there are few values.
fn bins(width: usize, spectrum: &Spectrum) -> (usize, usize) {
    let most = (spectrum.values.len() / 2).clamp(8, BINS);
    let wide = width.div_ceil(most).max(1);
    (width / wide, wide)
}

/// log10 of the sizes that are shown: whole decades around them.
fn range(spectrum: &Spectrum) -> Option<[f64; 2]> {
    let sizes = spectrum.values.iter().map(|(value, _)| value.abs().log10());
    let sizes = sizes.filter(|size| size.is_finite());
    let (low, high) = sizes.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), size| {
        (low.min(size), high.max(size))
    });
    let (low, high) = (low.floor(), high.floor() + 1.0);
    (low < high).then_some([low, high])
}

/// Eigenvalues a decade, in cells of equal parts of the range.
fn heights(spectrum: &Spectrum, ([low, high], width): ([f64; 2], usize)) -> Vec<f64> {
    let mut heights = vec![0.0; width];
    let decades = (high - low) / width as f64;
    for (value, count) in &spectrum.values {
        let at = (value.abs().log10() - low) / decades;
        if at.is_finite()
            && let Some(height) = heights.get_mut(at as usize)
        {
            *height += count / decades;
        }
    }
    heights
}
