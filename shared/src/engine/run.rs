//! One run: survey → plan → act → defer → record → notify.
//!
//! A caller describes a [`Job`] and gets outcomes; it does not order steps. The types fix the order:
//! only [`Replicator::prepare`] makes a [`Prepared`], only acting makes an `Acted`, only deferring
//! makes a `Settled`, and only a `Settled` can be recorded and notified.

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Replicator, Session};
use crate::catalogue::SelectionResult;
use crate::error::Error;
use crate::image::digest::Digest;
use crate::image::reference::ImageRef;
use crate::outcome::Outcome;
use crate::outcome::report::{Policy, Report};
use crate::plan::Plan;
use crate::plan::decide::plan;
use crate::plan::quota::Quota;
use crate::plan::survey::UpstreamTag;
use crate::request::{Request, Trigger, TriggerKind};

/// The input of a run.
pub struct Job {
    /// The images and their targets.
    pub requests: Vec<Request>,
    /// The results of the catalogue's selections.
    pub selections: Vec<SelectionResult>,
    /// What triggered the job.
    pub trigger: Trigger,
    /// Who copies.
    pub route: Route,
    /// How much of the catalogue the requests cover.
    pub scope: Scope,
    /// Which upstream digest counts.
    pub upstream: Upstream,
    /// Who retries deferred images.
    pub retry: Retry,
    /// Which outcomes are recorded.
    pub records: Records,
    /// When to stop copying, or waiting for a worker's copies. With `None` workers are not awaited.
    pub wait_until: Option<Instant>,
}

/// Who copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A worker, through the queue; this process if no queue is configured.
    Queue,
    /// This process.
    Here,
}

/// How much of the catalogue a run covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it: recorded failures of tags that it no longer names are removed.
    Whole,
    /// Some of it: the records of other tags are kept.
    Part,
}

/// Which upstream digest counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The one that upstream has now.
    Current,
    /// The one that upstream has now; this one if reading upstream ends in a transient error.
    CurrentOr(Digest),
    /// This one only.
    Exactly(Digest),
}

/// Who retries deferred images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// A schedule invokes `refresh` once there are pulls again.
    Scheduled,
    /// The caller: `refresh` cannot repeat this request.
    Caller,
}

/// Which outcomes are recorded and notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// All.
    All,
    /// What this process did itself. A worker records its own copies. Images that are up to date are
    /// left to `refresh`, which saves a build one request for each repository.
    OwnCopies,
}

impl Job {
    /// The usual job: through the queue, part of the catalogue, retries scheduled, all recorded.
    pub fn new(requests: Vec<Request>, trigger: Trigger) -> Self {
        Self {
            requests,
            selections: Vec::new(),
            trigger,
            route: Route::Queue,
            scope: Scope::Part,
            upstream: Upstream::Current,
            retry: Retry::Scheduled,
            records: Records::All,
            wait_until: None,
        }
    }

    /// Whether `outcome` is recorded and notified.
    pub(super) fn records(&self, outcome: &Outcome) -> bool {
        match self.records {
            Records::All => true,
            Records::OwnCopies => !outcome.is_unchanged(),
        }
    }
}

/// A surveyed and planned job. Nothing is written yet.
pub struct Prepared {
    /// What would be done: the dry run.
    pub plan: Plan,
    job: Job,
    surveyed_at: Timestamp,
}

impl Prepared {
    /// The results of the catalogue's selections.
    pub fn selections(&self) -> &[SelectionResult] {
        &self.job.selections
    }
}

/// What became of a job.
pub struct Finished {
    /// What became of each request, in their order.
    pub outcomes: Vec<Outcome>,
    /// The results of the catalogue's selections.
    pub selections: Vec<SelectionResult>,
}

impl Finished {
    /// The report on all of it.
    pub fn report(&self, policy: Policy, quota: Option<Quota>) -> Report {
        let report = Report::from_outcomes(&self.outcomes, policy, quota);
        report.with_selections(&self.selections)
    }
}

/// Outcomes of copies, or of sending them to the queue.
pub(super) struct Acted(pub(super) Vec<Outcome>);

/// Outcomes whose retries are scheduled: they are final.
pub(super) struct Settled(pub(super) Vec<Outcome>);

impl Replicator {
    /// Runs `job`: prepares and executes it.
    pub async fn run(&self, job: Job, session: &Session) -> Finished {
        let prepared = self.prepare(job, session).await;
        self.execute(prepared, session, |_| ()).await
    }

    /// Surveys both sides and plans. Nothing is pulled, and nothing is written.
    pub async fn prepare(&self, mut job: Job, session: &Session) -> Prepared {
        let surveyed_at = self.now();
        let requests = std::mem::take(&mut job.requests);
        let survey = self.survey(&requests, &job.upstream, session).await;
        let budget = if self.plans_budget(&job, &requests) {
            self.budget()
        } else {
            None
        };
        let plan = plan(requests, &survey, budget.as_ref(), self.now());
        Prepared {
            plan,
            job,
            surveyed_at,
        }
    }

    /// Whether the plan has to keep to the budget. For a single request through the queue the worker
    /// does that: it knows how many pulls are left when it copies.
    fn plans_budget(&self, job: &Job, requests: &[Request]) -> bool {
        if self.queue(job.route).is_none() {
            return true;
        }
        let mut triggers = requests.iter().map(|request| &request.trigger);
        triggers.all(|trigger| trigger.kind == TriggerKind::Schedule)
    }

    /// Executes a prepared job. `progress` gets each outcome as soon as it is known.
    pub async fn execute(
        &self,
        prepared: Prepared,
        session: &Session,
        progress: impl FnMut(&Outcome),
    ) -> Finished {
        let Prepared {
            plan,
            job,
            surveyed_at,
        } = prepared;
        if let Some(end) = job.wait_until {
            session.end_by(end);
        }
        let queue = self.queue(job.route);
        let outcomes = match queue {
            Some(url) => self.enqueue(url, plan).await,
            None => self.copy(plan, session, progress).await,
        };
        let mut acted = Acted(outcomes);
        if job.wait_until.is_some() {
            self.wait_for_copies(&mut acted, session, surveyed_at).await;
        }
        let is_left_to_worker = job.records == Records::OwnCopies && queue.is_some();
        let outcomes = if is_left_to_worker {
            acted.0
        } else {
            let settled = self.defer(acted, job.retry).await;
            self.record(&settled, &job, session).await;
            self.notify(&settled, &job).await;
            settled.0
        };
        Finished {
            outcomes,
            selections: job.selections,
        }
    }

    /// The queue of a job on `route`.
    fn queue(&self, route: Route) -> Option<&str> {
        match route {
            Route::Queue => self.settings.queue_url.as_deref(),
            Route::Here => None,
        }
    }
}

impl Upstream {
    /// The digest of `image` that counts; `found` is the result of reading upstream.
    pub(super) fn choose(
        &self,
        image: &ImageRef,
        found: Result<UpstreamTag, Error>,
    ) -> Result<UpstreamTag, Error> {
        let assumed = |digest: &Digest| UpstreamTag::assumed(digest.clone(), image);
        match self {
            Self::Current => found,
            Self::CurrentOr(digest) => match found {
                Err(error) if error.is_transient() => Ok(assumed(digest)),
                found => found,
            },
            Self::Exactly(digest) => match found {
                Ok(found) if found.digest == *digest => Ok(found),
                _ => Ok(assumed(digest)),
            },
        }
    }
}
