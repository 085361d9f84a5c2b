//! `ReceiveMessage`: its input, and the format of messages.

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{MAX_VISIBILITY_SECONDS, select};
use super::message::Message;
use super::{MAX_BATCH, attributes, rules};
use crate::aws::AwsError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Receive {
    max_number_of_messages: Option<u32>,
    visibility_timeout: Option<u32>,
    #[serde(default)]
    wait_time_seconds: u32,
    #[serde(default, alias = "AttributeNames")]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

impl Receive {
    pub(super) fn check(&self) -> Result<(), AwsError> {
        rules::number(
            "MaxNumberOfMessages",
            self.max_number_of_messages.unwrap_or(1),
            1..=10,
        )?;
        rules::number("WaitTimeSeconds", self.wait_time_seconds, 0..=20)?;
        rules::number(
            "VisibilityTimeout",
            self.visibility_timeout.unwrap_or(0),
            0..=MAX_VISIBILITY_SECONDS,
        )
    }

    pub(super) fn most(&self) -> usize {
        self.max_number_of_messages
            .and_then(|most| most.try_into().ok())
            .unwrap_or(1)
            .min(MAX_BATCH)
    }

    pub(super) fn wait(&self) -> SignedDuration {
        SignedDuration::from_secs(self.wait_time_seconds.into())
    }

    pub(super) fn visibility(&self) -> Option<SignedDuration> {
        self.visibility_timeout
            .map(|seconds| SignedDuration::from_secs(seconds.into()))
    }

    /// An empty receive has no `Messages` at all.
    pub(super) fn output(&self, messages: &[Message]) -> Value {
        match messages {
            [] => json!({}),
            _ => {
                json!({ "Messages": messages.iter().map(|message| self.view(message)).collect::<Vec<_>>() })
            }
        }
    }

    fn view(&self, message: &Message) -> Value {
        let mut view = json!({
            "MessageId": message.id,
            "ReceiptHandle": message.receipt,
            "MD5OfBody": attributes::md5_of_text(&message.body),
            "Body": message.body,
            "Attributes": select(message.system_attributes(), &self.message_system_attribute_names),
        });
        let wanted = attributes::select(&message.attributes, &self.message_attribute_names);
        if let Some(md5) = attributes::md5(&wanted) {
            view["MD5OfMessageAttributes"] = md5.into();
            view["MessageAttributes"] = json!(wanted);
        }
        view
    }
}
