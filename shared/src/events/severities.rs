//! The number of findings of a scan by severity.

use std::fmt;
use std::ops::AddAssign;

use serde_json::{Map, Value};

use crate::catalogue::Severity;

/// Counts of findings by severity. A severity that the event omits counts 0.
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
    /// Informational.
    pub informational: u64,
    /// Without a severity, or of any other one: `UNDEFINED`, `UNTRIAGED` of Amazon Inspector.
    pub undefined: u64,
}

impl Severities {
    /// The number of findings of severity `least` and above.
    pub fn at_or_above(&self, least: Severity) -> u64 {
        let counts = [
            (Severity::Informational, self.informational),
            (Severity::Low, self.low),
            (Severity::Medium, self.medium),
            (Severity::High, self.high),
            (Severity::Critical, self.critical),
        ];
        let mut sum: u64 = 0;
        for (severity, count) in counts {
            if severity >= least {
                sum = sum.saturating_add(count);
            }
        }
        sum
    }

    /// Parses `finding-severity-counts`. The second value is whether all counts could be parsed.
    pub(super) fn from_counts(counts: &Map<String, Value>) -> (Self, bool) {
        let mut severities = Self::default();
        let mut all_parsed = true;
        for (severity, value) in counts {
            // Amazon Inspector adds `TOTAL`, which is not a severity.
            if severity == "TOTAL" {
                continue;
            }
            match parse_count(value) {
                Some(count) => severities.add(severity, count),
                None => all_parsed = false,
            }
        }
        (severities, all_parsed)
    }

    /// Adds `count` findings of `severity`, an AWS name such as `CRITICAL`.
    pub(super) fn add(&mut self, severity: &str, count: u64) {
        let sum = match severity {
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

/// Parses a count in any form in which events hold numbers: `3`, `3.0`, `"3"`.
fn parse_count(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_u64().or_else(|| truncate(number.as_f64()?)),
        Value::String(text) => text.parse().ok().or_else(|| truncate(text.parse().ok()?)),
        _ => None,
    };
    number.filter(|count| u32::try_from(*count).is_ok())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked first"
)]
fn truncate(number: f64) -> Option<u64> {
    (0.0..=f64::from(u32::MAX))
        .contains(&number)
        .then_some(number as u64)
}

impl fmt::Display for Severities {
    /// `critical=1 high=3`, or `none`. Only characters that the value of a resource tag allows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("critical", self.critical),
            ("high", self.high),
            ("medium", self.medium),
            ("low", self.low),
            ("informational", self.informational),
            ("undefined", self.undefined),
        ];
        let mut found = Vec::new();
        for (severity, count) in counts {
            if count > 0 {
                found.push(format!("{severity}={count}"));
            }
        }
        if found.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&found.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(counts: &Value) -> (Severities, bool) {
        Severities::from_counts(counts.as_object().unwrap())
    }

    #[test]
    fn a_count_is_parsed_in_each_form_of_a_number() {
        let (severities, all_parsed) = parse(
            &json!({"CRITICAL": 1, "HIGH": 3.0, "MEDIUM": "9", "UNTRIAGED": "2.0", "TOTAL": 158}),
        );
        assert_eq!(
            severities.to_string(),
            "critical=1 high=3 medium=9 undefined=2"
        );
        assert!(all_parsed);
    }

    #[test]
    fn a_count_that_cannot_be_parsed_makes_the_result_incomplete() {
        for value in [
            json!(-1),
            json!("many"),
            json!(null),
            json!(1e300),
            json!([1]),
            json!("NaN"),
        ] {
            assert_eq!(
                parse(&json!({"CRITICAL": value.clone()})),
                (Severities::default(), false),
                "{value}"
            );
        }
    }

    #[test]
    fn the_sum_counts_a_severity_and_all_above_it() {
        let (severities, _) =
            parse(&json!({"CRITICAL": 1, "HIGH": 2, "MEDIUM": 4, "LOW": 8, "UNDEFINED": 16}));
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
