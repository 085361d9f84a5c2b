//! One FIFO queue as a state machine. Every step takes the time as an argument and does not wait.
//!
//! Rules from
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues.html>.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::draft::Draft;
use super::message::Message;
use crate::aws::{AwsError, unique_id};

mod description;

/// How long a deduplication identifier is remembered.
const DEDUPLICATION: SignedDuration = SignedDuration::from_mins(5);

/// Default retention period of a message.
const RETENTION: SignedDuration = SignedDuration::from_hours(4 * 24);

#[derive(Debug)]
pub(super) struct Queue {
    name: String,
    visibility: SignedDuration,
    created_at: Timestamp,
    redrive: Option<Redrive>,
    messages: Vec<Message>,
    /// By deduplication identifier.
    accepted: BTreeMap<String, Accepted>,
    /// Every receipt handle that was issued, with the identifier of its message.
    receipts: BTreeMap<String, String>,
    last_sequence: u64,
}

#[derive(Debug)]
struct Redrive {
    queue: String,
    max_receive_count: u32,
}

/// The response to a message. Its duplicates get the same.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) id: String,
    pub(super) sequence_number: String,
    at: Timestamp,
}

impl Queue {
    pub(super) fn new(name: &str, visibility: SignedDuration, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            visibility,
            created_at: now,
            redrive: None,
            messages: Vec::new(),
            accepted: BTreeMap::new(),
            receipts: BTreeMap::new(),
            last_sequence: 0,
        }
    }

    pub(super) fn redrive(&mut self, queue: String, max_receive_count: u32) {
        self.redrive = Some(Redrive {
            queue,
            max_receive_count,
        });
    }

    pub(super) fn dead_letter_queue(&self) -> Option<&str> {
        self.redrive.as_ref().map(|redrive| redrive.queue.as_str())
    }

    /// Every message within the retention period.
    pub(super) fn messages(&mut self, now: Timestamp) -> &[Message] {
        self.messages
            .retain(|message| message.sent_at + RETENTION > now);
        &self.messages
    }

    /// Accepts a message, and drops it if it repeats one of the last five minutes.
    pub(super) fn send(
        &mut self,
        draft: Draft,
        group: String,
        deduplication: String,
        now: Timestamp,
    ) -> Accepted {
        self.accepted
            .retain(|_, accepted| accepted.at + DEDUPLICATION > now);
        if let Some(accepted) = self.accepted.get(&deduplication) {
            return accepted.clone();
        }
        self.last_sequence += 256;
        let sequence_number = format!("188{:017}", self.last_sequence);
        let accepted = Accepted {
            id: unique_id(),
            sequence_number,
            at: now,
        };
        self.accepted
            .insert(deduplication.clone(), accepted.clone());
        self.messages.push(Message {
            id: accepted.id.clone(),
            body: draft.message_body,
            group,
            deduplication,
            sequence_number: accepted.sequence_number.clone(),
            receive_count: 0,
            sent_at: now,
            attributes: draft.message_attributes,
            first_received_at: None,
            visible_at: now,
            receipt: String::new(),
        });
        accepted
    }

    /// Accepts a message that another queue moved here.
    pub(super) fn bury(&mut self, messages: Vec<Message>) {
        self.messages.extend(messages);
    }

    /// Removes the messages that were received too often and that the next receive would return.
    pub(super) fn take_dead(&mut self, now: Timestamp) -> Vec<Message> {
        let Some(most) = self
            .redrive
            .as_ref()
            .map(|redrive| redrive.max_receive_count)
        else {
            return Vec::new();
        };
        let busy = self.busy_groups(now);
        let is_dead =
            |message: &mut Message| message.receive_count >= most && !busy.contains(&message.group);
        self.messages.extract_if(.., is_dead).collect()
    }

    /// Receives up to `most` messages in order, from groups that have none in flight.
    pub(super) fn receive(
        &mut self,
        most: usize,
        visibility: Option<SignedDuration>,
        now: Timestamp,
    ) -> Vec<Message> {
        self.messages(now);
        let busy = self.busy_groups(now);
        let free = self
            .messages
            .iter_mut()
            .filter(|message| !busy.contains(&message.group));
        let mut received = Vec::new();
        for message in free.take(most) {
            message.receipt = format!("AQEB{}", unique_id());
            message.receive_count += 1;
            message.first_received_at.get_or_insert(now);
            message.visible_at = now + visibility.unwrap_or(self.visibility);
            self.receipts
                .insert(message.receipt.clone(), message.id.clone());
            received.push(message.clone());
        }
        received
    }

    /// Deletes a message. Deleting it again is no error.
    pub(super) fn delete(&mut self, receipt: &str, now: Timestamp) -> Result<(), AwsError> {
        let Some(index) = self.find(receipt)? else {
            return Ok(());
        };
        if self.is_current(index, receipt, now) {
            self.messages.remove(index);
            return Ok(());
        }
        Err(invalid_receipt(receipt, "The receipt handle has expired."))
    }

    /// Sets the visibility timeout of a message in flight, in seconds from now; 0 makes it visible.
    pub(super) fn hide(
        &mut self,
        receipt: &str,
        seconds: u32,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let Some(index) = self.find(receipt)? else {
            let reason =
                "Message does not exist or is not available for visibility timeout change.";
            return Err(invalid_receipt(receipt, reason));
        };
        if !self.is_current(index, receipt, now) {
            return Err(AwsError::new(
                "MessageNotInflight",
                "The message referred to isn't in flight.",
            ));
        }
        self.messages[index].visible_at = now + SignedDuration::from_secs(seconds.into());
        Ok(())
    }

    fn busy_groups(&self, now: Timestamp) -> BTreeSet<String> {
        self.messages
            .iter()
            .filter(|message| message.is_in_flight(now))
            .map(|message| message.group.clone())
            .collect()
    }

    /// The message of a receipt handle; `None` if it is gone.
    fn find(&self, receipt: &str) -> Result<Option<usize>, AwsError> {
        let id = self.receipts.get(receipt);
        let id = id.ok_or_else(|| {
            AwsError::new(
                "ReceiptHandleIsInvalid",
                "The input receipt handle is invalid.",
            )
        })?;
        Ok(self.messages.iter().position(|message| message.id == *id))
    }

    /// A FIFO queue accepts only the receipt of the latest receive, and only while the message is
    /// in flight.
    fn is_current(&self, index: usize, receipt: &str, now: Timestamp) -> bool {
        let message = &self.messages[index];
        message.receipt == receipt && message.is_in_flight(now)
    }
}

fn invalid_receipt(receipt: &str, reason: &str) -> AwsError {
    AwsError::new(
        "InvalidParameterValue",
        format!("Value {receipt} for parameter ReceiptHandle is invalid. Reason: {reason}"),
    )
}
