//! An update of one image tag's record.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{MAX_KEY_CHARACTERS, RecordStatus, RecordedSubset, TagRecord, tag_key};
use crate::image::digest::Digest;

/// What an invocation found out about one image tag.
#[derive(Clone, Debug)]
pub struct TagUpdate {
    /// The tag at the destination.
    pub tag: String,
    /// The upstream repository.
    pub upstream: String,
    /// The upstream digest; `None` if it could not be read.
    pub digest: Option<Digest>,
    /// The state of the tag.
    pub status: RecordStatus,
    /// Whether the tag was copied just now.
    pub is_copied: bool,
    /// The subset of upstream's index that the destination has instead of the whole index.
    pub subset: Option<RecordedSubset>,
    /// When a schedule retries the tag.
    pub retry_at: Option<Timestamp>,
    /// What a scan found, such as `critical=1 high=3`; empty if there was no scan.
    pub findings: String,
}

impl TagUpdate {
    /// Writes the update into `records`, which are keyed by image tag.
    pub(super) fn apply(&self, records: &mut BTreeMap<String, TagRecord>, now: Timestamp) {
        // An image tag may have 128 characters itself, too many to follow the key's prefix. Such a
        // tag has no record; comparing digests still shows whether it is up to date.
        if tag_key(&self.tag).len() > MAX_KEY_CHARACTERS {
            return;
        }
        let previous = records.get(&self.tag);
        if previous.is_some_and(|previous| self.confirms(previous)) {
            return;
        }
        let mut record = TagRecord {
            subset: self.subset.clone(),
            retry_at: self.retry_at,
            findings: self.findings.clone(),
            ..TagRecord::new(self.digest.clone(), self.status, now)
        };
        if self.status == RecordStatus::Deferred {
            record.first_deferred_at = previous.and_then(TagRecord::deferred_since);
        }
        records.insert(self.tag.clone(), record);
    }

    /// Whether `record` already has what the update states: same content, and up to date.
    ///
    /// Such a record stays, with its time and with the findings of a scan of this content. Only
    /// another scan, whose update has findings, replaces those.
    fn confirms(&self, record: &TagRecord) -> bool {
        let is_plain_check =
            self.status == RecordStatus::Ok && self.findings.is_empty() && !self.is_copied;
        let is_same_content = record.digest == self.digest && record.subset == self.subset;
        is_plain_check && is_same_content && record.status.is_up_to_date()
    }
}
