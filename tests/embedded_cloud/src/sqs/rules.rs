//! The rules of SQS for messages, with its error texts.

use crate::aws::AwsError;

/// The largest message, attributes included, and the largest batch: 1 MiB.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Checks a body: not empty, not too long, and only characters of XML 1.0.
pub(super) fn body(text: &str, bytes: usize) -> Result<(), AwsError> {
    if text.is_empty() {
        return Err(missing("MessageBody"));
    }
    if bytes > MAX_BYTES {
        let message = format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {MAX_BYTES} bytes."
        );
        return Err(AwsError::new("InvalidParameterValue", message));
    }
    if text.chars().all(is_allowed) {
        Ok(())
    } else {
        Err(AwsError::new(
            "InvalidMessageContents",
            "Invalid binary character",
        ))
    }
}

/// Checks a group or deduplication identifier: 1 to 128 letters, digits and punctuation marks.
pub(super) fn identifier(name: &str, value: &str) -> Result<(), AwsError> {
    if (1..=128).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let reason = format!(
        "{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
    );
    Err(AwsError::new(
        "InvalidParameterValue",
        format!("Value {value} for parameter {name} is invalid. Reason: {reason}"),
    ))
}

/// Checks that a number is in its range.
pub(super) fn number(
    name: &str,
    value: u32,
    bounds: std::ops::RangeInclusive<u32>,
) -> Result<(), AwsError> {
    if bounds.contains(&value) {
        return Ok(());
    }
    let reason = format!(
        "Must be between {} and {}, if provided.",
        bounds.start(),
        bounds.end()
    );
    Err(AwsError::new(
        "InvalidParameterValue",
        format!("Value {value} for parameter {name} is invalid. Reason: {reason}"),
    ))
}

pub(super) fn missing(name: &str) -> AwsError {
    AwsError::new(
        "MissingParameter",
        format!("The request must contain the parameter {name}."),
    )
}

fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
