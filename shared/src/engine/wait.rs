//! Waiting for a worker's copies: a build needs the image, and the queue merges equal requests into one
//! copy.

use std::time::Duration;

use jiff::Timestamp;

use super::run::Acted;
use super::{Replicator, Session};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::reference::ImageRef;
use crate::image::subset::SubsetOf;
use crate::outcome::state::{self, RecordStatus};
use crate::outcome::{Done, Outcome, TargetOutcome};
use crate::request::{Request, Target};

/// The first pause between two checks; each pause is one and a half times as long as the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Replicator {
    /// Waits until each queued copy has arrived, a worker has recorded its failure since
    /// `requested_at`, or `session` ends.
    pub(super) async fn wait_for_copies(
        &self,
        acted: &mut Acted,
        session: &Session,
        requested_at: Timestamp,
    ) {
        let Acted(outcomes) = acted;
        let mut pause = FIRST_PAUSE;
        while outcomes.iter().any(Outcome::is_queued) {
            if session.is_over_after(pause).await {
                break;
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            for outcome in outcomes.iter_mut() {
                self.check_copies(outcome, session, requested_at).await;
            }
        }
        let targets = outcomes.iter_mut().flat_map(|outcome| &mut outcome.targets);
        for target in targets {
            if target.is_queued() {
                target.result = Err(still_queued(&target.target));
            }
        }
    }

    async fn check_copies(
        &self,
        outcome: &mut Outcome,
        session: &Session,
        requested_at: Timestamp,
    ) {
        let Some(upstream) = &outcome.upstream else {
            return;
        };
        let request = &outcome.request;
        for target in &mut outcome.targets {
            if !target.is_queued() {
                continue;
            }
            if let Some(digest) = self.arrived(target, upstream, request, session).await {
                target.present = Some(digest);
                target.result = Ok(Done::Copied);
            } else if let Some(error) = self.recorded_error(&target.target, requested_at).await {
                target.result = Err(error);
            }
        }
    }

    /// The digest at the target once it is what was requested. After a failed read the next check
    /// reads again.
    async fn arrived(
        &self,
        target: &TargetOutcome,
        upstream: &Digest,
        request: &Request,
        session: &Session,
    ) -> Option<Digest> {
        let uri = &target.target.uri;
        let here = self.tag(uri, session).await.ok()??;
        if here == *upstream {
            return Some(here);
        }
        let has_moved = target.present.as_ref() != Some(&here);
        if request.platforms().is_all() || !has_moved {
            return None;
        }
        let is_subset = self.is_subset(uri, &here, upstream, request).await;
        is_subset.then_some(here)
    }

    /// Whether the annotations of the index `here` name the subset that was requested.
    async fn is_subset(
        &self,
        uri: &ImageRef,
        here: &Digest,
        upstream: &Digest,
        request: &Request,
    ) -> bool {
        let destination = self.registries.destination(uri.repository());
        let Ok(manifest) = destination.manifest(here).await else {
            return false;
        };
        let platforms = request.platforms();
        let requested = SubsetOf::new(upstream.clone(), platforms);
        let found = SubsetOf::from_manifest(&manifest, platforms);
        found == Some(requested)
    }

    /// The error that a worker has recorded for `target` since `requested_at`.
    async fn recorded_error(&self, target: &Target, requested_at: Timestamp) -> Option<Error> {
        let uri = &target.uri;
        let tags = self.resource_tags(uri.repository()).await.ok()?;
        let record = state::tag_record(&tags, uri.tag())?;
        let cause = match record.status {
            RecordStatus::Failed => Cause::Unexpected,
            RecordStatus::Deferred => Cause::Deferred,
            RecordStatus::Ok | RecordStatus::WaitingForUpstream => return None,
        };
        // Tags hold whole seconds.
        if record.recorded_at.as_second() < requested_at.as_second() {
            return None;
        }
        let action = format!("copy to {uri}");
        let why = "a worker recorded the failure; the log of replicate has the reason";
        let error = Error::new(Side::Replicator, cause, action).because(why);
        Some(match record.retry_at {
            Some(at) => error.with_retry_at(at),
            None => error,
        })
    }
}

fn still_queued(target: &Target) -> Error {
    let error = Error::new(Side::Replicator, Cause::Deadline, finish(target));
    error.because("it is queued, and will be copied")
}

/// The action in the error of a copy that the deadline ends.
pub(super) fn finish(target: &Target) -> String {
    format!("finish copying {}", target.uri)
}
