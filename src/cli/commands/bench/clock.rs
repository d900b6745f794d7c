//! Wall times of works that are done again and again.

use std::time::Instant;

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::report::Reporter;

/// Seconds of each repetition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Times(pub Vec<f64>);

impl Times {
    /// The middle one, or the mean of the middle two.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// The shortest.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The longest.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }

    /// Repetition by repetition, the mean over all of `series`.
    #[must_use]
    pub fn mean_of(series: &[Self]) -> Self {
        let repeats = series.first().map_or(0, |times| times.0.len());
        let mean = |at: usize| {
            let sum: f64 = series.iter().map(|times| times.0[at]).sum();
            sum / series.len() as f64
        };
        Self((0..repeats).map(mean).collect())
    }
}

/// Times in a result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seconds {
    /// The median.
    #[serde(rename = "median_s")]
    pub median: f64,
    /// The shortest.
    #[serde(rename = "min_s")]
    pub least: f64,
    /// The longest.
    #[serde(rename = "max_s")]
    pub most: f64,
    /// All, in order.
    #[serde(rename = "all_s")]
    pub all: Vec<f64>,
}

impl From<Times> for Seconds {
    fn from(times: Times) -> Self {
        Self {
            median: times.median(),
            least: times.least(),
            most: times.most(),
            all: times.0,
        }
    }
}

/// Repeats works and times them, until somebody asks to stop.
pub struct Clock<'a> {
    repeats: usize,
    reporter: &'a Reporter,
}

impl<'a> Clock<'a> {
    /// That repeats so many times.
    #[must_use]
    pub const fn new(repeats: usize, reporter: &'a Reporter) -> Self {
        Self { repeats, reporter }
    }

    /// Times of a work, after doing it once to warm up.
    ///
    /// # Errors
    /// Those of the work; [`Failure::interrupted`] when asked to stop.
    pub fn time(&self, once: &mut dyn FnMut() -> Result<(), Failure>) -> Result<Times, Failure> {
        let mut all = self.time_each(1, &mut |_| once())?;
        Ok(all.swap_remove(0))
    }

    /// Times of several works, done in turn in each repetition, after doing each once to warm up.
    ///
    /// # Errors
    /// Those of the works; [`Failure::interrupted`] when asked to stop.
    pub fn time_each(
        &self,
        works: usize,
        once: &mut dyn FnMut(usize) -> Result<(), Failure>,
    ) -> Result<Vec<Times>, Failure> {
        let mut all = vec![Times::default(); works];
        (0..works).try_for_each(&mut *once)?;
        for _ in 0..self.repeats {
            for (work, times) in all.iter_mut().enumerate() {
                self.check()?;
                let start = Instant::now();
                once(work)?;
                times.0.push(start.elapsed().as_secs_f64());
            }
        }
        Ok(all)
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`Failure::interrupted`] when asked to stop.
    pub fn check(&self) -> Result<(), Failure> {
        if self.reporter.is_stopping() {
            return Err(interrupted());
        }
        Ok(())
    }
}

/// A benchmark that was stopped keeps nothing.
pub fn interrupted() -> Failure {
    Failure::interrupted("nothing was kept")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Progress;
    use crate::cli::failure::Exit;
    use crate::cli::stop::Stop;

    #[test]
    fn the_median_is_the_middle() {
        assert!((Times(vec![3.0, 1.0, 2.0]).median() - 2.0).abs() < 1e-12);
        assert!((Times(vec![4.0, 1.0, 2.0, 9.0]).median() - 3.0).abs() < 1e-12);
        assert!(Times::default().median().is_nan());
    }

    #[test]
    fn the_mean_is_taken_repetition_by_repetition() {
        let series = [Times(vec![1.0, 2.0]), Times(vec![3.0, 6.0])];
        assert_eq!(Times::mean_of(&series), Times(vec![2.0, 4.0]));
    }

    #[test]
    fn works_are_done_in_turn_once_more_than_they_are_timed() {
        let reporter = Reporter::new(Progress::None, true, Stop::default());
        let mut done = Vec::new();
        let mut once = |work| {
            done.push(work);
            Ok(())
        };
        let times = Clock::new(2, &reporter).time_each(2, &mut once).unwrap();
        assert_eq!(done, [0, 1, 0, 1, 0, 1]);
        assert!(times.iter().all(|times| times.0.len() == 2));
    }

    #[test]
    fn a_wish_to_stop_ends_it() {
        let stop = Stop::default();
        let reporter = Reporter::new(Progress::None, true, stop.clone());
        let mut once = || {
            stop.ask();
            Ok(())
        };
        let ended = Clock::new(2, &reporter).time(&mut once).unwrap_err();
        assert_eq!(ended.exit, Exit::Interrupted);
    }
}
