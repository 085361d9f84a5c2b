//! Signals: what events tell of pulls that failed and of images that were scanned.
//!
//! No AWS service says "this pull failed" in one way: the image is in one place, the reason in another, and either may be
//! missing. A signal is what the events have in common. It is hearsay: names in it are text that somebody wrote, bounded and
//! cleaned, and whoever acts on one parses it and asks the catalogue first.
//!
//! Read on in [`classify`](mod@classify) (what the words mean) and [`images`] (which image a log blames).

mod builds;
pub mod classify;
mod envelope;
mod failure;
pub mod images;
mod logs;
mod mirror;
mod scans;
mod severities;
mod tasks;
mod text;

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

use crate::image::digest::Digest;
use envelope::{Event, Item};
pub use failure::{FailureKind, Origin, PullFailure};
pub use severities::Severities;

/// What one event tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// An image could not be pulled.
    PullFailure(PullFailure),
    /// A build failed, and only its log can say whether a pull did.
    BuildLog(BuildLog),
    /// An image was scanned.
    Scan(Scan),
    /// Nothing that can be used.
    Ignored(Ignored),
}

/// A build that failed in its own commands: the event does not say why, its `CloudWatch` log does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BuildLog {
    /// The log group.
    pub group: String,
    /// The log stream.
    pub stream: String,
    /// The build, for people and for permissions: its ARN, or `project:id`.
    pub build: String,
    /// The same for every event of the same build.
    pub id: String,
}

/// An image that was scanned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scan {
    /// The repository's name in its registry, `docker-hub/library/nginx`.
    pub repository: String,
    /// The registry: an AWS account.
    pub account: Option<String>,
    /// The AWS Region of the registry.
    pub region: Option<String>,
    /// What was scanned.
    pub digest: Digest,
    /// The tags that it had.
    pub tags: Vec<String>,
    /// What was found.
    pub severities: Severities,
    /// Whether `severities` is the whole result. It is not when the scan failed or goes on, when a count cannot be read, and
    /// for Amazon Inspector's single findings.
    pub is_complete: bool,
    /// The event's identifier; the first one's, where several findings became one scan.
    pub id: String,
}

/// Why an event leads to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Ignored {
    /// The kind and the identifier of the event, as far as it has them.
    pub what: String,
    /// The reason, for people.
    pub why: String,
}

impl Ignored {
    fn new(what: &str, why: &str) -> Self {
        Self {
            what: text::line(what, 200),
            why: text::excerpt(why),
        }
    }
}

impl BuildLog {
    /// The pulls that failed by `log`, the text of this log.
    pub fn pull_failures(&self, log: &str) -> Vec<PullFailure> {
        let failure = |found: images::Found| PullFailure {
            image: found.image,
            kind: found.kind,
            said: text::excerpt(found.line),
            origin: Origin::BuildLog,
            id: self.id.clone(),
        };
        images::found(log).into_iter().map(failure).collect()
    }
}

/// What `event` tells, in the order in which it tells it, Inspector's findings last.
///
/// It may be an EventBridge event, a `CodeStar` notification or a `CloudWatch` Logs subscription, bare, in an SQS batch, in an
/// SNS notification, or in both. It never fails: what cannot be used is an [`Ignored`] that says why. Whatever is said twice
/// is told once, and the findings of one digest are one scan.
pub fn signals(event: &Value) -> Vec<Signal> {
    let (mut signals, mut findings) = (Vec::new(), Vec::new());
    for item in envelope::items(event) {
        match item {
            Item::Event(event)
                if (event.source.as_str(), event.kind.as_str()) == scans::FINDING =>
            {
                findings.push(event);
            }
            Item::Event(event) => {
                signals.extend(read(&event).unwrap_or_else(|why| vec![event.ignored(&why)]))
            }
            Item::Log(log) => signals.extend(log.signals()),
            Item::Ignored(ignored) => signals.push(Signal::Ignored(ignored)),
        }
    }
    signals.extend(scans::findings(&findings));
    let mut told = HashSet::new();
    signals.retain(|signal| told.insert(signal.clone()));
    signals
}

/// What an event tells, or why it is ignored.
type Reading = Result<Vec<Signal>, String>;

fn read(event: &Event) -> Reading {
    match (event.source.as_str(), event.kind.as_str()) {
        ("aws.ecs", "ECS Task State Change") => tasks::ecs(event),
        ("aws.batch", "Batch Job State Change") => tasks::batch(event),
        ("aws.codebuild", "CodeBuild Build State Change") => builds::state_change(event),
        ("aws.codebuild", "CodeBuild Build Phase Change") => builds::phase_change(event),
        ("aws.ecr", "ECR Pull Through Cache Action") => mirror::pull_through_cache(event),
        ("aws.ecr", "AWS API Call via CloudTrail") => mirror::api_call(event),
        ("aws.ecr", "ECR Image Scan") | ("aws.inspector2", "Inspector2 Scan") => scans::scan(event),
        (source, kind) => Err(why_not(source, kind)),
    }
}

fn why_not(source: &str, kind: &str) -> String {
    let why = match (source, kind) {
        ("aws.ecr", "ECR Image Action" | "ECR Referrer Action") => {
            "an image was pushed, deleted or archived: no pull failed"
        }
        ("aws.ecr", "ECR Replication Action") => {
            "Amazon ECR replicates between its own registries: no pull failed"
        }
        ("aws.ecr", "ECR Scan Resource Change") => {
            "a setting of scanning changed: no image was scanned"
        }
        (_, "Scheduled Event") => "a schedule is answered by `refresh`",
        ("image-replicator", _) => "it is our own notification",
        _ => return format!("nothing here reads {kind:?} from {source:?}"),
    };
    why.to_owned()
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}
