//! The number of requests at a registry.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::lock::lock;

/// Requests by [kind](super::KINDS), connections, and bytes of bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) requests: BTreeMap<String, u64>,
    pub(crate) connections: u64,
    pub(crate) served_bytes: u64,
    pub(crate) received_bytes: u64,
}

impl Counts {
    /// The number of requests of one kind.
    pub(crate) fn requests_of(&self, kind: &str) -> u64 {
        self.requests.get(kind).copied().unwrap_or(0)
    }
}

/// Counts that concurrent requests change.
#[derive(Debug, Default)]
pub(super) struct Counters {
    counts: Mutex<Counts>,
}

impl Counters {
    pub(super) fn read(&self) -> Counts {
        lock(&self.counts).clone()
    }

    pub(super) fn reset(&self) {
        *lock(&self.counts) = Counts::default();
    }

    pub(super) fn count_connection(&self) {
        lock(&self.counts).connections += 1;
    }

    pub(super) fn count_request(&self, kind: &str) {
        let mut counts = lock(&self.counts);
        *counts.requests.entry(kind.to_owned()).or_default() += 1;
    }

    pub(super) fn count_served(&self, bytes: usize) {
        lock(&self.counts).served_bytes += bytes as u64;
    }

    pub(super) fn count_received(&self, bytes: usize) {
        lock(&self.counts).received_bytes += bytes as u64;
    }
}
