//! How many findings of each level a scan has.

use std::fmt;
use std::ops::AddAssign;

use serde_json::{Map, Value};

use crate::catalogue::Severity;

/// Counts of findings by level. A level that an event leaves out has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Severities {
    /// Critical.
    pub critical: u64,
    /// High.
    pub high: u64,
    /// Medium.
    pub medium: u64,
    /// Low.
    pub low: u64,
    /// Worth knowing.
    pub informational: u64,
    /// Without a level, or of a level that is not known here: `UNDEFINED`, Inspector's `UNTRIAGED`.
    pub undefined: u64,
}

impl Severities {
    /// The number of findings of `least` and above.
    pub fn at_or_above(&self, least: Severity) -> u64 {
        let levels = [
            (Severity::Informational, self.informational),
            (Severity::Low, self.low),
            (Severity::Medium, self.medium),
            (Severity::High, self.high),
            (Severity::Critical, self.critical),
        ];
        levels
            .iter()
            .filter(|(level, _)| *level >= least)
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The counts of `finding-severity-counts`, and whether all of them could be read.
    pub(super) fn read(counts: &Map<String, Value>) -> (Self, bool) {
        let mut severities = Self::default();
        let mut is_whole = true;
        // `TOTAL`, which Inspector adds, is no level.
        for (level, value) in counts.iter().filter(|(level, _)| *level != "TOTAL") {
            match count(value) {
                Some(count) => severities.add(level, count),
                None => is_whole = false,
            }
        }
        (severities, is_whole)
    }

    /// Adds `count` findings of `level`, named as AWS does.
    pub(super) fn add(&mut self, level: &str, count: u64) {
        let sum = match level {
            "CRITICAL" => &mut self.critical,
            "HIGH" => &mut self.high,
            "MEDIUM" => &mut self.medium,
            "LOW" => &mut self.low,
            "INFORMATIONAL" => &mut self.informational,
            _ => &mut self.undefined,
        };
        *sum = sum.saturating_add(count);
    }
}

impl AddAssign for Severities {
    fn add_assign(&mut self, other: Self) {
        self.critical = self.critical.saturating_add(other.critical);
        self.high = self.high.saturating_add(other.high);
        self.medium = self.medium.saturating_add(other.medium);
        self.low = self.low.saturating_add(other.low);
        self.informational = self.informational.saturating_add(other.informational);
        self.undefined = self.undefined.saturating_add(other.undefined);
    }
}

/// A count in any form in which events carry numbers: `3`, `3.0`, `"3"`.
fn count(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
        _ => None,
    };
    number.filter(|count| u32::try_from(*count).is_ok())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked first"
)]
fn whole(number: f64) -> Option<u64> {
    (0.0..=f64::from(u32::MAX))
        .contains(&number)
        .then_some(number as u64)
}

impl fmt::Display for Severities {
    /// `critical=1 high=3`, or `none`: only characters that the value of a resource tag takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let levels = [
            ("critical", self.critical),
            ("high", self.high),
            ("medium", self.medium),
            ("low", self.low),
            ("informational", self.informational),
            ("undefined", self.undefined),
        ];
        let found = levels
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(level, count)| format!("{level}={count}"));
        let found = found.collect::<Vec<_>>().join(" ");
        f.write_str(if found.is_empty() { "none" } else { &found })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(counts: Value) -> (Severities, bool) {
        let Value::Object(counts) = counts else {
            panic!("not an object")
        };
        Severities::read(&counts)
    }

    #[test]
    fn a_count_is_read_in_each_form_of_a_number() {
        let (severities, is_whole) = read(
            json!({"CRITICAL": 1, "HIGH": 3.0, "MEDIUM": "9", "UNTRIAGED": "2.0", "TOTAL": 158}),
        );
        assert_eq!(
            severities.to_string(),
            "critical=1 high=3 medium=9 undefined=2"
        );
        assert!(is_whole);
    }

    #[test]
    fn a_count_that_cannot_be_read_is_not_taken_for_none() {
        for value in [
            json!(-1),
            json!("many"),
            json!(null),
            json!(1e300),
            json!([1]),
            json!("NaN"),
        ] {
            assert_eq!(
                read(json!({"CRITICAL": value.clone()})),
                (Severities::default(), false),
                "{value}"
            );
        }
    }

    #[test]
    fn a_level_counts_with_all_above_it() {
        let (severities, _) =
            read(json!({"CRITICAL": 1, "HIGH": 2, "MEDIUM": 4, "LOW": 8, "UNDEFINED": 16}));
        let sums = [
            Severity::Critical,
            Severity::High,
            Severity::Medium,
            Severity::Informational,
        ]
        .map(|least| severities.at_or_above(least));
        assert_eq!(sums, [1, 3, 7, 15]);
    }
}
