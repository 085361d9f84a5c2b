//! Notifying: an EventBridge event for each outcome, and an SNS message about failures.

use super::Replicator;
use super::run::{Job, Settled};
use crate::outcome::notice::{Notice, NoticeKind};

impl Replicator {
    /// Sends events about copied, failed and deferred images to the bus, and a message about failed
    /// ones to the topic.
    ///
    /// Notifications are best effort: a failure here is logged and changes no result.
    pub(super) async fn notify(&self, settled: &Settled, job: &Job) {
        let notices = notices(settled, job);
        self.publish_events(&notices).await;
        self.publish_failures(&notices).await;
    }

    async fn publish_events(&self, notices: &[Notice]) {
        let Some(bus) = &self.settings.event_bus else {
            return;
        };
        if notices.is_empty() {
            return;
        }
        let published = self.aws.put_events(bus, notices).await;
        if let Err(error) = published {
            let events = notices.len();
            let reason = error.chain();
            tracing::warn!(bus, events, "could not publish the events: {reason}");
        }
    }

    async fn publish_failures(&self, notices: &[Notice]) {
        let Some(topic) = &self.settings.failure_topic else {
            return;
        };
        let is_failure = |notice: &&Notice| notice.kind == NoticeKind::Failed;
        let failures: Vec<&Notice> = notices.iter().filter(is_failure).collect();
        let subject = match failures.as_slice() {
            [] => return,
            [one] => one.kind.detail_type().to_owned(),
            several => format!("{} images could not be replicated", several.len()),
        };
        let lines: Vec<String> = failures.iter().map(ToString::to_string).collect();
        let message = lines.join("\n");
        let published = self.aws.publish(topic, &subject, message).await;
        if let Err(error) = published {
            let failures = failures.len();
            tracing::warn!(
                topic,
                failures,
                "could not publish the failures to the topic: {}",
                error.chain()
            );
        }
    }
}

fn notices(settled: &Settled, job: &Job) -> Vec<Notice> {
    let mut notices = Vec::new();
    for outcome in &settled.0 {
        if job.records(outcome) {
            notices.extend(Notice::from_outcome(outcome));
        }
    }
    for selection in &job.selections {
        let notice = Notice::from_selection(selection, &job.trigger);
        notices.extend(notice);
    }
    notices
}
