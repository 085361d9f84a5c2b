//! The event source mapping: makes events of messages, and applies the response of the function.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::message::Message;
use super::{MAX_BATCH, Sqs, arn, attributes, name};
use crate::aws::HOME_REGION;
use crate::lambda::FunctionError;

impl Sqs {
    /// The next event of an event source mapping: up to `batch_size` messages. They are in flight
    /// until they are [settled](Self::settle) or their visibility timeout ends. `None` if no
    /// message can be received now.
    ///
    /// Source: <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>.
    pub fn next_event(&self, url: &str, batch_size: usize) -> Option<Value> {
        let most = batch_size.clamp(1, MAX_BATCH);
        let messages = self
            .state()
            .receive(name(url), most, None, self.clock.now())
            .expect("the queue exists");
        (!messages.is_empty()).then(|| event_of(name(url), &messages))
    }

    /// Ends an event as a mapping with `ReportBatchItemFailures` does. Messages that the function
    /// names are redelivered, the rest is deleted. After an error or an unreadable response, all
    /// messages are redelivered.
    ///
    /// A redelivered message can be received when its visibility timeout ends, which the function
    /// may have changed.
    pub fn settle(&self, url: &str, event: &Value, response: &Result<Value, FunctionError>) {
        self.with_queue(url, |queue, now| {
            for (receipt, _) in verdict(event, response)
                .into_iter()
                .filter(|(_, returned)| !returned)
            {
                // A receipt that has expired leaves its message in the queue, as in AWS.
                queue.delete(receipt, now).unwrap_or_default();
            }
        });
    }
}

/// The event that Lambda makes of received messages.
fn event_of(queue: &str, messages: &[Message]) -> Value {
    json!({ "Records": messages.iter().map(|message| record(queue, message)).collect::<Vec<_>>() })
}

/// Every receipt of the event, with whether its message is redelivered.
///
/// Source: "Implementing partial batch responses" in the Lambda developer guide. An empty or absent
/// list is success. A list with an empty or unknown identifier fails the whole batch.
fn verdict<'a>(event: &'a Value, response: &Result<Value, FunctionError>) -> Vec<(&'a str, bool)> {
    let records = event["Records"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let ids: BTreeSet<&str> = records
        .iter()
        .filter_map(|record| record["messageId"].as_str())
        .collect();
    let failed = response
        .as_ref()
        .ok()
        .and_then(failures)
        .filter(|failed| failed.is_subset(&ids));
    let returned = |record: &Value| match (&failed, record["messageId"].as_str()) {
        (Some(failed), Some(id)) => failed.contains(id),
        _ => true,
    };
    records
        .iter()
        .filter_map(|record| Some((record["receiptHandle"].as_str()?, returned(record))))
        .collect()
}

/// The identifiers in a response; `None` if it cannot be read.
fn failures(response: &Value) -> Option<BTreeSet<&str>> {
    let list = match response {
        Value::Null => return Some(BTreeSet::new()),
        Value::Object(fields) => fields.get("batchItemFailures").unwrap_or(&Value::Null),
        _ => return None,
    };
    match list {
        Value::Null => Some(BTreeSet::new()),
        Value::Array(items) => items
            .iter()
            .map(|item| item["itemIdentifier"].as_str())
            .collect(),
        _ => None,
    }
}

fn record(queue: &str, message: &Message) -> Value {
    json!({
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": message.system_attributes(),
        "messageAttributes": attributes::event_view(&message.attributes),
        "md5OfBody": attributes::md5_of_text(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn(queue),
        "awsRegion": HOME_REGION,
    })
}
