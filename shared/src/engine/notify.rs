//! Notifying: an EventBridge event for each outcome, and an SNS message about failures.

use super::Replicator;
use super::run::{Job, Records, Settled};
use crate::outcome::Outcome;
use crate::outcome::notice::{Notice, NoticeKind};

impl Replicator {
    /// Notifies the event bus of copied, failed and deferred images, and the topic of failed ones.
    ///
    /// Nobody waits for a notification: a failure here is logged and changes no result.
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
        if let Err(error) = self.aws.put_events(bus, notices).await {
            let events = notices.len();
            tracing::warn!(
                bus,
                events,
                "could not publish the events: {}",
                error.chain()
            );
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
        if let Err(error) = self.aws.publish(topic, &subject, lines.join("\n")).await {
            let failures = lines.len();
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
    let is_left_out =
        |outcome: &Outcome| job.records == Records::OwnCopies && outcome.is_unchanged();
    let outcomes = settled.0.iter().filter(|outcome| !is_left_out(outcome));
    let mut notices: Vec<Notice> = outcomes.filter_map(Notice::from_outcome).collect();
    let of_selection = |selection| Notice::from_selection(selection, &job.trigger);
    notices.extend(job.selections.iter().filter_map(of_selection));
    notices
}
