//! The constraints of the API model, in its words.

use std::ops::RangeInclusive;

use crate::aws::AwsError;

const NAME: &str = "[0-9a-zA-Z-_.]+";
const TOKEN: &str = "[a-zA-Z0-9-_]+";

/// Names of schedules and groups: 1 to 64 letters, digits, hyphens, underscores and dots.
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

/// Client tokens: 1 to 64 letters, digits, hyphens and underscores.
pub(super) fn token(value: Option<&str>) -> Result<(), AwsError> {
    let Some(value) = value else { return Ok(()) };
    length("clientToken", value, 1..=64)?;
    let legal = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    pattern("clientToken", value, TOKEN, legal)
}

/// A text whose number of characters is inside its bounds.
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

/// A text that has, or has not, the form of its regular expression.
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

/// A number inside its bounds.
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

/// A request that keeps to the model and is refused all the same.
pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("ValidationException", message)
}

fn violated(path: &str, value: &str, rule: &str) -> AwsError {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: Member must {rule}"
    ))
}
