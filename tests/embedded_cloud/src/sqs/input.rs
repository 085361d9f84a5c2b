//! What several actions of SQS read from their input in the same way.

use std::collections::BTreeMap;

use serde_json::Value;

use super::rules;
use crate::aws::AwsError;

/// The longest visibility timeout: twelve hours.
pub(super) const MAX_VISIBILITY_SECONDS: u32 = 43_200;

/// Removes one text field from an input or a batch entry; returns it and the rest.
pub(super) fn take(input: &Value, name: &str) -> Result<(String, Value), AwsError> {
    let mut rest = input.clone();
    let taken = rest.as_object_mut().and_then(|fields| fields.remove(name));
    let text = taken
        .as_ref()
        .and_then(Value::as_str)
        .ok_or_else(|| rules::missing(name))?;
    Ok((text.to_owned(), rest))
}

/// The requested attributes: by name, or all.
pub(super) fn select(
    mut attributes: BTreeMap<&'static str, String>,
    names: &[String],
) -> BTreeMap<&'static str, String> {
    attributes.retain(|name, _| names.iter().any(|wanted| wanted == "All" || wanted == name));
    attributes
}
