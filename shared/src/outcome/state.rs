//! Sync state in the resource tags of a repository: a record and a shortcut, never the truth.
//!
//! The truth is the destination's digest against the upstream digest, so losing every tag costs nothing but a recheck. A
//! record that says nothing new is not written: an unchanged refresh leaves the tags as they are.
//!
//! ECR allows 50 tags a repository, keys of 128 and values of 256 characters from letters, digits, space and `+ - = . _ : / @`
//! (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html>).

mod tag_record;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
pub use tag_record::{RecordStatus, RecordedSubset, TagRecord};

use crate::image::digest::Digest;

/// The most tags that a repository can have.
pub const MAX_TAGS: usize = 50;
/// The longest key.
pub const MAX_KEY_CHARACTERS: usize = 128;
/// The longest value.
pub const MAX_VALUE_CHARACTERS: usize = 256;
/// Tags that are left free for the owner, beside those that the owner already has.
pub const RESERVED_TAG_SLOTS: usize = 5;

/// Which upstream repositories are mirrored here.
pub const UPSTREAM_KEY: &str = "replicator:upstream";
/// The repository's state in a word.
pub const STATUS_KEY: &str = "replicator:status";
/// When the record was last brought up to date.
pub const CHECKED_AT_KEY: &str = "replicator:checked-at";
/// When something was last copied.
pub const SYNCED_AT_KEY: &str = "replicator:synced-at";
/// Before the name of a tag, the key of its entry.
pub const TAG_KEY_PREFIX: &str = "replicator:tag:";
const SUMMARY_KEYS: [&str; 4] = [UPSTREAM_KEY, STATUS_KEY, CHECKED_AT_KEY, SYNCED_AT_KEY];

/// The resource tags of a repository.
pub type ResourceTags = BTreeMap<String, String>;

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
    pub status: RecordStatus,
    /// Whether it was copied just now.
    pub is_copied: bool,
    /// What is here instead of upstream's index.
    pub subset: Option<RecordedSubset>,
    /// When it is tried again by itself.
    pub retry_at: Option<Timestamp>,
    /// What a scan found; empty otherwise.
    pub findings: String,
}

/// What to write so that the record holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagChanges {
    /// Tags to set.
    pub set: ResourceTags,
    /// Keys to take away.
    pub remove: Vec<String>,
}

/// Brings the record in `tags` up to date with `news`. Tags of the owner are counted, never touched.
///
/// Where all tags are known that are `wanted` in the repository, a trouble with another one is over.
pub fn plan_changes(
    tags: &ResourceTags,
    news: &[TagUpdate],
    wanted: Option<&BTreeSet<String>>,
    now: Timestamp,
) -> TagChanges {
    let mut entries = tag_records(tags);
    if let Some(wanted) = wanted {
        entries.retain(|key, entry| {
            entry.status.is_up_to_date() || wanted.contains(&key[TAG_KEY_PREFIX.len()..])
        });
    }
    for new in news {
        note(&mut entries, new, now);
    }
    let owners = tags.keys().filter(|key| !is_ours(key)).count();
    let room = MAX_TAGS.saturating_sub(owners + SUMMARY_KEYS.len() + RESERVED_TAG_SLOTS);
    let copied: BTreeSet<&str> = news
        .iter()
        .filter(|new| new.is_copied)
        .map(|new| new.tag.as_str())
        .collect();
    let is_held =
        |key: &str| tags.contains_key(key) || copied.contains(&key[TAG_KEY_PREFIX.len()..]);
    let kept = keep(entries, is_held, room);
    let remove: Vec<String> = tags
        .keys()
        .filter(|key| key.starts_with(TAG_KEY_PREFIX) && !kept.contains_key(*key))
        .cloned()
        .collect();
    let mut wanted: ResourceTags = kept
        .iter()
        .map(|(key, entry)| (key.clone(), entry.to_string()))
        .collect();
    wanted.insert(UPSTREAM_KEY.to_owned(), upstreams(tags, news));
    wanted.insert(
        STATUS_KEY.to_owned(),
        summary(kept.values(), news).to_owned(),
    );
    if news.iter().any(|new| new.is_copied) {
        wanted.insert(SYNCED_AT_KEY.to_owned(), format_time(now));
    }
    wanted.retain(|key, value| tags.get(key) != Some(value));
    if !wanted.is_empty() || !remove.is_empty() {
        wanted.insert(CHECKED_AT_KEY.to_owned(), format_time(now));
    }
    // A repository that is full of its owner's tags has no room for a summary either.
    if owners + SUMMARY_KEYS.len() > MAX_TAGS {
        TagChanges {
            set: ResourceTags::new(),
            remove,
        }
    } else {
        TagChanges {
            set: wanted,
            remove,
        }
    }
}

/// The entries among `tags`, by key. What cannot be read is dropped, and written anew when there is news of it.
pub fn tag_records(tags: &ResourceTags) -> BTreeMap<String, TagRecord> {
    let ours = tags
        .iter()
        .filter(|(key, _)| key.starts_with(TAG_KEY_PREFIX));
    ours.filter_map(|(key, value)| Some((key.clone(), value.parse().ok()?)))
        .collect()
}

/// The entry of `tag`.
pub fn tag_record(tags: &ResourceTags, tag: &str) -> Option<TagRecord> {
    tags.get(&format!("{TAG_KEY_PREFIX}{tag}"))?.parse().ok()
}

fn is_ours(key: &str) -> bool {
    key.starts_with(TAG_KEY_PREFIX) || SUMMARY_KEYS.contains(&key)
}

/// The time of a tag that stays as it is stays too: it says since when.
fn note(entries: &mut BTreeMap<String, TagRecord>, new: &TagUpdate, now: Timestamp) {
    let key = format!("{TAG_KEY_PREFIX}{}", new.tag);
    // A tag's name may have 128 characters itself; its digest still tells the truth.
    if key.len() > MAX_KEY_CHARACTERS {
        return;
    }
    let TagUpdate {
        digest,
        status,
        subset,
        retry_at,
        findings,
        ..
    } = new.clone();
    let mut entry = TagRecord {
        digest,
        status,
        recorded_at: now,
        subset,
        first_deferred_at: None,
        retry_at,
        findings,
    };
    let known = entries.get(&key);
    // That a tag is level again says nothing against what a scan found in these very bytes; another scan does, with a note.
    let is_known = |known: &TagRecord| {
        known.digest == entry.digest && known.subset == entry.subset && known.status.is_up_to_date()
    };
    if entry.status == RecordStatus::Ok
        && entry.findings.is_empty()
        && !new.is_copied
        && known.is_some_and(is_known)
    {
        return;
    }
    if entry.status == RecordStatus::Deferred {
        entry.first_deferred_at = known.and_then(TagRecord::deferred_since);
    }
    entries.insert(key, entry);
}

/// Keeps what digests cannot tell (deferred, failed, a part of upstream's index), then the most recent. What is level as it was, and
/// not held, comes after its like that are: a record of more tags than it has room for would be another each time.
fn keep(
    entries: BTreeMap<String, TagRecord>,
    is_held: impl Fn(&str) -> bool,
    room: usize,
) -> BTreeMap<String, TagRecord> {
    let mut ranked: Vec<(String, TagRecord)> = entries.into_iter().collect();
    let is_plain = |entry: &TagRecord| entry.status == RecordStatus::Ok && entry.subset.is_none();
    ranked.sort_by_cached_key(|(key, entry)| {
        let is_new = entry.status == RecordStatus::Ok && !is_held(key);
        (
            is_plain(entry),
            is_new,
            std::cmp::Reverse(entry.recorded_at),
            key.clone(),
        )
    });
    ranked.truncate(room);
    ranked.into_iter().collect()
}

/// What happened last counts even where there was no room to keep it.
fn summary<'a>(kept: impl Iterator<Item = &'a TagRecord>, news: &[TagUpdate]) -> &'static str {
    let all: Vec<RecordStatus> = kept
        .map(|entry| entry.status)
        .chain(news.iter().map(|new| new.status))
        .collect();
    match () {
        () if all.iter().all(|status| status.is_up_to_date()) => "ok",
        () if all.iter().all(|status| *status == RecordStatus::Failed) => "failed",
        () if !all.contains(&RecordStatus::Failed) => "deferred",
        () => "partial",
    }
}

/// Several upstream repositories can share one repository here; as many names as fit are listed.
fn upstreams(tags: &ResourceTags, news: &[TagUpdate]) -> String {
    let known = tags
        .get(UPSTREAM_KEY)
        .map(|value| value.split(' ').collect::<Vec<_>>())
        .unwrap_or_default();
    let names: BTreeSet<&str> = known
        .into_iter()
        .chain(news.iter().map(|new| new.upstream.as_str()))
        .collect();
    let mut text = String::new();
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        if text.len() + 1 + name.len() <= MAX_VALUE_CHARACTERS {
            text.push_str(if text.is_empty() { "" } else { " " });
            text.push_str(name);
        }
    }
    text
}

/// RFC 3339, UTC, whole seconds.
pub fn format_time(at: Timestamp) -> String {
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

    fn news(tag: &str, status: RecordStatus, is_copied: bool) -> TagUpdate {
        let upstream = "docker.io/library/node".to_owned();
        let (digest, findings) = (Some(Digest::from_content(b"x")), String::new());
        TagUpdate {
            tag: tag.to_owned(),
            upstream,
            digest,
            status,
            is_copied,
            subset: None,
            retry_at: None,
            findings,
        }
    }

    fn apply(tags: &mut ResourceTags, changes: TagChanges) {
        tags.extend(changes.set);
        tags.retain(|key, _| !changes.remove.contains(key));
    }

    #[test]
    fn a_first_copy_is_recorded_as_the_contract_says() {
        let changes = plan_changes(
            &ResourceTags::new(),
            &[news("21", RecordStatus::Ok, true)],
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
        let mut tags = ResourceTags::new();
        let first = plan_changes(&tags, &[news("21", RecordStatus::Ok, true)], None, at(0));
        apply(&mut tags, first);
        assert_eq!(
            plan_changes(&tags, &[news("21", RecordStatus::Ok, false)], None, at(9)),
            TagChanges::default()
        );
    }

    #[test]
    fn a_tag_that_heals_heals_the_summary() {
        let mut tags = ResourceTags::new();
        for (status, summary) in [
            (RecordStatus::Failed, "failed"),
            (RecordStatus::Deferred, "deferred"),
            (RecordStatus::Ok, "ok"),
        ] {
            let next = plan_changes(&tags, &[news("21", status, false)], None, at(0));
            apply(&mut tags, next);
            assert_eq!(tags[STATUS_KEY], summary);
        }
        let next = plan_changes(
            &tags,
            &[news("22", RecordStatus::Failed, false)],
            None,
            at(0),
        );
        apply(&mut tags, next);
        assert_eq!(tags[STATUS_KEY], "partial");
    }

    #[test]
    fn sixty_tags_leave_room_for_the_owner_and_failures_stay() {
        let mut tags: ResourceTags = (0..10)
            .map(|n| (format!("owner{n}"), "mine".to_owned()))
            .collect();
        for n in 0..60 {
            let status = if n == 0 {
                RecordStatus::Failed
            } else {
                RecordStatus::Ok
            };
            let next = plan_changes(
                &tags,
                &[news(&format!("t{n}"), status, status == RecordStatus::Ok)],
                None,
                at(n),
            );
            apply(&mut tags, next);
            assert!(tags.len() <= MAX_TAGS - RESERVED_TAG_SLOTS);
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
        let mut tags = ResourceTags::new();
        let part = RecordedSubset {
            digest: Digest::from_content(b"part"),
            choice: "c".to_owned(),
        };
        for part in [Some(part), None] {
            let all = |is_copied| -> Vec<TagUpdate> {
                let news = |n| TagUpdate {
                    subset: part.clone(),
                    ..news(&format!("t{n:02}"), RecordStatus::Ok, is_copied)
                };
                (0..60).map(news).collect()
            };
            tags.clear();
            let next = plan_changes(&tags, &all(true), None, at(0));
            apply(&mut tags, next);
            assert_eq!(
                plan_changes(&tags, &all(false), None, at(9)),
                TagChanges::default()
            );
        }
        let next = plan_changes(&tags, &[news("t59", RecordStatus::Ok, true)], None, at(9));
        assert!(
            next.set.contains_key("replicator:tag:t59") && next.remove.len() == 1,
            "{next:?}"
        );
    }

    #[test]
    fn a_failure_of_a_tag_that_nobody_wants_any_more_is_forgotten() {
        let mut tags = ResourceTags::new();
        let next = plan_changes(
            &tags,
            &[
                news("21", RecordStatus::Ok, true),
                news("typo", RecordStatus::Failed, false),
            ],
            None,
            at(0),
        );
        apply(&mut tags, next);
        assert_eq!(tags[STATUS_KEY], "partial");
        let next =
            |wanted| plan_changes(&tags, &[news("21", RecordStatus::Ok, false)], wanted, at(1));
        let both = ["21".to_owned(), "typo".to_owned()].into();
        assert_eq!(
            (next(None), next(Some(&both))),
            (TagChanges::default(), TagChanges::default())
        );
        let next = next(Some(&["21".to_owned()].into()));
        apply(&mut tags, next);
        assert_eq!(tags[STATUS_KEY], "ok");
        assert!(!tags.contains_key("replicator:tag:typo"));
    }

    #[test]
    fn what_a_scan_found_stays_until_the_digest_moves() {
        let mut tags = ResourceTags::new();
        let found = TagUpdate {
            findings: "critical=1 high=3".to_owned(),
            ..news("21", RecordStatus::WaitingForUpstream, false)
        };
        let next = plan_changes(&tags, &[found], None, at(0));
        apply(&mut tags, next);
        assert!(
            tags["replicator:tag:21"]
                .ends_with(" waiting-for-upstream 2026-09-21T14:13:20Z critical=1 high=3")
        );
        assert_eq!(tags[STATUS_KEY], "ok");
        assert_eq!(
            plan_changes(&tags, &[news("21", RecordStatus::Ok, false)], None, at(9)),
            TagChanges::default()
        );
        let cleared = TagUpdate {
            findings: "none".to_owned(),
            ..news("21", RecordStatus::Ok, false)
        };
        let next = plan_changes(&tags, &[cleared], None, at(9));
        assert!(
            next.set["replicator:tag:21"].ends_with(" ok 2026-09-21T14:13:29Z none"),
            "another scan has the last word"
        );
        let moved = TagUpdate {
            digest: Some(Digest::from_content(b"y")),
            ..news("21", RecordStatus::Ok, true)
        };
        assert!(
            plan_changes(&tags, &[moved], None, at(9)).set["replicator:tag:21"].contains(" ok ")
        );
    }

    #[test]
    fn an_image_deferred_again_keeps_the_time_of_its_first_deferral() {
        let mut tags = ResourceTags::new();
        let put_off = |until| TagUpdate {
            retry_at: Some(at(until)),
            ..news("21", RecordStatus::Deferred, false)
        };
        let next = plan_changes(&tags, &[put_off(100)], None, at(0));
        apply(&mut tags, next);
        let next = plan_changes(&tags, &[put_off(200)], None, at(50));
        apply(&mut tags, next);
        assert!(
            tags["replicator:tag:21"]
                .ends_with(" deferred 2026-09-21T14:14:10Z since=2026-09-21T14:13:20Z until=2026-09-21T14:16:40Z"),
            "{tags:?}"
        );
        let next = plan_changes(&tags, &[put_off(300)], None, at(90));
        apply(&mut tags, next);
        assert!(
            tags["replicator:tag:21"].contains(" since=2026-09-21T14:13:20Z "),
            "{tags:?}"
        );
    }

    #[test]
    fn another_choice_of_platforms_is_news() {
        let part = |choice: &str| {
            let subset = Some(RecordedSubset {
                digest: Digest::from_content(b"part"),
                choice: choice.to_owned(),
            });
            TagUpdate {
                subset,
                ..news("21", RecordStatus::Ok, false)
            }
        };
        let mut tags = ResourceTags::new();
        let next = plan_changes(&tags, &[part("a")], None, at(0));
        apply(&mut tags, next);
        assert_eq!(
            plan_changes(&tags, &[part("a")], None, at(9)),
            TagChanges::default()
        );
        assert!(
            plan_changes(&tags, &[part("b")], None, at(9)).set["replicator:tag:21"]
                .ends_with(" of=b")
        );
    }

    #[test]
    fn a_full_repository_is_left_alone() {
        let tags: ResourceTags = (0..50)
            .map(|n| (format!("owner{n}"), "mine".to_owned()))
            .collect();
        assert_eq!(
            plan_changes(&tags, &[news("21", RecordStatus::Ok, true)], None, at(0)),
            TagChanges::default()
        );
    }

    #[test]
    fn keys_and_values_stay_within_the_limits() {
        let mut many = vec![news(&"t".repeat(128), RecordStatus::Ok, true)];
        many.extend((0..30).map(|n| TagUpdate {
            upstream: format!("docker.io/library/image{n}"),
            ..news("1", RecordStatus::Ok, true)
        }));
        let changes = plan_changes(&ResourceTags::new(), &many, None, at(0));
        assert!(
            changes
                .set
                .iter()
                .all(|(key, value)| key.len() <= MAX_KEY_CHARACTERS
                    && value.len() <= MAX_VALUE_CHARACTERS)
        );
    }

    #[test]
    fn a_record_that_somebody_broke_is_written_anew() {
        let tags: ResourceTags = [("replicator:tag:21".to_owned(), "hello".to_owned())].into();
        let changes = plan_changes(&tags, &[news("21", RecordStatus::Ok, false)], None, at(0));
        assert!(changes.set["replicator:tag:21"].contains(" ok "));
    }
}
