//! The queue: copies become messages, one for each image.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Replicator;
use crate::error::Error;
use crate::image::reference::ImageRef;
use crate::outcome::{Done, Outcome, Spent, TargetOutcome};
use crate::plan::message::Message;
use crate::plan::{Plan, Planned, Step};

impl Replicator {
    /// Sends what `plan` copies to the queue at `url`, one message for all targets of an image, so
    /// that Docker Hub is read once for them. The outcomes are in the plan's order.
    pub(super) async fn enqueue(&self, url: &str, plan: Plan) -> Vec<Outcome> {
        let messages: Vec<Message> = plan.0.iter().filter_map(Message::from_planned).collect();
        let results = self.aws.send(url, &messages).await;
        let images = messages.into_iter().map(|message| message.image);
        let results: BTreeMap<ImageRef, Result<(), Error>> = images.zip(results).collect();
        let mut outcomes = Vec::with_capacity(plan.0.len());
        for planned in plan.0 {
            let result = results.get(&planned.request.image).cloned();
            outcomes.push(outcome(planned, result.unwrap_or(Ok(()))));
        }
        outcomes
    }

    /// Makes the queue redeliver the message with this receipt after `delay`. If that fails, it is
    /// redelivered when the queue's visibility timeout ends.
    pub async fn return_message(&self, receipt: &str, delay: Duration) {
        let Some(url) = &self.settings.queue_url else {
            return;
        };
        if let Err(error) = self.aws.change_visibility(url, receipt, delay).await {
            tracing::warn!(
                "could not shorten the visibility timeout; the message is redelivered when it ends: {}",
                error.chain()
            );
        }
    }
}

fn outcome(mut planned: Planned, sent: Result<(), Error>) -> Outcome {
    let queued = sent.map(|()| Done::Queued);
    let steps = std::mem::take(&mut planned.steps);
    let target = |step: Step| TargetOutcome::from_step(step, queued.clone());
    let targets = steps.into_iter().map(target).collect();
    Outcome::new(planned, targets, Spent::default())
}
