//! Amazon SNS: topics that accept notifications.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::ACCOUNT;
use crate::aws::{ActionResult, AwsError, HOME_REGION, read, unique_id};
use crate::sync::lock;

mod request;

use request::Publish;

/// The topics of the account in us-east-1. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Sns(Arc<Mutex<State>>);

/// An accepted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The ARN of the topic.
    pub topic: String,
    /// The subject of the emails.
    pub subject: Option<String>,
    /// The text.
    pub message: String,
}

#[derive(Debug, Default)]
struct State {
    /// The ARNs of the topics.
    topics: BTreeSet<String>,
    published: Vec<Notification>,
}

impl Sns {
    /// Creates a standard topic unless it exists, and returns its ARN.
    pub fn create_topic(&self, name: &str) -> String {
        let arn = format!("{}{name}", arn_prefix());
        self.state().topics.insert(arn.clone());
        arn
    }

    /// Every accepted message, oldest first.
    pub fn published(&self) -> Vec<Notification> {
        self.state().published.clone()
    }

    pub(crate) fn call(&self, region: &str, action: &str, input: &Value) -> ActionResult {
        match action {
            "Publish" => self.state().publish(region, read(input)?),
            _ => Err(AwsError::unknown_operation()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl State {
    fn publish(&mut self, region: &str, request: Publish) -> ActionResult {
        let notification = request.notification()?;
        // An endpoint accepts messages only for topics of its own region and account.
        if region != HOME_REGION || !notification.topic.starts_with(&arn_prefix()) {
            return Err(request::invalid("TopicArn"));
        }
        if !self.topics.contains(&notification.topic) {
            return Err(AwsError::new("NotFound", "Topic does not exist").with_status(404));
        }
        self.published.push(notification);
        Ok(json!({ "MessageId": unique_id() }))
    }
}

fn arn_prefix() -> String {
    format!("arn:aws:sns:{HOME_REGION}:{ACCOUNT}:")
}
