//! The attributes of a queue, as `GetQueueAttributes` returns them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::super::{arn, rules};
use super::{Queue, RETENTION, Redrive};

impl Queue {
    /// The attributes of the queue by name.
    pub(in crate::sqs) fn attributes(&mut self, now: Timestamp) -> BTreeMap<&'static str, String> {
        let in_flight = self
            .messages(now)
            .iter()
            .filter(|message| message.is_in_flight(now))
            .count();
        let created = self.created_at.as_second().to_string();
        let mut attributes = BTreeMap::from([
            (
                "ApproximateNumberOfMessages",
                (self.messages.len() - in_flight).to_string(),
            ),
            ("ApproximateNumberOfMessagesDelayed", "0".to_owned()),
            (
                "ApproximateNumberOfMessagesNotVisible",
                in_flight.to_string(),
            ),
            ("ContentBasedDeduplication", "false".to_owned()),
            ("CreatedTimestamp", created.clone()),
            ("DelaySeconds", "0".to_owned()),
            ("FifoQueue", "true".to_owned()),
            ("LastModifiedTimestamp", created),
            ("MaximumMessageSize", rules::MAX_BYTES.to_string()),
            ("MessageRetentionPeriod", RETENTION.as_secs().to_string()),
            ("QueueArn", arn(&self.name)),
            ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
            ("VisibilityTimeout", self.visibility.as_secs().to_string()),
        ]);
        if let Some(Redrive {
            queue,
            max_receive_count,
        }) = &self.redrive
        {
            let policy =
                json!({ "deadLetterTargetArn": arn(queue), "maxReceiveCount": max_receive_count });
            attributes.insert("RedrivePolicy", policy.to_string());
        }
        attributes
    }
}
