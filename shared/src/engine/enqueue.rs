//! The queue: copies become messages, one for each image.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Replicator;
use crate::error::Error;
use crate::image::reference::ImageRef;
use crate::outcome::{Done, Outcome};
use crate::plan::Plan;
use crate::plan::message::Message;

impl Replicator {
    /// Sends what `plan` copies to the queue at `url`, one message for all targets of an image, so
    /// that Docker Hub is read once for them. The outcomes are in the plan's order.
    pub(super) async fn enqueue(&self, url: &str, plan: Plan) -> Vec<Outcome> {
        let Plan(images) = plan;
        let messages = images.iter().filter_map(Message::from_planned);
        let messages: Vec<Message> = messages.collect();
        let results = self.aws.send(url, &messages).await;

        let mut errors: BTreeMap<ImageRef, Error> = BTreeMap::new();
        for (message, result) in messages.into_iter().zip(results) {
            if let Err(error) = result {
                errors.insert(message.image, error);
            }
        }
        let mut outcomes = Vec::with_capacity(images.len());
        for planned in images {
            let queued = match errors.get(&planned.request.image) {
                Some(error) => Err(error.clone()),
                None => Ok(Done::Queued),
            };
            outcomes.push(Outcome::uniform(planned, &queued));
        }
        outcomes
    }

    /// Makes the queue redeliver the message with this receipt after `delay`. If that fails, it is
    /// redelivered when the queue's visibility timeout ends.
    pub async fn return_message(&self, receipt: &str, delay: Duration) {
        let Some(url) = &self.settings.queue_url else {
            return;
        };
        let changed = self.aws.change_visibility(url, receipt, delay).await;
        if let Err(error) = changed {
            tracing::warn!(
                "could not shorten the visibility timeout; the message is redelivered when it ends: {}",
                error.chain()
            );
        }
    }
}
