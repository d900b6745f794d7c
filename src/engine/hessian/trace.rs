//! The trace of a layer's block: the sum of the squared norms of the rows of its factor.
//!
//! Rows that stand for themselves add up exactly. Each of the [`DRAWS`] rows that were drawn to stand
//! for the rest is an unbiased estimate of the whole rest, so their mean is added, and their spread
//! gives the standard error.

use super::rows::DRAWS;

/// A layer's trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trace {
    /// The trace.
    pub value: f64,
    /// Its standard error; 0 when exact.
    pub standard_error: f64,
}

/// Sums of the squared norms of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Squares {
    certain: f64,
    drawn: f64,
    draws: usize,
    /// Sum over the draws of the squared estimate of the rest.
    spread: f64,
}

impl Squares {
    /// Takes in a row, which was drawn this often; 0 for one that stands for itself.
    pub fn add(&mut self, square: f64, draws: usize) {
        if draws == 0 {
            self.certain += square;
            return;
        }
        // The row's square is `draws / DRAWS` of what one draw says of the rest.
        let estimate = square * DRAWS as f64 / draws as f64;
        self.drawn += square;
        self.draws += draws;
        self.spread += draws as f64 * estimate * estimate;
    }

    /// Takes in other rows of the same layer.
    pub fn merge(&mut self, other: &Self) {
        self.certain += other.certain;
        self.drawn += other.drawn;
        self.draws += other.draws;
        self.spread += other.spread;
    }

    /// The trace.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let draws = DRAWS as f64;
        let variance = (self.spread / draws - self.drawn * self.drawn).max(0.0);
        Trace {
            value: self.certain + self.drawn,
            standard_error: (variance / (draws - 1.0)).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_stand_for_themselves_give_an_exact_trace() {
        let mut squares = Squares::default();
        [1.0, 2.0, 3.5]
            .into_iter()
            .for_each(|square| squares.add(square, 0));
        let Trace {
            value,
            standard_error,
        } = squares.trace();
        assert!((value - 6.5).abs() < 1e-12 && standard_error.abs() < 1e-12);
    }

    #[test]
    fn draws_that_agree_leave_no_doubt_and_others_do() {
        let (mut even, mut uneven) = (Squares::default(), Squares::default());
        for draw in 0..DRAWS / 2 {
            even.add(2.0 * 0.25, 2);
            uneven.add(if draw % 2 == 0 { 0.1 } else { 0.9 }, 2);
        }
        let rest = 0.25 * DRAWS as f64;
        assert!((even.trace().value - rest).abs() < 1e-9);
        assert!(even.trace().standard_error < 1e-6 * rest);
        let error = uneven.trace().standard_error;
        // One draw says 1.6 or 14.4 at equal odds: a deviation of 6.4, over the root of 31.
        assert!(
            (error - 6.4 / (DRAWS as f64 - 1.0).sqrt()).abs() < 1e-9,
            "{error}"
        );
    }
}
