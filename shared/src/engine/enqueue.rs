//! Handing over: what has to be copied becomes messages, one for each image.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Replicator;
use crate::error::Error;
use crate::image::reference::ImageRef;
use crate::outcome::report::{Done, Outcome, TargetOutcome};
use crate::plan::message::Message;
use crate::plan::{Plan, Planned, Step};

impl Replicator {
    /// Sends what `plan` wants copied to the queue at `url` and tells what became of each image, in the plan's order.
    pub async fn enqueue(&self, url: &str, plan: Plan) -> Vec<Outcome> {
        let messages: Vec<Message> = plan.0.iter().filter_map(message).collect();
        let sent = self.aws.send(url, &messages).await;
        let images = messages.into_iter().map(|message| message.image);
        let results: BTreeMap<ImageRef, Result<(), Error>> = images.zip(sent).collect();
        let outcome = |planned: Planned| {
            let result = results.get(&planned.image).cloned().unwrap_or(Ok(()));
            outcome(planned, &result)
        };
        plan.0.into_iter().map(outcome).collect()
    }
}

impl Replicator {
    /// Lets the message with this receipt come back after `delay`. Where that fails the queue's own time holds.
    pub async fn return_message(&self, receipt: &str, delay: Duration) {
        if let Some(url) = &self.settings.queue_url
            && let Err(error) = self.aws.change_visibility(url, receipt, delay).await
        {
            tracing::warn!(
                "a message comes back later than it could: {}",
                error.chain()
            );
        }
    }
}

/// One message for all places of an image, so that Docker Hub is read once for them.
fn message(planned: &Planned) -> Option<Message> {
    let targets: Vec<_> = planned
        .steps
        .iter()
        .filter(|step| step.is_due())
        .map(|step| step.target.clone())
        .collect();
    let digest = planned.upstream.clone().filter(|_| !targets.is_empty())?;
    Some(Message::new(planned, digest, targets))
}

fn outcome(mut planned: Planned, sent: &Result<(), Error>) -> Outcome {
    let place = |step: Step| TargetOutcome::from_step(step, sent.clone().map(|()| Done::Queued));
    let places = std::mem::take(&mut planned.steps)
        .into_iter()
        .map(place)
        .collect();
    Outcome::new(planned, places, 0, 0)
}
