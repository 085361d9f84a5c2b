//! The input of `CreateSchedule` and `UpdateSchedule`, and most of the output of `GetSchedule`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::key::Key;
use super::request::default_group;
use super::rules::{self, invalid};
use super::target::Target;
use crate::aws::AwsError;

const UTC: &str = "UTC";

/// All fields except `StartDate`, `EndDate` and `KmsKeyArn`. Absent fields have the defaults of the
/// service.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Draft {
    name: String,
    #[serde(default = "default_group")]
    group_name: String,
    schedule_expression: String,
    #[serde(default = "utc")]
    schedule_expression_timezone: String,
    flexible_time_window: FlexibleTimeWindow,
    pub(super) target: Target,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default)]
    pub(super) state: Readiness,
    #[serde(default)]
    pub(super) action_after_completion: AfterCompletion,
    #[serde(default, skip_serializing)]
    pub(super) client_token: Option<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FlexibleTimeWindow {
    mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_window_in_minutes: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Mode {
    Off,
    Flexible,
}

/// Whether a schedule will be delivered.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Readiness {
    #[default]
    Enabled,
    Disabled,
}

/// What happens to a schedule after its delivery.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum AfterCompletion {
    #[default]
    None,
    Delete,
}

impl Draft {
    pub(super) fn key(&self) -> Key {
        Key {
            group: self.group_name.clone(),
            name: self.name.clone(),
        }
    }

    /// Checks everything that does not depend on the time.
    pub(super) fn check(&self) -> Result<(), AwsError> {
        Key::parse(&self.group_name, &self.name)?;
        rules::token(self.client_token.as_deref())?;
        rules::length(
            "description",
            self.description.as_deref().unwrap_or_default(),
            0..=512,
        )?;
        if self.schedule_expression_timezone != UTC {
            return Err(invalid(
                "the embedded cloud evaluates schedules in UTC only",
            ));
        }
        self.flexible_time_window.check()?;
        self.target.check()?;
        self.at().map(drop)
    }

    /// When it is due.
    pub(super) fn at(&self) -> Result<Timestamp, AwsError> {
        at(&self.schedule_expression).ok_or_else(|| self.bad_expression())
    }

    pub(super) fn bad_expression(&self) -> AwsError {
        invalid(format!(
            "Invalid Schedule Expression {}.",
            self.schedule_expression
        ))
    }
}

impl FlexibleTimeWindow {
    fn check(&self) -> Result<(), AwsError> {
        match (self.mode, self.maximum_window_in_minutes) {
            (Mode::Off, None) => Ok(()),
            (Mode::Off, Some(_)) => Err(invalid(
                "MaximumWindowInMinutes must not be set when the mode is OFF.",
            )),
            (Mode::Flexible, None) => Err(invalid(
                "MaximumWindowInMinutes must be set when the mode is FLEXIBLE.",
            )),
            (Mode::Flexible, Some(minutes)) => rules::number(
                "flexibleTimeWindow.maximumWindowInMinutes",
                minutes,
                1..=1440,
            ),
        }
    }
}

impl AfterCompletion {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Delete => "DELETE",
        }
    }
}

/// `at(yyyy-mm-ddThh:mm:ss)`, without fractions and without an offset.
fn at(expression: &str) -> Option<Timestamp> {
    let text = expression.strip_prefix("at(")?.strip_suffix(')')?;
    let time: DateTime = text.parse().ok()?;
    let canonical = text.len() == "yyyy-mm-ddThh:mm:ss".len() && time.to_string() == text;
    canonical
        .then(|| TimeZone::UTC.to_timestamp(time).ok())
        .flatten()
}

fn utc() -> String {
    UTC.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_one_way_only() {
        assert_eq!(
            at("at(2026-01-31T02:00:00)"),
            Some("2026-01-31T02:00:00Z".parse().unwrap())
        );
        for text in [
            "at(2026-01-31T02:00:00Z)",
            "at(2026-01-31T02:00:00.5)",
            "at(2026-01-31T02:00)",
            "at(2026-01-31 02:00:00)",
            "at(2026-02-31T02:00:00)",
            "at(2026-01-31t02:00:00)",
            "2026-01-31T02:00:00",
            "rate(5 minutes)",
            "cron(0 2 * * ? *)",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
