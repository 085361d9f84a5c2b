//! The actions of SQS on one queue, and their responses.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::draft::Draft;
use super::input::{MAX_VISIBILITY_SECONDS, select};
use super::queue::Queue;
use super::{attributes, batch, rules};
use crate::aws::{ActionResult, AwsError, read};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetQueueUrl {
    pub(super) queue_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Delete {
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangeVisibility {
    receipt_handle: String,
    visibility_timeout: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetAttributes {
    #[serde(default)]
    attribute_names: Vec<String>,
}

/// Runs an action on one queue, once or for every entry of a batch.
pub(super) fn act(queue: &mut Queue, action: &str, input: &Value, now: Timestamp) -> ActionResult {
    match action {
        "SendMessageBatch" => batch::each(input, |entry| send(queue, read(entry)?, now)),
        "DeleteMessageBatch" => batch::each(input, |entry| delete(queue, &read(entry)?, now)),
        "ChangeMessageVisibilityBatch" => {
            batch::each(input, |entry| hide(queue, &read(entry)?, now))
        }
        "SendMessage" => send(queue, read(input)?, now),
        "DeleteMessage" => delete(queue, &read(input)?, now),
        "ChangeMessageVisibility" => hide(queue, &read(input)?, now),
        "GetQueueAttributes" => describe(queue, &read(input)?, now),
        _ => Err(AwsError::unknown_operation()),
    }
}

fn send(queue: &mut Queue, mut draft: Draft, now: Timestamp) -> ActionResult {
    let (group, deduplication) = draft.check()?;
    let mut output = json!({ "MD5OfMessageBody": attributes::md5_of_text(&draft.message_body) });
    if let Some(md5) = attributes::md5(&draft.message_attributes) {
        output["MD5OfMessageAttributes"] = md5.into();
    }
    let accepted = queue.send(draft, group, deduplication, now);
    output["MessageId"] = accepted.id.into();
    output["SequenceNumber"] = accepted.sequence_number.into();
    Ok(output)
}

fn delete(queue: &mut Queue, request: &Delete, now: Timestamp) -> ActionResult {
    queue
        .delete(&request.receipt_handle, now)
        .map(|()| json!({}))
}

fn hide(queue: &mut Queue, request: &ChangeVisibility, now: Timestamp) -> ActionResult {
    rules::number(
        "VisibilityTimeout",
        request.visibility_timeout,
        0..=MAX_VISIBILITY_SECONDS,
    )?;
    queue
        .hide(&request.receipt_handle, request.visibility_timeout, now)
        .map(|()| json!({}))
}

fn describe(queue: &mut Queue, request: &GetAttributes, now: Timestamp) -> ActionResult {
    let attributes = queue.attributes(now);
    let known = |name: &String| {
        name == "All" || name == "RedrivePolicy" || attributes.contains_key(name.as_str())
    };
    if let Some(name) = request.attribute_names.iter().find(|name| !known(name)) {
        return Err(AwsError::new(
            "InvalidAttributeName",
            format!("Unknown Attribute {name}."),
        ));
    }
    Ok(json!({ "Attributes": select(attributes, &request.attribute_names) }))
}
