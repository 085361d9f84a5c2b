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

/// Copies what the batch asks for, and names the messages that shall come back.
///
/// Messages of one group, which is one repository, go one after another. After one that comes back the rest of its group comes
/// back too, untried, so that their order is kept.
pub async fn handle(event: SqsEvent, deadline: SystemTime, replicator: &Replicator) -> SqsBatchResponse {
    let run = Run::until(deadline, Timestamp::now().into(), None);
    let mut groups: BTreeMap<String, Vec<SqsMessage>> = BTreeMap::new();
    for message in event.records {
        let group = message.attributes.get("MessageGroupId").cloned().unwrap_or_default();
        groups.entry(group).or_default().push(message);
    }
    let come_back = future::join_all(groups.into_values().map(|group| work_off(group, &run, replicator))).await;
    let mut response = SqsBatchResponse::default();
    response.set_failures(come_back.into_iter().flatten());
    response
}

/// The identifiers of the messages of one group that shall come back.
async fn work_off(group: Vec<SqsMessage>, run: &Run, replicator: &Replicator) -> Vec<String> {
    let mut messages = group.into_iter();
    while let Some(message) = messages.next() {
        let id = message.message_id.clone().unwrap_or_default();
        if run.is_over() || comes_back(&message, run, replicator).await {
            return std::iter::once(id).chain(messages.filter_map(|later| later.message_id)).collect();
        }
    }
    Vec::new()
}

async fn comes_back(message: &SqsMessage, run: &Run, replicator: &Replicator) -> bool {
    let body = message.body.as_deref().unwrap_or_default();
    match serde_json::from_str::<Message>(body) {
        Ok(message) => {
            let outcome = copy(message, run, replicator).await;
            outcome.is_some_and(|outcome| outcome.is_worth_another_try())
        }
        Err(error) => {
            let message_id = message.message_id.as_deref().unwrap_or_default();
            tracing::error!(message_id, "a message is dropped, because it cannot be read: {error}");
            false
        }
    }
}

/// Safe to run twice: a copy that is there already is found, at the cost of one look at the destination.
async fn copy(message: Message, run: &Run, replicator: &Replicator) -> Option<Outcome> {
    let Message { image, digest, targets, cause, .. } = message;
    let request = Request { image: image.clone(), targets, unplaced: Vec::new(), trigger: cause.clone() };
    let requests = [request];
    let survey = Survey { upstream: [(image, Ok(digest))].into(), mirrors: replicator.mirrors(&requests).await };
    let outcomes: Vec<Outcome> = replicator.carry_out(plan(&requests, &survey), run).collect().await;
    replicator.record(&outcomes, Timestamp::now()).await;
    Report::of(&outcomes, Policy::Keep, replicator.quota()).log(&cause);
    outcomes.into_iter().next()
}
