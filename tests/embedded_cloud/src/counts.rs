//! Counters: requests and bytes by kind, and the peak of concurrent transfers.
//!
//! A kind is `<server>.<subject>.<verb>`: `hub.manifest.head`, `ecr.upload.put`,
//! `ecr.api.DescribeImages`. Bytes have their own kinds: `cdn.bytes` and `s3.bytes` are downloads,
//! `ecr.bytes` are uploads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// Counters of the whole cloud; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    totals: BTreeMap<String, u64>,
    open: BTreeMap<String, u64>,
    peaks: BTreeMap<String, u64>,
}

impl Counts {
    /// The number of requests of `kind`, or of bytes if `kind` ends in `bytes`.
    pub fn get(&self, kind: &str) -> u64 {
        lock(&self.state).totals.get(kind).copied().unwrap_or(0)
    }

    /// The sum of all kinds that begin with `prefix`.
    pub fn sum(&self, prefix: &str) -> u64 {
        lock(&self.state)
            .totals
            .iter()
            .filter(|(kind, _)| kind.starts_with(prefix))
            .map(|(_, total)| total)
            .sum()
    }

    /// Every counted kind, with its total.
    pub fn all(&self) -> BTreeMap<String, u64> {
        lock(&self.state).totals.clone()
    }

    /// The peak of concurrent transfers of `kind`: `cdn.download`, `s3.download`, `ecr.upload`.
    pub fn peak(&self, kind: &str) -> u64 {
        lock(&self.state).peaks.get(kind).copied().unwrap_or(0)
    }

    /// Resets all totals and peaks. Open transfers stay open.
    pub fn reset(&self) {
        let mut state = lock(&self.state);
        state.totals.clear();
        state.peaks = state.open.clone();
    }

    /// Counts one of `kind`.
    pub(crate) fn hit(&self, kind: &str) {
        self.add(kind, 1);
    }

    /// Counts `amount` of `kind`.
    pub(crate) fn add(&self, kind: &str, amount: u64) {
        *lock(&self.state).totals.entry(kind.to_owned()).or_default() += amount;
    }

    /// Opens a transfer of `kind`, which lasts until the guard is dropped.
    pub(crate) fn open(&self, kind: String) -> OpenTransfer {
        let mut state = lock(&self.state);
        let open = state.open.entry(kind.clone()).or_default();
        *open += 1;
        let now = *open;
        let peak = state.peaks.entry(kind.clone()).or_default();
        *peak = now.max(*peak);
        drop(state);
        OpenTransfer {
            counts: self.clone(),
            kind,
        }
    }
}

/// An open transfer.
#[derive(Debug)]
pub(crate) struct OpenTransfer {
    counts: Counts,
    kind: String,
}

impl Drop for OpenTransfer {
    fn drop(&mut self) {
        if let Some(open) = lock(&self.counts.state).open.get_mut(&self.kind) {
            *open -= 1;
        }
    }
}
