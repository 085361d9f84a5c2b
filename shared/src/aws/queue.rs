//! The queue between `refresh` and `replicate`.

use std::time::Duration;

use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use super::{Aws, error};
use crate::error::{Cause, Error, Side};
use crate::plan::message::Message;

/// The most messages that one `SendMessageBatch` request takes.
const MAX_MESSAGES_PER_REQUEST: usize = 10;

impl Aws {
    /// Makes SQS redeliver the message with this receipt after `delay`, instead of after the queue's
    /// visibility timeout.
    pub async fn change_visibility(
        &self,
        url: &str,
        receipt: &str,
        delay: Duration,
    ) -> Result<(), Error> {
        let client = aws_sdk_sqs::Client::new(self.config().await);
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        let request = client
            .change_message_visibility()
            .queue_url(url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds);
        let changed = request.send().await.map(drop);
        let action = "change the visibility timeout of a message";
        changed.map_err(|failure| error(Side::Queue, action, &failure))
    }

    /// Sends `messages` to the FIFO queue at `url`, in order. Returns one result for each message.
    pub async fn send(&self, url: &str, messages: &[Message]) -> Vec<Result<(), Error>> {
        let client = aws_sdk_sqs::Client::new(self.config().await);
        let mut results = Vec::with_capacity(messages.len());
        for batch in messages.chunks(MAX_MESSAGES_PER_REQUEST) {
            let sent = send_batch(&client, url, batch).await;
            for index in 0..batch.len() {
                let result = match &sent {
                    Ok(response) => entry_result(response, index),
                    Err(error) => Err(error.clone()),
                };
                results.push(result);
            }
        }
        results
    }
}

async fn send_batch(
    client: &aws_sdk_sqs::Client,
    url: &str,
    batch: &[Message],
) -> Result<SendMessageBatchOutput, Error> {
    let action = "send messages";
    let mut entries = Vec::with_capacity(batch.len());
    for (index, message) in batch.iter().enumerate() {
        let entry = entry(index, message).map_err(|failure| {
            let invalid = Error::new(Side::Queue, Cause::Invalid, action);
            invalid.because(failure)
        })?;
        entries.push(entry);
    }
    let request = client
        .send_message_batch()
        .queue_url(url)
        .set_entries(Some(entries));
    let sent = request.send().await;
    sent.map_err(|failure| error(Side::Queue, action, &failure))
}

/// The result of the message at `index` of a batch.
fn entry_result(response: &SendMessageBatchOutput, index: usize) -> Result<(), Error> {
    let id = index.to_string();
    let mut failures = response.failed().iter();
    let Some(failed) = failures.find(|failed| failed.id() == id) else {
        return Ok(());
    };
    let message = failed.message().unwrap_or_default();
    let why = format!("{}: {message}", failed.code());
    let error = Error::new(Side::Queue, Cause::Unavailable, "send messages");
    Err(error.because(why))
}

fn entry(
    index: usize,
    message: &Message,
) -> Result<SendMessageBatchRequestEntry, Box<dyn std::error::Error + Send + Sync>> {
    let entry = SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(serde_json::to_string(message)?)
        .message_group_id(message.group())
        .message_deduplication_id(message.deduplication());
    Ok(entry.build()?)
}
