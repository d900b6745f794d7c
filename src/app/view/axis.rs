//! Horizontal axes: labelled decades of a logarithmic scale, or a few labelled places.

use ratatui::text::Line;

use super::plot::power;
use crate::app::theme::{Role, Theme};

/// Cells between two labels.
const GAP: usize = 2;

/// The decades from `10^low` to `10^high` over `width` cells, as many as fit.
pub(super) fn decades<'a>([low, high]: [f64; 2], width: usize, theme: &Theme) -> Line<'a> {
    let (first, last) = (low.ceil() as i32, high.floor() as i32);
    let longest = [first, last].map(|at| power(at).len()).into_iter().max();
    let room = longest.unwrap_or(1) + theme.symbols.tick.chars().count() + GAP;
    let span = high - low;
    let fits = |step: &i32| f64::from(*step) / span * width as f64 >= room as f64;
    let step = (1..=1000).find(fits).unwrap_or(1000);
    let marks = (first..=last).filter(|at| at.rem_euclid(step) == 0);
    let places = marks.map(|at| ((f64::from(at) - low) / span, power(at)));
    labels(places, width, theme)
}

/// Labels at places given as shares of the width, in order; one that would run into another, or over
/// the end, is left out.
pub(super) fn labels<'a>(
    places: impl IntoIterator<Item = (f64, String)>,
    width: usize,
    theme: &Theme,
) -> Line<'a> {
    let mut text = String::new();
    for (share, label) in places {
        let label = format!("{}{label}", theme.symbols.tick);
        let at = (share * width as f64).round() as usize;
        let used = text.chars().count();
        if at + label.chars().count() > width || (used > 0 && at < used + 1) {
            continue;
        }
        text.push_str(&" ".repeat(at - used));
        text.push_str(&label);
    }
    Line::styled(text, theme.style(Role::Muted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::symbols::Symbols;
    use crate::app::theme::{Depth, MONO};

    fn shown(range: [f64; 2], width: usize) -> String {
        let theme = Theme::embedded(MONO, Depth::Sixteen, Symbols::ASCII).unwrap();
        decades(range, width, &theme).to_string()
    }

    #[test]
    fn decades_stand_where_they_are_and_thin_out() {
        assert_eq!(shown([-2.0, 1.0], 30), "'1e-2     '0.1      '1");
        assert_eq!(shown([-2.5, 0.5], 24), "    '1e-2   '0.1    '1");
        assert_eq!(shown([-6.0, 0.0], 14), "'1e-6  '1e-3");
        assert_eq!(shown([-1.0, 1.0], 0), "");
    }
}
