//! Events become signals: each sample in `events/`, and whatever else may come.

mod anything;
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

/// A signal in one line, without what was said.
fn shown(signal: &Signal) -> String {
    match signal {
        Signal::PullFailure(failure) => {
            format!(
                "pull {} {} by {} {}",
                failure.image, failure.kind, failure.origin, failure.id
            )
        }
        Signal::BuildLog(log) => format!(
            "log {} {} of {} {}",
            log.group, log.stream, log.build, log.id
        ),
        Signal::Scan(scan) => {
            let place = [&scan.account, &scan.region]
                .map(|part| part.as_deref().unwrap_or("-"))
                .join(" ");
            let done = if scan.is_complete {
                "complete"
            } else {
                "partial"
            };
            let tags = scan.tags.join(",");
            format!(
                "scan {place} {} {} [{tags}] {} {done} {}",
                scan.repository, scan.digest, scan.severities, scan.id
            )
        }
        Signal::Ignored(ignored) => format!("ignored {ignored}"),
    }
}

fn shown_all(event: &Value) -> Vec<String> {
    signals(event).iter().map(shown).collect()
}
