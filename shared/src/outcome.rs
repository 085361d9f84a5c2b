//! What became of a run: outcomes, and everything that is made of them. Pure.
//!
//! * [`report`]: the result JSON, one answer for each requested image,
//! * [`notice`]: events for those who subscribe to them,
//! * [`metrics`]: the line for Amazon `CloudWatch`,
//! * [`state`]: the record in the resource tags of a repository,
//! * [`retry_schedule`]: which deferred images are tried again, and when.

pub mod metrics;
pub mod notice;
pub mod report;
pub mod retry_schedule;
pub mod state;

use jiff::Timestamp;

use crate::error::Error;
use crate::image::digest::Digest;
use crate::plan::{Action, Planned, Step};
use crate::request::{Request, Target};

/// What became of one request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The request.
    pub request: Request,
    /// The digest of the upstream tag, where it could be found out.
    pub upstream: Option<Digest>,
    /// The pulls that the copy was estimated to cost, or found to cost.
    pub price: u32,
    /// Since when the record marks it as deferred; `None` if it does not.
    pub deferred_since: Option<Timestamp>,
    /// What became of each target.
    pub targets: Vec<TargetOutcome>,
    /// What was spent.
    pub spent: Spent,
}

/// What a copy has spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Bytes of blobs that were sent.
    pub bytes: u64,
    /// Pulls that Docker Hub counted.
    pub pulls: u64,
}

/// What became of one target.
#[derive(Clone, Debug)]
pub struct TargetOutcome {
    /// The target.
    pub target: Target,
    /// The digest that can be pulled there now, whatever happened.
    pub present: Option<Digest>,
    /// What happened.
    pub result: Result<Done, Error>,
}

/// What happened where nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was up to date already.
    Unchanged,
    /// It was copied.
    Copied,
    /// A worker will copy it.
    Queued,
    /// A scan of the private copy has to find nothing first.
    AwaitsScan,
}

impl Outcome {
    /// The outcome of `planned`, whose steps became `targets`.
    pub fn new(planned: Planned, targets: Vec<TargetOutcome>, spent: Spent) -> Self {
        Self {
            request: planned.request,
            upstream: planned.upstream,
            price: planned.price.pulls,
            deferred_since: planned.deferred_since,
            targets,
            spent,
        }
    }

    /// The outcome of `planned` if each of its writes ends with `written`.
    pub fn uniform(mut planned: Planned, written: &Result<Done, Error>) -> Self {
        let steps = std::mem::take(&mut planned.steps);
        let mut targets = Vec::with_capacity(steps.len());
        for step in steps {
            targets.push(TargetOutcome::from_step(step, written.clone()));
        }
        Self::new(planned, targets, Spent::default())
    }

    /// The errors of the targets.
    pub fn errors(&self) -> impl Iterator<Item = &Error> {
        let results = self.targets.iter().map(|target| &target.result);
        results.filter_map(|result| result.as_ref().err())
    }

    /// The error for which the same copy can succeed later although nobody changes anything, if no
    /// retry of it is scheduled.
    pub fn retryable_error(&self) -> Option<&Error> {
        self.errors()
            .find(|error| error.is_transient() && error.retry_at().is_none())
    }

    /// Whether all targets were up to date already.
    pub fn is_unchanged(&self) -> bool {
        let is_unchanged = |target: &TargetOutcome| matches!(target.result, Ok(Done::Unchanged));
        self.targets.iter().all(is_unchanged)
    }

    /// Whether a worker will copy it to one of the targets.
    pub fn is_queued(&self) -> bool {
        self.targets.iter().any(TargetOutcome::is_queued)
    }
}

impl TargetOutcome {
    /// The outcome of `step`; `written` is the outcome of its write, where it has one.
    pub fn from_step(step: Step, written: Result<Done, Error>) -> Self {
        let Step {
            target,
            present,
            action,
        } = step;
        let result = match action {
            Action::Keep => Ok(Done::Unchanged),
            Action::AwaitScan => Ok(Done::AwaitsScan),
            Action::Refuse(error) | Action::Defer(error) => Err(error),
            Action::Write(_) => written,
        };
        Self {
            target,
            present,
            result,
        }
    }

    /// Whether a worker will copy it.
    pub fn is_queued(&self) -> bool {
        matches!(self.result, Ok(Done::Queued))
    }
}
