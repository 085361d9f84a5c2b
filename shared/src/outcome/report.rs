//! The report: one answer for each requested image.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::catalogue::SelectionResult;
use crate::error::{Cause, Error};
use crate::image::digest::Digest;
use crate::outcome::{Done, Outcome, TargetOutcome};
use crate::plan::quota::Quota;
use crate::request::Trigger;

/// The longest name in a report on a text that is no image, in characters.
const MAX_NAME_CHARACTERS: usize = 300;

/// The word for an image, from best to worst. An image has the worst status of its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Up to date already.
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

/// Whether an older copy is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// For the mirror itself: an error that does not pass is `failed`, with an older copy or without.
    Keep,
    /// For a build: an older copy is `stale` and good enough, whatever the error.
    UseStale,
    /// For a build that needs the upstream digest: `stale` is not good enough.
    RefuseStale,
}

/// The result JSON, as `ensure`, `refresh` and `replicator --json` give it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether every image can be used as requested.
    pub ok: bool,
    /// One entry for each requested image, in the order of the requests.
    pub images: Vec<ImageReport>,
    /// Docker Hub's quota as last seen; `null` when no request went to Docker Hub.
    pub quota: Option<Quota>,
}

/// One requested image.
#[derive(Clone, Debug, Serialize)]
pub struct ImageReport {
    /// The upstream tag or pin; a text that is no image, as it was requested; or the name of a
    /// selection (`docker.io/library/nginx:{glob 1.27.*}`).
    pub image: String,
    /// What became of it.
    pub status: Status,
    /// Where it can be pulled.
    pub targets: Vec<TargetReport>,
    /// The digest upstream.
    pub upstream_digest: Option<Digest>,
    /// Bytes of blobs that were sent.
    pub bytes: u64,
    /// Pulls that Docker Hub counted.
    pub pulls: u64,
    /// Why it is not `copied` or `unchanged`.
    pub reason: Option<String>,
    /// Whether it only has to be copied by a worker to be up to date.
    #[serde(skip)]
    pub is_queued: bool,
    /// Since when the record marks it as deferred.
    #[serde(skip)]
    pub deferred_since: Option<Timestamp>,
    #[serde(skip)]
    is_usable: bool,
}

/// One target of an image.
#[derive(Clone, Debug, Serialize)]
pub struct TargetReport {
    /// The destination's name.
    pub destination: String,
    /// The name to pull.
    pub uri: String,
    /// The digest that can be pulled there now; `null` when there is none.
    pub digest: Option<Digest>,
    /// The name to pull for exactly that digest.
    pub pinned: Option<String>,
}

/// What a function answers.
pub trait Answer {
    /// What Lambda gets.
    type Response: Serialize;

    /// The report that the metrics count.
    fn report(&self) -> Report;

    /// What Lambda gets.
    fn into_response(self) -> Self::Response;
}

impl Answer for Report {
    type Response = Self;

    fn report(&self) -> Report {
        self.clone()
    }

    fn into_response(self) -> Self {
        self
    }
}

impl Report {
    /// A report on `images`.
    pub fn new(images: Vec<ImageReport>, quota: Option<Quota>) -> Self {
        let ok = images.iter().all(|image| image.is_usable);
        Self { ok, images, quota }
    }

    /// A report on `outcomes`.
    pub fn from_outcomes(outcomes: &[Outcome], policy: Policy, quota: Option<Quota>) -> Self {
        let image = |outcome| ImageReport::from_outcome(outcome, policy);
        Self::new(outcomes.iter().map(image).collect(), quota)
    }

    /// The same with an entry for each selection without a tag.
    #[must_use]
    pub fn with_selections(mut self, selections: &[SelectionResult]) -> Self {
        let failed = selections.iter().filter_map(ImageReport::from_selection);
        self.images.extend(failed);
        Self::new(self.images, self.quota)
    }

    /// Logs one line for each image: the boundary where a function answers.
    pub fn log(&self, trigger: &Trigger) {
        for image in &self.images {
            image.log(trigger);
        }
    }

    /// The same for images with triggers of their own: those of `outcomes`, which the report is made
    /// from.
    pub fn log_with_triggers(&self, outcomes: &[Outcome]) {
        for (image, outcome) in self.images.iter().zip(outcomes) {
            image.log(&outcome.request.trigger);
        }
    }
}

impl ImageReport {
    /// The report on one image.
    pub fn from_outcome(outcome: &Outcome, policy: Policy) -> Self {
        let Outcome {
            request, targets, ..
        } = outcome;
        let status = status(outcome, policy);
        let has_copies = !targets.is_empty() && targets.iter().all(|it| it.present.is_some());
        let is_in_hand = targets.iter().all(is_copied_or_queued);
        Self {
            image: request.image.to_string(),
            status,
            targets: targets.iter().map(TargetReport::from_target).collect(),
            upstream_digest: outcome.upstream.clone(),
            bytes: outcome.spent.bytes,
            pulls: outcome.spent.pulls,
            reason: reason(outcome),
            is_queued: status == Status::Deferred && is_in_hand,
            deferred_since: outcome.deferred_since,
            is_usable: match status {
                Status::Unchanged | Status::Copied => true,
                Status::Stale | Status::Deferred => has_copies && policy != Policy::RefuseStale,
                Status::Failed => false,
            },
        }
    }

    /// The report on a selection without a tag: `deferred` when its tags could not be listed for now,
    /// else `failed`. `None` where it takes tags: those have reports of their own.
    pub fn from_selection(selection: &SelectionResult) -> Option<Self> {
        let error = selection.error()?;
        let status = if error.is_transient() {
            Status::Deferred
        } else {
            Status::Failed
        };
        let report = Self::failed(&selection.name, error.chain());
        Some(Self { status, ..report })
    }

    /// The report on a text that is no image reference.
    pub fn failed(image: &str, reason: String) -> Self {
        Self {
            image: image.chars().take(MAX_NAME_CHARACTERS).collect(),
            status: Status::Failed,
            targets: Vec::new(),
            upstream_digest: None,
            bytes: 0,
            pulls: 0,
            reason: Some(reason),
            is_queued: false,
            deferred_since: None,
            is_usable: false,
        }
    }

    /// Logs what became of the image, and what triggered the request.
    fn log(&self, trigger: &Trigger) {
        let kind = trigger.kind;
        let id = trigger.id.as_str();
        let status = self.status;
        let reason = self.reason.as_deref().unwrap_or_default();
        let size_bytes = self.bytes;
        let pulls = self.pulls;
        if status == Status::Failed {
            tracing::error!(image = self.image, %status, size_bytes, pulls, ?kind, id, reason, "image failed");
        } else {
            tracing::info!(image = self.image, %status, size_bytes, pulls, ?kind, id, reason, "image {status}");
        }
    }
}

impl TargetReport {
    fn from_target(outcome: &TargetOutcome) -> Self {
        let uri = &outcome.target.uri;
        let digest = outcome.present.clone();
        let pin = |digest: &Digest| format!("{}@{digest}", uri.repository());
        Self {
            destination: outcome.target.destination.clone(),
            uri: uri.tagged(),
            pinned: digest.as_ref().map(pin),
            digest,
        }
    }
}

/// The worst status of the targets; `failed` where a destination has no target, or none has.
fn status(outcome: &Outcome, policy: Policy) -> Status {
    if !outcome.request.unresolved.is_empty() {
        return Status::Failed;
    }
    let statuses = outcome.targets.iter().map(|it| target_status(it, policy));
    statuses.max().unwrap_or(Status::Failed)
}

fn target_status(outcome: &TargetOutcome, policy: Policy) -> Status {
    let error = match &outcome.result {
        Ok(Done::Unchanged) => return Status::Unchanged,
        Ok(Done::Copied) => return Status::Copied,
        Ok(Done::Queued | Done::AwaitsScan) => return Status::Deferred,
        Err(error) => error,
    };
    let has_copy = outcome.present.is_some();
    if has_copy && (error.is_transient() || policy != Policy::Keep) {
        Status::Stale
    } else if !has_copy && error.is_transient() && is_a_limit(error) {
        Status::Deferred
    } else {
        Status::Failed
    }
}

/// A limit promises a later success; a broken connection promises nothing.
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

fn is_copied_or_queued(outcome: &TargetOutcome) -> bool {
    matches!(
        outcome.result,
        Ok(Done::Unchanged | Done::Copied | Done::Queued)
    )
}

/// Targets often share one reason, for example that upstream cannot be reached: it is given once.
fn reason(outcome: &Outcome) -> Option<String> {
    let unresolved = outcome.request.unresolved.iter().map(Error::chain);
    let of_targets = outcome.targets.iter().filter_map(target_reason);
    let mut reasons: Vec<String> = unresolved.chain(of_targets).collect();
    reasons.dedup();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

fn target_reason(outcome: &TargetOutcome) -> Option<String> {
    match &outcome.result {
        Ok(Done::Queued) => Some("queued: replicate copies it".to_owned()),
        Ok(Done::AwaitsScan) => Some("waits for a clean scan of the private copy".to_owned()),
        Ok(Done::Unchanged | Done::Copied) => None,
        Err(error) => Some(error.chain()),
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
    use crate::catalogue::Options;
    use crate::error::Side;
    use crate::outcome::Spent;
    use crate::request::{Request, Target, TriggerKind};

    const PULL_LIMIT: Cause = Cause::PullLimit;

    fn digest() -> Digest {
        Digest::from_content(b"x")
    }

    fn outcome(target: TargetOutcome, upstream: Option<Digest>, spent: Spent) -> Outcome {
        let request = Request {
            image: "node:1".parse().unwrap(),
            options: Options::default(),
            targets: vec![target.target.clone()],
            origins: Vec::new(),
            unresolved: Vec::new(),
            trigger: Trigger {
                kind: TriggerKind::OnDemand,
                id: String::new(),
            },
        };
        Outcome {
            request,
            upstream,
            price: 0,
            deferred_since: None,
            targets: vec![target],
            spent,
        }
    }

    fn report(has_copy: bool, result: Result<Done, Cause>, policy: Policy) -> (Status, bool) {
        let target = Target {
            destination: "lab".to_owned(),
            uri: "127.0.0.1:5000/node:1".parse().unwrap(),
            waits_for_scan: false,
        };
        let present = has_copy.then(digest);
        let result = result.map_err(|cause| Error::new(Side::Source, cause, "get manifest"));
        let target = TargetOutcome {
            target,
            present,
            result,
        };
        let outcome = outcome(target, None, Spent::default());
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
    fn a_broken_connection_without_a_copy_is_failed_and_not_deferred() {
        assert_eq!(
            report(false, Err(Cause::Interrupted), Policy::UseStale),
            (Status::Failed, false)
        );
    }

    #[test]
    fn a_lasting_error_is_failed_for_the_mirror_and_stale_for_a_build_that_has_a_copy() {
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
    fn a_queued_image_is_deferred_until_it_is_copied() {
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
        let target = TargetOutcome {
            target,
            present: Some(digest()),
            result: Ok(Done::Copied),
        };
        let spent = Spent {
            bytes: 48,
            pulls: 3,
        };
        let outcome = outcome(target, Some(digest()), spent);
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
