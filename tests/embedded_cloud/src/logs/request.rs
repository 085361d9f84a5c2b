//! The inputs of `CloudWatch` Logs actions.

use serde::Deserialize;

use super::arn_prefix;
use super::page::{Anchor, MAX_EVENTS, Page};
use super::stream::Stream;
use crate::aws::AwsError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GetLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    limit: Option<i64>,
    next_token: Option<String>,
    #[serde(default)]
    start_from_head: bool,
}

impl GetLogEvents {
    /// The name of the group, given by name or by an identifier, which may be an ARN.
    pub(super) fn group(&self) -> Result<&str, AwsError> {
        match (&self.log_group_name, &self.log_group_identifier) {
            (Some(name), None) => Ok(name),
            (None, Some(identifier)) => {
                Ok(identifier.strip_prefix(&arn_prefix()).unwrap_or(identifier))
            }
            _ => Err(invalid(
                "Exactly one of logGroupName and logGroupIdentifier must be specified.",
            )),
        }
    }

    pub(super) fn stream(&self) -> &str {
        &self.log_stream_name
    }

    /// The requested page, of at most `most` events.
    pub(super) fn page(&self, stream: &Stream, most: usize) -> Result<Page, AwsError> {
        let window = stream.between(self.start_time, self.end_time);
        let anchor = self.anchor(stream.len())?;
        Ok(Page::cut(stream, &window, anchor, self.limit()?.min(most)))
    }

    fn limit(&self) -> Result<usize, AwsError> {
        let limit = self
            .limit
            .map_or(Ok(MAX_EVENTS), usize::try_from)
            .unwrap_or(0);
        let bound = match limit {
            0 => "greater than or equal to 1",
            1..=MAX_EVENTS => return Ok(limit),
            _ => "less than or equal to 10000",
        };
        Err(invalid(&format!(
            "1 validation error detected: Value '{}' at 'limit' failed to satisfy constraint: Member must have value \
             {bound}",
            self.limit.unwrap_or_default()
        )))
    }

    /// Without a token, the page is the first or, by default, the last of the window.
    fn anchor(&self, length: usize) -> Result<Anchor, AwsError> {
        let Some(token) = &self.next_token else {
            return Ok(if self.start_from_head {
                Anchor::From(0)
            } else {
                Anchor::Before(length)
            });
        };
        match Anchor::parse(token) {
            Some(Anchor::From(_)) if !self.start_from_head => Err(invalid(
                "startFromHead must be true with a nextForwardToken.",
            )),
            Some(anchor) if anchor.position() <= length => Ok(anchor),
            _ => Err(invalid("The specified nextToken is invalid.")),
        }
    }
}

fn invalid(message: &str) -> AwsError {
    AwsError::new("InvalidParameterException", message)
}
