//! Sync state in the resource tags of a repository: a record and a shortcut, never the truth.
//!
//! The truth is the destination's digest against the upstream digest, so losing every tag costs nothing but a recheck. A
//! record that says nothing new is not written: an unchanged refresh leaves the tags as they are.
//!
//! ECR allows 50 tags a repository, keys of 128 and values of 256 characters from letters, digits, space and `+ - = . _ : / @`
//! (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html>).

mod entry;

use std::collections::{BTreeMap, BTreeSet};

pub use entry::{Entry, EntryStatus, RecordedSubset};
use jiff::Timestamp;

use crate::image::digest::Digest;

/// The most tags that a repository can have.
pub const MAX_TAGS: usize = 50;
/// The longest key.
pub const MAX_KEY: usize = 128;
/// The longest value.
pub const MAX_VALUE: usize = 256;
/// Tags that are left free for the owner, beside those that the owner already has.
pub const LEFT_FREE: usize = 5;

/// Which upstream repositories are mirrored here.
pub const UPSTREAM: &str = "replicator:upstream";
/// The repository's state in a word.
pub const STATUS: &str = "replicator:status";
/// When the record was last brought up to date.
pub const CHECKED_AT: &str = "replicator:checked-at";
/// When something was last copied.
pub const SYNCED_AT: &str = "replicator:synced-at";
/// Before the name of a tag, the key of its entry.
pub const TAG: &str = "replicator:tag:";
const SUMMARY: [&str; 4] = [UPSTREAM, STATUS, CHECKED_AT, SYNCED_AT];

/// The resource tags of a repository.
pub type Tags = BTreeMap<String, String>;

/// What is new about one tag.
#[derive(Clone, Debug)]
pub struct TagUpdate {
    /// The tag at the destination.
    pub tag: String,
    /// The repository it comes from.
    pub upstream: String,
    /// The upstream digest.
    pub digest: Option<Digest>,
    /// What became of it.
    pub status: EntryStatus,
    /// Whether it was copied just now.
    pub is_copied: bool,
    /// What is here instead of upstream's index.
    pub part: Option<RecordedSubset>,
    /// When it is tried again by itself.
    pub until: Option<Timestamp>,
    /// What a scan found; empty otherwise.
    pub note: String,
}

/// What to write so that the record holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Tags to set.
    pub set: Tags,
    /// Keys to take away.
    pub remove: Vec<String>,
}

/// Brings the record in `tags` up to date with `news`. Tags of the owner are counted, never touched.
///
/// Where all tags are known that are `wanted` in the repository, a trouble with another one is over.
pub fn changes(
    tags: &Tags,
    news: &[TagUpdate],
    wanted: Option<&BTreeSet<String>>,
    now: Timestamp,
) -> Changes {
    let mut entries = entries(tags);
    if let Some(wanted) = wanted {
        entries.retain(|key, entry| {
            entry.status.is_up_to_date() || wanted.contains(&key[TAG.len()..])
        });
    }
    for new in news {
        note(&mut entries, new, now);
    }
    let owners = tags.keys().filter(|key| !is_ours(key)).count();
    let room = MAX_TAGS.saturating_sub(owners + SUMMARY.len() + LEFT_FREE);
    let copied: BTreeSet<&str> = news
        .iter()
        .filter(|new| new.is_copied)
        .map(|new| new.tag.as_str())
        .collect();
    let is_held = |key: &str| tags.contains_key(key) || copied.contains(&key[TAG.len()..]);
    let kept = keep(entries, is_held, room);
    let remove: Vec<String> = tags
        .keys()
        .filter(|key| key.starts_with(TAG) && !kept.contains_key(*key))
        .cloned()
        .collect();
    let mut wanted: Tags = kept
        .iter()
        .map(|(key, entry)| (key.clone(), entry.to_string()))
        .collect();
    wanted.insert(UPSTREAM.to_owned(), upstreams(tags, news));
    wanted.insert(STATUS.to_owned(), summary(kept.values(), news).to_owned());
    if news.iter().any(|new| new.is_copied) {
        wanted.insert(SYNCED_AT.to_owned(), time(now));
    }
    wanted.retain(|key, value| tags.get(key) != Some(value));
    if !wanted.is_empty() || !remove.is_empty() {
        wanted.insert(CHECKED_AT.to_owned(), time(now));
    }
    // A repository that is full of its owner's tags has no room for a summary either.
    if owners + SUMMARY.len() > MAX_TAGS {
        Changes {
            set: Tags::new(),
            remove,
        }
    } else {
        Changes {
            set: wanted,
            remove,
        }
    }
}

/// The entries among `tags`, by key. What cannot be read is dropped, and written anew when there is news of it.
pub fn entries(tags: &Tags) -> BTreeMap<String, Entry> {
    let ours = tags.iter().filter(|(key, _)| key.starts_with(TAG));
    ours.filter_map(|(key, value)| Some((key.clone(), value.parse().ok()?)))
        .collect()
}

/// The entry of `tag`.
pub fn entry(tags: &Tags, tag: &str) -> Option<Entry> {
    tags.get(&format!("{TAG}{tag}"))?.parse().ok()
}

fn is_ours(key: &str) -> bool {
    key.starts_with(TAG) || SUMMARY.contains(&key)
}

/// The time of a tag that stays as it is stays too: it says since when.
fn note(entries: &mut BTreeMap<String, Entry>, new: &TagUpdate, now: Timestamp) {
    let key = format!("{TAG}{}", new.tag);
    // A tag's name may have 128 characters itself; its digest still tells the truth.
    if key.len() > MAX_KEY {
        return;
    }
    let TagUpdate {
        digest,
        status,
        part,
        until,
        note,
        ..
    } = new.clone();
    let mut entry = Entry {
        digest,
        status,
        at: now,
        part,
        since: None,
        until,
        note,
    };
    let known = entries.get(&key);
    // That a tag is level again says nothing against what a scan found in these very bytes; another scan does, with a note.
    let is_known = |known: &Entry| {
        known.digest == entry.digest && known.part == entry.part && known.status.is_up_to_date()
    };
    if entry.status == EntryStatus::Ok
        && entry.note.is_empty()
        && !new.is_copied
        && known.is_some_and(is_known)
    {
        return;
    }
    if entry.status == EntryStatus::Deferred {
        entry.since = known.and_then(Entry::waits_since);
    }
    entries.insert(key, entry);
}

/// Keeps what digests cannot tell (deferred, failed, a part of upstream's index), then the most recent. What is level as it was, and
/// not held, comes after its like that are: a record of more tags than it has room for would be another each time.
fn keep(
    entries: BTreeMap<String, Entry>,
    is_held: impl Fn(&str) -> bool,
    room: usize,
) -> BTreeMap<String, Entry> {
    let mut ranked: Vec<(String, Entry)> = entries.into_iter().collect();
    let is_plain = |entry: &Entry| entry.status == EntryStatus::Ok && entry.part.is_none();
    ranked.sort_by_cached_key(|(key, entry)| {
        let is_new = entry.status == EntryStatus::Ok && !is_held(key);
        (
            is_plain(entry),
            is_new,
            std::cmp::Reverse(entry.at),
            key.clone(),
        )
    });
    ranked.truncate(room);
    ranked.into_iter().collect()
}

/// What happened last counts even where there was no room to keep it.
fn summary<'a>(kept: impl Iterator<Item = &'a Entry>, news: &[TagUpdate]) -> &'static str {
    let all: Vec<EntryStatus> = kept
        .map(|entry| entry.status)
        .chain(news.iter().map(|new| new.status))
        .collect();
    match () {
        () if all.iter().all(|status| status.is_up_to_date()) => "ok",
        () if all.iter().all(|status| *status == EntryStatus::Failed) => "failed",
        () if !all.contains(&EntryStatus::Failed) => "deferred",
        () => "partial",
    }
}

/// Several upstream repositories can share one repository here; as many names as fit are listed.
fn upstreams(tags: &Tags, news: &[TagUpdate]) -> String {
    let known = tags
        .get(UPSTREAM)
        .map(|value| value.split(' ').collect::<Vec<_>>())
        .unwrap_or_default();
    let names: BTreeSet<&str> = known
        .into_iter()
        .chain(news.iter().map(|new| new.upstream.as_str()))
        .collect();
    let mut text = String::new();
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        if text.len() + 1 + name.len() <= MAX_VALUE {
            text.push_str(if text.is_empty() { "" } else { " " });
            text.push_str(name);
        }
    }
    text
}

/// RFC 3339, UTC, whole seconds.
pub fn time(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    fn news(tag: &str, status: EntryStatus, is_copied: bool) -> TagUpdate {
        let upstream = "docker.io/library/node".to_owned();
        let (digest, note) = (Some(Digest::from_content(b"x")), String::new());
        TagUpdate {
            tag: tag.to_owned(),
            upstream,
            digest,
            status,
            is_copied,
            part: None,
            until: None,
            note,
        }
    }

    fn apply(tags: &mut Tags, changes: Changes) {
        tags.extend(changes.set);
        tags.retain(|key, _| !changes.remove.contains(key));
    }

    #[test]
    fn a_first_copy_is_recorded_as_the_contract_says() {
        let changes = changes(
            &Tags::new(),
            &[news("21", EntryStatus::Ok, true)],
            None,
            at(0),
        );
        let lines: Vec<String> = changes
            .set
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        assert_eq!(
            lines,
            [
                "replicator:checked-at = 2026-09-21T14:13:20Z",
                "replicator:status = ok",
                "replicator:synced-at = 2026-09-21T14:13:20Z",
                "replicator:tag:21 = sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 ok 2026-09-21T14:13:20Z",
                "replicator:upstream = docker.io/library/node",
            ]
        );
    }

    #[test]
    fn an_unchanged_tag_is_not_written_again() {
        let mut tags = Tags::new();
        let first = changes(&tags, &[news("21", EntryStatus::Ok, true)], None, at(0));
        apply(&mut tags, first);
        assert_eq!(
            changes(&tags, &[news("21", EntryStatus::Ok, false)], None, at(9)),
            Changes::default()
        );
    }

    #[test]
    fn a_tag_that_heals_heals_the_summary() {
        let mut tags = Tags::new();
        for (status, summary) in [
            (EntryStatus::Failed, "failed"),
            (EntryStatus::Deferred, "deferred"),
            (EntryStatus::Ok, "ok"),
        ] {
            let next = changes(&tags, &[news("21", status, false)], None, at(0));
            apply(&mut tags, next);
            assert_eq!(tags[STATUS], summary);
        }
        let next = changes(
            &tags,
            &[news("22", EntryStatus::Failed, false)],
            None,
            at(0),
        );
        apply(&mut tags, next);
        assert_eq!(tags[STATUS], "partial");
    }

    #[test]
    fn sixty_tags_leave_room_for_the_owner_and_failures_stay() {
        let mut tags: Tags = (0..10)
            .map(|n| (format!("owner{n}"), "mine".to_owned()))
            .collect();
        for n in 0..60 {
            let status = if n == 0 {
                EntryStatus::Failed
            } else {
                EntryStatus::Ok
            };
            let next = changes(
                &tags,
                &[news(&format!("t{n}"), status, status == EntryStatus::Ok)],
                None,
                at(n),
            );
            apply(&mut tags, next);
            assert!(tags.len() <= MAX_TAGS - LEFT_FREE);
        }
        assert_eq!(
            tags.keys().filter(|key| key.starts_with("owner")).count(),
            10
        );
        assert!(tags.contains_key("replicator:tag:t0") && tags.contains_key("replicator:tag:t59"));
        assert!(!tags.contains_key("replicator:tag:t1"));
    }

    #[test]
    fn more_tags_than_there_is_room_for_are_not_recorded_anew_each_time() {
        let mut tags = Tags::new();
        let part = RecordedSubset {
            digest: Digest::from_content(b"part"),
            choice: "c".to_owned(),
        };
        for part in [Some(part), None] {
            let all = |is_copied| -> Vec<TagUpdate> {
                let news = |n| TagUpdate {
                    part: part.clone(),
                    ..news(&format!("t{n:02}"), EntryStatus::Ok, is_copied)
                };
                (0..60).map(news).collect()
            };
            tags.clear();
            let next = changes(&tags, &all(true), None, at(0));
            apply(&mut tags, next);
            assert_eq!(changes(&tags, &all(false), None, at(9)), Changes::default());
        }
        let next = changes(&tags, &[news("t59", EntryStatus::Ok, true)], None, at(9));
        assert!(
            next.set.contains_key("replicator:tag:t59") && next.remove.len() == 1,
            "{next:?}"
        );
    }

    #[test]
    fn a_failure_of_a_tag_that_nobody_wants_any_more_is_forgotten() {
        let mut tags = Tags::new();
        let next = changes(
            &tags,
            &[
                news("21", EntryStatus::Ok, true),
                news("typo", EntryStatus::Failed, false),
            ],
            None,
            at(0),
        );
        apply(&mut tags, next);
        assert_eq!(tags[STATUS], "partial");
        let next = |wanted| changes(&tags, &[news("21", EntryStatus::Ok, false)], wanted, at(1));
        let both = ["21".to_owned(), "typo".to_owned()].into();
        assert_eq!(
            (next(None), next(Some(&both))),
            (Changes::default(), Changes::default())
        );
        let next = next(Some(&["21".to_owned()].into()));
        apply(&mut tags, next);
        assert_eq!(tags[STATUS], "ok");
        assert!(!tags.contains_key("replicator:tag:typo"));
    }

    #[test]
    fn what_a_scan_found_stays_until_the_digest_moves() {
        let mut tags = Tags::new();
        let found = TagUpdate {
            note: "critical=1 high=3".to_owned(),
            ..news("21", EntryStatus::WaitingForUpstream, false)
        };
        let next = changes(&tags, &[found], None, at(0));
        apply(&mut tags, next);
        assert!(
            tags["replicator:tag:21"]
                .ends_with(" waiting-for-upstream 2026-09-21T14:13:20Z critical=1 high=3")
        );
        assert_eq!(tags[STATUS], "ok");
        assert_eq!(
            changes(&tags, &[news("21", EntryStatus::Ok, false)], None, at(9)),
            Changes::default()
        );
        let cleared = TagUpdate {
            note: "none".to_owned(),
            ..news("21", EntryStatus::Ok, false)
        };
        let next = changes(&tags, &[cleared], None, at(9));
        assert!(
            next.set["replicator:tag:21"].ends_with(" ok 2026-09-21T14:13:29Z none"),
            "another scan has the last word"
        );
        let moved = TagUpdate {
            digest: Some(Digest::from_content(b"y")),
            ..news("21", EntryStatus::Ok, true)
        };
        assert!(changes(&tags, &[moved], None, at(9)).set["replicator:tag:21"].contains(" ok "));
    }

    #[test]
    fn what_is_put_off_again_waits_since_the_first_time() {
        let mut tags = Tags::new();
        let put_off = |until| TagUpdate {
            until: Some(at(until)),
            ..news("21", EntryStatus::Deferred, false)
        };
        let next = changes(&tags, &[put_off(100)], None, at(0));
        apply(&mut tags, next);
        let next = changes(&tags, &[put_off(200)], None, at(50));
        apply(&mut tags, next);
        assert!(
            tags["replicator:tag:21"]
                .ends_with(" deferred 2026-09-21T14:14:10Z since=2026-09-21T14:13:20Z until=2026-09-21T14:16:40Z"),
            "{tags:?}"
        );
        let next = changes(&tags, &[put_off(300)], None, at(90));
        apply(&mut tags, next);
        assert!(
            tags["replicator:tag:21"].contains(" since=2026-09-21T14:13:20Z "),
            "{tags:?}"
        );
    }

    #[test]
    fn another_choice_of_platforms_is_news() {
        let part = |choice: &str| {
            let part = Some(RecordedSubset {
                digest: Digest::from_content(b"part"),
                choice: choice.to_owned(),
            });
            TagUpdate {
                part,
                ..news("21", EntryStatus::Ok, false)
            }
        };
        let mut tags = Tags::new();
        let next = changes(&tags, &[part("a")], None, at(0));
        apply(&mut tags, next);
        assert_eq!(
            changes(&tags, &[part("a")], None, at(9)),
            Changes::default()
        );
        assert!(
            changes(&tags, &[part("b")], None, at(9)).set["replicator:tag:21"].ends_with(" of=b")
        );
    }

    #[test]
    fn a_full_repository_is_left_alone() {
        let tags: Tags = (0..50)
            .map(|n| (format!("owner{n}"), "mine".to_owned()))
            .collect();
        assert_eq!(
            changes(&tags, &[news("21", EntryStatus::Ok, true)], None, at(0)),
            Changes::default()
        );
    }

    #[test]
    fn keys_and_values_stay_within_the_limits() {
        let mut many = vec![news(&"t".repeat(128), EntryStatus::Ok, true)];
        many.extend((0..30).map(|n| TagUpdate {
            upstream: format!("docker.io/library/image{n}"),
            ..news("1", EntryStatus::Ok, true)
        }));
        let changes = changes(&Tags::new(), &many, None, at(0));
        assert!(
            changes
                .set
                .iter()
                .all(|(key, value)| key.len() <= MAX_KEY && value.len() <= MAX_VALUE)
        );
    }

    #[test]
    fn a_record_that_somebody_broke_is_written_anew() {
        let tags: Tags = [("replicator:tag:21".to_owned(), "hello".to_owned())].into();
        let changes = changes(&tags, &[news("21", EntryStatus::Ok, false)], None, at(0));
        assert!(changes.set["replicator:tag:21"].contains(" ok "));
    }
}
