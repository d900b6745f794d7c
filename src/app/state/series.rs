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
