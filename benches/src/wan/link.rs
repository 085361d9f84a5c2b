//! One direction of the client's line: a queue that is sent at a fixed rate.

use std::time::{Duration, Instant};

use super::window::INITIAL_BYTES;

/// Bytes leave in the order in which they arrive.
#[derive(Debug)]
pub(super) struct Link {
    bytes_per_second: u64,
    free_at: Instant,
    /// Connections that share the line: those with more than an initial window in flight. Small
    /// requests do not reduce the share of a download.
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

    /// Queues `bytes` at `now` and returns when the last of them has left.
    pub(super) fn enqueue(&mut self, now: Instant, bytes: u64) -> Instant {
        self.free_at = self.free_at.max(now) + self.transmission_time(bytes);
        self.free_at
    }

    /// How many bytes one connection may have in flight: an equal share of twice the bytes that the
    /// line carries in a round trip. TCP's congestion control converges to about this value.
    pub(super) fn share_bytes(&self, round_trip: Duration) -> u64 {
        let bytes_per_round_trip =
            u128::from(self.bytes_per_second) * round_trip.as_micros() / 1_000_000;
        let limit_bytes = 2 * u64::try_from(bytes_per_round_trip).unwrap_or(u64::MAX);
        limit_bytes / self.sharing.max(1) as u64
    }

    /// Records that the bytes of one connection in flight changed from `before_bytes` to
    /// `after_bytes`.
    pub(super) fn record_in_flight(&mut self, before_bytes: u64, after_bytes: u64) {
        let did_share = before_bytes > INITIAL_BYTES;
        let shares = after_bytes > INITIAL_BYTES;
        match (did_share, shares) {
            (false, true) => self.sharing += 1,
            (true, false) => self.sharing -= 1,
            _ => {}
        }
    }

    fn transmission_time(&self, bytes: u64) -> Duration {
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn bytes_wait_for_earlier_bytes() {
        let start = Instant::now();
        let mut link = Link::new(1_000_000, start);
        assert_eq!(link.enqueue(start, 10_000), start + 10 * MS);
        assert_eq!(link.enqueue(start + 2 * MS, 10_000), start + 20 * MS);
    }

    #[test]
    fn an_idle_line_saves_no_capacity() {
        let start = Instant::now();
        let mut link = Link::new(1_000_000, start);
        link.enqueue(start, 1_000);
        assert_eq!(link.enqueue(start + 500 * MS, 10_000), start + 510 * MS);
    }

    #[test]
    fn connections_with_more_than_an_initial_window_share_the_line() {
        let mut link = Link::new(78_000_000, Instant::now());
        assert_eq!(link.share_bytes(20 * MS), 3_120_000);
        for _ in 0..4 {
            link.record_in_flight(0, 500);
            link.record_in_flight(0, 20_000);
        }
        assert_eq!(link.share_bytes(20 * MS), 780_000);
        link.record_in_flight(20_000, 500);
        link.record_in_flight(20_000, 30_000);
        assert_eq!(link.share_bytes(20 * MS), 1_040_000);
    }
}
