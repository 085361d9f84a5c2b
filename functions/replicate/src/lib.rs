//! `replicate`: messages of the queue become copies.
//!
//! Poison policy: a message comes back only when the same copy can succeed later without anybody changing anything (a limit, a
//! broken connection, a deadline), and nothing else tries it again. A message that cannot be read, and one whose image is gone or
//! refused, is recorded and logged, and does not come back.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::future;
use image_replicator::engine::{Replicator, Session};
use image_replicator::error::{Cause, Error};
use image_replicator::image::host::Host;
use image_replicator::outcome::report::{Outcome, Policy, Report};
use image_replicator::plan::UpstreamTag;
use image_replicator::plan::message::Message;
use image_replicator::request::{Request, Target, TriggerKind};
use jiff::Timestamp;

/// The pause before another try after a broken connection or a server's fault.
const A_WHILE: Duration = Duration::from_mins(1);

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Worked {
    /// What became of each image that was tried, group by group.
    pub outcomes: Vec<Outcome>,
    /// Identifiers of the messages that shall come back.
    pub come_back: Vec<String>,
}

impl Worked {
    /// The answer that SQS wants: `ReportBatchItemFailures`.
    pub fn response(self) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        response.set_failures(self.come_back);
        response
    }
}

/// Copies what the batch asks for.
///
/// Messages of one group, which is one repository, go one after another. After one that comes back the rest of its group comes
/// back too, untried, so that their order is kept.
pub async fn handle(event: SqsEvent, deadline: SystemTime, replicator: &Replicator) -> Worked {
    let session = Session::until(deadline, Timestamp::now().into());
    let mut groups: BTreeMap<String, Vec<SqsMessage>> = BTreeMap::new();
    for message in event.records {
        let group = message
            .attributes
            .get("MessageGroupId")
            .cloned()
            .unwrap_or_default();
        groups.entry(group).or_default().push(message);
    }
    let worked = future::join_all(
        groups
            .into_values()
            .map(|group| work_off(group, &session, replicator)),
    )
    .await;
    worked
        .into_iter()
        .fold(Worked::default(), |mut all, group| {
            all.outcomes.extend(group.outcomes);
            all.come_back.extend(group.come_back);
            all
        })
}

async fn work_off(group: Vec<SqsMessage>, session: &Session, replicator: &Replicator) -> Worked {
    let mut worked = Worked::default();
    let mut delay = Some(Duration::ZERO);
    for message in group {
        if !session.is_over() && worked.come_back.is_empty() {
            let outcomes = try_one(&message, session, replicator).await;
            let again = outcomes
                .iter()
                .any(|outcome| outcome.retryable_error().is_some());
            delay = if again { pause(&outcomes) } else { delay };
            worked.outcomes.extend(outcomes);
            if !again {
                continue;
            }
        }
        worked
            .come_back
            .push(message.message_id.unwrap_or_default());
        if let (Some(delay), Some(receipt)) = (delay, &message.receipt_handle) {
            replicator.return_message(receipt, delay).await;
        }
    }
    worked
}

/// How soon another try makes sense; `None`: when the queue's visibility timeout ends, which is a matter of hours.
fn pause(outcomes: &[Outcome]) -> Option<Duration> {
    let errors = outcomes
        .iter()
        .flat_map(|outcome| &outcome.places)
        .filter_map(|place| place.result.as_ref().err());
    errors
        .map(|error| match error.cause() {
            Cause::PullLimit | Cause::InsufficientPulls => None,
            Cause::Deadline => Some(Duration::ZERO),
            _ => Some(A_WHILE),
        })
        .min_by_key(Option::is_some)
        .flatten()
}

async fn try_one(message: &SqsMessage, session: &Session, replicator: &Replicator) -> Vec<Outcome> {
    match serde_json::from_str(message.body.as_deref().unwrap_or_default()) {
        Ok(wish) => copy(wish, session, replicator).await,
        Err(error) => {
            let message_id = message.message_id.as_deref().unwrap_or_default();
            tracing::error!(
                message_id,
                "a message is dropped, because it cannot be read: {error}"
            );
            Vec::new()
        }
    }
}

/// Safe to run twice: a copy that is there already is found, at the cost of one HEAD and one look at the destination.
async fn copy(message: Message, session: &Session, replicator: &Replicator) -> Vec<Outcome> {
    let Message {
        image,
        digest,
        targets,
        platforms,
        origins,
        cause,
        ..
    } = message;
    let (priority, unplaced, trigger) = (0, Vec::new(), cause.clone());
    let request = Request {
        image: image.clone(),
        targets,
        unplaced,
        platforms,
        priority,
        origins,
        trigger,
    };
    // A message may be older than the tag: what upstream has now counts, and the message only while upstream cannot be asked.
    // But what is published because of a scan is what was scanned.
    let is_publication = is_publication(&request);
    let requests = [request];
    let judge = |found: Result<UpstreamTag, Error>| match found {
        Ok(seen) if !is_publication || seen.digest == digest => Ok(seen),
        Err(error) if !is_publication && !error.is_transient() => Err(error),
        _ => Ok(UpstreamTag::unasked(digest.clone(), &image)),
    };
    let survey = replicator.survey_as(&requests, judge, session).await;
    let plan = replicator.plan_work(&requests, &survey);
    let mut outcomes: Vec<Outcome> = replicator.carry_out(plan, session, |_| ()).await;
    // No refresh knows of the scan: the message comes back instead.
    if !is_publication {
        replicator.postpone(&mut outcomes, None).await;
    }
    replicator.record(&outcomes, session).await;
    Report::from_outcomes(&outcomes, Policy::Keep, replicator.quota()).log(&cause);
    outcomes
}

fn is_publication(request: &Request) -> bool {
    let is_public =
        |target: &Target| Host::parse(&target.uri.repository().registry) == Host::EcrPublic;
    request.trigger.kind == TriggerKind::Scan && request.targets.iter().all(is_public)
}
