//! The event that a target gets.
//!
//! With an input, the target gets that input without an envelope, with the context keywords
//! replaced (EventBridge Scheduler user guide, "Adding context attributes"). Without one, it gets
//! an event whose detail is the *text* `{}`.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ACCOUNT;
use crate::aws::{HOME_REGION, unique_id};

/// The event of a first attempt.
pub(super) fn event(input: Option<&str>, schedule_arn: &str, at: Timestamp) -> Value {
    let Some(input) = input else {
        return default(schedule_arn, at);
    };
    let keywords = [
        ("<aws.scheduler.schedule-arn>", schedule_arn.to_owned()),
        ("<aws.scheduler.scheduled-time>", at.to_string()),
        ("<aws.scheduler.execution-id>", unique_id()),
        ("<aws.scheduler.attempt-number>", "1".to_owned()),
    ];
    let text = keywords
        .iter()
        .fold(input.to_owned(), |text, (keyword, value)| {
            text.replace(keyword, value)
        });
    serde_json::from_str(&text)
        .expect("the input is JSON, and no keyword becomes a character that JSON escapes")
}

fn default(schedule_arn: &str, at: Timestamp) -> Value {
    json!({
        "version": "0",
        "id": unique_id(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT,
        "time": at.to_string(),
        "region": HOME_REGION,
        "resources": [schedule_arn],
        "detail": "{}",
    })
}
