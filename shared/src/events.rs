//! Turns AWS events and build logs into signals.
//!
//! A signal is what an event asks for: to copy an image after a failed pull, to read a build log,
//! or to act on an image scan. AWS services report a failed pull in different ways. The image and
//! the error are in different fields, and either may be missing. A [`Signal`] holds what all of
//! them have in common. Its names are untrusted text, bounded and free of control characters. The
//! function that acts on a signal parses them and checks them against the catalogue.
//!
//! Read on in [`classify`](mod@classify) (what an error message means) and [`images`] (which image
//! a log blames).

mod builds;
pub mod classify;
mod ecr;
mod envelope;
mod failure;
pub mod images;
mod json;
mod logs;
mod scans;
mod severities;
mod tasks;
mod text;
mod workload;

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

use crate::image::digest::Digest;
use envelope::{Event, Item};
pub use failure::{FailureKind, FailureSource, PullFailure};
pub use severities::Severities;

/// What one event asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// An image could not be pulled.
    PullFailure(PullFailure),
    /// A build failed, and only its log shows whether a pull did.
    BuildLog(BuildLog),
    /// An image was scanned.
    Scan(Scan),
    /// Nothing that can be acted on.
    Ignored(Ignored),
}

/// The `CloudWatch` log of a build whose own commands failed. The event does not hold the error.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BuildLog {
    /// The log group.
    pub group: String,
    /// The log stream.
    pub stream: String,
    /// The build: its ARN, or `project:id`.
    pub build: String,
    /// The same for every event of the same build.
    pub id: String,
}

/// An image that was scanned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scan {
    /// The name of the repository in its registry, `docker-hub/library/nginx`.
    pub repository: String,
    /// The registry: an AWS account.
    pub account: Option<String>,
    /// The AWS Region of the registry.
    pub region: Option<String>,
    /// The digest of the scanned manifest.
    pub digest: Digest,
    /// The tags that the image had.
    pub tags: Vec<String>,
    /// The number of findings by severity.
    pub severities: Severities,
    /// Whether `severities` is the whole result. It is not if the scan failed or still runs, if a
    /// count cannot be parsed, and for single findings of Amazon Inspector.
    pub is_complete: bool,
    /// The identifier of the event, or of the first event where several findings became one scan.
    pub id: String,
}

/// An event that leads to nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Ignored {
    /// The type and the identifier of the event, as far as it has them.
    pub what: String,
    /// The reason, for operators.
    pub why: String,
}

impl Ignored {
    fn new(what: &str, why: &str) -> Self {
        Self {
            what: text::to_line(what, 200),
            why: text::excerpt(why),
        }
    }
}

impl BuildLog {
    /// The failed pulls that `log`, the text of this log, reports.
    pub fn pull_failures(&self, log: &str) -> Vec<PullFailure> {
        let mut failures = Vec::new();
        for blamed in images::find(log) {
            failures.push(PullFailure {
                image: blamed.image,
                kind: blamed.kind,
                message: text::excerpt(blamed.line),
                source: FailureSource::BuildLog,
                id: self.id.clone(),
            });
        }
        failures
    }
}

/// The signals of `event`, each once and in order. The findings of Amazon Inspector come last.
///
/// `event` is an EventBridge event, a `CodeStar` notification or a `CloudWatch` Logs subscription:
/// bare, in an SQS batch, in an SNS notification, or in both. The function never fails: an event
/// that leads to nothing is an [`Ignored`] with the reason. All findings of one digest become one
/// scan.
pub fn signals(event: &Value) -> Vec<Signal> {
    let mut signals = Vec::new();
    let mut findings = Vec::new();
    for item in envelope::items(event) {
        match item {
            Item::Event(event) if scans::is_finding(&event) => findings.push(event),
            Item::Event(event) => match read_event(&event) {
                Ok(read) => signals.extend(read),
                Err(why) => signals.push(event.ignored(&why)),
            },
            Item::Log(log) => signals.extend(log.signals()),
            Item::Ignored(ignored) => signals.push(Signal::Ignored(ignored)),
        }
    }
    signals.extend(scans::read_findings(&findings));
    let mut seen = HashSet::new();
    signals.retain(|signal| seen.insert(signal.clone()));
    signals
}

/// The signals of one event, or why it is ignored.
type Reading = Result<Vec<Signal>, String>;

fn read_event(event: &Event) -> Reading {
    match (event.source.as_str(), event.kind.as_str()) {
        ("aws.ecs", "ECS Task State Change") => tasks::read_ecs(event),
        ("aws.batch", "Batch Job State Change") => tasks::read_batch(event),
        ("aws.codebuild", "CodeBuild Build State Change") => builds::read_state_change(event),
        ("aws.codebuild", "CodeBuild Build Phase Change") => builds::read_phase_change(event),
        ("aws.ecr", "ECR Pull Through Cache Action") => ecr::read_pull_through_cache(event),
        ("aws.ecr", "AWS API Call via CloudTrail") => ecr::read_api_call(event),
        ("aws.ecr", "ECR Image Scan") | ("aws.inspector2", "Inspector2 Scan") => {
            scans::read_scan(event)
        }
        (source, kind) => Err(reason_to_ignore(source, kind)),
    }
}

fn reason_to_ignore(source: &str, kind: &str) -> String {
    let why = match (source, kind) {
        ("aws.ecr", "ECR Image Action" | "ECR Referrer Action") => {
            "an image was pushed, deleted or archived: no pull failed"
        }
        ("aws.ecr", "ECR Replication Action") => {
            "Amazon ECR replicated between its own registries: no pull failed"
        }
        ("aws.ecr", "ECR Scan Resource Change") => {
            "the scanning configuration changed: no image was scanned"
        }
        (_, "Scheduled Event") => "only the refresh function handles scheduled events",
        ("image-replicator", _) => "image-replicator published this event itself",
        _ => return format!("no support for {kind:?} events from {source:?}"),
    };
    why.to_owned()
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}
