//! Batches of up to ten entries. Each entry succeeds or fails on its own.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::MAX_BATCH;
use super::draft::Draft;
use super::input::take;
use super::rules::MAX_BYTES;
use crate::aws::{ActionResult, AwsError};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Batch {
    entries: Vec<Value>,
}

/// Runs an action for every entry. The batch as a whole fails only if it breaks a rule for batches.
pub(super) fn each(input: &Value, mut act: impl FnMut(&Value) -> ActionResult) -> ActionResult {
    let Batch { entries } = crate::aws::read(input)?;
    let entries = entries
        .iter()
        .map(|entry| take(entry, "Id"))
        .collect::<Result<Vec<_>, _>>()?;
    check(&entries)?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, entry) in entries {
        match act(&entry) {
            Ok(mut output) => {
                output["Id"] = id.into();
                successful.push(output);
            }
            Err(error) => failed.push(failure(&id, &error)),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

fn failure(id: &str, error: &AwsError) -> Value {
    json!({ "Id": id, "SenderFault": error.status < 500, "Code": error.code, "Message": error.message })
}

fn check(entries: &[(String, Value)]) -> Result<(), AwsError> {
    let ids: BTreeSet<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
    let bytes = entries
        .iter()
        .map(|(_, entry)| size_bytes(entry))
        .sum::<usize>();
    if entries.is_empty() {
        return Err(AwsError::new(
            "EmptyBatchRequest",
            "There should be at least one entry in the request.",
        ));
    }
    if entries.len() > MAX_BATCH {
        let message = format!(
            "Maximum number of entries per request are 10. You have sent {}.",
            entries.len()
        );
        return Err(AwsError::new("TooManyEntriesInBatchRequest", message));
    }
    if ids.len() < entries.len() {
        let message = "Two or more batch entries in the request have the same Id.";
        return Err(AwsError::new("BatchEntryIdsNotDistinct", message));
    }
    if !ids.iter().all(|id| is_id(id)) {
        let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be \
                       at most 80 letters long.";
        return Err(AwsError::new("InvalidBatchEntryId", message));
    }
    if bytes > MAX_BYTES {
        let message = format!(
            "Batch requests cannot be longer than {MAX_BYTES} bytes. You have sent {bytes} bytes."
        );
        return Err(AwsError::new("BatchRequestTooLong", message));
    }
    Ok(())
}

fn is_id(id: &str) -> bool {
    (1..=80).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The size of an entry in bytes. Only messages have a size; other entries are receipts.
fn size_bytes(entry: &Value) -> usize {
    Draft::deserialize(entry).map_or(0, |draft| draft.size_bytes())
}
