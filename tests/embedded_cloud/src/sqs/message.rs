//! A message and its metadata.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::attributes::Attributes;

/// A message of a FIFO queue.
#[derive(Clone, Debug)]
pub struct Message {
    /// Unique. The response to a duplicate has the identifier of the original.
    pub id: String,
    /// The text, as sent.
    pub body: String,
    /// The message group, in which messages are delivered in order.
    pub group: String,
    /// The deduplication identifier.
    pub deduplication: String,
    /// The sequence number: twenty digits that increase with every message.
    pub sequence_number: String,
    /// How many times it was received.
    pub receive_count: u32,
    /// When the queue accepted it.
    pub sent_at: Timestamp,
    pub(super) attributes: Attributes,
    pub(super) first_received_at: Option<Timestamp>,
    pub(super) visible_at: Timestamp,
    /// The receipt handle of the latest receive.
    pub(super) receipt: String,
}

impl Message {
    /// The system attributes, as in a receive or an event.
    pub(super) fn system_attributes(&self) -> BTreeMap<&'static str, String> {
        let mut attributes = BTreeMap::from([
            ("ApproximateReceiveCount", self.receive_count.to_string()),
            ("MessageDeduplicationId", self.deduplication.clone()),
            ("MessageGroupId", self.group.clone()),
            (
                "SenderId",
                "AROAEXAMPLEROLEID0001:image-replicator".to_owned(),
            ),
            ("SentTimestamp", self.sent_at.as_millisecond().to_string()),
            ("SequenceNumber", self.sequence_number.clone()),
        ]);
        if let Some(time) = self.first_received_at {
            attributes.insert(
                "ApproximateFirstReceiveTimestamp",
                time.as_millisecond().to_string(),
            );
        }
        attributes
    }

    pub(super) fn is_in_flight(&self, now: Timestamp) -> bool {
        self.visible_at > now
    }
}
