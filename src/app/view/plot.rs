//! Curves that cannot hang or panic: points that are no numbers are dropped, and bounds are finite,
//! ordered and never empty, whatever comes (ratatui's `Chart` loops forever otherwise).

use std::borrow::Cow;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Paragraph};

use super::format::{number, wrap};
use crate::app::theme::{Role, Theme};

/// A curve.
pub struct Curve {
    /// Its points; must come from [`points`].
    pub points: Vec<(f64, f64)>,
    /// How it looks.
    pub style: Style,
    /// Joined, or single points.
    pub kind: Kind,
}

/// How points are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Joined by lines.
    Line,
    /// Single points.
    Points,
    /// One mark that stands out.
    Mark,
    /// Single points, all with the same sign.
    Sign(char),
}

/// The labels of a plot.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// What is plotted.
    pub title: &'a str,
    /// Left and right end.
    pub x: [&'a str; 2],
    /// Whether heights are log10 of the values.
    pub log: bool,
    /// The heights that exist: the axis does not show others.
    pub within: [f64; 2],
}

/// Rows of dots in a cell.
const DOTS: f64 = 4.0;

/// Any height.
pub const ANY: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

/// A range without what lies outside of another, if anything is left.
fn clipped([low, high]: [f64; 2], within: [f64; 2]) -> [f64; 2] {
    let (inner_low, inner_high) = (low.max(within[0]), high.min(within[1]));
    if inner_low < inner_high {
        [inner_low, inner_high]
    } else {
        [low, high]
    }
}

/// The points that are numbers.
#[must_use]
pub fn points(raw: impl IntoIterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    raw.into_iter()
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect()
}

/// log10 of the size of the values; zeros are dropped.
#[must_use]
pub fn logarithmic(raw: impl IntoIterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    points(raw.into_iter().map(|(x, y)| (x, y.abs().log10())))
}

/// The points as they stand on an axis: on a logarithmic one their log10, and how many have none
/// because they are not above zero.
#[must_use]
pub fn on_axis(raw: Vec<(f64, f64)>, log: bool) -> (Vec<(f64, f64)>, usize) {
    if !log {
        return (raw, 0);
    }
    let above = raw.iter().filter(|(_, y)| *y > 0.0);
    let above: Vec<_> = above.map(|(x, y)| (*x, y.log10())).collect();
    let left_out = raw.len() - above.len();
    (above, left_out)
}

/// A range around all values: finite, ordered, not empty, with a little room.
#[must_use]
pub fn bounds(values: impl IntoIterator<Item = f64>) -> [f64; 2] {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in finite {
        (low, high) = (low.min(value), high.max(value));
    }
    if low > high {
        return [0.0, 1.0];
    }
    let room = (0.05 * (high - low))
        .max(1e-3 * low.abs().max(high.abs()))
        .max(1e-9);
    let (low, high) = (low - room, high + room);
    if low.is_finite() && high.is_finite() && low < high {
        [low, high]
    } else {
        [0.0, 1.0]
    }
}

/// A ratio that gauges take.
#[must_use]
pub fn unit(ratio: f64) -> f64 {
    if ratio.is_finite() {
        ratio.clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// Draws curves over shared axes.
pub fn draw(frame: &mut Frame, area: Rect, theme: &Theme, plotted: (Labels, &[Curve])) {
    let all = plotted.1.iter().flat_map(|curve| curve.points.iter());
    let x = bounds(all.map(|point| point.0));
    draw_over(frame, area, theme, (x, plotted));
}

/// As [`draw`], from exactly `x[0]` to exactly `x[1]`; any range will do.
pub fn draw_over(
    frame: &mut Frame,
    area: Rect,
    theme: &Theme,
    (x, (labels, curves)): ([f64; 2], (Labels, &[Curve])),
) {
    if area.width < 16 || area.height < 4 {
        return;
    }
    let all = || curves.iter().flat_map(|curve| curve.points.iter());
    if all().next().is_none() {
        no_numbers(frame, area, theme, labels.title);
        return;
    }
    let within = |point: &&(f64, f64)| (x[0]..=x[1]).contains(&point.0);
    let x = if x[0] < x[1] && (x[1] - x[0]).is_finite() {
        x
    } else {
        bounds(x)
    };
    let y = bounds(all().filter(within).map(|point| point.1));
    let (y, mut heights) = heights(clipped(y, labels.within), labels.log, area.height);
    if area.height < 5 {
        // One row has room for one label: that of its upper end.
        let last = heights.len() - 1;
        heights[..last].iter_mut().for_each(String::clear);
    }
    let placed: Vec<_> = curves
        .iter()
        .map(|curve| placed(curve, (y, area.height), theme))
        .collect();
    let curves = curves.iter().zip(&placed);
    let datasets = curves
        .map(|(curve, points)| dataset(curve, points, theme))
        .collect();
    let [title, plot] = super::rows(area, [1, super::FILL]);
    frame.render_widget(Line::styled(labels.title, theme.style(Role::Muted)), title);
    let chart = Chart::new(datasets)
        .style(theme.style(Role::Text))
        .x_axis(axis(x, labels.x.map(str::to_owned), theme))
        .y_axis(axis(y, heights, theme))
        .legend_position(None);
    frame.render_widget(chart, plot);
    if !theme.symbols.unicode {
        in_ascii(frame, plot);
    }
}

/// What stands where there is nothing to draw.
fn no_numbers(frame: &mut Frame, area: Rect, theme: &Theme, title: &str) {
    let text = format!("{title}: not a number so far");
    let lines = wrap(&text, area.width as usize);
    let lines: Vec<Line> = lines.into_iter().map(Line::raw).collect();
    frame.render_widget(Paragraph::new(lines).style(theme.style(Role::Muted)), area);
}

/// The range of heights that is shown, and its labels.
fn heights([low, high]: [f64; 2], log: bool, height: u16) -> ([f64; 2], Vec<String>) {
    if log {
        return decades([low, high], height);
    }
    round([low, high], height)
}

/// Labels a linear axis can have.
fn most_labels(height: u16) -> usize {
    usize::from(height / 3).clamp(2, 6)
}

/// A range around another whose ends, and labels evenly between them, are round: multiples of 1, 2 or
/// 5 times a power of ten.
fn round([low, high]: [f64; 2], height: u16) -> ([f64; 2], Vec<String>) {
    let labelled = (most_labels(height) - 1) as f64;
    // Around zero there is at least a step to either side.
    let steps = labelled.max(if low < 0.0 && high > 0.0 { 2.0 } else { 1.0 });
    let mut step = nice((high - low) / steps);
    let ends = |step: f64| ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
    while ends(step).1 - ends(step).0 > steps {
        let next = nice(1.5 * step);
        if !next.is_finite() || next <= step {
            break;
        }
        step = next;
    }
    let (first, last) = ends(step);
    let count = (last - first).clamp(1.0, steps) as u32;
    let label = |at: u32| number_of(first + f64::from(at), step);
    let bounds = [first * step, (first + f64::from(count)) * step];
    if !bounds.iter().all(|end| end.is_finite()) || bounds[0] >= bounds[1] {
        return ([low, high], [low, high].map(number).into());
    }
    let every = if f64::from(count) > labelled {
        count
    } else {
        1
    };
    let labelled = (0..=count).step_by(every as usize);
    (bounds, labelled.map(label).collect())
}

/// A range around another with round ends, a few steps apart.
#[must_use]
pub fn round_ends(range: [f64; 2]) -> [f64; 2] {
    const STEPS_FOR: u16 = 18;
    round(range, STEPS_FOR).0
}

/// `count` steps, as a number without the digits that multiplying leaves behind.
fn number_of(count: f64, step: f64) -> String {
    let exponent = step.log10().floor() as i32;
    if (-4..6).contains(&exponent) {
        let digits = (-exponent).max(0) as usize;
        return format!("{:.digits$}", count * step + 0.0);
    }
    number(count * step + 0.0)
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below a size.
fn nice(size: f64) -> f64 {
    let power = 10f64.powf(size.log10().floor());
    let found = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|m| m * power >= size * (1.0 - 1e-9));
    found.map_or(10.0 * power, |m| m * power)
}

/// An axis with labels from its lower to its upper end.
fn axis(
    bounds: [f64; 2],
    labels: impl IntoIterator<Item = String>,
    theme: &Theme,
) -> Axis<'static> {
    let muted = theme.style(Role::Muted);
    let labels = labels.into_iter().map(|text| Span::styled(text, muted));
    Axis::default()
        .bounds(bounds)
        .style(theme.style(Role::Border))
        .labels(labels.collect::<Vec<_>>())
}

/// Whole decades around a range, and labels evenly spaced from the lowest to the highest, as many as
/// fit; the lowest moves down until they come out even.
fn decades([low, high]: [f64; 2], height: u16) -> ([f64; 2], Vec<String>) {
    let top = high.ceil().clamp(-1000.0, 1000.0) as i32;
    let span = (f64::from(top) - low.floor()).clamp(1.0, 1000.0) as i32;
    let most = (i32::from(height) / 3 - 1).max(1);
    let step = (span + most - 1) / most;
    let bottom = top - step * ((span + step - 1) / step);
    let labels = (bottom..=top).step_by(step as usize).map(power);
    ([f64::from(bottom), f64::from(top)], labels.collect())
}

/// A power of ten: `0.1`, `1`, `10`, else `1e-3`.
#[must_use]
pub fn power(exponent: i32) -> String {
    match exponent {
        -1 => "0.1".to_owned(),
        0 => "1".to_owned(),
        1 => "10".to_owned(),
        _ => format!("1e{exponent}"),
    }
}

/// The axes that ratatui draws, in ASCII.
fn in_ascii(frame: &mut Frame, area: Rect) {
    let buffer = frame.buffer_mut();
    for position in area.positions() {
        let Some(cell) = buffer.cell_mut(position) else {
            continue;
        };
        match cell.symbol() {
            "│" => cell.set_symbol("|"),
            "─" => cell.set_symbol("-"),
            "└" => cell.set_symbol("+"),
            _ => continue,
        };
    }
}

/// The points of a curve; those with signs in the cells where a line of finer dots would pass.
fn placed<'a>(
    curve: &'a Curve,
    (y, height): ([f64; 2], u16),
    theme: &Theme,
) -> Cow<'a, [(f64, f64)]> {
    // Below title and above axis and labels.
    let cells = f64::from(height.saturating_sub(3));
    if !matches!(curve.kind, Kind::Sign(_)) || !theme.symbols.unicode || cells < 2.0 {
        return Cow::Borrowed(&curve.points);
    }
    let range = y[1] - y[0];
    let snapped = |&(x, height): &(f64, f64)| {
        let dot = ((y[1] - height) / range * (DOTS * cells - 1.0)).round();
        let cell = (dot / DOTS).floor().clamp(0.0, cells - 1.0);
        (x, (y[1] - cell / (cells - 1.0) * range).clamp(y[0], y[1]))
    };
    let seen = |point: &&(f64, f64)| (y[0]..=y[1]).contains(&point.1);
    Cow::Owned(curve.points.iter().filter(seen).map(snapped).collect())
}

fn dataset<'a>(curve: &Curve, points: &'a [(f64, f64)], theme: &Theme) -> Dataset<'a> {
    let (graph, marker) = match curve.kind {
        Kind::Line => (GraphType::Line, theme.symbols.marker),
        Kind::Points => (
            GraphType::Scatter,
            if theme.symbols.unicode {
                Marker::Dot
            } else {
                Marker::Custom('o')
            },
        ),
        Kind::Mark => (GraphType::Scatter, Marker::Custom('X')),
        Kind::Sign(sign) => (GraphType::Scatter, Marker::Custom(sign)),
    };
    Dataset::default()
        .data(points)
        .graph_type(graph)
        .marker(marker)
        .style(curve.style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bounds_are_always_finite_and_ordered(values in prop::collection::vec(any::<f64>(), 0..20)) {
            let [low, high] = bounds(values);
            prop_assert!(low.is_finite() && high.is_finite() && low < high);
        }

        #[test]
        fn ratios_are_always_within_a_gauge(ratio in any::<f64>()) {
            prop_assert!((0.0..=1.0).contains(&unit(ratio)));
        }
    }

    #[test]
    fn an_axis_ends_where_heights_do() {
        let same =
            |[a, b]: [f64; 2], [c, d]: [f64; 2]| a.total_cmp(&c).is_eq() && b.total_cmp(&d).is_eq();
        assert!(same(
            clipped([-0.05, 1.2], [0.0, f64::INFINITY]),
            [0.0, 1.2]
        ));
        assert!(same(clipped([0.6, 1.01], [0.0, 1.0]), [0.6, 1.0]));
        assert!(same(clipped([-2.0, -1.0], [0.0, 1.0]), [-2.0, -1.0]));
        assert!(same(clipped([-2.0, 3.0], ANY), [-2.0, 3.0]));
    }

    #[test]
    fn decades_are_labelled_evenly_and_as_many_as_fit() {
        let labels = |range, height| decades(range, height).1;
        let all = ["1e-4", "1e-3", "1e-2", "0.1", "1", "10"];
        assert_eq!(labels([-3.2, 0.4], 20), all);
        assert_eq!(labels([-4.0, 0.0], 9), ["1e-4", "1e-2", "1"]);
        assert_eq!(labels([-6.5, -0.2], 9), ["1e-8", "1e-4", "1"]);
        assert_eq!(labels([1.9, 2.0], 5), ["10", "1e2"]);
        let ([low, high], _) = decades([2.0, 2.0], 5);
        assert!(low < high);
    }

    #[test]
    fn the_labels_of_a_linear_axis_are_round_and_fit() {
        let labels = |range, height| round(range, height).1;
        assert_eq!(
            labels([0.443, 0.822], 20),
            ["0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]
        );
        assert_eq!(labels([0.0634, 7.36], 6), ["0", "10"]);
        assert_eq!(labels([-0.02, 0.03], 9), ["-0.05", "0.00", "0.05"]);
    }

    proptest! {
        #[test]
        fn a_linear_axis_holds_what_it_is_for(low in -1e12..1e12f64, size in 1e-6..1e12f64, height in 4..60u16) {
            let ([from, to], labels) = round([low, low + size], height);
            prop_assert!(from <= low + 1e-6 * size && to >= low + size - 1e-6 * size);
            prop_assert!((2..=6).contains(&labels.len()), "{labels:?}");
        }
    }

    #[test]
    fn what_a_logarithmic_axis_has_no_place_for_is_counted() {
        let raw = vec![(0.0, 0.0), (1.0, 10.0), (2.0, -1.0), (3.0, f64::NAN)];
        assert_eq!(on_axis(raw.clone(), true), (vec![(1.0, 1.0)], 3));
        assert_eq!(on_axis(raw[..3].to_vec(), false), (raw[..3].to_vec(), 0));
    }

    #[test]
    fn what_is_no_number_is_not_drawn() {
        let raw = [
            (0.0, f64::NAN),
            (f64::INFINITY, 1.0),
            (1.0, 2.0),
            (2.0, 0.0),
        ];
        assert_eq!(points(raw), [(1.0, 2.0), (2.0, 0.0)]);
        assert_eq!(logarithmic(raw), [(1.0, 2f64.log10())]);
    }
}
