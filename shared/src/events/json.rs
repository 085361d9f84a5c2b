//! Reading JSON of unknown shape: what is missing is empty.

use serde_json::Value;

/// The text under `key`, empty if there is none.
pub(super) fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of the array under `key`, none if there is no array.
pub(super) fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    match value.get(key) {
        Some(Value::Array(elements)) => elements,
        _ => &[],
    }
}
