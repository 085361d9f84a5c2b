//! Sync state in the resource tags of a repository.
//!
//! The record only reports what happened. The truth is the comparison of the destination's digest
//! with upstream's digest, so losing every resource tag costs one recheck. [`plan_changes`] plans
//! only what differs: a refresh that changes nothing writes no tag.
//!
//! ECR allows 50 tags for a repository, keys of 128 characters and values of 256 characters, made of
//! letters, digits, spaces and `+ - = . _ : / @`.
//! Source: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html>.

mod retention;
mod summary;
mod tag_record;
mod tag_update;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
pub use tag_record::{RecordStatus, RecordedSubset, TagRecord};
pub use tag_update::TagUpdate;

use crate::timestamp;

/// The maximum number of tags of a repository.
pub const MAX_TAGS: usize = 50;
/// The maximum length of a key.
pub const MAX_KEY_CHARACTERS: usize = 128;
/// The maximum length of a value.
pub const MAX_VALUE_CHARACTERS: usize = 256;
/// How many tags stay free for the owner, beside those that the owner already uses.
pub const RESERVED_TAG_SLOTS: usize = 5;

/// The upstream repositories that are mirrored here.
pub const UPSTREAM_KEY: &str = "replicator:upstream";
/// The repository's state in one word: `ok`, `deferred`, `partial` or `failed`.
pub const STATUS_KEY: &str = "replicator:status";
/// When the record last changed.
pub const CHECKED_AT_KEY: &str = "replicator:checked-at";
/// When an image was last copied.
pub const SYNCED_AT_KEY: &str = "replicator:synced-at";
/// Comes before the name of an image tag in the key of its [`TagRecord`].
pub const TAG_KEY_PREFIX: &str = "replicator:tag:";
const SUMMARY_KEYS: [&str; 4] = [UPSTREAM_KEY, STATUS_KEY, CHECKED_AT_KEY, SYNCED_AT_KEY];

/// The resource tags of a repository: keys and values.
pub type ResourceTags = BTreeMap<String, String>;

/// The writes that bring a record up to date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagChanges {
    /// Tags to set.
    pub set: ResourceTags,
    /// Keys to remove.
    pub remove: Vec<String>,
}

/// Plans how the record in `tags` changes for `updates`. The owner's tags are counted, never changed.
///
/// `requested_tags` are all image tags that the catalogue requests in this repository, or `None` if
/// they are not all known. If they are, a deferred or failed record of any other tag is removed.
pub fn plan_changes(
    tags: &ResourceTags,
    updates: &[TagUpdate],
    requested_tags: Option<&BTreeSet<String>>,
    now: Timestamp,
) -> TagChanges {
    let mut records = tag_records(tags);
    if let Some(requested) = requested_tags {
        records.retain(|tag, record| record.status.is_up_to_date() || requested.contains(tag));
    }
    for update in updates {
        update.apply(&mut records, now);
    }
    let owner_tags = tags.keys().filter(|key| !is_own_key(key)).count();
    let max_records = MAX_TAGS.saturating_sub(owner_tags + SUMMARY_KEYS.len() + RESERVED_TAG_SLOTS);
    let kept = retention::keep(records, max_records, &tracked_tags(tags, updates));
    let remove = outdated_keys(tags, &kept);
    // A repository that is full of its owner's tags has no room for the summary either.
    if owner_tags + SUMMARY_KEYS.len() > MAX_TAGS {
        let set = ResourceTags::new();
        return TagChanges { set, remove };
    }

    let mut set = summary::summarize(tags, &kept, updates, now);
    for (tag, record) in &kept {
        set.insert(tag_key(tag), record.to_string());
    }
    set.retain(|key, value| tags.get(key) != Some(value));
    if !set.is_empty() || !remove.is_empty() {
        set.insert(CHECKED_AT_KEY.to_owned(), timestamp::format_seconds(now));
    }
    TagChanges { set, remove }
}

/// Reads the records in `tags`, by image tag. Unreadable ones are left out; the next update replaces
/// them.
pub fn tag_records(tags: &ResourceTags) -> BTreeMap<String, TagRecord> {
    let mut records = BTreeMap::new();
    for (key, value) in tags {
        if let Some(tag) = key.strip_prefix(TAG_KEY_PREFIX)
            && let Some(record) = TagRecord::parse(value)
        {
            records.insert(tag.to_owned(), record);
        }
    }
    records
}

/// Reads the record of the image tag `tag`.
pub fn tag_record(tags: &ResourceTags, tag: &str) -> Option<TagRecord> {
    TagRecord::parse(tags.get(&tag_key(tag))?)
}

fn tag_key(tag: &str) -> String {
    format!("{TAG_KEY_PREFIX}{tag}")
}

fn is_own_key(key: &str) -> bool {
    key.starts_with(TAG_KEY_PREFIX) || SUMMARY_KEYS.contains(&key)
}

/// The image tags that have a record already or were copied just now.
fn tracked_tags<'a>(tags: &'a ResourceTags, updates: &'a [TagUpdate]) -> BTreeSet<&'a str> {
    let mut tracked = BTreeSet::new();
    for key in tags.keys() {
        tracked.extend(key.strip_prefix(TAG_KEY_PREFIX));
    }
    for update in updates {
        if update.is_copied {
            tracked.insert(update.tag.as_str());
        }
    }
    tracked
}

/// The keys in `tags` of records that are not among `kept`.
fn outdated_keys(tags: &ResourceTags, kept: &BTreeMap<String, TagRecord>) -> Vec<String> {
    let is_outdated = |key: &&String| {
        key.strip_prefix(TAG_KEY_PREFIX)
            .is_some_and(|tag| !kept.contains_key(tag))
    };
    tags.keys().filter(is_outdated).cloned().collect()
}
