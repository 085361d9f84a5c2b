//! Notifications: events on an EventBridge bus, and messages on an SNS topic about failures.

use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};

use super::{Aws, error};
use crate::error::{Cause, Error, Side};
use crate::outcome::notice::Notice;

/// The most events that one `PutEvents` request takes.
const MAX_EVENTS_PER_REQUEST: usize = 10;
/// The `source` of the events.
const EVENT_SOURCE: &str = "image-replicator";

impl Aws {
    /// Puts `notices` on the event bus with the name `bus`.
    pub async fn put_events(&self, bus: &str, notices: &[Notice]) -> Result<(), Error> {
        let client = aws_sdk_eventbridge::Client::new(self.config().await);
        let action = format!("put events on the bus {bus}");
        for batch in notices.chunks(MAX_EVENTS_PER_REQUEST) {
            let entries = batch.iter().map(|notice| entry(bus, notice)).collect();
            let request = client.put_events().set_entries(Some(entries));
            let response = request
                .send()
                .await
                .map_err(|failure| error(Side::Replicator, &action, &failure))?;
            if let Some(why) = response.entries().iter().find_map(entry_error) {
                let error = Error::new(Side::Replicator, Cause::Unexpected, action);
                return Err(error.because(why));
            }
        }
        Ok(())
    }

    /// Publishes `text` to the SNS topic with the ARN `topic`.
    pub async fn publish(&self, topic: &str, subject: &str, text: String) -> Result<(), Error> {
        let client = aws_sdk_sns::Client::new(self.config().await);
        let request = client
            .publish()
            .topic_arn(topic)
            .subject(subject)
            .message(text);
        let published = request.send().await.map(drop);
        let action = format!("publish to the topic {topic}");
        published.map_err(|failure| error(Side::Replicator, &action, &failure))
    }
}

fn entry(bus: &str, notice: &Notice) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder()
        .source(EVENT_SOURCE)
        .event_bus_name(bus)
        .detail_type(notice.kind.detail_type())
        .detail(notice.detail.to_string())
        .build()
}

/// Why EventBridge did not accept an event; `None` if it did.
fn entry_error(entry: &PutEventsResultEntry) -> Option<String> {
    let code = entry.error_code()?;
    let message = entry.error_message().unwrap_or_default();
    Some(format!("{code}: {message}"))
}
