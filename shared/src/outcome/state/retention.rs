//! Which tag records are kept when a repository has more image tags than room for records.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{RecordStatus, TagRecord};

/// Keeps at most `max_records` of `records`: those of the lowest [`Rank`].
///
/// `tracked_tags` are the image tags that have a record already or were copied just now.
pub(super) fn keep(
    records: BTreeMap<String, TagRecord>,
    max_records: usize,
    tracked_tags: &BTreeSet<&str>,
) -> BTreeMap<String, TagRecord> {
    let mut ranked: Vec<(String, TagRecord)> = records.into_iter().collect();
    ranked.sort_by_cached_key(|(tag, record)| {
        Rank::new(tag, record, tracked_tags.contains(tag.as_str()))
    });
    ranked.truncate(max_records);
    ranked.into_iter().collect()
}

/// The order in which records are kept. Fields are compared from first to last; `false` comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Comparing digests would show the same: the tag is up to date, and not as a subset.
    is_derivable: bool,
    /// The tag is up to date, but had no record before and was not copied just now. These come after
    /// the others, or each refresh of a full record would replace some records by others.
    is_untracked: bool,
    newest_first: Reverse<Timestamp>,
    tag: String,
}

impl Rank {
    fn new(tag: &str, record: &TagRecord, is_tracked: bool) -> Self {
        let is_ok = record.status == RecordStatus::Ok;
        Self {
            is_derivable: is_ok && record.subset.is_none(),
            is_untracked: is_ok && !is_tracked,
            newest_first: Reverse(record.recorded_at),
            tag: tag.to_owned(),
        }
    }
}
