//! The window of a connection: how many bytes it may have in flight, as in TCP's slow start.

use std::collections::VecDeque;
use std::time::Instant;

/// Ten segments of 1,448 bytes (RFC 6928).
pub(super) const INITIAL_BYTES: u64 = 14_480;

/// The window of one connection in one direction.
#[derive(Debug)]
pub(super) struct Window {
    size_bytes: u64,
    /// When each group of bytes in flight is acknowledged, and its size in bytes.
    in_flight: VecDeque<(Instant, u64)>,
    in_flight_bytes: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            size_bytes: INITIAL_BYTES,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
        }
    }
}

impl Window {
    /// How many bytes may be sent at `now`. `share_bytes` is this connection's share of the line.
    pub(super) fn room_bytes(&mut self, now: Instant, share_bytes: u64) -> u64 {
        let largest = share_bytes.max(INITIAL_BYTES);
        while let Some((acknowledged, bytes)) = self.in_flight.front().copied()
            && acknowledged <= now
        {
            self.in_flight.pop_front();
            self.in_flight_bytes -= bytes;
            self.size_bytes += bytes;
        }
        self.size_bytes = self.size_bytes.min(largest);
        self.size_bytes.saturating_sub(self.in_flight_bytes)
    }

    /// When the next bytes are acknowledged and the window opens; `None` if nothing is in flight.
    pub(super) fn opens_at(&self) -> Option<Instant> {
        self.in_flight
            .front()
            .map(|(acknowledged, _)| *acknowledged)
    }

    /// Records that `bytes` were sent, and when they will be acknowledged.
    pub(super) fn record_sent(&mut self, bytes: u64, acknowledged: Instant) {
        self.in_flight.push_back((acknowledged, bytes));
        self.in_flight_bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(20);

    #[test]
    fn the_window_doubles_with_every_round_trip_up_to_the_share() {
        let (mut now, mut window) = (Instant::now(), Window::default());
        let mut sent = Vec::new();
        for _ in 0..5 {
            let room = window.room_bytes(now, 100_000);
            window.record_sent(room, now + ROUND_TRIP);
            sent.push(room);
            now += ROUND_TRIP;
        }
        assert_eq!(sent, [14_480, 28_960, 57_920, 100_000, 100_000]);
    }

    #[test]
    fn a_full_window_opens_with_the_next_acknowledgement() {
        let (now, mut window) = (Instant::now(), Window::default());
        window.record_sent(14_000, now + ROUND_TRIP);
        window.record_sent(480, now + 2 * ROUND_TRIP);
        assert_eq!(window.room_bytes(now, 1_000_000), 0);
        assert_eq!(window.opens_at(), Some(now + ROUND_TRIP));
        assert_eq!(window.room_bytes(now + ROUND_TRIP, 1_000_000), 28_000);
        assert_eq!(Window::default().opens_at(), None);
    }
}
