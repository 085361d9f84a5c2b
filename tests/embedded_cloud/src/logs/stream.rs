//! The events of one log stream.

use std::ops::Range;

use jiff::Timestamp;
use serde_json::{Value, json};

/// The largest event, and the largest page: 1 MiB.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// The overhead that `CloudWatch` Logs adds to the size of every message, in bytes.
const OVERHEAD_BYTES: usize = 26;

/// Events in the order of their times; the clock never goes back.
#[derive(Debug, Default)]
pub(super) struct Stream(Vec<Event>);

#[derive(Debug)]
pub(super) struct Event {
    logged_ms: i64,
    message: String,
}

impl Stream {
    pub(super) fn append(&mut self, message: String, now: Timestamp) {
        let event = Event {
            logged_ms: now.as_millisecond(),
            message,
        };
        assert!(
            !event.message.is_empty() && event.size_bytes() <= MAX_BYTES,
            "no log event has that size"
        );
        self.0.push(event);
    }

    /// The positions of the events from `start_ms` on and before `end_ms`, both in milliseconds
    /// since 1970.
    pub(super) fn between(&self, start_ms: Option<i64>, end_ms: Option<i64>) -> Range<usize> {
        let position = |time: i64| self.0.partition_point(|event| event.logged_ms < time);
        let start = start_ms.map_or(0, position);
        start..end_ms.map_or(self.0.len(), position).max(start)
    }

    pub(super) fn events(&self, range: Range<usize>) -> &[Event] {
        &self.0[range]
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Event {
    pub(super) fn size_bytes(&self) -> usize {
        self.message.len() + OVERHEAD_BYTES
    }

    pub(super) fn view(&self) -> Value {
        json!({ "timestamp": self.logged_ms, "message": self.message, "ingestionTime": self.logged_ms })
    }
}
