//! What was asked of a registry.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// Requests by [kind](super::KINDS), connections, and the bytes of bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) requests: BTreeMap<String, u64>,
    pub(crate) connections: u64,
    pub(crate) served_bytes: u64,
    pub(crate) received_bytes: u64,
}

/// Counts that many requests change at once.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<Counts>);

impl Counters {
    pub(super) fn read(&self) -> Counts {
        self.lock().clone()
    }

    pub(super) fn reset(&self) {
        *self.lock() = Counts::default();
    }

    pub(super) fn connection(&self) {
        self.lock().connections += 1;
    }

    pub(super) fn request(&self, kind: &str) {
        *self.lock().requests.entry(kind.to_owned()).or_default() += 1;
    }

    pub(super) fn served(&self, bytes: u64) {
        self.lock().served_bytes += bytes;
    }

    pub(super) fn received(&self, bytes: u64) {
        self.lock().received_bytes += bytes;
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
