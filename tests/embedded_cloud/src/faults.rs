//! Planned faults of networks and registries: a number of times, or until a test ends them.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::http::StatusCode;

use crate::image::{Image, Manifest};
use crate::sync::lock;

mod state;

use state::State;

/// The faults of one registry, of its token service and of its download server; clones share them.
///
/// A fault with `times` occurs that many times; then the service works again.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    planned: Arc<Mutex<Vec<(Fault, u32)>>>,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Fault {
    Blob(String, BodyFault),
    Range(String, RangeFault),
    Manifest(String, ManifestFault),
    Status(String, u16),
    /// For requests of one kind, or for all.
    RateLimit {
        kind: Option<&'static str>,
        retry_after_seconds: u32,
    },
    Upload {
        after_bytes: u64,
    },
    LostResponse,
}

/// What is sent instead of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ManifestFault {
    /// The manifest with a wrong byte.
    Corrupt,
    /// Another manifest.
    Replaced(Manifest),
}

/// What is sent instead of the requested range of a blob.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RangeFault {
    /// The whole blob, like servers without range support.
    Whole,
    /// Another range, which the response states: from byte 0 on.
    FromTheFirst,
    /// Nothing: status 416.
    Refused,
}

/// The fault of a blob body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BodyFault {
    Cut { after_bytes: u64 },
    Corrupt,
    Stall { after_bytes: u64 },
}

impl Faults {
    /// Cuts the connection after `after_bytes` of the blob's body.
    pub fn cut_blob(&self, digest: &str, after_bytes: u64, times: u32) {
        self.plan(
            Fault::Blob(digest.into(), BodyFault::Cut { after_bytes }),
            times,
        );
    }

    /// Sends a blob of the right length with a wrong byte.
    pub fn corrupt_blob(&self, digest: &str, times: u32) {
        self.plan(Fault::Blob(digest.into(), BodyFault::Corrupt), times);
    }

    /// Sends `after_bytes` of the blob, then nothing, with the connection open.
    pub fn stall_blob(&self, digest: &str, after_bytes: u64, times: u32) {
        self.plan(
            Fault::Blob(digest.into(), BodyFault::Stall { after_bytes }),
            times,
        );
    }

    /// Sends the whole blob for a range request.
    pub fn ignore_range(&self, digest: &str, times: u32) {
        self.plan(Fault::Range(digest.into(), RangeFault::Whole), times);
    }

    /// Sends another range of the blob than requested, and states so in `Content-Range`.
    pub fn send_wrong_range(&self, digest: &str, times: u32) {
        self.plan(Fault::Range(digest.into(), RangeFault::FromTheFirst), times);
    }

    /// Refuses to send a range of the blob.
    pub fn refuse_range(&self, digest: &str, times: u32) {
        self.plan(Fault::Range(digest.into(), RangeFault::Refused), times);
    }

    /// Sends the manifest with this digest with a wrong byte, under the correct headers.
    pub fn corrupt_manifest(&self, digest: &str, times: u32) {
        self.plan(
            Fault::Manifest(digest.into(), ManifestFault::Corrupt),
            times,
        );
    }

    /// Sends the manifest of another image in place of the one with this digest. The header still
    /// claims the digest, and `HEAD` is correct.
    pub fn replace_manifest(&self, digest: &str, instead: &Image, times: u32) {
        let manifest = Manifest {
            digest: instead.digest(),
            media_type: instead.media_type().into(),
            bytes: instead.manifest().clone(),
        };
        self.plan(
            Fault::Manifest(digest.into(), ManifestFault::Replaced(manifest)),
            times,
        );
    }

    /// Answers requests of `kind` (`manifest.get`, `upload.post`, `token`; see
    /// [`Counts`](crate::Counts)) with a status.
    pub fn status(&self, kind: &str, code: u16, times: u32) {
        self.plan(Fault::Status(kind.into(), code), times);
    }

    /// Cuts the connection while a blob is received, after `after_bytes` of its body.
    pub fn cut_upload(&self, after_bytes: u64, times: u32) {
        self.plan(Fault::Upload { after_bytes }, times);
    }

    /// Stores pushed manifests, and closes the connection instead of responding.
    pub fn lose_responses(&self, times: u32) {
        self.plan(Fault::LostResponse, times);
    }

    /// Serves `requests` more requests of any kind. Then every connection is closed without a
    /// response, until [`Faults::restart`].
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

    /// Answers requests of one kind, or of any, with the plain-text 429 of the abuse limit.
    pub(crate) fn limit_requests(
        &self,
        kind: Option<&'static str>,
        retry_after_seconds: u32,
        times: u32,
    ) {
        self.plan(
            Fault::RateLimit {
                kind,
                retry_after_seconds,
            },
            times,
        );
    }

    /// Counts one more request; `false` if the server has stopped.
    pub(crate) fn admit(&self) -> bool {
        self.state().admit()
    }

    /// The URL that a blob is redirected to, if a redirect is planned.
    pub(crate) fn redirect(&self, digest: &str) -> Option<String> {
        self.state().redirect(digest)
    }

    pub(crate) fn take_blob(&self, digest: &str) -> Option<BodyFault> {
        self.take(|fault| match fault {
            Fault::Blob(planned, damage) if planned == digest => Some(*damage),
            _ => None,
        })
    }

    pub(crate) fn take_range(&self, digest: &str) -> Option<RangeFault> {
        self.take(|fault| match fault {
            Fault::Range(planned, fault) if planned == digest => Some(*fault),
            _ => None,
        })
    }

    pub(crate) fn take_manifest(&self, digest: &str) -> Option<ManifestFault> {
        self.take(|fault| match fault {
            Fault::Manifest(planned, fault) if planned == digest => Some(fault.clone()),
            _ => None,
        })
    }

    pub(crate) fn take_status(&self, kind: &str) -> Option<StatusCode> {
        self.take(|fault| match fault {
            Fault::Status(planned, code) if planned == kind => StatusCode::from_u16(*code).ok(),
            _ => None,
        })
    }

    pub(crate) fn take_rate_limit(&self, kind: &str) -> Option<u32> {
        self.take(|fault| match fault {
            Fault::RateLimit {
                kind: planned,
                retry_after_seconds,
            } if planned.is_none_or(|planned| planned == kind) => Some(*retry_after_seconds),
            _ => None,
        })
    }

    /// Whether an upload is cut after this number of bytes.
    pub(crate) fn cuts_upload(&self, reached: u64) -> bool {
        let cut = self.take(|fault| match fault {
            Fault::Upload { after_bytes } if *after_bytes <= reached => Some(()),
            _ => None,
        });
        cut.is_some()
    }

    pub(crate) fn loses_response(&self) -> bool {
        self.take(|fault| matches!(fault, Fault::LostResponse).then_some(()))
            .is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn plan(&self, fault: Fault, times: u32) {
        lock(&self.planned).push((fault, times));
    }

    /// Consumes one occurrence of the first planned fault that `matching` accepts.
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
