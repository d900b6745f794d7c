//! Columns side by side, one a cell: a histogram.

use ratatui::text::Line;

use crate::app::theme::{Role, Theme};

/// Columns of these heights, in `rows` lines; the highest fills them, none that is there vanishes.
pub(super) fn columns<'a>(heights: &[f64], rows: usize, theme: &Theme) -> Vec<Line<'a>> {
    let finite = heights.iter().copied().filter(|height| height.is_finite());
    let highest = finite.fold(0.0, f64::max);
    let eighths: Vec<usize> = heights
        .iter()
        .map(|height| eighths(height / highest, rows))
        .collect();
    let line = |row: usize| -> String {
        let below = 8 * (rows - 1 - row);
        let cell = |height: &usize| theme.symbols.column[height.saturating_sub(below).min(8)];
        eighths.iter().map(cell).collect()
    };
    let lines = (0..rows).map(|row| Line::styled(line(row), theme.style(Role::Bar)));
    lines.collect()
}

/// Eighths of a cell that a column takes.
fn eighths(ratio: f64, rows: usize) -> usize {
    if !ratio.is_finite() || ratio <= 0.0 || rows == 0 {
        return 0;
    }
    let most = 8 * rows;
    ((ratio * most as f64).round() as usize).clamp(1, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::symbols::Symbols;
    use crate::app::theme::{Depth, MONO};

    fn shown(heights: &[f64], rows: usize, symbols: &Symbols) -> Vec<String> {
        let theme = Theme::embedded(MONO, Depth::Sixteen, *symbols).unwrap();
        let lines = columns(heights, rows, &theme);
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_highest_fills_the_rows_and_none_vanishes() {
        let heights = [0.0, 1e-9, 1.0, 2.0, 4.0];
        assert_eq!(shown(&heights, 2, &Symbols::UNICODE), ["    █", " ▁▄██"]);
        assert_eq!(shown(&heights, 2, &Symbols::ASCII), ["    #", " .:##"]);
    }

    #[test]
    fn what_is_no_height_is_empty() {
        let heights = [f64::NAN, f64::INFINITY, -1.0];
        assert_eq!(shown(&heights, 1, &Symbols::UNICODE), ["   "]);
        assert_eq!(shown(&[0.0, 0.0], 1, &Symbols::UNICODE), ["  "]);
        assert!(shown(&[1.0], 0, &Symbols::UNICODE).is_empty());
    }
}
