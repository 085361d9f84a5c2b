//! Requests to SNS, checked by the rules of its API reference.

use serde::Deserialize;

use super::Notification;
use crate::aws::AwsError;

/// The largest message of a topic that has no limit of its own: 256 KiB.
const MAX_MESSAGE_BYTES: usize = 256 * 1024;

const MAX_SUBJECT_CHARACTERS: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Publish {
    topic_arn: Option<String>,
    subject: Option<String>,
    message: Option<String>,
}

impl Publish {
    /// The message, if it breaks no rule. Whether the topic exists is checked later.
    pub(super) fn notification(self) -> Result<Notification, AwsError> {
        let topic = self.topic_arn.ok_or_else(|| {
            invalid("TopicArn or TargetArn Reason: no value for required parameter")
        })?;
        let message = self
            .message
            .filter(|message| !message.is_empty())
            .ok_or_else(|| invalid("Empty message"))?;
        if message.len() > MAX_MESSAGE_BYTES {
            return Err(invalid("Message too long"));
        }
        if !self.subject.as_deref().is_none_or(is_subject) {
            return Err(invalid("Subject"));
        }
        Ok(Notification {
            topic,
            subject: self.subject,
            message,
        })
    }
}

/// Whether the text can be the subject of an email: printable ASCII that does not begin with a
/// space.
fn is_subject(text: &str) -> bool {
    (1..=MAX_SUBJECT_CHARACTERS).contains(&text.len())
        && !text.starts_with(' ')
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

pub(super) fn invalid(what: &str) -> AwsError {
    AwsError::new("InvalidParameter", format!("Invalid parameter: {what}"))
}
