//! Faults on demand: what networks and registries do on bad days, a counted number of times.

use std::sync::{Arc, Mutex};

use axum::http::StatusCode;

use crate::sync::lock;

/// The faults of one registry and of the server that its blobs are downloaded from; clones share them.
///
/// Every fault happens `times` times, then things are well again.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    planned: Arc<Mutex<Vec<(Fault, u32)>>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Fault {
    Blob(String, Damage),
    Manifest(String),
    Status(String, u16),
    Abuse { retry_after_seconds: u32 },
    Upload { after_bytes: u64 },
}

/// What goes wrong with the body of a blob.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Damage {
    Cut { after_bytes: u64 },
    Corrupt,
    Stall { after_bytes: u64 },
}

impl Faults {
    /// Cuts the connection after `after_bytes` of the blob's body.
    pub fn cut_blob(&self, digest: &str, after_bytes: u64, times: u32) {
        self.plan(Fault::Blob(digest.into(), Damage::Cut { after_bytes }), times);
    }

    /// Sends a blob of the right length with a wrong byte.
    pub fn corrupt_blob(&self, digest: &str, times: u32) {
        self.plan(Fault::Blob(digest.into(), Damage::Corrupt), times);
    }

    /// Sends `after_bytes` of the blob's body and then nothing, with the connection open.
    pub fn stall_blob(&self, digest: &str, after_bytes: u64, times: u32) {
        self.plan(Fault::Blob(digest.into(), Damage::Stall { after_bytes }), times);
    }

    /// Sends a manifest with a wrong byte, under the headers of the right one. `digest` is the manifest's.
    pub fn corrupt_manifest(&self, digest: &str, times: u32) {
        self.plan(Fault::Manifest(digest.into()), times);
    }

    /// Answers requests of `kind` (`manifest.get`, `upload.post`, `token`; see [`Counts`](crate::Counts)) with a status.
    pub fn status(&self, kind: &str, code: u16, times: u32) {
        self.plan(Fault::Status(kind.into(), code), times);
    }

    /// Cuts the connection while a blob is received, after `after_bytes` of its body.
    pub fn cut_upload(&self, after_bytes: u64, times: u32) {
        self.plan(Fault::Upload { after_bytes }, times);
    }

    /// Answers any request with the plain 429 that is meant for abusers.
    pub(crate) fn abuse(&self, retry_after_seconds: u32, times: u32) {
        self.plan(Fault::Abuse { retry_after_seconds }, times);
    }

    pub(crate) fn take_blob(&self, digest: &str) -> Option<Damage> {
        self.take(|fault| match fault {
            Fault::Blob(planned, damage) if planned == digest => Some(*damage),
            _ => None,
        })
    }

    pub(crate) fn take_manifest(&self, digest: &str) -> bool {
        self.take(|fault| matches!(fault, Fault::Manifest(planned) if planned == digest).then_some(())).is_some()
    }

    pub(crate) fn take_status(&self, kind: &str) -> Option<StatusCode> {
        self.take(|fault| match fault {
            Fault::Status(planned, code) if planned == kind => StatusCode::from_u16(*code).ok(),
            _ => None,
        })
    }

    pub(crate) fn take_abuse(&self) -> Option<u32> {
        self.take(|fault| match fault {
            Fault::Abuse { retry_after_seconds } => Some(*retry_after_seconds),
            _ => None,
        })
    }

    pub(crate) fn take_upload(&self) -> Option<u64> {
        self.take(|fault| match fault {
            Fault::Upload { after_bytes } => Some(*after_bytes),
            _ => None,
        })
    }

    fn plan(&self, fault: Fault, times: u32) {
        lock(&self.planned).push((fault, times));
    }

    /// Uses up one occurrence of the first planned fault that `matching` recognises.
    fn take<T>(&self, matching: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let mut planned = lock(&self.planned);
        let (found, left) = planned
            .iter_mut()
            .filter(|(_, left)| *left > 0)
            .find_map(|(fault, left)| Some((matching(fault)?, left)))?;
        *left -= 1;
        Some(found)
    }
}
