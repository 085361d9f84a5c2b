//! The report: one truthful answer for each requested tag.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::catalogue::SelectionResult;
use crate::error::{Cause, Error};
use crate::image::digest::Digest;
use crate::image::platform::Platforms;
use crate::image::reference::ImageRef;
use crate::plan::quota::Quota;
use crate::plan::{Action, Planned, Step};
use crate::request::{Target, Trigger};

/// What became of one image.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The upstream tag or pin.
    pub image: ImageRef,
    /// Its digest, where it could be found out.
    pub upstream: Option<Digest>,
    /// Which of its platforms are copied.
    pub platforms: Platforms,
    /// Pulls that a copy was to cost.
    pub price: u32,
    /// Since when the record says that it waits; `None` when that is not known.
    pub waits_since: Option<Timestamp>,
    /// What became of it in each place.
    pub places: Vec<TargetOutcome>,
    /// Destinations that could not be found out.
    pub unplaced: Vec<Error>,
    /// Bytes of blobs that were sent.
    pub bytes: u64,
    /// Metered requests that were spent.
    pub pulls: u64,
    /// What asked for it.
    pub trigger: Trigger,
}

/// What became of one image in one place.
#[derive(Clone, Debug)]
pub struct TargetOutcome {
    /// The place.
    pub target: Target,
    /// The digest that can be pulled there now, whatever happened.
    pub present: Option<Digest>,
    /// What happened.
    pub result: Result<Done, Error>,
}

/// What happened where nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was level already.
    Unchanged,
    /// It was copied.
    Copied,
    /// A worker will copy it.
    Queued,
    /// A scan of the private copy has to come back clean first.
    AwaitsScan,
}

/// The word for an image, from best to worst; an image is as good as the worst of its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Level already.
    Unchanged,
    /// Copied now.
    Copied,
    /// An older copy is there; upstream could not be read for now.
    Stale,
    /// Not now: queued, or stopped by a limit that passes.
    Deferred,
    /// Somebody has to look at it.
    Failed,
}

/// How much an older copy helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The mirror's keeper asks: what will not pass by itself is `failed`, an older copy or not.
    Keep,
    /// A build asks: an older copy is `stale`, whatever keeps it from being refreshed, and good enough.
    UseStale,
    /// A build asks that insists on the upstream digest: `stale` is not good enough.
    RefuseStale,
}

/// The result JSON, as `ensure`, `refresh` and `replicator --json` answer it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether every image can be used as asked.
    pub ok: bool,
    /// One entry for each requested tag, in the order asked.
    pub images: Vec<ImageReport>,
    /// Docker Hub's quota as last seen; `null` when Docker Hub was not asked.
    pub quota: Option<Quota>,
}

/// One requested tag.
#[derive(Clone, Debug, Serialize)]
pub struct ImageReport {
    /// The upstream tag, or the text that is none: what was asked for, or a selection (`docker.io/library/nginx:{glob 1.27.*}`).
    pub image: String,
    /// What became of it.
    pub status: Status,
    /// Where it can be pulled.
    pub targets: Vec<TargetReport>,
    /// What upstream has.
    pub upstream_digest: Option<Digest>,
    /// Bytes of blobs that were sent.
    pub bytes: u64,
    /// Metered requests that were spent.
    pub pulls: u64,
    /// Why it is not `copied` or `unchanged`.
    pub reason: Option<String>,
    /// Whether nothing keeps it from being level but that a worker has to copy it.
    #[serde(skip)]
    pub is_queued: bool,
    /// Since when it lags behind upstream, as far as the record knows.
    #[serde(skip)]
    pub waits_since: Option<Timestamp>,
    #[serde(skip)]
    is_usable: bool,
}

/// One place.
#[derive(Clone, Debug, Serialize)]
pub struct TargetReport {
    /// The destination's name.
    pub destination: String,
    /// The name to pull.
    pub uri: String,
    /// What can be pulled there now; `null` when there is nothing.
    pub digest: Option<Digest>,
    /// The name to pull for exactly that digest.
    pub pinned: Option<String>,
}

impl Report {
    /// A report on `images`.
    pub fn new(images: Vec<ImageReport>, quota: Option<Quota>) -> Self {
        Self {
            ok: images.iter().all(|image| image.is_usable),
            images,
            quota,
        }
    }

    /// A report on `outcomes`.
    pub fn from_outcomes(outcomes: &[Outcome], policy: Policy, quota: Option<Quota>) -> Self {
        Self::new(
            outcomes
                .iter()
                .map(|outcome| ImageReport::from_outcome(outcome, policy))
                .collect(),
            quota,
        )
    }

    /// The same with an entry for each selection that came to nothing.
    #[must_use]
    pub fn with_selections(mut self, selected: &[SelectionResult]) -> Self {
        self.images
            .extend(selected.iter().filter_map(ImageReport::from_selection));
        Self::new(self.images, self.quota)
    }
}

impl Report {
    /// Logs one event for each image: the boundary where a function answers.
    pub fn log(&self, trigger: &Trigger) {
        self.images.iter().for_each(|image| image.log(trigger));
    }
}

impl Outcome {
    /// What became of `planned`: `places` of it, `bytes` sent and `pulls` spent.
    pub fn new(planned: Planned, places: Vec<TargetOutcome>, bytes: u64, pulls: u64) -> Self {
        let Planned {
            image,
            upstream,
            platforms,
            price,
            waits_since,
            unplaced,
            trigger,
            ..
        } = planned;
        Self {
            image,
            upstream,
            platforms,
            price: price.pulls,
            waits_since,
            places,
            unplaced,
            bytes,
            pulls,
            trigger,
        }
    }

    /// What keeps the same copy from succeeding for now, although nobody has to change anything, and nothing else tries it again.
    pub fn retryable_error(&self) -> Option<&Error> {
        let mut errors = self
            .places
            .iter()
            .filter_map(|place| place.result.as_ref().err());
        errors.find(|error| error.is_transient() && error.retry_at().is_none())
    }
}

impl ImageReport {
    /// The report on one image.
    pub fn from_outcome(outcome: &Outcome, policy: Policy) -> Self {
        let worst = outcome
            .places
            .iter()
            .map(|place| place.status(policy))
            .max()
            .unwrap_or(Status::Failed);
        let status = if outcome.unplaced.is_empty() {
            worst
        } else {
            Status::Failed
        };
        let unplaced = outcome.unplaced.iter().map(Error::chain);
        let reasons: Vec<String> = unplaced
            .chain(outcome.places.iter().filter_map(TargetOutcome::reason))
            .collect();
        let has_copies = !outcome.places.is_empty()
            && outcome.places.iter().all(|place| place.present.is_some());
        Self {
            image: outcome.image.to_string(),
            status,
            targets: outcome
                .places
                .iter()
                .map(TargetReport::from_target)
                .collect(),
            upstream_digest: outcome.upstream.clone(),
            bytes: outcome.bytes,
            pulls: outcome.pulls,
            reason: join(reasons),
            is_queued: status == Status::Deferred
                && outcome.places.iter().all(TargetOutcome::is_in_hand),
            waits_since: outcome.waits_since,
            is_usable: match status {
                Status::Unchanged | Status::Copied => true,
                Status::Stale | Status::Deferred => has_copies && policy != Policy::RefuseStale,
                Status::Failed => false,
            },
        }
    }

    /// The report on a selection that came to nothing: `deferred` when its tags could not be listed for now, else `failed`. `None`
    /// where it takes some: those have reports of their own.
    pub fn from_selection(selected: &SelectionResult) -> Option<Self> {
        let error = selected.error()?;
        let status = if error.is_transient() {
            Status::Deferred
        } else {
            Status::Failed
        };
        Some(Self {
            status,
            ..Self::failed(&selected.name, error.chain())
        })
    }

    /// Logs what became of the image, and what asked for it.
    pub fn log(&self, trigger: &Trigger) {
        let (kind, id) = (trigger.kind, trigger.id.as_str());
        let (status, reason) = (self.status, self.reason.as_deref().unwrap_or_default());
        let (size_bytes, pulls) = (self.bytes, self.pulls);
        if status == Status::Failed {
            tracing::error!(image = self.image, %status, size_bytes, pulls, ?kind, id, reason, "image failed");
        } else {
            tracing::info!(image = self.image, %status, size_bytes, pulls, ?kind, id, reason, "image {status}");
        }
    }

    /// The report on a text that names no image, or an image that no destination could be found for.
    pub fn failed(image: &str, reason: String) -> Self {
        Self {
            image: image.chars().take(300).collect(),
            status: Status::Failed,
            targets: Vec::new(),
            upstream_digest: None,
            bytes: 0,
            pulls: 0,
            reason: Some(reason),
            is_queued: false,
            waits_since: None,
            is_usable: false,
        }
    }
}

/// DestinationRoots often share one reason: upstream is gone for all of them.
fn join(mut reasons: Vec<String>) -> Option<String> {
    reasons.dedup();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

impl TargetOutcome {
    /// What became of `step`; `due` is what became of it where something was to be sent.
    pub fn from_step(step: Step, due: Result<Done, Error>) -> Self {
        let Step {
            target,
            present,
            action,
        } = step;
        let result = match action {
            Action::Keep => Ok(Done::Unchanged),
            Action::AwaitScan => Ok(Done::AwaitsScan),
            Action::Refuse(error) | Action::Defer(error) => Err(error),
            Action::Copy(_) | Action::Tag { .. } => due,
        };
        Self {
            target,
            present,
            result,
        }
    }

    fn status(&self, policy: Policy) -> Status {
        let error = match &self.result {
            Ok(Done::Unchanged) => return Status::Unchanged,
            Ok(Done::Copied) => return Status::Copied,
            Ok(Done::Queued | Done::AwaitsScan) => return Status::Deferred,
            Err(error) => error,
        };
        match self.present {
            Some(_) if error.is_transient() || policy != Policy::Keep => Status::Stale,
            None if error.is_transient() && is_a_limit(error) => Status::Deferred,
            _ => Status::Failed,
        }
    }

    fn is_in_hand(&self) -> bool {
        matches!(
            self.result,
            Ok(Done::Unchanged | Done::Copied | Done::Queued)
        )
    }

    fn reason(&self) -> Option<String> {
        match &self.result {
            Ok(Done::Queued) => Some("queued: replicate copies it".to_owned()),
            Ok(Done::AwaitsScan) => Some("waits for a clean scan of the private copy".to_owned()),
            Ok(_) => None,
            Err(error) => Some(error.chain()),
        }
    }
}

/// A limit says "later"; a broken connection says nothing about later.
fn is_a_limit(error: &Error) -> bool {
    matches!(
        error.cause(),
        Cause::InsufficientPulls
            | Cause::PullLimit
            | Cause::AbuseLimit { .. }
            | Cause::ListingLimit { .. }
            | Cause::Throttled { .. }
            | Cause::Deadline
            | Cause::Deferred
    )
}

impl TargetReport {
    fn from_target(place: &TargetOutcome) -> Self {
        let uri = &place.target.uri;
        let pinned = place
            .present
            .as_ref()
            .map(|digest| format!("{}@{digest}", uri.repository()));
        let (destination, digest) = (place.target.destination.clone(), place.present.clone());
        Self {
            destination,
            uri: uri.tagged(),
            digest,
            pinned,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unchanged => "unchanged",
            Self::Copied => "copied",
            Self::Stale => "stale",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Side;
    use crate::request::TriggerKind;

    const PULL_LIMIT: Cause = Cause::PullLimit;

    fn digest() -> Digest {
        Digest::from_content(b"x")
    }

    fn report(has_copy: bool, result: Result<Done, Cause>, policy: Policy) -> (Status, bool) {
        let target = Target {
            destination: "lab".to_owned(),
            uri: "127.0.0.1:5000/node:1".parse().unwrap(),
            waits_for_scan: false,
        };
        let present = has_copy.then(digest);
        let result = result.map_err(|cause| Error::new(Side::Source, cause, "get manifest"));
        let outcome = Outcome {
            image: "node:1".parse().unwrap(),
            upstream: None,
            platforms: Platforms::ALL,
            price: 0,
            waits_since: None,
            places: vec![TargetOutcome {
                target,
                present,
                result,
            }],
            unplaced: Vec::new(),
            bytes: 0,
            pulls: 0,
            trigger: Trigger {
                kind: TriggerKind::OnDemand,
                id: String::new(),
            },
        };
        let report = Report::from_outcomes(&[outcome], policy, None);
        (report.images[0].status, report.ok)
    }

    #[test]
    fn a_rate_limit_is_stale_with_a_copy_and_deferred_without() {
        assert_eq!(
            report(true, Err(PULL_LIMIT), Policy::Keep),
            (Status::Stale, true)
        );
        assert_eq!(
            report(false, Err(PULL_LIMIT), Policy::Keep),
            (Status::Deferred, false)
        );
        assert_eq!(
            report(true, Err(PULL_LIMIT), Policy::RefuseStale),
            (Status::Stale, false)
        );
    }

    #[test]
    fn a_broken_connection_without_a_copy_is_a_failure_and_not_a_promise() {
        assert_eq!(
            report(false, Err(Cause::Interrupted), Policy::UseStale),
            (Status::Failed, false)
        );
    }

    #[test]
    fn what_needs_a_person_is_failed_for_the_keeper_and_stale_for_a_build_that_has_a_copy() {
        assert_eq!(
            report(true, Err(Cause::NotFound), Policy::Keep),
            (Status::Failed, false)
        );
        assert_eq!(
            report(true, Err(Cause::NotFound), Policy::UseStale),
            (Status::Stale, true)
        );
        assert_eq!(
            report(false, Err(Cause::BadCredential), Policy::UseStale),
            (Status::Failed, false)
        );
    }

    #[test]
    fn what_is_queued_is_not_there_yet() {
        assert_eq!(
            report(false, Ok(Done::Queued), Policy::Keep),
            (Status::Deferred, false)
        );
        assert_eq!(
            report(true, Ok(Done::Queued), Policy::Keep),
            (Status::Deferred, true)
        );
    }

    #[test]
    fn the_json_has_the_keys_of_the_contract() {
        let target = Target {
            destination: "private".to_owned(),
            uri: "127.0.0.1:5000/node:1".parse().unwrap(),
            waits_for_scan: false,
        };
        let outcome = Outcome {
            image: "node:1".parse().unwrap(),
            upstream: Some(digest()),
            platforms: Platforms::ALL,
            price: 3,
            waits_since: None,
            places: vec![TargetOutcome {
                target,
                present: Some(digest()),
                result: Ok(Done::Copied),
            }],
            unplaced: Vec::new(),
            bytes: 48,
            pulls: 3,
            trigger: Trigger {
                kind: TriggerKind::OnDemand,
                id: String::new(),
            },
        };
        let quota = Quota::parse(Some("200;w=21600"), Some("173;w=21600"));
        let json =
            serde_json::to_value(Report::from_outcomes(&[outcome], Policy::Keep, Some(quota)))
                .unwrap();
        let digest = digest().to_string();
        assert_eq!(
            json,
            serde_json::json!({"ok": true,
                "images": [{"image": "docker.io/library/node:1", "status": "copied",
                    "targets": [{"destination": "private", "uri": "127.0.0.1:5000/node:1", "digest": digest,
                                 "pinned": format!("127.0.0.1:5000/node@{digest}")}],
                    "upstream_digest": digest, "bytes": 48, "pulls": 3, "reason": null}],
                "quota": {"limit": 200, "remaining": 173, "window_seconds": 21600, "metered": true}})
        );
    }
}
