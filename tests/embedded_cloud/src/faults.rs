//! Faults on demand: what networks and registries do on bad days, a counted number of times or until it is enough.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::http::StatusCode;

use crate::image::{Image, Manifest};
use crate::sync::lock;

mod state;

use state::State;

/// The faults of one registry, of its token service and of the server that its blobs are downloaded from; clones share them.
///
/// Every fault that has `times` happens so often, then things are well again.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    planned: Arc<Mutex<Vec<(Fault, u32)>>>,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Fault {
    Blob(String, Damage),
    Range(String, Misreading),
    Manifest(String, Twist),
    Status(String, u16),
    /// For requests of one kind, or for all.
    Abuse {
        kind: Option<&'static str>,
        retry_after_seconds: u32,
    },
    Upload {
        after_bytes: u64,
    },
    LostAnswer,
}

/// What is sent in place of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Twist {
    /// The same with a wrong byte.
    Corrupt,
    /// Another one.
    Lie(Manifest),
}

/// What is sent in place of the part of a blob that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Misreading {
    /// All of it, as by servers that know no ranges.
    Whole,
    /// Another part, which the answer names: from the first byte on.
    FromTheFirst,
    /// None: 416.
    Refused,
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
        self.plan(
            Fault::Blob(digest.into(), Damage::Cut { after_bytes }),
            times,
        );
    }

    /// Sends a blob of the right length with a wrong byte.
    pub fn corrupt_blob(&self, digest: &str, times: u32) {
        self.plan(Fault::Blob(digest.into(), Damage::Corrupt), times);
    }

    /// Sends `after_bytes` of the blob's body and then nothing, with the connection open.
    pub fn stall_blob(&self, digest: &str, after_bytes: u64, times: u32) {
        self.plan(
            Fault::Blob(digest.into(), Damage::Stall { after_bytes }),
            times,
        );
    }

    /// Sends the whole blob where a range of it is asked for.
    pub fn ignore_range(&self, digest: &str, times: u32) {
        self.plan(Fault::Range(digest.into(), Misreading::Whole), times);
    }

    /// Sends another range of the blob than was asked for, and says so.
    pub fn send_wrong_range(&self, digest: &str, times: u32) {
        self.plan(Fault::Range(digest.into(), Misreading::FromTheFirst), times);
    }

    /// Refuses to send a range of the blob.
    pub fn refuse_range(&self, digest: &str, times: u32) {
        self.plan(Fault::Range(digest.into(), Misreading::Refused), times);
    }

    /// Sends a manifest with a wrong byte, under the headers of the right one. `digest` is the manifest's.
    pub fn corrupt_manifest(&self, digest: &str, times: u32) {
        self.plan(Fault::Manifest(digest.into(), Twist::Corrupt), times);
    }

    /// Sends the manifest of another image for the one with this digest, under a header that still claims the digest. `HEAD`
    /// tells the truth.
    pub fn replace_manifest(&self, digest: &str, instead: &Image, times: u32) {
        let manifest = Manifest {
            digest: instead.digest(),
            media_type: instead.media_type().into(),
            bytes: instead.manifest().clone(),
        };
        self.plan(Fault::Manifest(digest.into(), Twist::Lie(manifest)), times);
    }

    /// Answers requests of `kind` (`manifest.get`, `upload.post`, `token`; see [`Counts`](crate::Counts)) with a status.
    pub fn status(&self, kind: &str, code: u16, times: u32) {
        self.plan(Fault::Status(kind.into(), code), times);
    }

    /// Cuts the connection while a blob is received, after `after_bytes` of its body.
    pub fn cut_upload(&self, after_bytes: u64, times: u32) {
        self.plan(Fault::Upload { after_bytes }, times);
    }

    /// Stores manifests that are put, and closes the connection in place of an answer.
    pub fn lose_responses(&self, times: u32) {
        self.plan(Fault::LostAnswer, times);
    }

    /// Answers `requests` more of any kind; then every connection is closed without an answer, until [`Faults::restart`].
    pub fn stop_after(&self, requests: u32) {
        self.state().stop_after(requests);
    }

    /// Ends what [`Faults::stop_after`] began.
    pub fn restart(&self) {
        self.state().restart();
    }

    /// Redirects downloads of blobs to `url/<digest>`, until [`Faults::stop_redirecting_blobs`].
    pub fn redirect_blobs(&self, url: &str) {
        self.state().redirect_blobs(Some(url.into()));
    }

    /// Ends what [`Faults::redirect_blobs`] began.
    pub fn stop_redirecting_blobs(&self) {
        self.state().redirect_blobs(None);
    }

    /// Answers requests of a kind, or any, with the plain 429 that is meant for abusers.
    pub(crate) fn abuse(&self, kind: Option<&'static str>, retry_after_seconds: u32, times: u32) {
        self.plan(
            Fault::Abuse {
                kind,
                retry_after_seconds,
            },
            times,
        );
    }

    /// Lets one more request in, unless all is dead by now.
    pub(crate) fn admit(&self) -> bool {
        self.state().admit()
    }

    /// Where a blob is redirected to, if it is to be.
    pub(crate) fn redirect(&self, digest: &str) -> Option<String> {
        self.state().redirect(digest)
    }

    pub(crate) fn take_blob(&self, digest: &str) -> Option<Damage> {
        self.take(|fault| match fault {
            Fault::Blob(planned, damage) if planned == digest => Some(*damage),
            _ => None,
        })
    }

    pub(crate) fn take_range(&self, digest: &str) -> Option<Misreading> {
        self.take(|fault| match fault {
            Fault::Range(planned, misreading) if planned == digest => Some(*misreading),
            _ => None,
        })
    }

    pub(crate) fn take_manifest(&self, digest: &str) -> Option<Twist> {
        self.take(|fault| match fault {
            Fault::Manifest(planned, twist) if planned == digest => Some(twist.clone()),
            _ => None,
        })
    }

    pub(crate) fn take_status(&self, kind: &str) -> Option<StatusCode> {
        self.take(|fault| match fault {
            Fault::Status(planned, code) if planned == kind => StatusCode::from_u16(*code).ok(),
            _ => None,
        })
    }

    pub(crate) fn take_abuse(&self, kind: &str) -> Option<u32> {
        self.take(|fault| match fault {
            Fault::Abuse {
                kind: planned,
                retry_after_seconds,
            } if planned.is_none_or(|planned| planned == kind) => Some(*retry_after_seconds),
            _ => None,
        })
    }

    /// Whether a body that has reached so many bytes is cut there.
    pub(crate) fn cuts_upload(&self, reached: u64) -> bool {
        let cut = self.take(|fault| match fault {
            Fault::Upload { after_bytes } if *after_bytes <= reached => Some(()),
            _ => None,
        });
        cut.is_some()
    }

    pub(crate) fn loses_answer(&self) -> bool {
        self.take(|fault| matches!(fault, Fault::LostAnswer).then_some(()))
            .is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
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
