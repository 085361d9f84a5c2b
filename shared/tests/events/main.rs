//! The signals of events and logs: of each sample in `events/`, of variants, and of random values.

mod classify;
mod images;
mod properties;
mod samples;
mod variants;

use std::fs;
use std::path::PathBuf;

use image_replicator::events::{Signal, signals};
use serde_json::Value;

fn sample(name: &str) -> Value {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../events"))
        .join(format!("{name}.json"));
    fs::read_to_string(&path)
        .expect("the sample is there")
        .parse()
        .expect("a sample is JSON")
}

/// A signal in one line, without the error message.
fn show(signal: &Signal) -> String {
    match signal {
        Signal::PullFailure(failure) => {
            format!(
                "pull {} {} by {} {}",
                failure.image, failure.kind, failure.source, failure.id
            )
        }
        Signal::BuildLog(log) => format!(
            "log {} {} of {} {}",
            log.group, log.stream, log.build, log.id
        ),
        Signal::Scan(scan) => {
            let account = scan.account.as_deref().unwrap_or("-");
            let region = scan.region.as_deref().unwrap_or("-");
            let completeness = if scan.is_complete {
                "complete"
            } else {
                "partial"
            };
            let tags = scan.tags.join(",");
            format!(
                "scan {account} {region} {} {} [{tags}] {} {completeness} {}",
                scan.repository, scan.digest, scan.severities, scan.id
            )
        }
        Signal::Ignored(ignored) => format!("ignored {ignored}"),
    }
}

fn show_signals(event: &Value) -> Vec<String> {
    signals(event).iter().map(show).collect()
}
