//! Amazon `CloudWatch` Logs: streams of lines, read page by page in either direction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use crate::aws::{ActionResult, AwsError, HOME_REGION, read};
use crate::sync::lock;
use crate::{ACCOUNT, Clock};

mod page;
mod request;
mod stream;

use page::MAX_EVENTS;
use request::GetLogEvents;
use stream::Stream;

/// The log groups of the account in us-east-1. Clones share their state.
#[derive(Clone, Debug)]
pub struct Logs {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// By group, then by name.
    streams: BTreeMap<String, BTreeMap<String, Stream>>,
    denied: BTreeSet<String>,
    /// The largest page, whatever the request asks.
    page: usize,
}

impl Logs {
    pub(crate) fn new(clock: Clock) -> Self {
        let state = State {
            streams: BTreeMap::new(),
            denied: BTreeSet::new(),
            page: MAX_EVENTS,
        };
        Self {
            clock,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Appends lines to a stream, all with the current time. Creates the group and the stream if
    /// missing.
    ///
    /// # Panics
    /// If a line is empty or exceeds 1 MiB: `CloudWatch` Logs accepts no such event.
    pub fn put(&self, group: &str, stream: &str, lines: impl IntoIterator<Item: Into<String>>) {
        let now = self.clock.now();
        let mut state = self.state();
        let stream = state
            .streams
            .entry(group.to_owned())
            .or_default()
            .entry(stream.to_owned())
            .or_default();
        for line in lines {
            stream.append(line.into(), now);
        }
    }

    /// Denies reading a group, as for a role without the permission. The group need not exist.
    pub fn deny(&self, group: &str) {
        self.state().denied.insert(group.to_owned());
    }

    /// Limits pages to `most` events. AWS guarantees only an upper bound.
    ///
    /// # Panics
    /// If `most` is zero: no reader would reach the end.
    pub fn limit_pages(&self, most: usize) {
        assert!(
            most > 0,
            "a page that is never more than empty leads nowhere"
        );
        self.state().page = most;
    }

    pub(crate) fn call(&self, region: &str, action: &str, input: &Value) -> ActionResult {
        match action {
            "GetLogEvents" => self.state().get(region, &read(input)?),
            _ => Err(AwsError::unknown_operation()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// Permission is checked first: AWS does not disclose which groups exist.
    fn get(&self, region: &str, request: &GetLogEvents) -> ActionResult {
        let group = request.group()?;
        if self.denied.contains(group) {
            return Err(denied(group, request.stream()));
        }
        let streams = self
            .streams
            .get(group)
            .filter(|_| region == HOME_REGION)
            .ok_or_else(|| missing("group"))?;
        let stream = streams
            .get(request.stream())
            .ok_or_else(|| missing("stream"))?;
        let page = request.page(stream, self.page)?;
        Ok(page.output(stream))
    }
}

fn missing(what: &str) -> AwsError {
    AwsError::new(
        "ResourceNotFoundException",
        format!("The specified log {what} does not exist."),
    )
}

fn arn_prefix() -> String {
    format!("arn:aws:logs:{HOME_REGION}:{ACCOUNT}:log-group:")
}

fn denied(group: &str, stream: &str) -> AwsError {
    let message = format!(
        "User: arn:aws:sts::{ACCOUNT}:assumed-role/image-replicator/function is not authorized to perform: \
         logs:GetLogEvents on resource: {}{group}:log-stream:{stream} because no identity-based policy allows the \
         logs:GetLogEvents action",
        arn_prefix()
    );
    AwsError::new("AccessDeniedException", message)
}
