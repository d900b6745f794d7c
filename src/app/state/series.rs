//! A curve of any length in bounded memory: the last points as they came, and the whole history in
//! bins that double their width whenever they are full.

use std::collections::VecDeque;

/// Points kept as they came.
const RECENT: usize = 600;
/// Bins of the whole history.
const BINS: usize = 256;

/// A curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    recent: VecDeque<(f64, f64)>,
    bins: Vec<(f64, f64)>,
    /// Points a bin holds.
    width: usize,
    /// Sums of the bin that is being filled.
    open: (f64, f64, usize),
    last: Option<(f64, f64)>,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            recent: VecDeque::new(),
            bins: Vec::new(),
            width: 1,
            open: (0.0, 0.0, 0),
            last: None,
        }
    }
}

impl Series {
    /// Adds a point; one that is not finite is left out.
    pub fn push(&mut self, x: f64, y: f64) {
        if !(x.is_finite() && y.is_finite()) {
            return;
        }
        self.last = Some((x, y));
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((x, y));
        let (sum_x, sum_y, count) = &mut self.open;
        (*sum_x, *sum_y, *count) = (*sum_x + x, *sum_y + y, *count + 1);
        if *count == self.width {
            self.bins
                .push((*sum_x / *count as f64, *sum_y / *count as f64));
            self.open = (0.0, 0.0, 0);
            if self.bins.len() == BINS {
                self.halve();
            }
        }
    }

    /// Joins neighbouring bins.
    fn halve(&mut self) {
        let mean = |pair: &[(f64, f64)]| {
            let count = pair.len() as f64;
            let sum = pair
                .iter()
                .fold((0.0, 0.0), |sum, p| (sum.0 + p.0, sum.1 + p.1));
            (sum.0 / count, sum.1 / count)
        };
        self.bins = self.bins.chunks(2).map(mean).collect();
        self.width *= 2;
    }

    /// The whole history, at most a few hundred points, the newest point last.
    #[must_use]
    pub fn history(&self) -> Vec<(f64, f64)> {
        let mut points = self.bins.clone();
        if points.last() != self.last.as_ref() {
            points.extend(self.last);
        }
        points
    }

    /// The whole history in means of [`Self::width`] points each; the newest, of which there are fewer,
    /// are left out.
    #[must_use]
    pub fn means(&self) -> Vec<(f64, f64)> {
        self.bins.clone()
    }

    /// The last points as they came, the newest last.
    #[must_use]
    pub fn recent(&self) -> Vec<(f64, f64)> {
        self.recent.iter().copied().collect()
    }

    /// Points that one of the whole history is the mean of.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Whether there were more points than [`Self::recent`] holds.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.bins.len() * self.width + self.open.2 > self.recent.len()
    }

    /// Points in memory, which do not grow with the curve.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.recent.len() + self.bins.len()
    }

    /// The newest point.
    #[must_use]
    pub const fn last(&self) -> Option<(f64, f64)> {
        self.last
    }

    /// Mean of the values of the last `count` points.
    #[must_use]
    pub fn recent_mean(&self, count: usize) -> Option<f64> {
        let taken = self.recent.len().min(count);
        let sum: f64 = self
            .recent
            .iter()
            .rev()
            .take(taken)
            .map(|point| point.1)
            .sum();
        (taken > 0).then(|| sum / taken as f64)
    }

    /// Mean of the values of the last `most` points beyond `x`.
    #[must_use]
    pub fn mean_after(&self, x: f64, most: usize) -> Option<f64> {
        let beyond = self.recent.iter().rev().take_while(|point| point.0 > x);
        let (sum, count) = beyond
            .take(most)
            .fold((0.0, 0), |(sum, count), point| (sum + point.1, count + 1));
        (count > 0).then(|| sum / f64::from(count))
    }

    /// Whether there is no point.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.last.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_stays_small_and_spans_everything() {
        let mut series = Series::default();
        for step in 0..1_000_000_u32 {
            series.push(f64::from(step), 2.0);
        }
        let history = series.history();
        assert!(history.len() <= BINS + 1);
        assert!(history[0].0 < 10_000.0);
        assert_eq!(history.last(), Some(&(999_999.0, 2.0)));
        assert!(history.iter().all(|point| (point.1 - 2.0).abs() < 1e-12));
        assert!(history.is_sorted_by(|a, b| a.0 <= b.0));
        assert!(series.is_long() && series.kept() <= RECENT + BINS);
        assert_eq!(series.recent().len(), RECENT);
        assert_eq!(series.recent().last(), Some(&(999_999.0, 2.0)));
        assert!(series.width() * BINS >= 1_000_000);
    }

    #[test]
    fn the_recent_part_of_a_short_curve_is_all_of_it() {
        let mut series = Series::default();
        for step in 0..RECENT as u32 {
            series.push(f64::from(step), f64::from(step));
        }
        assert!(!series.is_long());
        assert_eq!(series.mean_after(597.0, 20), Some(598.5));
        assert_eq!(series.mean_after(0.0, 3), Some(598.0));
        assert_eq!(series.mean_after(599.0, 3), None);
        series.push(600.0, 0.0);
        assert!(series.is_long());
    }

    #[test]
    fn values_that_are_no_numbers_are_left_out() {
        let mut series = Series::default();
        series.push(0.0, f64::NAN);
        series.push(f64::INFINITY, 1.0);
        assert!(series.is_empty() && series.history().is_empty());
        assert_eq!(series.recent_mean(5), None);
        series.push(1.0, 4.0);
        series.push(2.0, 2.0);
        assert_eq!(series.recent_mean(5), Some(3.0));
    }
}
