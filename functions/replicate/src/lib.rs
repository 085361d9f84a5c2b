//! `replicate`: messages of the queue become copies.
//!
//! Poison policy: a message is redelivered only if the same copy can succeed later although nobody
//! changes anything (a limit, a broken connection, a deadline), and no retry of it is scheduled. A
//! message that cannot be read, or whose image is gone or refused, is logged, recorded where possible,
//! and not redelivered.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::future;
use image_replicator::engine::{Job, Replicator, Retry, Route, Session, Upstream};
use image_replicator::error::{Cause, Error};
use image_replicator::image::host::Host;
use image_replicator::outcome::Outcome;
use image_replicator::outcome::report::{Answer, Policy, Report};
use image_replicator::plan::message::Message;
use image_replicator::plan::quota::Quota;
use image_replicator::request::{Request, Target, TriggerKind};
use jiff::Timestamp;

/// The delay of a redelivery after a broken connection or a server error.
const RETRY_DELAY: Duration = Duration::from_mins(1);

/// What became of a batch.
#[derive(Debug, Default)]
pub struct BatchOutcome {
    /// What became of each image that was tried, group by group.
    pub outcomes: Vec<Outcome>,
    /// Identifiers of the messages that SQS redelivers.
    pub redelivered: Vec<String>,
    quota: Option<Quota>,
}

impl Answer for BatchOutcome {
    type Response = SqsBatchResponse;

    fn report(&self) -> Report {
        Report::from_outcomes(&self.outcomes, Policy::Keep, self.quota)
    }

    fn into_response(self) -> SqsBatchResponse {
        self.response()
    }
}

impl BatchOutcome {
    /// The answer that SQS expects: `ReportBatchItemFailures`.
    pub fn response(self) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        response.set_failures(self.redelivered);
        response
    }
}

/// When a message is redelivered.
#[derive(Clone, Copy)]
enum Redelivery {
    After(Duration),
    /// When the queue's visibility timeout ends, which is hours later.
    AtTimeout,
}

/// Copies what the batch asks for.
///
/// Messages of one group, which is one repository, are worked off one after another. After one that is
/// redelivered the rest of its group is redelivered too, untried, so that their order is kept.
pub async fn handle(
    event: SqsEvent,
    deadline: SystemTime,
    replicator: &Replicator,
) -> BatchOutcome {
    let session = Session::until(deadline, Timestamp::now().into());
    let mut groups: BTreeMap<String, Vec<SqsMessage>> = BTreeMap::new();
    for message in event.records {
        let group = message.attributes.get("MessageGroupId");
        let group = group.cloned().unwrap_or_default();
        groups.entry(group).or_default().push(message);
    }
    let works = groups
        .into_values()
        .map(|it| work_off(it, &session, replicator));
    let mut batch = BatchOutcome::default();
    for group in future::join_all(works).await {
        batch.outcomes.extend(group.outcomes);
        batch.redelivered.extend(group.redelivered);
    }
    batch.quota = replicator.quota();
    batch
}

async fn work_off(
    group: Vec<SqsMessage>,
    session: &Session,
    replicator: &Replicator,
) -> BatchOutcome {
    let mut done = BatchOutcome::default();
    let mut redelivery = Redelivery::After(Duration::ZERO);
    for message in group {
        if !session.is_over() && done.redelivered.is_empty() {
            let outcome = copy_message(&message, session, replicator).await;
            let retried = outcome.as_ref().and_then(redelivery_after);
            done.outcomes.extend(outcome);
            match retried {
                Some(after) => redelivery = after,
                None => continue,
            }
        }
        let receipt = message.receipt_handle.as_deref();
        if let (Redelivery::After(delay), Some(receipt)) = (redelivery, receipt) {
            replicator.return_message(receipt, delay).await;
        }
        done.redelivered
            .push(message.message_id.unwrap_or_default());
    }
    done
}

/// When another try makes sense; `None` where none does.
fn redelivery_after(outcome: &Outcome) -> Option<Redelivery> {
    outcome.retryable_error()?;
    let mut causes = outcome.errors().map(Error::cause);
    let first = causes.next()?;
    let is_limit = |cause: &Cause| matches!(cause, Cause::PullLimit | Cause::InsufficientPulls);
    if is_limit(first) || causes.any(is_limit) {
        return Some(Redelivery::AtTimeout);
    }
    Some(Redelivery::After(match first {
        Cause::Deadline => Duration::ZERO,
        _ => RETRY_DELAY,
    }))
}

/// Copies what `message` asks for; `None` for a message that cannot be read.
async fn copy_message(
    message: &SqsMessage,
    session: &Session,
    replicator: &Replicator,
) -> Option<Outcome> {
    let body = message.body.as_deref().unwrap_or_default();
    match serde_json::from_str::<Message>(body) {
        Ok(message) => copy(message, session, replicator).await,
        Err(error) => {
            let message_id = message.message_id.as_deref().unwrap_or_default();
            tracing::error!(message_id, "dropped a message that cannot be read: {error}");
            None
        }
    }
}

/// Safe to run twice: a copy that is there already is found, for one HEAD and one read at the
/// destination.
async fn copy(message: Message, session: &Session, replicator: &Replicator) -> Option<Outcome> {
    let (request, digest) = message.into_request();
    let trigger = request.trigger.clone();
    // A message may be older than the tag: upstream's current digest counts, and the message's only
    // while upstream cannot be asked. But a publication after a scan is exactly what was scanned, and
    // no refresh can repeat it.
    let (upstream, retry) = if is_publication(&request) {
        (Upstream::Exactly(digest), Retry::Caller)
    } else {
        (Upstream::CurrentOr(digest), Retry::Scheduled)
    };
    let job = Job {
        route: Route::Here,
        upstream,
        retry,
        ..Job::new(vec![request], trigger.clone())
    };
    let finished = replicator.run(job, session).await;
    let report = finished.report(Policy::Keep, replicator.quota());
    report.log(&trigger);
    finished.outcomes.into_iter().next()
}

fn is_publication(request: &Request) -> bool {
    let is_public = |target: &Target| {
        let registry = &target.uri.repository().registry;
        Host::parse(registry) == Host::EcrPublic
    };
    request.trigger.kind == TriggerKind::Scan && request.targets.iter().all(is_public)
}
