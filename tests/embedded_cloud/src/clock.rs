//! The time of the embedded cloud: real time plus an offset that a test moves.
//!
//! Everything that expires uses this clock, so a test of a twelve-hour lifetime takes no time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use crate::sync::lock;

/// A clock that tests advance; clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset: Arc<Mutex<Duration>>,
}

impl Clock {
    /// The present time of the cloud.
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + *lock(&self.offset)
    }

    /// Moves the clock forward. Tokens, quota windows and signed URLs age accordingly.
    pub fn advance(&self, by: Duration) {
        *lock(&self.offset) += by;
    }
}
