//! Times as text.

use jiff::Timestamp;

/// Formats `at` as RFC 3339 in UTC with whole seconds, such as `2026-09-21T14:13:20Z`.
pub fn format_seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_second_is_left_out() {
        let at = Timestamp::from_millisecond(1_790_000_000_999).unwrap();
        assert_eq!(format_seconds(at), "2026-09-21T14:13:20Z");
    }
}
