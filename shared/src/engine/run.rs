//! One run: survey → plan → act → defer → record → notify.
//!
//! A caller says in a [`Job`] what it wants and gets outcomes; it orders no steps. The order is in the
//! types: only [`Replicator::prepare`] makes a [`Prepared`], only acting makes an [`Acted`], only
//! deferring makes a [`Settled`], and only that can be recorded and notified.

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

/// What a caller wants of a run.
pub struct Job {
    /// The images and their targets.
    pub requests: Vec<Request>,
    /// The results of the catalogue's selections.
    pub selections: Vec<SelectionResult>,
    /// What triggered the job.
    pub trigger: Trigger,
    /// Who copies.
    pub route: Route,
    /// How much of the catalogue the requests are.
    pub scope: Scope,
    /// Which upstream digest counts.
    pub upstream: Upstream,
    /// Who retries deferred images.
    pub retry: Retry,
    /// Which outcomes are recorded.
    pub records: Records,
    /// Until when to copy, or to wait for a worker's copies. `None` does not wait for workers.
    pub wait_until: Option<Instant>,
}

/// Who copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A worker, through the queue; this process where no queue is configured.
    Queue,
    /// This process.
    Here,
}

/// How much of the catalogue a run covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it: failures of tags that it no longer names are removed from the record.
    Whole,
    /// Some of it: the record of other tags is kept.
    Part,
}

/// Which upstream digest counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The one that upstream has now.
    Current,
    /// The one that upstream has now; this one while upstream cannot be asked for a passing reason.
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
    /// What this process did itself. A worker records its own copies, and images that are up to date
    /// are left to `refresh`, which spares a build one request for each repository.
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
}

/// A surveyed and planned job. Nothing is written yet.
pub struct Prepared {
    /// What would be done: the dry run.
    pub plan: Plan,
    job: Job,
    prepared_at: Timestamp,
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
        Report::from_outcomes(&self.outcomes, policy, quota).with_selections(&self.selections)
    }
}

/// Outcomes of copies, or of handing them to the queue.
pub(super) struct Acted(pub(super) Vec<Outcome>);

/// Outcomes whose retries are scheduled: nothing about them changes any more.
pub(super) struct Settled(pub(super) Vec<Outcome>);

impl Replicator {
    /// Runs `job`: prepares and executes it.
    pub async fn run(&self, job: Job, session: &Session) -> Finished {
        let prepared = self.prepare(job, session).await;
        self.execute(prepared, session, |_| ()).await
    }

    /// Surveys both sides and plans. Nothing is pulled, and nothing is written.
    pub async fn prepare(&self, mut job: Job, session: &Session) -> Prepared {
        let prepared_at = self.now();
        let requests = std::mem::take(&mut job.requests);
        let survey = self.survey(&requests, &job.upstream, session).await;
        let budget = self.budget().filter(|_| self.plans_budget(&job, &requests));
        let plan = plan(requests, &survey, budget.as_ref(), self.now());
        Prepared {
            plan,
            job,
            prepared_at,
        }
    }

    /// A single request that goes through the queue is judged by the worker that gets it: the worker
    /// sees how many pulls are left by then.
    fn plans_budget(&self, job: &Job, requests: &[Request]) -> bool {
        let is_scheduled = |request: &Request| request.trigger.kind == TriggerKind::Schedule;
        self.queue(job.route).is_none() || requests.iter().all(is_scheduled)
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
            prepared_at,
        } = prepared;
        if let Some(end) = job.wait_until {
            session.end_by(end);
        }
        let queue = self.queue(job.route);
        let mut acted = match queue {
            Some(url) => Acted(self.enqueue(url, plan).await),
            None => Acted(self.copy(plan, session, progress).await),
        };
        if job.wait_until.is_some() {
            self.wait_for_copies(&mut acted, session, prepared_at).await;
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
    /// The digest of `image` that counts, after `found` was found upstream.
    pub(super) fn choose(
        &self,
        image: &ImageRef,
        found: Result<UpstreamTag, Error>,
    ) -> Result<UpstreamTag, Error> {
        match (self, found) {
            (Self::CurrentOr(digest), Err(error)) if error.is_transient() => {
                Ok(UpstreamTag::assumed(digest.clone(), image))
            }
            (Self::Current | Self::CurrentOr(_), found) => found,
            (Self::Exactly(digest), Ok(found)) if found.digest == *digest => Ok(found),
            (Self::Exactly(digest), _) => Ok(UpstreamTag::assumed(digest.clone(), image)),
        }
    }
}
