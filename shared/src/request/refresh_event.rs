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
/// * a Scheduler input, which arrives without envelope: `{"command":"refresh","execution_id":"…",…}`,
///   or nothing at all;
/// * `{"images":[…]}`, in the catalogue's shape; with `command` and `execution_id` it is the retry of
///   deferred images.
pub fn parse(event: &Value, request_id: &str) -> Result<(RefreshScope, Trigger), Error> {
    let text = |key: &str| event.get(key).and_then(Value::as_str);
    let execution = text("execution_id");
    match (text("detail-type"), text("command")) {
        (Some("Scheduled Event"), _) => Ok(scheduled(text("id"), request_id)),
        (Some(other), _) => Err(not_understood(&format!(
            "detail-type {other:?} is no schedule"
        ))),
        (None, Some(other)) if other != "refresh" => {
            Err(not_understood(&format!("command {other:?} is not refresh")))
        }
        (None, command) => match event {
            Value::Object(object) if object.contains_key("images") => {
                inline(object.clone(), execution, request_id)
            }
            _ if command.is_some() => Ok(scheduled(execution, request_id)),
            Value::Null => Ok(scheduled(None, request_id)),
            Value::Object(object) if object.is_empty() => Ok(scheduled(None, request_id)),
            _ => Err(not_understood(
                "it is neither a schedule nor {\"images\":[…]}",
            )),
        },
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

    #[test]
    fn a_schedule_is_read_in_each_of_its_forms() {
        let forms = [
            (
                json!({"detail-type": "Scheduled Event", "source": "aws.events", "id": "e1", "detail": {}}),
                "e1",
            ),
            (
                json!({"detail-type": "Scheduled Event", "source": "aws.scheduler", "id": "e2", "detail": "{}"}),
                "e2",
            ),
            (
                json!({"command": "refresh", "execution_id": "x3", "attempt": "1"}),
                "x3",
            ),
            (json!({}), "request"),
            (Value::Null, "request"),
        ];
        for (event, id) in forms {
            let (scope, trigger) = parse(&event, "request").unwrap();
            assert_eq!(scope, RefreshScope::Catalogue);
            assert_eq!(trigger.kind, TriggerKind::Schedule);
            assert_eq!(trigger.id, id);
        }
    }

    #[test]
    fn images_in_the_event_are_a_catalogue_of_their_own() {
        let event = json!({"command": "refresh", "images": [{"image": "node:21"}]});
        let (scope, trigger) = parse(&event, "request").unwrap();
        assert_eq!(trigger.kind, TriggerKind::OnDemand);
        let RefreshScope::Inline(text) = scope else {
            panic!("not inline")
        };
        let document: Value = text.parse().unwrap();
        assert_eq!(document, json!({"images": [{"image": "node:21"}]}));
    }

    #[test]
    fn the_retry_of_deferred_images_is_a_schedule_with_images() {
        let event =
            json!({"command": "refresh", "execution_id": "x4", "images": [{"image": "node:21"}]});
        let (scope, trigger) = parse(&event, "request").unwrap();
        assert_eq!(trigger.kind, TriggerKind::Schedule);
        assert_eq!(trigger.id, "x4");
        let RefreshScope::Inline(text) = scope else {
            panic!("not inline")
        };
        let document: Value = text.parse().unwrap();
        assert_eq!(document, json!({"images": [{"image": "node:21"}]}));
    }

    #[test]
    fn another_event_is_refused_with_the_reason() {
        let events = [
            (
                json!({"detail-type": "ECR Image Scan", "detail": {}}),
                "is no schedule",
            ),
            (json!({"command": "drop"}), "is not refresh"),
            (json!([1]), "neither a schedule nor"),
            (json!({"image": 1}), "neither a schedule nor"),
        ];
        for (event, why) in events {
            let error = parse(&event, "request").unwrap_err().chain();
            assert!(error.contains("cannot understand the event"), "{error}");
            assert!(error.contains(why), "{error}");
        }
    }
}
