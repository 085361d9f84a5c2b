//! `replicate`: messages of the queue become copies.
//!
//! Poison policy: a message comes back only when the same copy can succeed later without anybody changing anything (a limit, a
//! broken connection, a deadline). A message that cannot be read, and one whose image is gone or refused, is recorded and
//! logged, and does not come back.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::{StreamExt, future};
use jiff::Timestamp;
use replicator::message::Message;
use replicator::plan::{Survey, plan};
use replicator::replicator::{Replicator, Run};
use replicator::report::{Outcome, Policy, Report};
use replicator::request::Request;

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
    let run = Run::until(deadline, Timestamp::now().into(), None);
    let mut groups: BTreeMap<String, Vec<SqsMessage>> = BTreeMap::new();
    for message in event.records {
        let group = message.attributes.get("MessageGroupId").cloned().unwrap_or_default();
        groups.entry(group).or_default().push(message);
    }
    let worked = future::join_all(groups.into_values().map(|group| work_off(group, &run, replicator))).await;
    worked.into_iter().fold(Worked::default(), |mut all, group| {
        all.outcomes.extend(group.outcomes);
        all.come_back.extend(group.come_back);
        all
    })
}

async fn work_off(group: Vec<SqsMessage>, run: &Run, replicator: &Replicator) -> Worked {
    let mut worked = Worked::default();
    for message in group {
        let id = message.message_id.as_deref().unwrap_or_default();
        if run.is_over() || !worked.come_back.is_empty() {
            worked.come_back.push(id.to_owned());
            continue;
        }
        match serde_json::from_str(message.body.as_deref().unwrap_or_default()) {
            Ok(wish) => {
                let outcomes = copy(wish, run, replicator).await;
                if outcomes.iter().any(Outcome::is_worth_another_try) {
                    worked.come_back.push(id.to_owned());
                }
                worked.outcomes.extend(outcomes);
            }
            Err(error) => tracing::error!(message_id = id, "a message is dropped, because it cannot be read: {error}"),
        }
    }
    worked
}

/// Safe to run twice: a copy that is there already is found, at the cost of one look at the destination.
async fn copy(message: Message, run: &Run, replicator: &Replicator) -> Vec<Outcome> {
    let Message { image, digest, targets, cause, .. } = message;
    let request = Request { image: image.clone(), targets, unplaced: Vec::new(), trigger: cause.clone() };
    let requests = [request];
    let survey = Survey { upstream: [(image, Ok(digest))].into(), mirrors: replicator.mirrors(&requests).await };
    let outcomes: Vec<Outcome> = replicator.carry_out(plan(&requests, &survey), run).collect().await;
    replicator.record(&outcomes, Timestamp::now()).await;
    Report::of(&outcomes, Policy::Keep, replicator.quota()).log(&cause);
    outcomes
}
