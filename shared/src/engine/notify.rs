//! Announcing: an event of our own for each outcome, and a message for failures, where somebody wants them.

use super::Replicator;
use crate::outcome::notice::{Notice, NoticeKind};

impl Replicator {
    /// Tells the event bus of what was copied, failed or put off, and the topic of what failed. What changed nothing is no news.
    ///
    /// Nobody waits for the news, so that a failure here is logged and changes no result.
    pub(super) async fn announce(&self, notices: &[Notice]) {
        if let (Some(bus), false) = (&self.settings.event_bus, notices.is_empty())
            && let Err(error) = self.aws.put_events(bus, notices).await
        {
            tracing::warn!(bus, "nobody was told: {}", error.chain());
        }
        let failures: Vec<&Notice> = notices
            .iter()
            .filter(|notice| notice.kind == NoticeKind::Failed)
            .collect();
        if let (Some(topic), Some(first)) = (&self.settings.failure_topic, failures.first()) {
            let subject = match failures.len() {
                1 => first.kind.detail_type().to_owned(),
                several => format!("{several} images could not be replicated"),
            };
            let text = failures
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n");
            if let Err(error) = self.aws.publish(topic, &subject, text).await {
                tracing::warn!(topic, "nobody was told: {}", error.chain());
            }
        }
    }
}
