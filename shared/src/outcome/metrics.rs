//! Metrics: what one invocation tells `CloudWatch`, as one line of the Embedded Metric Format.
//!
//! What is not known is left out, and never zero. Each metric stands under the function's name, and once more without any, so that
//! an alarm needs no names.
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::outcome::report::{Report, Status};
use crate::plan::budget::Budget;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "ImageReplicator";
/// The only dimension.
pub const FUNCTION: &str = "FunctionName";
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

/// What became of the images of one invocation. An image that was asked for twice counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Metered requests that were spent.
    pub pulls: u64,
    /// Images that were copied.
    pub copied: u64,
    /// Images that were level already.
    pub unchanged: u64,
    /// Images that wait: put off, or kept from being refreshed for now. What is queued does not.
    pub deferred: u64,
    /// Images that somebody has to look at.
    pub failed: u64,
    /// Bytes of blobs that were sent.
    pub bytes: u64,
    /// For how long the oldest tag has lagged behind upstream, in seconds; `None` when something lags, and nobody knows since when.
    pub staleness_seconds: Option<u64>,
}

impl Tally {
    /// The tally of `report`, at `now`.
    pub fn from_report(report: &Report, now: Timestamp) -> Self {
        let mut seen = BTreeSet::new();
        let mut tally = Self {
            staleness_seconds: staleness_seconds(report, now),
            ..Self::default()
        };
        for image in report
            .images
            .iter()
            .filter(|image| seen.insert(&image.image))
        {
            tally.pulls += image.pulls;
            tally.bytes += image.bytes;
            // Who copies it counts it.
            if image.is_queued {
                continue;
            }
            *match image.status {
                Status::Copied => &mut tally.copied,
                Status::Unchanged => &mut tally.unchanged,
                Status::Deferred | Status::Stale => &mut tally.deferred,
                Status::Failed => &mut tally.failed,
            } += 1;
        }
        tally
    }

    fn values(&self) -> [(&'static str, Option<u64>); 7] {
        [
            ("PullsSpent", Some(self.pulls)),
            ("ImagesCopied", Some(self.copied)),
            ("ImagesUnchanged", Some(self.unchanged)),
            ("ImagesDeferred", Some(self.deferred)),
            ("ImagesFailed", Some(self.failed)),
            ("BytesCopied", Some(self.bytes)),
            ("StalenessSeconds", self.staleness_seconds),
        ]
    }
}

fn staleness_seconds(report: &Report, now: Timestamp) -> Option<u64> {
    let is_up_to_date = |status| matches!(status, Status::Copied | Status::Unchanged);
    if report
        .images
        .iter()
        .all(|image| is_up_to_date(image.status))
    {
        return Some(0);
    }
    let lagging = report
        .images
        .iter()
        .filter(|image| !is_up_to_date(image.status));
    let since = lagging.filter_map(|image| image.waits_since).min()?;
    Some(u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0))
}

/// The line of an invocation of `function` that took `duration`. Without a `tally` it failed, and without a `budget` nothing was
/// heard of Docker Hub's quota.
pub fn metrics(
    function: &str,
    tally: Option<&Tally>,
    budget: Option<&Budget>,
    (now, duration): (Timestamp, Duration),
) -> Value {
    let quota = budget.map(|budget| {
        let Budget {
            limit,
            remaining,
            reserve,
            ..
        } = *budget;
        [
            ("PullsRemaining", remaining),
            ("PullsLimit", limit),
            ("PullsReserve", reserve),
        ]
    });
    let quota = quota
        .into_iter()
        .flatten()
        .map(|(name, pulls)| (name, Some(u64::from(pulls))));
    let duration = ("DurationMs", u64::try_from(duration.as_millis()).ok());
    let all = tally
        .into_iter()
        .flat_map(Tally::values)
        .chain(quota)
        .chain([duration]);
    let values: Map<String, Value> = all
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))))
        .collect();
    let names = METRICS
        .iter()
        .filter(|(name, _)| values.contains_key(*name));
    let definitions: Vec<Value> = names
        .map(|(name, unit)| json!({"Name": name, "Unit": unit}))
        .collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [[FUNCTION], []], "Metrics": definitions}],
        },
        FUNCTION: function,
    });
    line.as_object_mut()
        .expect("it is an object")
        .extend(values);
    line
}

/// Prints `line`, for `CloudWatch` Logs to read. A log that cannot be written has nobody to be told.
pub fn print(line: &Value) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::report::ImageReport;

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn image(name: &str, status: Status, hours: Option<i64>) -> ImageReport {
        let waits_since = hours.map(|hours| now() - jiff::SignedDuration::from_hours(hours));
        let mut image = ImageReport::failed(name, String::new());
        (image.status, image.bytes, image.pulls, image.waits_since) = (status, 10, 3, waits_since);
        image
    }

    fn staleness(images: Vec<ImageReport>) -> Option<u64> {
        Tally::from_report(&Report::new(images, None), now()).staleness_seconds
    }

    #[test]
    fn an_invocation_is_one_object_with_all_metrics_under_the_function_and_without() {
        let images = vec![
            image("a:1", Status::Copied, None),
            image("b:1", Status::Unchanged, None),
            image("c:1", Status::Stale, Some(2)),
            image("d:1", Status::Failed, None),
        ];
        let tally = Tally::from_report(&Report::new(images, None), now());
        let budget = Budget {
            limit: 200,
            remaining: 150,
            reserve: 20,
            window: Duration::from_hours(6),
        };
        let line = metrics(
            "mirror-refresh",
            Some(&tally),
            Some(&budget),
            (now(), Duration::from_millis(1234)),
        );
        assert_eq!(
            line,
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
    fn an_invocation_that_failed_tells_only_how_long_it_took() {
        assert_eq!(
            metrics(
                "mirror-rescue",
                None,
                None,
                (now(), Duration::from_millis(7))
            ),
            json!({
                "_aws": {"Timestamp": 1_790_000_000_000_i64, "CloudWatchMetrics": [{
                    "Namespace": "ImageReplicator",
                    "Dimensions": [["FunctionName"], []],
                    "Metrics": [{"Name": "DurationMs", "Unit": "Milliseconds"}]}]},
                "FunctionName": "mirror-rescue", "DurationMs": 7})
        );
    }

    #[test]
    fn staleness_is_that_of_the_oldest_tag_and_unknown_is_not_zero() {
        let level = image("a:1", Status::Copied, Some(9));
        assert_eq!(staleness(vec![level.clone()]), Some(0));
        let waiting = |hours| image("b:1", Status::Deferred, hours);
        assert_eq!(
            staleness(vec![level.clone(), waiting(Some(1)), waiting(Some(5))]),
            Some(18_000)
        );
        assert_eq!(staleness(vec![level, waiting(None)]), None);
    }

    #[test]
    fn an_image_that_was_asked_for_twice_counts_once_and_one_that_is_queued_waits_for_nothing() {
        let twice = vec![
            image("a:1", Status::Copied, None),
            image("a:1", Status::Copied, None),
        ];
        let mut queued = image("b:1", Status::Deferred, None);
        queued.is_queued = true;
        let tally = Tally::from_report(&Report::new([twice, vec![queued]].concat(), None), now());
        assert_eq!(tally.deferred, 0);
        assert_eq!((tally.copied, tally.pulls, tally.bytes), (1, 6, 20));
    }
}
