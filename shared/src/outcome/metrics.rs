//! The `CloudWatch` metrics of one invocation, as one line in the Embedded Metric Format.
//!
//! An unknown value is left out; it is never zero. Each metric is published twice: with the function's
//! name as its dimension, and without a dimension, so that an alarm does not need the name.
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::outcome::report::{ImageReport, Report, Status};
use crate::plan::budget::Budget;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "ImageReplicator";
/// The only dimension.
const FUNCTION_DIMENSION: &str = "FunctionName";
/// Each metric and its unit.
pub const METRICS: [(&str, &str); 11] = [
    ("PullsSpent", "Count"),
    ("PullsRemaining", "Count"),
    ("PullsLimit", "Count"),
    ("PullsReserve", "Count"),
    ("ImagesCopied", "Count"),
    ("ImagesUnchanged", "Count"),
    ("ImagesDeferred", "Count"),
    ("ImagesFailed", "Count"),
    ("BytesCopied", "Bytes"),
    ("DurationMs", "Milliseconds"),
    ("StalenessSeconds", "Seconds"),
];

/// The outcomes of one invocation, counted. An image that was requested twice counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pulls that were spent.
    pub pulls: u64,
    /// Images that were copied.
    pub copied: u64,
    /// Images that were up to date already.
    pub unchanged: u64,
    /// Images that are deferred, or whose older copy could not be refreshed. Queued images are not
    /// among them.
    pub deferred: u64,
    /// Images whose copy failed; an operator has to act.
    pub failed: u64,
    /// Bytes of blobs that were sent.
    pub bytes: u64,
    /// How long the oldest outdated tag has been outdated, in seconds. 0 if no tag is outdated;
    /// `None` if the time of no outdated tag is known.
    pub staleness_seconds: Option<u64>,
}

impl Tally {
    /// Counts the images of `report`, as of `now`.
    pub fn from_report(report: &Report, now: Timestamp) -> Self {
        let mut tally = Self {
            staleness_seconds: staleness_seconds(report, now),
            ..Self::default()
        };
        let mut counted = BTreeSet::new();
        for image in &report.images {
            if counted.insert(&image.image) {
                tally.add(image);
            }
        }
        tally
    }

    fn add(&mut self, image: &ImageReport) {
        self.pulls += image.pulls;
        self.bytes += image.bytes;
        // The worker that copies a queued image counts it.
        if image.is_queued {
            return;
        }
        match image.status {
            Status::Copied => self.copied += 1,
            Status::Unchanged => self.unchanged += 1,
            Status::Deferred | Status::Stale => self.deferred += 1,
            Status::Failed => self.failed += 1,
        }
    }
}

fn staleness_seconds(report: &Report, now: Timestamp) -> Option<u64> {
    let is_outdated =
        |image: &&ImageReport| !matches!(image.status, Status::Copied | Status::Unchanged);
    let outdated: Vec<&ImageReport> = report.images.iter().filter(is_outdated).collect();
    if outdated.is_empty() {
        return Some(0);
    }
    let oldest = outdated
        .iter()
        .filter_map(|image| image.deferred_since)
        .min()?;
    let seconds = now.duration_since(oldest).as_secs();
    Some(u64::try_from(seconds).unwrap_or(0))
}

/// The measurements of one invocation.
#[derive(Clone, Copy, Debug)]
pub struct InvocationMetrics<'a> {
    /// The name of the Lambda function.
    pub function: &'a str,
    /// When the invocation ended.
    pub ended_at: Timestamp,
    /// How long the invocation took.
    pub duration: Duration,
    /// The counted outcomes; `None` if the invocation failed.
    pub tally: Option<Tally>,
    /// The budget at the end; `None` if Docker Hub stated no quota.
    pub budget: Option<Budget>,
}

impl InvocationMetrics<'_> {
    /// Formats the measurements in the Embedded Metric Format.
    pub fn to_json(&self) -> Value {
        let values = self.values();
        let mut definitions = Vec::new();
        for (name, unit) in METRICS {
            if values.contains_key(name) {
                definitions.push(json!({"Name": name, "Unit": unit}));
            }
        }
        let mut line = json!({
            "_aws": {
                "Timestamp": self.ended_at.as_millisecond(),
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [[FUNCTION_DIMENSION], []],
                    "Metrics": definitions,
                }],
            },
            FUNCTION_DIMENSION: self.function,
        });
        for (name, value) in values {
            line[name] = json!(value);
        }
        line
    }

    /// Prints the line for `CloudWatch` Logs. An error is ignored, since there is no other log.
    pub fn print(&self) {
        let _ = writeln!(std::io::stdout().lock(), "{}", self.to_json());
    }

    /// The known values, by metric name.
    fn values(&self) -> BTreeMap<&'static str, u64> {
        let mut values = BTreeMap::new();
        if let Ok(milliseconds) = u64::try_from(self.duration.as_millis()) {
            values.insert("DurationMs", milliseconds);
        }
        if let Some(tally) = &self.tally {
            values.insert("PullsSpent", tally.pulls);
            values.insert("ImagesCopied", tally.copied);
            values.insert("ImagesUnchanged", tally.unchanged);
            values.insert("ImagesDeferred", tally.deferred);
            values.insert("ImagesFailed", tally.failed);
            values.insert("BytesCopied", tally.bytes);
            if let Some(seconds) = tally.staleness_seconds {
                values.insert("StalenessSeconds", seconds);
            }
        }
        if let Some(budget) = &self.budget {
            values.insert("PullsRemaining", budget.remaining.into());
            values.insert("PullsLimit", budget.limit.into());
            values.insert("PullsReserve", budget.reserve.into());
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn image(name: &str, status: Status, deferred_hours: Option<i64>) -> ImageReport {
        let mut image = ImageReport::failed(name, String::new());
        image.status = status;
        image.bytes = 10;
        image.pulls = 3;
        image.deferred_since =
            deferred_hours.map(|hours| now() - jiff::SignedDuration::from_hours(hours));
        image
    }

    fn tally(images: Vec<ImageReport>) -> Tally {
        Tally::from_report(&Report::new(images, None), now())
    }

    fn metrics(function: &str, milliseconds: u64) -> InvocationMetrics<'_> {
        InvocationMetrics {
            function,
            ended_at: now(),
            duration: Duration::from_millis(milliseconds),
            tally: None,
            budget: None,
        }
    }

    #[test]
    fn a_line_has_all_metrics_with_and_without_the_function_as_dimension() {
        let tally = tally(vec![
            image("a:1", Status::Copied, None),
            image("b:1", Status::Unchanged, None),
            image("c:1", Status::Stale, Some(2)),
            image("d:1", Status::Failed, None),
        ]);
        let budget = Budget {
            limit: 200,
            remaining: 150,
            reserve: 20,
            window: Duration::from_hours(6),
        };
        let metrics = InvocationMetrics {
            tally: Some(tally),
            budget: Some(budget),
            ..metrics("mirror-refresh", 1234)
        };
        assert_eq!(
            metrics.to_json(),
            json!({
                "_aws": {"Timestamp": 1_790_000_000_000_i64, "CloudWatchMetrics": [{
                    "Namespace": "ImageReplicator",
                    "Dimensions": [["FunctionName"], []],
                    "Metrics": [
                        {"Name": "PullsSpent", "Unit": "Count"}, {"Name": "PullsRemaining", "Unit": "Count"},
                        {"Name": "PullsLimit", "Unit": "Count"}, {"Name": "PullsReserve", "Unit": "Count"},
                        {"Name": "ImagesCopied", "Unit": "Count"}, {"Name": "ImagesUnchanged", "Unit": "Count"},
                        {"Name": "ImagesDeferred", "Unit": "Count"}, {"Name": "ImagesFailed", "Unit": "Count"},
                        {"Name": "BytesCopied", "Unit": "Bytes"}, {"Name": "DurationMs", "Unit": "Milliseconds"},
                        {"Name": "StalenessSeconds", "Unit": "Seconds"}]}]},
                "FunctionName": "mirror-refresh",
                "PullsSpent": 12, "PullsRemaining": 150, "PullsLimit": 200, "PullsReserve": 20,
                "ImagesCopied": 1, "ImagesUnchanged": 1, "ImagesDeferred": 1, "ImagesFailed": 1,
                "BytesCopied": 40, "DurationMs": 1234, "StalenessSeconds": 7200})
        );
    }

    #[test]
    fn the_line_of_a_failed_invocation_has_only_its_duration() {
        assert_eq!(
            metrics("mirror-rescue", 7).to_json(),
            json!({
                "_aws": {"Timestamp": 1_790_000_000_000_i64, "CloudWatchMetrics": [{
                    "Namespace": "ImageReplicator",
                    "Dimensions": [["FunctionName"], []],
                    "Metrics": [{"Name": "DurationMs", "Unit": "Milliseconds"}]}]},
                "FunctionName": "mirror-rescue", "DurationMs": 7})
        );
    }

    #[test]
    fn staleness_is_that_of_the_oldest_outdated_tag() {
        let tally = tally(vec![
            image("a:1", Status::Copied, Some(9)),
            image("b:1", Status::Deferred, Some(1)),
            image("b:1", Status::Deferred, Some(5)),
            image("c:1", Status::Deferred, None),
        ]);
        assert_eq!(tally.staleness_seconds, Some(18_000));
    }

    #[test]
    fn staleness_is_zero_if_no_tag_is_outdated_and_absent_if_it_is_unknown() {
        let copied = image("a:1", Status::Copied, Some(9));
        let deferred = image("b:1", Status::Deferred, None);
        assert_eq!(tally(vec![copied.clone()]).staleness_seconds, Some(0));
        assert_eq!(tally(vec![copied, deferred]).staleness_seconds, None);
    }

    #[test]
    fn an_image_that_was_requested_twice_counts_once() {
        let copied = image("a:1", Status::Copied, None);
        let expected = Tally {
            pulls: 3,
            copied: 1,
            bytes: 10,
            staleness_seconds: Some(0),
            ..Tally::default()
        };
        assert_eq!(tally(vec![copied.clone(), copied]), expected);
    }

    #[test]
    fn a_queued_image_does_not_count_as_deferred() {
        let mut queued = image("b:1", Status::Deferred, None);
        queued.is_queued = true;
        let expected = Tally {
            pulls: 3,
            bytes: 10,
            ..Tally::default()
        };
        assert_eq!(tally(vec![queued]), expected);
    }
}
