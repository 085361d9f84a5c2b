//! Waiting for a worker's copies: a build needs the image, and the queue makes one copy of many
//! requests.

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

/// The first pause between two looks; each pause is half again as long as the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Replicator {
    /// Waits until the queued copies are there, or a worker has recorded since `requested_at` why they
    /// are not, or `session` ends.
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
                self.look_again(outcome, session, requested_at).await;
            }
        }
        let targets = outcomes.iter_mut().flat_map(|outcome| &mut outcome.targets);
        for target in targets.filter(|target| target.is_queued()) {
            let error = Error::new(Side::Replicator, Cause::Deadline, finish(&target.target));
            target.result = Err(error.because("it is queued, and will be copied"));
        }
    }

    async fn look_again(&self, outcome: &mut Outcome, session: &Session, requested_at: Timestamp) {
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

    /// The digest at the target once it is what was requested. A failed look is repeated with the
    /// next.
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
        let may_be_subset = !request.platforms().is_all() && has_moved;
        let is_subset = may_be_subset && self.is_subset(uri, &here, upstream, request).await;
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
        let requested = SubsetOf::new(upstream.clone(), request.platforms());
        SubsetOf::from_manifest(&manifest, request.platforms()) == Some(requested)
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
        let error = Error::new(Side::Replicator, cause, format!("copy to {uri}"));
        let error =
            error.because("a worker recorded the failure; the log of replicate has the reason");
        Some(match record.retry_at {
            Some(at) => error.with_retry_at(at),
            None => error,
        })
    }
}

/// What a copy that meets the deadline could not do.
pub(super) fn finish(target: &Target) -> String {
    format!("finish copying {}", target.uri)
}
