//! What a `refresh` event asks for.

use serde_json::Value;

use crate::error::{Cause, Error, Side};
use crate::request::{Trigger, TriggerKind};

/// The longest excerpt of an event in an error, in characters.
const MAX_EXCERPT_CHARACTERS: usize = 200;

/// Which images a `refresh` event asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshScope {
    /// The whole catalogue.
    Catalogue,
    /// The images of this document, which has the catalogue's shape.
    Inline(String),
}

/// Reads a `refresh` event, in each form in which a schedule or a person sends it:
///
/// * an EventBridge rule's event, and EventBridge Scheduler's default event, whose `detail` is the
///   *string* `"{}"`;
/// * a Scheduler input, which arrives without an envelope:
///   `{"command":"refresh","execution_id":"…",…}`, or nothing at all;
/// * `{"images":[…]}`, in the catalogue's shape; with `command` and `execution_id` it is the retry
///   of deferred images.
pub fn parse(event: &Value, request_id: &str) -> Result<(RefreshScope, Trigger), Error> {
    let text = |key: &str| event.get(key).and_then(Value::as_str);
    match text("detail-type") {
        Some("Scheduled Event") => return Ok(scheduled(text("id"), request_id)),
        Some(other) => {
            let why = format!("detail-type {other:?} is no schedule");
            return Err(not_understood(&why));
        }
        None => {}
    }
    let command = text("command");
    if let Some(other) = command
        && other != "refresh"
    {
        let why = format!("command {other:?} is not refresh");
        return Err(not_understood(&why));
    }
    let execution = text("execution_id");
    match event {
        Value::Object(object) if object.contains_key("images") => {
            inline(object.clone(), execution, request_id)
        }
        _ if command.is_some() => Ok(scheduled(execution, request_id)),
        _ if is_empty(event) => Ok(scheduled(None, request_id)),
        _ => {
            let why = "it is neither a schedule nor {\"images\":[…]}";
            Err(not_understood(why))
        }
    }
}

/// Whether a schedule without an input sent `event`.
fn is_empty(event: &Value) -> bool {
    match event {
        Value::Null => true,
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

fn scheduled(id: Option<&str>, request_id: &str) -> (RefreshScope, Trigger) {
    let trigger = trigger(TriggerKind::Schedule, id, request_id);
    (RefreshScope::Catalogue, trigger)
}

/// An event with images. Only a schedule's retry has the identifier of an execution.
fn inline(
    mut document: serde_json::Map<String, Value>,
    execution: Option<&str>,
    request_id: &str,
) -> Result<(RefreshScope, Trigger), Error> {
    document.remove("command");
    document.remove("execution_id");
    let kind = match execution {
        Some(_) => TriggerKind::Schedule,
        None => TriggerKind::OnDemand,
    };
    let text = serde_json::to_string_pretty(&document);
    let text = text.map_err(|error| not_understood(&error.to_string()))?;
    let trigger = trigger(kind, execution, request_id);
    Ok((RefreshScope::Inline(text), trigger))
}

fn trigger(kind: TriggerKind, id: Option<&str>, request_id: &str) -> Trigger {
    let id = id.unwrap_or(request_id).to_owned();
    Trigger { kind, id }
}

fn not_understood(why: &str) -> Error {
    let excerpt: String = why.chars().take(MAX_EXCERPT_CHARACTERS).collect();
    Error::new(Side::Configuration, Cause::Invalid, "understand the event").because(excerpt)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check_schedule(event: &Value, expected_id: &str) {
        let (scope, trigger) = parse(event, "request").unwrap();
        assert_eq!(scope, RefreshScope::Catalogue);
        assert_eq!(trigger.kind, TriggerKind::Schedule);
        assert_eq!(trigger.id, expected_id);
    }

    /// Checks that `event` asks for node:21 only. Returns the trigger.
    fn check_inline(event: &Value) -> Trigger {
        let (scope, trigger) = parse(event, "request").unwrap();
        let RefreshScope::Inline(text) = scope else {
            panic!("not inline")
        };
        let document: Value = text.parse().unwrap();
        let expected = json!({"images": [{"image": "node:21"}]});
        assert_eq!(document, expected);
        trigger
    }

    fn check_refused(event: &Value, why: &str) {
        let error = parse(event, "request").unwrap_err().chain();
        assert!(error.contains("cannot understand the event"), "{error}");
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn a_schedule_is_read_in_each_of_its_forms() {
        let rule = json!({
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "id": "e1",
            "detail": {},
        });
        check_schedule(&rule, "e1");
        let scheduler_default = json!({
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "id": "e2",
            "detail": "{}",
        });
        check_schedule(&scheduler_default, "e2");
        let scheduler_input = json!({
            "command": "refresh",
            "execution_id": "x3",
            "attempt": "1",
        });
        check_schedule(&scheduler_input, "x3");
        check_schedule(&json!({}), "request");
        check_schedule(&Value::Null, "request");
    }

    #[test]
    fn images_in_the_event_are_a_catalogue_of_their_own() {
        let event = json!({
            "command": "refresh",
            "images": [{"image": "node:21"}],
        });
        let trigger = check_inline(&event);
        assert_eq!(trigger.kind, TriggerKind::OnDemand);
    }

    #[test]
    fn the_retry_of_deferred_images_is_a_schedule_with_images() {
        let event = json!({
            "command": "refresh",
            "execution_id": "x4",
            "images": [{"image": "node:21"}],
        });
        let trigger = check_inline(&event);
        assert_eq!(trigger.kind, TriggerKind::Schedule);
        assert_eq!(trigger.id, "x4");
    }

    #[test]
    fn another_event_is_refused_with_the_reason() {
        let scan = json!({
            "detail-type": "ECR Image Scan",
            "detail": {},
        });
        check_refused(&scan, "is no schedule");
        check_refused(&json!({"command": "drop"}), "is not refresh");
        check_refused(&json!([1]), "neither a schedule nor");
        check_refused(&json!({"image": 1}), "neither a schedule nor");
    }
}
