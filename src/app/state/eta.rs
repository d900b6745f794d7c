//! How long work will still take, from its own pace, without its warm-up and its pauses.

use std::time::Duration;

/// Pace is measured over at least this long.
const WARM_UP: Duration = Duration::from_millis(600);

/// The pace of one counted piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Eta {
    /// Where the measured stretch began.
    origin: Option<(Duration, u64)>,
    /// Where it ends so far.
    latest: Option<(Duration, u64)>,
    total: u64,
}

impl Eta {
    /// `done` of `total` units are finished at `now`.
    pub fn observe(&mut self, now: Duration, done: u64, total: u64) {
        if total != self.total || self.latest.is_some_and(|(_, before)| done < before) {
            *self = Self {
                total,
                ..Self::default()
            };
        }
        self.origin.get_or_insert((now, done));
        self.latest = Some((now, done));
    }

    /// Forgets the pace, because time passed without work.
    pub fn interrupt(&mut self) {
        self.origin = None;
    }

    /// Units a second.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let ((start, first), (end, last)) = (self.origin?, self.latest?);
        let span = end.saturating_sub(start);
        let moved = last.checked_sub(first).filter(|moved| *moved > 0)?;
        (span >= WARM_UP).then(|| moved as f64 / span.as_secs_f64())
    }

    /// Time left at `now`; unknown until the pace is.
    #[must_use]
    pub fn remaining(&self, now: Duration) -> Option<Duration> {
        let (at, done) = self.latest?;
        let left = self.total.saturating_sub(done) as f64 / self.rate()?;
        let left = left - now.saturating_sub(at).as_secs_f64();
        Some(Duration::from_secs_f64(left.clamp(0.0, 1e9)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn the_pace_gives_the_time_left() {
        let mut eta = Eta::default();
        eta.observe(seconds(0), 0, 100);
        assert_eq!(eta.remaining(seconds(0)), None);
        eta.observe(seconds(10), 20, 100);
        assert_eq!(eta.rate(), Some(2.0));
        assert_eq!(eta.remaining(seconds(10)), Some(seconds(40)));
        assert_eq!(eta.remaining(seconds(15)), Some(seconds(35)));
        assert_eq!(eta.remaining(seconds(500)), Some(seconds(0)));
    }

    #[test]
    fn pauses_and_new_totals_start_over() {
        let mut eta = Eta::default();
        eta.observe(seconds(0), 0, 100);
        eta.observe(seconds(10), 20, 100);
        eta.interrupt();
        eta.observe(seconds(1000), 20, 100);
        assert_eq!(eta.remaining(seconds(1000)), None);
        eta.observe(seconds(1010), 40, 100);
        assert_eq!(eta.remaining(seconds(1010)), Some(seconds(30)));
        eta.observe(seconds(1011), 0, 7);
        assert_eq!(eta.remaining(seconds(1011)), None);
    }
}
