//! Uploads in progress.

use std::collections::HashMap;
use std::sync::Mutex;

use image_replicator::image::digest::Hasher;

use crate::lock::lock;

/// Uploads in progress.
#[derive(Default)]
pub(super) struct Sessions {
    sessions: Mutex<NumberedSessions>,
}

#[derive(Default)]
struct NumberedSessions {
    last_number: u64,
    by_number: HashMap<u64, Session>,
}

/// An upload in progress. Its bytes are counted, hashed if uploads are verified, and discarded.
pub(super) struct Session {
    pub(super) received_bytes: u64,
    pub(super) hasher: Option<Hasher>,
}

impl Sessions {
    /// Adds a session and returns its number.
    pub(super) fn add(&self, session: Session) -> u64 {
        let mut sessions = lock(&self.sessions);
        sessions.last_number += 1;
        let number = sessions.last_number;
        sessions.by_number.insert(number, session);
        number
    }

    pub(super) fn take(&self, number: u64) -> Option<Session> {
        lock(&self.sessions).by_number.remove(&number)
    }

    pub(super) fn put_back(&self, number: u64, session: Session) {
        lock(&self.sessions).by_number.insert(number, session);
    }
}
