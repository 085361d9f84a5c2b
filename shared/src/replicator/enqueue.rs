//! Handing over: what has to be copied becomes messages, one for each image and destination repository.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Replicator;
use crate::error::Error;
use crate::message::Message;
use crate::plan::{Action, Plan, Planned, Step};
use crate::reference::RepositoryRef;
use crate::report::{Done, Outcome, Place};

impl Replicator {
    /// Sends what `plan` wants copied to the queue at `url` and tells what became of each image, in the plan's order.
    pub async fn enqueue(&self, url: &str, plan: Plan) -> Vec<Outcome> {
        let messages: Vec<Message> = plan.0.iter().flat_map(messages).collect();
        let mut sent = self.aws.send(url, &messages).await.into_iter();
        let results: BTreeMap<_, _> =
            messages.iter().zip(&mut sent).map(|(message, result)| (key(message), result)).collect();
        let result = |planned: &Planned, step: &Step| {
            let key = (planned.image.to_string(), step.target.uri.repository().clone());
            results.get(&key).cloned().unwrap_or(Ok(()))
        };
        plan.0.into_iter().map(|planned| outcome(planned, &result)).collect()
    }
}

impl Replicator {
    /// Lets the message with this receipt come back after `delay`. Where that fails the queue's own time holds.
    pub async fn hand_back(&self, receipt: &str, delay: Duration) {
        if let Some(url) = &self.settings.queue_url
            && let Err(error) = self.aws.come_back_in(url, receipt, delay).await
        {
            tracing::warn!("a message comes back later than it could: {}", error.chain());
        }
    }
}

fn key(message: &Message) -> (String, RepositoryRef) {
    (message.image.to_string(), message.targets[0].uri.repository().clone())
}

fn messages(planned: &Planned) -> Vec<Message> {
    let mut by_repository: BTreeMap<&RepositoryRef, Message> = BTreeMap::new();
    for step in &planned.steps {
        if let Action::Copy(digest) = &step.action {
            let new = || Message::new(planned.image.clone(), digest.clone(), Vec::new(), planned.trigger.clone());
            let message = by_repository.entry(step.target.uri.repository()).or_insert_with(new);
            message.targets.push(step.target.clone());
        }
    }
    by_repository.into_values().collect()
}

fn outcome(planned: Planned, result: &impl Fn(&Planned, &Step) -> Result<(), Error>) -> Outcome {
    let place = |step: &Step| {
        let done = match &step.action {
            Action::Keep => Ok(Done::Unchanged),
            Action::AwaitScan => Ok(Done::AwaitsScan),
            Action::Refuse(error) => Err(error.clone()),
            Action::Copy(_) => result(&planned, step).map(|()| Done::Queued),
        };
        Place { target: step.target.clone(), present: step.present.clone(), result: done }
    };
    let places = planned.steps.iter().map(place).collect();
    Outcome {
        image: planned.image,
        upstream: planned.upstream,
        places,
        unplaced: planned.unplaced,
        bytes: 0,
        pulls: 0,
        trigger: planned.trigger,
    }
}
