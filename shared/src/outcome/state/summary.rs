//! The summary of a repository's record: upstream repositories, status and time of the last copy.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    MAX_VALUE_CHARACTERS, RecordStatus, ResourceTags, STATUS_KEY, SYNCED_AT_KEY, TagRecord,
    TagUpdate, UPSTREAM_KEY,
};
use crate::timestamp;

/// The summary tags for the records that are `kept`, after `updates` to the record in `tags`.
pub(super) fn summarize(
    tags: &ResourceTags,
    kept: &BTreeMap<String, TagRecord>,
    updates: &[TagUpdate],
    now: Timestamp,
) -> ResourceTags {
    let recorded_upstreams = tags.get(UPSTREAM_KEY).map_or("", String::as_str);
    let upstreams = list_upstreams(recorded_upstreams, updates);
    let status = repository_status(kept, updates).to_owned();
    let mut summary = ResourceTags::from([
        (UPSTREAM_KEY.to_owned(), upstreams),
        (STATUS_KEY.to_owned(), status),
    ]);
    if updates.iter().any(|update| update.is_copied) {
        let synced_at = timestamp::format_seconds(now);
        summary.insert(SYNCED_AT_KEY.to_owned(), synced_at);
    }
    summary
}

/// The status of the repository. An update counts even if there was no room to keep its record.
fn repository_status(kept: &BTreeMap<String, TagRecord>, updates: &[TagUpdate]) -> &'static str {
    let mut statuses: Vec<RecordStatus> = Vec::new();
    statuses.extend(kept.values().map(|record| record.status));
    statuses.extend(updates.iter().map(|update| update.status));
    let is_failed = |status: &RecordStatus| *status == RecordStatus::Failed;

    if statuses.iter().all(|status| status.is_up_to_date()) {
        "ok"
    } else if statuses.iter().all(is_failed) {
        "failed"
    } else if statuses.iter().any(is_failed) {
        "partial"
    } else {
        "deferred"
    }
}

/// The upstream repositories, sorted and separated by spaces: those in `recorded` and those of
/// `updates`. Several can share one repository. Names beyond [`MAX_VALUE_CHARACTERS`] are left out.
fn list_upstreams(recorded: &str, updates: &[TagUpdate]) -> String {
    let mut names: BTreeSet<&str> = recorded.split(' ').collect();
    names.extend(updates.iter().map(|update| update.upstream.as_str()));
    let mut list = String::new();
    for name in names {
        if name.is_empty() || list.len() + 1 + name.len() > MAX_VALUE_CHARACTERS {
            continue;
        }
        if !list.is_empty() {
            list.push(' ');
        }
        list.push_str(name);
    }
    list
}
