//! The last lines of a build's log.

use super::{Aws, error};
use crate::error::{Error, Side};

/// The most lines that are read: a build ends soon after a failed pull.
const MAX_LINES: i32 = 2000;

impl Aws {
    /// The last lines of a log stream, oldest first.
    pub async fn log_tail(&self, group: &str, stream: &str) -> Result<String, Error> {
        let client = aws_sdk_cloudwatchlogs::Client::new(self.config().await);
        let request = client
            .get_log_events()
            .log_group_name(group)
            .log_stream_name(stream)
            .limit(MAX_LINES);
        let action = format!("read the log {group} {stream}");
        let response = request.start_from_head(false).send().await;
        let response = response.map_err(|failure| error(Side::Source, &action, &failure))?;
        let events = response.events().iter();
        let lines: Vec<&str> = events
            .filter_map(|event| event.message())
            .map(str::trim_end)
            .collect();
        Ok(lines.join("\n"))
    }
}
