//! Times as text.

use jiff::Timestamp;

/// Formats `at` as RFC 3339 in UTC with whole seconds, such as `2026-09-21T14:13:20Z`.
pub fn format_seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}
