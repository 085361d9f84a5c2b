//! Amazon EventBridge: buses that take events, entry by entry.
//!
//! The answer to `PutEvents` is a success even if every entry of it failed; callers must look at `FailedEntryCount`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::ACCOUNT;
use crate::aws::{Answer, AwsError, HOME_REGION, read, unique_id};
use crate::sync::lock;

mod entry;
mod request;

use request::PutEvents;

/// The bus that every account has.
const DEFAULT_BUS: &str = "default";

/// The event buses of the account in us-east-1. A cheap clone of shared state.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Mutex<State>>);

/// An event on a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedEvent {
    /// Who sent it, such as `image-replicator`.
    pub source: String,
    /// What happened, such as `Image Replicated`.
    pub detail_type: String,
    /// The facts: a JSON object.
    pub detail: Value,
    /// The name of the bus that it was put on.
    pub bus: String,
}

#[derive(Debug, Default)]
struct State {
    /// The names of the buses beside the default one.
    buses: BTreeSet<String>,
    published: Vec<PublishedEvent>,
    /// How many of the coming entries fail.
    failures: u32,
}

impl Events {
    /// Creates a bus, unless it exists, and answers its ARN. The bus `default` always exists.
    pub fn create_bus(&self, name: &str) -> String {
        self.state().buses.insert(name.to_owned());
        format!("{}{name}", arn_prefix())
    }

    /// Every event that a bus took, in the order in which they came.
    pub fn published(&self) -> Vec<PublishedEvent> {
        self.state().published.clone()
    }

    /// Lets the next `entries` entries fail with `InternalFailure`, which is worth a retry, inside successful answers.
    pub fn fail_next(&self, entries: u32) {
        self.state().failures = entries;
    }

    pub(crate) fn call(&self, region: &str, action: &str, input: &Value) -> Answer {
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
    fn put(&mut self, request: PutEvents) -> Answer {
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

    /// Takes one event. One for a bus that does not exist gets an identifier as well and is lost: so does AWS.
    fn take(&mut self, event: Result<PublishedEvent, AwsError>) -> Answer {
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

/// A failed entry in the answer.
fn view(error: &AwsError) -> Value {
    json!({ "ErrorCode": error.code, "ErrorMessage": error.message })
}

fn arn_prefix() -> String {
    format!("arn:aws:events:{HOME_REGION}:{ACCOUNT}:event-bus/")
}
