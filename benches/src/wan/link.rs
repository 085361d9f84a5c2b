//! One direction of the client's line: a queue that empties at a fixed rate.

use std::time::{Duration, Instant};

use super::window::INITIAL_BYTES;

/// Bytes leave in the order in which they came, one after another.
#[derive(Debug)]
pub(super) struct Link {
    bytes_per_second: u64,
    free_at: Instant,
    /// Connections that share the line: those with more under way than any may have from the start. A question takes nothing from a
    /// stream.
    sharing: usize,
}

impl Link {
    pub(super) fn new(bytes_per_second: u64, now: Instant) -> Self {
        Self {
            bytes_per_second,
            free_at: now,
            sharing: 0,
        }
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
        2 * u64::try_from(line).unwrap_or(u64::MAX) / self.sharing.max(1) as u64
    }

    /// One connection had `before_bytes` under way, and has `now_bytes`.
    pub(super) fn note(&mut self, before_bytes: u64, now_bytes: u64) {
        let shares = |bytes| usize::from(bytes > INITIAL_BYTES);
        self.sharing = self.sharing + shares(now_bytes) - shares(before_bytes);
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
    fn connections_with_much_under_way_share_what_fills_the_line() {
        let mut link = Link::new(78_000_000, Instant::now());
        assert_eq!(link.share_bytes(20 * MS), 3_120_000);
        for _ in 0..4 {
            link.note(0, 500);
            link.note(0, 20_000);
        }
        assert_eq!(link.share_bytes(20 * MS), 780_000);
        link.note(20_000, 500);
        link.note(20_000, 30_000);
        assert_eq!(link.share_bytes(20 * MS), 1_040_000);
    }
}
