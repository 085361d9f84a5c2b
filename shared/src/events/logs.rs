//! Subscriptions to Amazon `CloudWatch` Logs: log records, compressed.
//!
//! A subscription filter delivers only the lines that match it. A line that says `toomanyrequests` need not name the image;
//! then the signal is the log itself, for somebody to read around the line.

use std::io::Read;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;

use super::classify::classify;
use super::envelope::{array, string};
use super::{BuildLog, Ignored, Signal, text};

/// The most bytes that a record may unpack to: eight times what `CloudWatch` Logs delivers at once.
const UNPACKED: u64 = 8 << 20;

/// Records of one log stream.
pub(super) struct Log {
    source: BuildLog,
    text: String,
}

/// Unpacks the `data` of a subscription's event. The error says why it is of no use.
pub(super) fn read(data: &Value) -> Result<Log, String> {
    let packed = BASE64_STANDARD
        .decode(data.as_str().unwrap_or_default())
        .map_err(|_| "its data is not base64")?;
    let mut unpacked = Vec::new();
    let bounded = GzDecoder::new(packed.as_slice())
        .take(UNPACKED + 1)
        .read_to_end(&mut unpacked);
    bounded.map_err(|_| "its data is not gzip")?;
    if unpacked.len() as u64 > UNPACKED {
        return Err("its data unpacks to more than 8 MiB".to_owned());
    }
    let record = serde_json::from_slice::<Value>(&unpacked).map_err(|_| "its data is not JSON")?;
    match string(&record, "messageType") {
        "DATA_MESSAGE" => Ok(log(&record)),
        "CONTROL_MESSAGE" => {
            Err("CloudWatch Logs only checks that the subscription works".to_owned())
        }
        _ => Err("its data holds no log records".to_owned()),
    }
}

fn log(record: &Value) -> Log {
    let (group, stream) = (
        text::line(string(record, "logGroup"), 512),
        text::line(string(record, "logStream"), 512),
    );
    let lines = array(record, "logEvents");
    let id = lines.first().map_or("", |line| string(line, "id"));
    // The stream of a build in `/aws/codebuild/PROJECT` is called after it: `PROJECT:STREAM` is the build's identifier.
    let build = format!(
        "{}:{stream}",
        group.strip_prefix("/aws/codebuild/").unwrap_or(&group)
    );
    let text = lines
        .iter()
        .map(|line| string(line, "message"))
        .collect::<Vec<_>>()
        .join("\n");
    let id = if id.is_empty() {
        build.clone()
    } else {
        text::line(id, 100)
    };
    Log {
        source: BuildLog {
            group,
            stream,
            build,
            id,
        },
        text,
    }
}

impl Log {
    /// The pulls that failed by these lines; the log itself where they name no image.
    pub(super) fn signals(self) -> Vec<Signal> {
        let failures = self.source.pull_failures(&self.text);
        if !failures.is_empty() {
            failures.into_iter().map(Signal::PullFailure).collect()
        } else if classify(&self.text).is_some()
            && !self.source.group.is_empty()
            && !self.source.stream.is_empty()
        {
            vec![Signal::BuildLog(self.source)]
        } else {
            let what = format!("log records of {}", self.source.build);
            vec![Signal::Ignored(Ignored::new(
                &what,
                "they tell of no failed pull",
            ))]
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use serde_json::json;

    use super::*;

    fn packed(bytes: &[u8]) -> Value {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        json!(BASE64_STANDARD.encode(encoder.finish().unwrap()))
    }

    fn why(data: &Value) -> String {
        read(data).err().unwrap_or_default()
    }

    #[test]
    fn data_that_cannot_be_used_is_explained() {
        assert_eq!(why(&json!(7)), "its data is not gzip");
        assert_eq!(why(&json!("*")), "its data is not base64");
        assert_eq!(why(&json!("aGVsbG8=")), "its data is not gzip");
        assert_eq!(why(&packed(b"hello")), "its data is not JSON");
        assert_eq!(why(&packed(b"[]")), "its data holds no log records");
        let control = json!({"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "CWL CONTROL MESSAGE"}]});
        let control = packed(control.to_string().as_bytes());
        assert_eq!(
            why(&control),
            "CloudWatch Logs only checks that the subscription works"
        );
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        assert_eq!(
            why(&packed(&vec![b' '; 9 << 20])),
            "its data unpacks to more than 8 MiB"
        );
    }

    #[test]
    fn a_line_that_names_no_image_leads_to_the_log() {
        let line =
            "Error response from daemon: toomanyrequests: You have reached your pull rate limit.";
        let record = json!({"messageType": "DATA_MESSAGE", "logGroup": "/aws/codebuild/app", "logStream": "8745",
            "logEvents": [{"id": "1", "timestamp": 0, "message": line}]});
        let signals = read(&packed(record.to_string().as_bytes()))
            .map(Log::signals)
            .unwrap_or_default();
        let [group, stream, build, id] =
            ["/aws/codebuild/app", "8745", "app:8745", "1"].map(str::to_owned);
        assert_eq!(
            signals,
            [Signal::BuildLog(BuildLog {
                group,
                stream,
                build,
                id
            })]
        );
    }
}
