//! The queue between `refresh` and `replicate`.

use std::time::Duration;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use super::{Aws, error};
use crate::error::{Cause, Error, Side};
use crate::plan::message::Message;

/// The most messages that one request takes.
const BATCH: usize = 10;

impl Aws {
    /// Lets the message with this receipt come back after `delay`, instead of after the queue's visibility timeout.
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
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|failure| error(Side::Queue, "hand a message back", &failure))
    }

    /// Sends `messages` to the FIFO queue at `url`, in order. Each message has a result of its own.
    pub async fn send(&self, url: &str, messages: &[Message]) -> Vec<Result<(), Error>> {
        let client = aws_sdk_sqs::Client::new(self.config().await);
        let mut results = Vec::with_capacity(messages.len());
        for batch in messages.chunks(BATCH) {
            results.extend(send_batch(&client, url, batch).await);
        }
        results
    }
}

async fn send_batch(
    client: &aws_sdk_sqs::Client,
    url: &str,
    batch: &[Message],
) -> Vec<Result<(), Error>> {
    let action = "send messages";
    let entries: Result<Vec<_>, _> = batch
        .iter()
        .enumerate()
        .map(|(index, message)| entry(index, message))
        .collect();
    let sent = match entries {
        Ok(entries) => {
            let request = client
                .send_message_batch()
                .queue_url(url)
                .set_entries(Some(entries));
            request
                .send()
                .await
                .map_err(|failure| error(Side::Queue, action, &failure))
        }
        Err(failure) => Err(Error::new(Side::Queue, Cause::Invalid, action).because(failure)),
    };
    let sent = match sent {
        Ok(sent) => sent,
        Err(error) => return vec![Err(error); batch.len()],
    };
    let result = |index: usize| {
        let refused = sent
            .failed()
            .iter()
            .find(|failed| failed.id() == index.to_string());
        refused.map_or(Ok(()), |failed| {
            let why = format!(
                "{}: {}",
                failed.code(),
                failed.message().unwrap_or_default()
            );
            Err(Error::new(Side::Queue, Cause::Unavailable, action).because(why))
        })
    };
    (0..batch.len()).map(result).collect()
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
