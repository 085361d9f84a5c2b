//! Telling others: events of our own on EventBridge, failures on SNS.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use super::{Aws, error};
use crate::error::{Cause, Error, Side};
use crate::outcome::notice::Notice;

/// The most events that one request takes.
const BATCH: usize = 10;
/// The `source` of our events.
const SOURCE: &str = "image-replicator";

impl Aws {
    /// Puts `notices` on the event bus called `bus`.
    pub async fn put_events(&self, bus: &str, notices: &[Notice]) -> Result<(), Error> {
        let client = aws_sdk_eventbridge::Client::new(self.config().await);
        let entry = |notice: &Notice| {
            let entry = PutEventsRequestEntry::builder()
                .source(SOURCE)
                .event_bus_name(bus);
            entry
                .detail_type(notice.kind.detail_type())
                .detail(notice.detail.to_string())
                .build()
        };
        for batch in notices.chunks(BATCH) {
            let request = client
                .put_events()
                .set_entries(Some(batch.iter().map(entry).collect()));
            let answer = request
                .send()
                .await
                .map_err(|failure| error(Side::Replicator, "put events", &failure))?;
            if let Some(refused) = answer
                .entries()
                .iter()
                .find(|entry| entry.error_code().is_some())
            {
                let why = format!(
                    "{}: {}",
                    refused.error_code().unwrap_or_default(),
                    refused.error_message().unwrap_or_default()
                );
                return Err(
                    Error::new(Side::Replicator, Cause::Unexpected, "put events").because(why),
                );
            }
        }
        Ok(())
    }

    /// Publishes `text` to the topic `arn`.
    pub async fn publish(&self, arn: &str, subject: &str, text: String) -> Result<(), Error> {
        let client = aws_sdk_sns::Client::new(self.config().await);
        let request = client
            .publish()
            .topic_arn(arn)
            .subject(subject)
            .message(text);
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|failure| error(Side::Replicator, "publish a failure", &failure))
    }
}
