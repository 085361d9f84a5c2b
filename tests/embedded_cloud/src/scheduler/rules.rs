//! The constraints of the API model, with its error texts.

use std::ops::RangeInclusive;

use crate::aws::AwsError;

const NAME: &str = "[0-9a-zA-Z-_.]+";
const TOKEN: &str = "[a-zA-Z0-9-_]+";

/// Checks a name of a schedule or group: 1 to 64 letters, digits, hyphens, underscores and dots.
pub(super) fn name(path: &str, value: &str) -> Result<(), AwsError> {
    length(path, value, 1..=64)?;
    pattern(
        path,
        value,
        NAME,
        value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
    )
}

/// Checks a client token: 1 to 64 letters, digits, hyphens and underscores.
pub(super) fn token(value: Option<&str>) -> Result<(), AwsError> {
    let Some(value) = value else { return Ok(()) };
    length("clientToken", value, 1..=64)?;
    let legal = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    pattern("clientToken", value, TOKEN, legal)
}

/// Checks that the number of characters is in its range.
pub(super) fn length(
    path: &str,
    value: &str,
    bounds: RangeInclusive<usize>,
) -> Result<(), AwsError> {
    let length = value.chars().count();
    if length < *bounds.start() {
        return Err(violated(
            path,
            value,
            &format!("have length greater than or equal to {}", bounds.start()),
        ));
    }
    if length > *bounds.end() {
        return Err(violated(
            path,
            value,
            &format!("have length less than or equal to {}", bounds.end()),
        ));
    }
    Ok(())
}

/// Checks a text against its regular expression.
pub(super) fn pattern(path: &str, value: &str, regex: &str, legal: bool) -> Result<(), AwsError> {
    let error = || {
        violated(
            path,
            value,
            &format!("satisfy regular expression pattern: {regex}"),
        )
    };
    legal.then_some(()).ok_or_else(error)
}

/// Checks that a number is in its range.
pub(super) fn number(path: &str, value: u32, bounds: RangeInclusive<u32>) -> Result<(), AwsError> {
    let rule = match value {
        value if value < *bounds.start() => {
            format!("have value greater than or equal to {}", bounds.start())
        }
        value if value > *bounds.end() => {
            format!("have value less than or equal to {}", bounds.end())
        }
        _ => return Ok(()),
    };
    Err(violated(path, &value.to_string(), &rule))
}

/// An error for a request that fits the model but is refused.
pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("ValidationException", message)
}

fn violated(path: &str, value: &str, rule: &str) -> AwsError {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: Member must {rule}"
    ))
}
