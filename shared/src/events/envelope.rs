//! What is in an invocation's event: EventBridge events and log records, taken out of whatever they are wrapped in.

use serde_json::Value;

use super::logs::{self, Log};
use super::{Ignored, Signal, text};

/// How many wrappings are taken off: an event in a notification in an SQS batch has five, array and record included.
const DEPTH: usize = 8;

/// One thing that was wrapped.
pub(super) enum Item {
    /// An event.
    Event(Event),
    /// Log records.
    Log(Log),
    /// Something else.
    Ignored(Ignored),
}

/// What EventBridge events and `CodeStar` notifications have in common. What is missing is empty.
pub(super) struct Event {
    pub(super) source: String,
    /// The detail-type.
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    pub(super) detail: Value,
}

impl Event {
    /// The signal that this event is of no use.
    pub(super) fn ignored(&self, why: &str) -> Signal {
        Signal::Ignored(Ignored::new(
            format!("{} {}", self.kind, self.id).trim(),
            why,
        ))
    }
}

/// The text under `key`, empty where there is none.
pub(super) fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of the array under `key`, none where there is none.
pub(super) fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// An AWS account's number.
pub(super) fn account(text: &str) -> Option<String> {
    (text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
}

/// The name of an AWS Region, by its alphabet.
pub(super) fn region(text: &str) -> Option<String> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ((1..=32).contains(&text.len()) && text.bytes().all(is_letter)).then(|| text.to_owned())
}

/// Everything that `value` wraps, in order.
pub(super) fn items(value: &Value) -> Vec<Item> {
    let mut items = Vec::new();
    unwrap(value, "", DEPTH, &mut items);
    if items.is_empty() {
        items.push(ignored("", "the batch is empty"));
    }
    items
}

/// Takes one wrapping off `value`. `id` is what the wrappings around it are called.
fn unwrap(value: &Value, id: &str, depth: usize, items: &mut Vec<Item>) {
    let Some(depth) = depth.checked_sub(1) else {
        return items.push(ignored(id, "it is wrapped too often"));
    };
    if let Some(kind) = ["detail-type", "detailType"]
        .iter()
        .find_map(|key| value.get(key)?.as_str())
    {
        items.push(Item::Event(event(value, kind, id)));
    } else if let Some(data) = value.pointer("/awslogs/data") {
        items.push(logs::read(data).map_or_else(|why| ignored(id, &why), Item::Log));
    } else if let Some(records) = value.get("Records").unwrap_or(value).as_array() {
        for record in records {
            unwrap(record, id, depth, items);
        }
    } else if let Some(notification) = value.get("Sns") {
        unwrap(notification, id, depth, items);
    } else if let Some((id, inner)) = message(value) {
        match serde_json::from_str(inner) {
            Ok(inner) => unwrap(&inner, id, depth, items),
            Err(_) => items.push(ignored(id, "its text is not JSON")),
        }
    } else {
        items.push(ignored(
            id,
            "it is neither an event nor a wrapping of events that is known here",
        ));
    }
}

/// The identifier and the text of an SQS message or an SNS notification.
fn message(value: &Value) -> Option<(&str, &str)> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let sqs = || Some((text("messageId").unwrap_or_default(), text("body")?));
    let sns = || Some((text("MessageId").unwrap_or_default(), text("Message")?));
    sqs().or_else(sns)
}

fn event(value: &Value, kind: &str, id: &str) -> Event {
    let own = string(value, "id");
    Event {
        source: text::line(string(value, "source"), 100),
        kind: text::line(kind, 100),
        id: text::line(if own.is_empty() { id } else { own }, 100),
        account: account(string(value, "account")),
        region: region(string(value, "region")),
        detail: detail(value.get("detail")),
    }
}

/// An event's detail. EventBridge Scheduler sends it as text.
fn detail(value: Option<&Value>) -> Value {
    match value {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(value) => value.clone(),
        None => Value::Null,
    }
}

fn ignored(id: &str, why: &str) -> Item {
    let what = if id.is_empty() {
        "event".to_owned()
    } else {
        format!("message {id}")
    };
    Item::Ignored(Ignored::new(&what, why))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(value: &Value) -> Vec<String> {
        let seen = |item| match item {
            Item::Event(event) => format!(
                "{} {} {} {}",
                event.source, event.kind, event.id, event.detail
            ),
            Item::Log(_) => "log".to_owned(),
            Item::Ignored(ignored) => ignored.to_string(),
        };
        items(value).into_iter().map(seen).collect()
    }

    #[test]
    fn an_event_is_found_in_each_wrapping() {
        let event = json!({"source": "s", "detail-type": "t", "id": "e", "detail": {"a": 1}});
        let text = event.to_string();
        let notification = json!({"Type": "Notification", "MessageId": "n", "Message": text});
        let wrapped = [
            json!({"Records": [{"messageId": "m", "body": text}]}),
            json!({"Records": [{"EventSource": "aws:sns", "Sns": notification}]}),
            json!({"Records": [{"messageId": "m", "body": notification.to_string()}]}),
            json!([{"messageId": "m", "body": text}]),
            json!([event]),
            notification,
            event,
        ];
        for value in wrapped {
            assert_eq!(seen(&value), [r#"s t e {"a":1}"#], "{value}");
        }
    }

    #[test]
    fn an_event_without_an_identifier_is_called_after_its_message() {
        let copy = json!({"source": "s", "detailType": "t", "detail": "{\"a\":1}"}).to_string();
        assert_eq!(
            seen(&json!({"Records": [{"messageId": "m", "body": copy}]})),
            [r#"s t m {"a":1}"#]
        );
    }

    #[test]
    fn what_is_no_event_is_said_once() {
        let unknown = "it is neither an event nor a wrapping of events that is known here";
        for value in [
            json!({}),
            json!(null),
            json!("text"),
            json!({"body": 1}),
            json!({"Records": {}}),
        ] {
            assert_eq!(seen(&value), [format!("event: {unknown}")], "{value}");
        }
        assert_eq!(seen(&json!({"Records": []})), ["event: the batch is empty"]);
        assert_eq!(
            seen(&json!([{"messageId": "m", "body": "hello"}])),
            ["message m: its text is not JSON"]
        );
        let deep = (0..20).fold(json!({}), |inner, _| json!([inner]));
        assert_eq!(seen(&deep), ["event: it is wrapped too often"]);
    }
}
