//! How much a connection has under way, and when it may send more: TCP's slow start.

use std::collections::VecDeque;
use std::time::Instant;

/// Ten segments of 1,448 bytes (RFC 6928).
pub(super) const INITIAL_BYTES: u64 = 14_480;

/// The window of one connection in one direction.
#[derive(Debug)]
pub(super) struct Window {
    size_bytes: u64,
    under_way: VecDeque<(Instant, u64)>,
    sum_bytes: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            size_bytes: INITIAL_BYTES,
            under_way: VecDeque::new(),
            sum_bytes: 0,
        }
    }
}

impl Window {
    /// How many bytes may be sent `now`, when the line leaves `share_bytes` to this connection.
    pub(super) fn room_bytes(&mut self, now: Instant, share_bytes: u64) -> u64 {
        let largest = share_bytes.max(INITIAL_BYTES);
        while let Some((acknowledged, bytes)) = self.under_way.front().copied()
            && acknowledged <= now
        {
            self.under_way.pop_front();
            self.sum_bytes -= bytes;
            self.size_bytes += bytes;
        }
        self.size_bytes = self.size_bytes.min(largest);
        self.size_bytes.saturating_sub(self.sum_bytes)
    }

    /// When the next bytes are acknowledged, so that there is more room; never, where nothing is under way.
    pub(super) fn opens_at(&self) -> Option<Instant> {
        self.under_way
            .front()
            .map(|(acknowledged, _)| *acknowledged)
    }

    /// Notes what was sent.
    pub(super) fn sent(&mut self, bytes: u64, acknowledged: Instant) {
        self.under_way.push_back((acknowledged, bytes));
        self.sum_bytes += bytes;
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
            window.sent(room, now + ROUND_TRIP);
            sent.push(room);
            now += ROUND_TRIP;
        }
        assert_eq!(sent, [14_480, 28_960, 57_920, 100_000, 100_000]);
    }

    #[test]
    fn a_full_window_opens_with_the_next_acknowledgement() {
        let (now, mut window) = (Instant::now(), Window::default());
        window.sent(14_000, now + ROUND_TRIP);
        window.sent(480, now + 2 * ROUND_TRIP);
        assert_eq!(window.room_bytes(now, 1_000_000), 0);
        assert_eq!(window.opens_at(), Some(now + ROUND_TRIP));
        assert_eq!(window.room_bytes(now + ROUND_TRIP, 1_000_000), 28_000);
        assert_eq!(Window::default().opens_at(), None);
    }
}
