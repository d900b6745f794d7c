//! How curves are looked at: which part of a run, how smooth, and on which axis.

use super::series::Series;

/// Points that moderate smoothing takes the mean of.
const MODERATE: usize = 9;
/// Points that strong smoothing takes the mean of.
const STRONG: usize = 33;

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Span {
    /// From the first step to the last.
    #[default]
    Whole,
    /// The last steps, each as it was.
    Recent,
}

/// How much of the noise is taken out of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Smoothing {
    /// Nothing.
    #[default]
    Off,
    /// Some: the mean of 9 points around each.
    Moderate,
    /// Most: the mean of 33 points around each.
    Strong,
}

/// The axis of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LossAxis {
    /// Equal steps are equal differences.
    #[default]
    Linear,
    /// Equal steps are equal ratios.
    Log,
}

/// How curves are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Which part, where there is room for one.
    pub span: Span,
    /// How smooth.
    pub smoothing: Smoothing,
    /// On which axis the loss is.
    pub loss_axis: LossAxis,
}

impl Span {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Whole => Self::Recent,
            Self::Recent => Self::Whole,
        }
    }
}

impl Smoothing {
    /// The next stronger one, or none at all.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Off => Self::Moderate,
            Self::Moderate => Self::Strong,
            Self::Strong => Self::Off,
        }
    }

    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Moderate => "moderate",
            Self::Strong => "strong",
        }
    }

    /// Points whose mean is drawn.
    #[must_use]
    pub const fn window(self) -> usize {
        match self {
            Self::Off => 1,
            Self::Moderate => MODERATE,
            Self::Strong => STRONG,
        }
    }
}

impl LossAxis {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Linear => Self::Log,
            Self::Log => Self::Linear,
        }
    }

    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Log => "log",
        }
    }
}

impl Look {
    /// The points of a part of a curve, smoothed, and the steps that each is the mean of.
    #[must_use]
    pub fn part(&self, series: &Series, span: Span) -> (Vec<(f64, f64)>, usize) {
        let (points, width) = match span {
            Span::Whole => (series.means(), series.width()),
            Span::Recent => (series.recent(), 1),
        };
        let window = self.smoothing.window();
        (smoothed(&points, window), width * window)
    }
}

/// Each value replaced by the mean of `window` values around it; fewer at both ends.
fn smoothed(points: &[(f64, f64)], window: usize) -> Vec<(f64, f64)> {
    let around = window / 2;
    let mut sums = vec![0.0];
    for (_, y) in points {
        sums.push(sums[sums.len() - 1] + y);
    }
    let mean = |at: usize| {
        let (from, to) = (
            at.saturating_sub(around),
            (at + around + 1).min(points.len()),
        );
        (sums[to] - sums[from]) / (to - from) as f64
    };
    let smooth =
        |(at, point): (usize, &(f64, f64))| (point.0, if around == 0 { point.1 } else { mean(at) });
    points.iter().enumerate().map(smooth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_takes_noise_out_and_keeps_a_line() {
        let noise = |i: u32| (f64::from(i), f64::from(i % 2));
        let line = |i: u32| (f64::from(i), 3.0 * f64::from(i));
        let points: Vec<_> = (0..100).map(noise).collect();
        assert_eq!(smoothed(&points, 1), points);
        let smooth = smoothed(&points, 9);
        assert!(smooth[4..96].iter().all(|(_, y)| (y - 0.5).abs() < 0.06));
        let points: Vec<_> = (0..100).map(line).collect();
        for (smooth, exact) in smoothed(&points, 33)[16..84].iter().zip(&points[16..84]) {
            assert!((smooth.1 - exact.1).abs() < 1e-9);
        }
        assert!(smoothed(&[], 9).is_empty());
    }

    #[test]
    fn a_part_says_how_many_steps_a_point_stands_for() {
        let mut series = Series::default();
        for step in 0..10_000_u32 {
            series.push(f64::from(step), 1.0);
        }
        let look = Look {
            smoothing: Smoothing::Moderate,
            ..Look::default()
        };
        let (points, steps) = look.part(&series, Span::Recent);
        assert_eq!((points.len(), steps), (600, 9));
        assert!(points[0].0 > 9000.0);
        let (points, steps) = look.part(&series, Span::Whole);
        assert_eq!(steps, 9 * series.width());
        assert!(points[0].0 < 100.0);
    }

    #[test]
    fn keys_step_through_everything_and_come_back() {
        let turned = Smoothing::Off.next().next();
        assert_eq!((turned, turned.next()), (Smoothing::Strong, Smoothing::Off));
        assert_eq!(Span::Whole.other().other(), Span::Whole);
        assert_eq!(LossAxis::Linear.other().other(), LossAxis::Linear);
    }
}
