//! One direction of the client's line: a queue that empties at a fixed rate.

use std::time::{Duration, Instant};

/// Bytes leave in the order in which they came, one after another.
#[derive(Debug)]
pub(super) struct Link {
    bytes_per_second: u64,
    free_at: Instant,
    /// Connections that have something under way.
    pub(super) active: usize,
}

impl Link {
    pub(super) fn new(bytes_per_second: u64, now: Instant) -> Self {
        Self { bytes_per_second, free_at: now, active: 0 }
    }

    /// When the last of `bytes` that are handed over `now` has left.
    pub(super) fn departure(&mut self, now: Instant, bytes: u64) -> Instant {
        self.free_at = self.free_at.max(now) + self.duration(bytes);
        self.free_at
    }

    /// How much one connection may have under way: what fills the line twice over a round trip, in equal shares. Congestion
    /// control comes to about that in the long run.
    pub(super) fn share_bytes(&self, round_trip: Duration) -> u64 {
        let line = u128::from(self.bytes_per_second) * round_trip.as_micros() / 1_000_000;
        2 * u64::try_from(line).unwrap_or(u64::MAX) / self.active.max(1) as u64
    }

    fn duration(&self, bytes: u64) -> Duration {
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn bytes_wait_for_those_before_them() {
        let start = Instant::now();
        let mut link = Link::new(1_000_000, start);
        assert_eq!(link.departure(start, 10_000), start + 10 * MS);
        assert_eq!(link.departure(start + 2 * MS, 10_000), start + 20 * MS);
    }

    #[test]
    fn a_line_that_was_idle_saves_nothing_up() {
        let start = Instant::now();
        let mut link = Link::new(1_000_000, start);
        link.departure(start, 1_000);
        assert_eq!(link.departure(start + 500 * MS, 10_000), start + 510 * MS);
    }

    #[test]
    fn connections_share_what_fills_the_line() {
        let mut link = Link::new(78_000_000, Instant::now());
        assert_eq!(link.share_bytes(20 * MS), 3_120_000);
        link.active = 4;
        assert_eq!(link.share_bytes(20 * MS), 780_000);
    }
}
