//! Things done at most once in a while, such as saving what would otherwise be saved many times a
//! second.

use std::time::{Duration, Instant};

/// How often an analysis under way is saved: this much of it can be lost.
pub const SAVED_EVERY: Duration = Duration::from_secs(1);

/// Tells when something is due again.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    last: Instant,
}

impl Pace {
    /// Due for the first time after `every`.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        let last = Instant::now();
        Self { every, last }
    }

    /// Whether it is due now; if so, the wait begins anew.
    pub fn is_due(&mut self) -> bool {
        let due = self.last.elapsed() >= self.every;
        if due {
            self.last = Instant::now();
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_at_once_is_always_due_and_what_is_due_in_an_hour_is_not() {
        let (mut always, mut rarely) = (
            Pace::new(Duration::ZERO),
            Pace::new(Duration::from_hours(1)),
        );
        assert!(always.is_due() && always.is_due());
        assert!(!rarely.is_due());
    }
}
