//! A message as it is sent.

use serde::Deserialize;

use super::attributes::{self, Attributes};
use super::rules;
use crate::aws::AwsError;

/// The input of a send.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Draft {
    pub(super) message_body: String,
    #[serde(default)]
    pub(super) message_attributes: Attributes,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
    #[serde(default)]
    delay_seconds: u32,
}

impl Draft {
    /// The size that counts against the limit, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        self.message_body.len() + attributes::size_bytes(&self.message_attributes)
    }

    /// The group and the deduplication identifier, if a FIFO queue can accept the message.
    pub(super) fn check(&mut self) -> Result<(String, String), AwsError> {
        rules::body(&self.message_body, self.size_bytes())?;
        attributes::check(&self.message_attributes)?;
        if self.delay_seconds != 0 {
            let reason = "The request include parameter that is not valid for this queue type";
            let message = format!(
                "Value {} for parameter DelaySeconds is invalid. Reason: {reason}.",
                self.delay_seconds
            );
            return Err(AwsError::new("InvalidParameterValue", message));
        }
        let group = self
            .message_group_id
            .take()
            .ok_or_else(|| rules::missing("MessageGroupId"))?;
        rules::identifier("MessageGroupId", &group)?;
        let deduplication = self
            .message_deduplication_id
            .take()
            .ok_or_else(undeduplicated)?;
        rules::identifier("MessageDeduplicationId", &deduplication)?;
        Ok((group, deduplication))
    }
}

fn undeduplicated() -> AwsError {
    let message = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";
    AwsError::new("InvalidParameterValue", message)
}
