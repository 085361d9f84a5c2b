//! One entry of `PutEvents`, and the rules that can make it fail alone.

use serde::Deserialize;
use serde_json::Value;

use super::{DEFAULT_BUS, PublishedEvent, arn_prefix};
use crate::aws::AwsError;

const MAX_DETAIL_TYPE_CHARACTERS: usize = 128;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
}

impl Entry {
    /// The size that counts against the limit, in bytes: source, detail type and detail. See
    /// "Calculating `PutEvents` event entry size" in the EventBridge user guide.
    pub(super) fn size_bytes(&self) -> usize {
        [&self.source, &self.detail_type, &self.detail]
            .into_iter()
            .flatten()
            .map(String::len)
            .sum()
    }

    /// The event, if the entry breaks no rule.
    pub(super) fn event(self) -> Result<PublishedEvent, AwsError> {
        let source = required("Source", self.source)?;
        let detail_type = required("DetailType", self.detail_type)?;
        let detail = required("Detail", self.detail)?;
        if source.starts_with("aws.") {
            return Err(AwsError::new(
                "NotAuthorizedForSourceException",
                "Not authorized for the source.",
            ));
        }
        if detail_type.chars().count() > MAX_DETAIL_TYPE_CHARACTERS {
            return Err(invalid(
                "DetailType",
                "DetailType has more than 128 characters.",
            ));
        }
        Ok(PublishedEvent {
            source,
            detail_type,
            detail: object(&detail)?,
            bus: bus(self.event_bus_name)?,
        })
    }
}

fn required(name: &str, value: Option<String>) -> Result<String, AwsError> {
    let value = value.filter(|value| !value.is_empty());
    value.ok_or_else(|| invalid(name, &format!("{name} is a required argument.")))
}

fn object(text: &str) -> Result<Value, AwsError> {
    let value = serde_json::from_str(text).ok().filter(Value::is_object);
    value.ok_or_else(|| AwsError::new("MalformedDetail", "Detail is malformed."))
}

/// The name of the bus. A caller gives its name, its ARN, or neither.
fn bus(given: Option<String>) -> Result<String, AwsError> {
    let Some(given) = given else {
        return Ok(DEFAULT_BUS.to_owned());
    };
    let name = given.strip_prefix(&arn_prefix()).unwrap_or(&given);
    if !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    {
        return Ok(name.to_owned());
    }
    Err(invalid(
        "EventBusName",
        "EventBusName is neither the name nor the ARN of a bus in this account and region.",
    ))
}

fn invalid(name: &str, reason: &str) -> AwsError {
    AwsError::new(
        "InvalidArgument",
        format!("Parameter {name} is not valid. Reason: {reason}"),
    )
}
