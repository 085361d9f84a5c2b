//! Amazon SQS with FIFO queues, and the event source mapping that feeds a Lambda function from one.
//!
//! A queue is a pure state machine over time (`queue`). This module holds the queues and the clock.
//! While a message is in flight, the other messages of its group are not delivered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::aws::{ActionResult, AwsError, HOME_REGION, read};
use crate::sync::lock;
use crate::{ACCOUNT, Clock};

mod attributes;
mod batch;
mod draft;
mod input;
mod mapping;
mod message;
mod queue;
mod receive;
mod request;
mod rules;

pub use message::Message;

use queue::Queue;
use receive::Receive;
use request::GetQueueUrl;

/// Poll interval of a long poll: advancing the clock by hand does not notify waiters.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The most messages of one receive, or of one event of a FIFO queue.
const MAX_BATCH: usize = 10;

/// The queues of the account in us-east-1. Clones share their state.
#[derive(Clone, Debug)]
pub struct Sqs {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    base: String,
    /// By name, including `.fifo`.
    queues: BTreeMap<String, Queue>,
}

impl Sqs {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    /// Sets the prefix of queue URLs, such as `http://127.0.0.1:4566`.
    pub(crate) fn base(&self, url: &str) {
        url.trim_end_matches('/').clone_into(&mut self.state().base);
    }

    /// Creates the queue `NAME.fifo` unless it exists, and returns its URL.
    pub fn create_fifo_queue(&self, name: &str, visibility_timeout_seconds: u32) -> String {
        let mut state = self.state();
        let name = format!("{name}.fifo");
        let timeout = SignedDuration::from_secs(visibility_timeout_seconds.into());
        let create = || Queue::new(&name, timeout, self.clock.now());
        state.queues.entry(name.clone()).or_insert_with(create);
        state.url(&name)
    }

    /// Creates a dead-letter queue `NAME-dlq.fifo` for a queue, and returns its URL.
    ///
    /// A message that was received `max_receive_count` times moves there at the next receive, not
    /// before, as in AWS.
    pub fn create_dead_letter_queue(&self, url: &str, max_receive_count: u32) -> String {
        let name = name(url).trim_end_matches(".fifo").to_owned() + "-dlq";
        let dead_letters = self.create_fifo_queue(&name, 30);
        self.with_queue(url, |queue, _| {
            queue.redrive(format!("{name}.fifo"), max_receive_count);
        });
        dead_letters
    }

    /// Every message of the queue, oldest first, including those in flight.
    pub fn messages(&self, url: &str) -> Vec<Message> {
        self.with_queue(url, |queue, now| queue.messages(now).to_vec())
    }

    /// Every message of the dead-letter queue; empty if there is none.
    pub fn dead_letters(&self, url: &str) -> Vec<Message> {
        let dead_letters = self.with_queue(url, |queue, _| {
            queue.dead_letter_queue().map(ToOwned::to_owned)
        });
        dead_letters.map_or_else(Vec::new, |name| self.messages(&name))
    }

    pub(crate) async fn call(&self, region: &str, action: &str, input: &Value) -> ActionResult {
        if action == "GetQueueUrl" {
            return self.url(region, &read(input)?);
        }
        let (url, input) = input::take(input, "QueueUrl")?;
        let name = self.state().find(region, &url)?;
        match action {
            "ReceiveMessage" => self.receive(&name, &read(&input)?).await,
            _ => self.with_queue(&name, |queue, now| request::act(queue, action, &input, now)),
        }
    }

    fn url(&self, region: &str, request: &GetQueueUrl) -> ActionResult {
        let state = self.state();
        let url = state.url(&request.queue_name);
        state.find(region, &url)?;
        Ok(json!({ "QueueUrl": url }))
    }

    /// Waits for a message as long as the request asks.
    async fn receive(&self, name: &str, request: &Receive) -> ActionResult {
        request.check()?;
        let deadline = self.clock.now() + request.wait();
        loop {
            let now = self.clock.now();
            let messages = self
                .state()
                .receive(name, request.most(), request.visibility(), now)?;
            if !messages.is_empty() || now >= deadline {
                return Ok(request.output(&messages));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn with_queue<T>(&self, url: &str, act: impl FnOnce(&mut Queue, Timestamp) -> T) -> T {
        let mut state = self.state();
        let queue = state
            .queues
            .get_mut(name(url))
            .unwrap_or_else(|| panic!("there is no queue {url}"));
        act(queue, self.clock.now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// Receives from a queue, and moves messages over the receive limit to its dead-letter queue.
    fn receive(
        &mut self,
        name: &str,
        most: usize,
        visibility: Option<SignedDuration>,
        now: Timestamp,
    ) -> Result<Vec<Message>, AwsError> {
        let queue = self.queues.get_mut(name).ok_or_else(missing)?;
        let dead = queue.take_dead(now);
        let messages = queue.receive(most, visibility, now);
        let dead_letter_queue = queue.dead_letter_queue().map(ToOwned::to_owned);
        if let Some(dead_letters) = dead_letter_queue.and_then(|name| self.queues.get_mut(&name)) {
            dead_letters.bury(dead);
        }
        Ok(messages)
    }

    /// The name of the queue of a URL. AWS reads only the path.
    fn find(&self, region: &str, url: &str) -> Result<String, AwsError> {
        let name = name(url);
        let is_ours = url
            .strip_suffix(name)
            .is_some_and(|rest| rest.ends_with(&format!("/{ACCOUNT}/")));
        let found = is_ours && region == HOME_REGION && self.queues.contains_key(name);
        found.then(|| name.to_owned()).ok_or_else(missing)
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.base)
    }
}

/// The name of a queue, from its URL, its ARN's last part or the name itself.
fn name(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(_, name)| name)
}

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:{HOME_REGION}:{ACCOUNT}:{name}")
}

fn missing() -> AwsError {
    AwsError::new("QueueDoesNotExist", "The specified queue does not exist.")
}
