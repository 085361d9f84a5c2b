//! Amazon EventBridge: event buses that accept events entry by entry.
//!
//! The response to `PutEvents` is a success even if every entry failed. Callers must check
//! `FailedEntryCount`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::ACCOUNT;
use crate::aws::{ActionResult, AwsError, HOME_REGION, read, unique_id};
use crate::sync::lock;

mod entry;
mod request;

use request::PutEvents;

/// The bus that every account has.
const DEFAULT_BUS: &str = "default";

/// The event buses of the account in us-east-1. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Mutex<State>>);

/// An event on a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedEvent {
    /// The source, such as `image-replicator`.
    pub source: String,
    /// The detail type, such as `Image Replicated`.
    pub detail_type: String,
    /// The detail: a JSON object.
    pub detail: Value,
    /// The name of its bus.
    pub bus: String,
}

#[derive(Debug, Default)]
struct State {
    /// The names of the buses other than the default one.
    buses: BTreeSet<String>,
    published: Vec<PublishedEvent>,
    /// How many future entries fail.
    failures: u32,
}

impl Events {
    /// Creates a bus unless it exists, and returns its ARN. The bus `default` always exists.
    pub fn create_bus(&self, name: &str) -> String {
        self.state().buses.insert(name.to_owned());
        format!("{}{name}", arn_prefix())
    }

    /// Every accepted event, oldest first.
    pub fn published(&self) -> Vec<PublishedEvent> {
        self.state().published.clone()
    }

    /// Makes the next `entries` entries fail with `InternalFailure`, which is retryable. The
    /// responses are still successes.
    pub fn fail_next(&self, entries: u32) {
        self.state().failures = entries;
    }

    pub(crate) fn call(&self, region: &str, action: &str, input: &Value) -> ActionResult {
        if region != HOME_REGION {
            return Self::default().call(HOME_REGION, action, input);
        }
        match action {
            "PutEvents" => self.state().put(read(input)?),
            _ => Err(AwsError::unknown_operation()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl State {
    fn put(&mut self, request: PutEvents) -> ActionResult {
        let results: Vec<_> = request
            .entries()?
            .into_iter()
            .map(|entry| self.take(entry.event()))
            .collect();
        let failed = results.iter().filter(|result| result.is_err()).count();
        let entries: Vec<Value> = results
            .into_iter()
            .map(|result| result.unwrap_or_else(|error| view(&error)))
            .collect();
        Ok(json!({ "FailedEntryCount": failed, "Entries": entries }))
    }

    /// Accepts one event. An event for a missing bus gets an identifier and is lost, as in AWS.
    fn take(&mut self, event: Result<PublishedEvent, AwsError>) -> ActionResult {
        if self.failures > 0 {
            self.failures -= 1;
            return Err(AwsError::new("InternalFailure", "Internal failure"));
        }
        let event = event?;
        if event.bus == DEFAULT_BUS || self.buses.contains(&event.bus) {
            self.published.push(event);
        }
        Ok(json!({ "EventId": unique_id() }))
    }
}

/// A failed entry of the response.
fn view(error: &AwsError) -> Value {
    json!({ "ErrorCode": error.code, "ErrorMessage": error.message })
}

fn arn_prefix() -> String {
    format!("arn:aws:events:{HOME_REGION}:{ACCOUNT}:event-bus/")
}
