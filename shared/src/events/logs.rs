//! Subscriptions to Amazon `CloudWatch` Logs, which deliver compressed log records.
//!
//! A subscription filter delivers only the lines that match it. A line such as `toomanyrequests`
//! need not name the image. The signal is then the log itself, so that the lines around it can be
//! searched.

use std::io::Read;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;

use super::classify::classify;
use super::json::{array, string};
use super::{BuildLog, Ignored, Signal, text};

/// The largest size of uncompressed records: eight times what `CloudWatch` Logs delivers in one
/// event.
const MAX_UNCOMPRESSED_BYTES: u64 = 8 << 20;

/// Records of one log stream.
pub(super) struct Log {
    source: BuildLog,
    text: String,
}

/// Reads the `data` of a subscription event. The error is the reason to ignore the event.
pub(super) fn read(data: &Value) -> Result<Log, String> {
    let compressed = BASE64_STANDARD
        .decode(data.as_str().unwrap_or_default())
        .map_err(|_| "the log data is not base64")?;
    let uncompressed = decompress(&compressed)?;
    let record: Value =
        serde_json::from_slice(&uncompressed).map_err(|_| "the log data is not JSON")?;
    match string(&record, "messageType") {
        "DATA_MESSAGE" => Ok(Log::new(&record)),
        "CONTROL_MESSAGE" => {
            Err("CloudWatch Logs only checks that the subscription works".to_owned())
        }
        _ => Err("the log data has no log records".to_owned()),
    }
}

fn decompress(compressed: &[u8]) -> Result<Vec<u8>, String> {
    let mut uncompressed = Vec::new();
    GzDecoder::new(compressed)
        .take(MAX_UNCOMPRESSED_BYTES + 1)
        .read_to_end(&mut uncompressed)
        .map_err(|_| "the log data is not gzip")?;
    if uncompressed.len() as u64 > MAX_UNCOMPRESSED_BYTES {
        return Err("the log data is larger than 8 MiB uncompressed".to_owned());
    }
    Ok(uncompressed)
}

impl Log {
    fn new(record: &Value) -> Self {
        let group = text::to_line(string(record, "logGroup"), 512);
        let stream = text::to_line(string(record, "logStream"), 512);
        // A build in `/aws/codebuild/PROJECT` has the name of its stream: `PROJECT:STREAM`.
        let project = group.strip_prefix("/aws/codebuild/").unwrap_or(&group);
        let build = format!("{project}:{stream}");
        let records = array(record, "logEvents");
        let id = match records.first().map_or("", |first| string(first, "id")) {
            "" => build.clone(),
            id => text::to_line(id, 100),
        };
        let lines: Vec<_> = records
            .iter()
            .map(|record| string(record, "message"))
            .collect();
        Self {
            source: BuildLog {
                group,
                stream,
                build,
                id,
            },
            text: lines.join("\n"),
        }
    }

    /// The failed pulls that these records report. If they report one but name no image: the log.
    pub(super) fn signals(self) -> Vec<Signal> {
        let failures = self.source.pull_failures(&self.text);
        if !failures.is_empty() {
            return failures.into_iter().map(Signal::PullFailure).collect();
        }
        let has_names = !self.source.group.is_empty() && !self.source.stream.is_empty();
        if has_names && classify(&self.text).is_some() {
            return vec![Signal::BuildLog(self.source)];
        }
        let what = format!("log records of {}", self.source.build);
        let ignored = Ignored::new(&what, "the log records report no failed pull");
        vec![Signal::Ignored(ignored)]
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use serde_json::json;

    use super::*;

    fn compress(bytes: &[u8]) -> Value {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        json!(BASE64_STANDARD.encode(encoder.finish().unwrap()))
    }

    fn read_record(record: &Value) -> Result<Log, String> {
        read(&compress(record.to_string().as_bytes()))
    }

    fn error(data: &Value) -> String {
        read(data).err().expect("the data is refused")
    }

    #[test]
    fn unusable_data_is_refused_with_the_reason() {
        assert_eq!(error(&json!(7)), "the log data is not gzip");
        assert_eq!(error(&json!("*")), "the log data is not base64");
        assert_eq!(error(&json!("aGVsbG8=")), "the log data is not gzip");
        assert_eq!(error(&compress(b"hello")), "the log data is not JSON");
        assert_eq!(error(&compress(b"[]")), "the log data has no log records");
        let control = json!({
            "messageType": "CONTROL_MESSAGE",
            "logEvents": [{"message": "CWL CONTROL MESSAGE"}],
        });
        assert_eq!(
            read_record(&control).err().unwrap(),
            "CloudWatch Logs only checks that the subscription works"
        );
    }

    #[test]
    fn data_that_is_too_large_uncompressed_is_refused() {
        assert_eq!(
            error(&compress(&vec![b' '; 9 << 20])),
            "the log data is larger than 8 MiB uncompressed"
        );
    }

    #[test]
    fn a_line_that_names_no_image_leads_to_the_log() {
        let line =
            "Error response from daemon: toomanyrequests: You have reached your pull rate limit.";
        let record = json!({
            "messageType": "DATA_MESSAGE",
            "logGroup": "/aws/codebuild/app",
            "logStream": "8745",
            "logEvents": [{"id": "1", "timestamp": 0, "message": line}],
        });
        let log = BuildLog {
            group: "/aws/codebuild/app".to_owned(),
            stream: "8745".to_owned(),
            build: "app:8745".to_owned(),
            id: "1".to_owned(),
        };
        assert_eq!(
            read_record(&record).unwrap().signals(),
            [Signal::BuildLog(log)]
        );
    }

    #[test]
    fn records_without_a_failed_pull_are_ignored() {
        let record = json!({
            "messageType": "DATA_MESSAGE",
            "logGroup": "/aws/codebuild/app",
            "logStream": "8745",
            "logEvents": [{"id": "1", "timestamp": 0, "message": "npm ERR! 404"}],
        });
        let ignored = Ignored::new(
            "log records of app:8745",
            "the log records report no failed pull",
        );
        assert_eq!(
            read_record(&record).unwrap().signals(),
            [Signal::Ignored(ignored)]
        );
    }
}
