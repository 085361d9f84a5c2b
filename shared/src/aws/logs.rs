//! The end of a build's log.

use super::{Aws, error};
use crate::error::{Error, Side};

/// The most lines that are read: a pull that fails ends its build soon.
const LINES: i32 = 2000;

impl Aws {
    /// The last lines of a log stream, oldest first.
    pub async fn log_tail(&self, group: &str, stream: &str) -> Result<String, Error> {
        let client = aws_sdk_cloudwatchlogs::Client::new(self.config().await);
        let request = client
            .get_log_events()
            .log_group_name(group)
            .log_stream_name(stream)
            .limit(LINES);
        let answer = request.start_from_head(false).send().await;
        let answer = answer.map_err(|failure| {
            error(
                Side::Source,
                &format!("read the log {group} {stream}"),
                &failure,
            )
        })?;
        let lines = answer.events().iter().filter_map(|event| event.message());
        Ok(lines.map(str::trim_end).collect::<Vec<_>>().join("\n"))
    }
}
