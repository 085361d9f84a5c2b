//! The envelopes of events: EventBridge events and log records, unwrapped from SNS, SQS and
//! batches.

use serde_json::Value;

use super::json::string;
use super::logs::{self, Log};
use super::{Ignored, Signal, text};
use crate::image::host::is_account;

/// The largest number of nested values that are unwrapped. An event in an SNS notification in an
/// SQS batch is the fifth, if the batch and its record count.
const MAX_DEPTH: usize = 8;

/// One item of an invocation's event.
pub(super) enum Item {
    /// An event.
    Event(Event),
    /// Log records.
    Log(Log),
    /// Anything else.
    Ignored(Ignored),
}

/// The fields that EventBridge events and `CodeStar` notifications share. A missing field is empty.
pub(super) struct Event {
    pub(super) source: String,
    /// The detail-type.
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    pub(super) detail: Value,
}

/// `text` if it is the number of an AWS account.
pub(super) fn account(text: &str) -> Option<String> {
    is_account(text).then(|| text.to_owned())
}

/// `text` if it has the characters of an AWS Region's name.
pub(super) fn region(text: &str) -> Option<String> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_region = (1..=32).contains(&text.len()) && text.bytes().all(is_allowed);
    is_region.then(|| text.to_owned())
}

/// All items in `value`, in order. There is at least one.
pub(super) fn items(value: &Value) -> Vec<Item> {
    let mut items = Vec::new();
    unwrap(value, "", MAX_DEPTH, &mut items);
    if items.is_empty() {
        items.push(ignored("", "the batch is empty"));
    }
    items
}

/// Adds what `value` holds to `items`. `id` is the identifier of the message around it, if any.
fn unwrap(value: &Value, id: &str, depth: usize, items: &mut Vec<Item>) {
    let Some(depth) = depth.checked_sub(1) else {
        items.push(ignored(id, "it is nested more than 8 levels deep"));
        return;
    };
    if let Some(kind) = detail_type(value) {
        items.push(Item::Event(Event::new(value, kind, id)));
    } else if let Some(data) = value.pointer("/awslogs/data") {
        let item = match logs::read(data) {
            Ok(log) => Item::Log(log),
            Err(why) => ignored(id, &why),
        };
        items.push(item);
    } else if let Some(records) = value.get("Records").unwrap_or(value).as_array() {
        for record in records {
            unwrap(record, id, depth, items);
        }
    } else if let Some(notification) = value.get("Sns") {
        unwrap(notification, id, depth, items);
    } else if let Some(message) = Message::find(value) {
        match serde_json::from_str(message.body) {
            Ok(inner) => unwrap(&inner, message.id, depth, items),
            Err(_) => items.push(ignored(message.id, "the message body is not JSON")),
        }
    } else {
        items.push(ignored(
            id,
            "not an event of EventBridge, CloudWatch Logs, SNS or SQS",
        ));
    }
}

/// The type of an event: `detail-type` in EventBridge events, `detailType` in `CodeStar`
/// notifications.
fn detail_type(value: &Value) -> Option<&str> {
    let of_event = value.get("detail-type").and_then(Value::as_str);
    let of_notification = value.get("detailType").and_then(Value::as_str);
    of_event.or(of_notification)
}

/// An SQS message or an SNS notification.
struct Message<'a> {
    id: &'a str,
    body: &'a str,
}

impl<'a> Message<'a> {
    fn find(value: &'a Value) -> Option<Self> {
        if let Some(body) = value.get("body").and_then(Value::as_str) {
            let id = string(value, "messageId");
            return Some(Self { id, body });
        }
        let body = value.get("Message")?.as_str()?;
        let id = string(value, "MessageId");
        Some(Self { id, body })
    }
}

impl Event {
    fn new(value: &Value, kind: &str, message_id: &str) -> Self {
        let id = match string(value, "id") {
            "" => message_id,
            id => id,
        };
        Self {
            source: text::to_line(string(value, "source"), 100),
            kind: text::to_line(kind, 100),
            id: text::to_line(id, 100),
            account: account(string(value, "account")),
            region: region(string(value, "region")),
            detail: detail(value.get("detail")),
        }
    }

    /// The text under `key` of the detail, empty if there is none.
    pub(super) fn string(&self, key: &str) -> &str {
        string(&self.detail, key)
    }

    /// The signal that this event is ignored because of `why`.
    pub(super) fn ignored(&self, why: &str) -> Signal {
        let what = format!("{} {}", self.kind, self.id);
        Signal::Ignored(Ignored::new(what.trim(), why))
    }
}

/// The detail of an event. EventBridge Scheduler sends it as text.
fn detail(value: Option<&Value>) -> Value {
    match value {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(value) => value.clone(),
        None => Value::Null,
    }
}

fn ignored(message_id: &str, why: &str) -> Item {
    let what = if message_id.is_empty() {
        "event".to_owned()
    } else {
        format!("message {message_id}")
    };
    Item::Ignored(Ignored::new(&what, why))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UNKNOWN: &str = "event: not an event of EventBridge, CloudWatch Logs, SNS or SQS";

    fn show(item: Item) -> String {
        match item {
            Item::Event(event) => format!(
                "{} {} {} {}",
                event.source, event.kind, event.id, event.detail
            ),
            Item::Log(_) => "log".to_owned(),
            Item::Ignored(ignored) => ignored.to_string(),
        }
    }

    fn shown(value: &Value) -> Vec<String> {
        items(value).into_iter().map(show).collect()
    }

    fn check_ignored(value: &Value, expected: &str) {
        assert_eq!(shown(value), [expected], "{value}");
    }

    fn sqs_message(body: &str) -> Value {
        json!({
            "messageId": "m",
            "body": body,
        })
    }

    #[test]
    fn an_event_is_found_in_each_envelope() {
        let event = json!({
            "source": "s",
            "detail-type": "t",
            "id": "e",
            "detail": {"a": 1},
        });
        let text = event.to_string();
        let notification = json!({
            "Type": "Notification",
            "MessageId": "n",
            "Message": text,
        });
        let in_lambda_record = json!({
            "EventSource": "aws:sns",
            "Sns": notification,
        });
        let envelopes = [
            json!({"Records": [sqs_message(&text)]}),
            json!({"Records": [in_lambda_record]}),
            json!({"Records": [sqs_message(&notification.to_string())]}),
            json!([sqs_message(&text)]),
            json!([event]),
            notification,
            event,
        ];
        for value in envelopes {
            assert_eq!(shown(&value), [r#"s t e {"a":1}"#], "{value}");
        }
    }

    #[test]
    fn an_event_without_an_identifier_has_that_of_its_message() {
        let notification = json!({
            "source": "s",
            "detailType": "t",
            "detail": r#"{"a":1}"#,
        });
        let message = sqs_message(&notification.to_string());
        let batch = json!({"Records": [message]});
        assert_eq!(shown(&batch), [r#"s t m {"a":1}"#]);
    }

    #[test]
    fn an_unknown_value_is_one_ignored_item() {
        check_ignored(&json!({}), UNKNOWN);
        check_ignored(&json!(null), UNKNOWN);
        check_ignored(&json!("text"), UNKNOWN);
        check_ignored(&json!({"body": 1}), UNKNOWN);
        check_ignored(&json!({"Records": {}}), UNKNOWN);
        check_ignored(&json!({"Records": []}), "event: the batch is empty");
        check_ignored(
            &json!([sqs_message("hello")]),
            "message m: the message body is not JSON",
        );
    }

    #[test]
    fn a_value_that_is_nested_too_deep_is_ignored() {
        let mut value = json!({});
        for _ in 1..MAX_DEPTH {
            value = json!([value]);
        }
        check_ignored(&value, UNKNOWN);
        check_ignored(
            &json!([value]),
            "event: it is nested more than 8 levels deep",
        );
    }
}
