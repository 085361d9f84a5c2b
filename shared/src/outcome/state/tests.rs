use super::*;
use crate::image::digest::Digest;

/// The time when each test begins.
const START: &str = "2026-09-21T14:13:20Z";

/// A repository, to which updates are written as the engine does it.
#[derive(Default)]
struct Repository {
    tags: ResourceTags,
}

impl Repository {
    fn with_owner_tags(count: usize) -> Self {
        let tag = |n| (format!("owner{n}"), "mine".to_owned());
        let tags = (0..count).map(tag).collect();
        Self { tags }
    }

    fn plan(&self, updates: &[TagUpdate], seconds: i64) -> TagChanges {
        plan_changes(&self.tags, updates, None, after(seconds))
    }

    fn write(&mut self, updates: &[TagUpdate], seconds: i64) {
        let changes = self.plan(updates, seconds);
        self.apply(changes);
    }

    fn apply(&mut self, changes: TagChanges) {
        self.tags.extend(changes.set);
        self.tags.retain(|key, _| !changes.remove.contains(key));
    }

    fn record(&self, tag: &str) -> &str {
        &self.tags[&tag_key(tag)]
    }

    fn has_record(&self, tag: &str) -> bool {
        self.tags.contains_key(&tag_key(tag))
    }

    fn status(&self) -> &str {
        &self.tags[STATUS_KEY]
    }
}

fn after(seconds: i64) -> Timestamp {
    let start: Timestamp = START.parse().unwrap();
    start + jiff::SignedDuration::from_secs(seconds)
}

fn update(tag: &str, status: RecordStatus) -> TagUpdate {
    TagUpdate {
        tag: tag.to_owned(),
        upstream: "docker.io/library/node".to_owned(),
        digest: Some(Digest::from_content(b"x")),
        status,
        is_copied: false,
        subset: None,
        retry_at: None,
        findings: String::new(),
    }
}

fn unchanged(tag: &str) -> TagUpdate {
    update(tag, RecordStatus::Ok)
}

fn copied(tag: &str) -> TagUpdate {
    TagUpdate {
        is_copied: true,
        ..unchanged(tag)
    }
}

fn deferred(tag: &str, retry_seconds: i64) -> TagUpdate {
    TagUpdate {
        retry_at: Some(after(retry_seconds)),
        ..update(tag, RecordStatus::Deferred)
    }
}

fn failed(tag: &str) -> TagUpdate {
    update(tag, RecordStatus::Failed)
}

fn subset(choice: &str) -> RecordedSubset {
    RecordedSubset {
        digest: Digest::from_content(b"subset"),
        choice: choice.to_owned(),
    }
}

#[test]
fn a_first_copy_writes_all_keys() {
    let changes = Repository::default().plan(&[copied("21")], 0);
    let line = |(key, value): (&String, &String)| format!("{key} = {value}");
    let lines: Vec<String> = changes.set.iter().map(line).collect();
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
    assert_eq!(changes.remove, [] as [&str; 0]);
}

#[test]
fn an_unchanged_tag_is_not_written_again() {
    let mut repository = Repository::default();
    repository.write(&[copied("21")], 0);
    assert_eq!(
        repository.plan(&[unchanged("21")], 9),
        TagChanges::default()
    );
}

#[test]
fn the_status_follows_the_tags() {
    let mut repository = Repository::default();
    for (update, status) in [
        (failed("21"), "failed"),
        (deferred("21", 60), "deferred"),
        (unchanged("21"), "ok"),
        (failed("22"), "partial"),
        (deferred("22", 60), "deferred"),
    ] {
        repository.write(&[update], 0);
        assert_eq!(repository.status(), status);
    }
}

#[test]
fn a_full_record_leaves_slots_for_the_owner_and_keeps_failures_and_the_newest_tags() {
    let mut repository = Repository::with_owner_tags(10);
    repository.write(&[failed("t0")], 0);
    for n in 1..60 {
        repository.write(&[copied(&format!("t{n}"))], n);
    }
    let owner_tags = repository
        .tags
        .keys()
        .filter(|key| key.starts_with("owner"));
    assert_eq!(owner_tags.count(), 10);
    assert_eq!(repository.tags.len(), MAX_TAGS - RESERVED_TAG_SLOTS);
    let kept = (0..60).filter(|n| repository.has_record(&format!("t{n}")));
    let newest = 30..60;
    assert!(kept.eq(std::iter::once(0).chain(newest)));
}

#[test]
fn a_full_record_keeps_a_subset_rather_than_a_newer_whole_image() {
    let mut repository = Repository::default();
    let cut = TagUpdate {
        subset: Some(subset("a")),
        ..copied("subset")
    };
    repository.write(&[cut], 0);
    for n in 1..60 {
        repository.write(&[copied(&format!("t{n}"))], n);
    }
    assert!(repository.has_record("subset") && repository.has_record("t59"));
    assert!(!repository.has_record("t1"));
}

#[test]
fn checking_more_tags_than_fit_changes_nothing() {
    let all = |subset: &Option<RecordedSubset>, is_copied| -> Vec<TagUpdate> {
        let update = |n| TagUpdate {
            is_copied,
            subset: subset.clone(),
            ..unchanged(&format!("t{n:02}"))
        };
        (0..60).map(update).collect()
    };
    for subset in [Some(subset("a")), None] {
        let mut repository = Repository::default();
        repository.write(&all(&subset, true), 0);
        let changes = repository.plan(&all(&subset, false), 9);
        assert_eq!(changes, TagChanges::default());
    }
}

#[test]
fn a_copied_tag_replaces_another_in_a_full_record() {
    let mut repository = Repository::default();
    let all: Vec<TagUpdate> = (0..60).map(|n| copied(&format!("t{n:02}"))).collect();
    repository.write(&all, 0);
    assert!(!repository.has_record("t59"));
    let changes = repository.plan(&[copied("t59")], 9);
    assert!(changes.set.contains_key("replicator:tag:t59"));
    assert_eq!(changes.remove, ["replicator:tag:t40"]);
}

#[test]
fn the_failure_of_a_tag_that_is_no_longer_requested_is_removed() {
    let mut repository = Repository::default();
    repository.write(&[copied("21"), failed("typo")], 0);
    assert_eq!(repository.status(), "partial");
    let plan = |requested: Option<&BTreeSet<String>>| {
        plan_changes(&repository.tags, &[unchanged("21")], requested, after(1))
    };
    let both = BTreeSet::from(["21".to_owned(), "typo".to_owned()]);
    assert_eq!(plan(None), TagChanges::default());
    assert_eq!(plan(Some(&both)), TagChanges::default());
    let one = BTreeSet::from(["21".to_owned()]);
    let changes = plan(Some(&one));
    repository.apply(changes);
    assert_eq!(repository.status(), "ok");
    assert!(repository.has_record("21") && !repository.has_record("typo"));
}

#[test]
fn the_findings_of_a_scan_stay_until_another_scan_or_another_digest() {
    let mut repository = Repository::default();
    let found = TagUpdate {
        findings: "critical=1 high=3".to_owned(),
        ..update("21", RecordStatus::WaitingForUpstream)
    };
    repository.write(&[found], 0);
    assert!(
        repository
            .record("21")
            .ends_with(" waiting-for-upstream 2026-09-21T14:13:20Z critical=1 high=3")
    );
    assert_eq!(repository.status(), "ok");
    assert_eq!(
        repository.plan(&[unchanged("21")], 9),
        TagChanges::default()
    );

    let clean = TagUpdate {
        findings: "none".to_owned(),
        ..unchanged("21")
    };
    let changes = repository.plan(&[clean], 9);
    assert!(changes.set["replicator:tag:21"].ends_with(" ok 2026-09-21T14:13:29Z none"));

    let moved = TagUpdate {
        digest: Some(Digest::from_content(b"y")),
        ..copied("21")
    };
    let changes = repository.plan(&[moved], 9);
    assert!(changes.set["replicator:tag:21"].ends_with(" ok 2026-09-21T14:13:29Z"));
}

#[test]
fn a_tag_that_is_deferred_again_keeps_the_time_of_its_first_deferral() {
    let mut repository = Repository::default();
    repository.write(&[deferred("21", 100)], 0);
    repository.write(&[deferred("21", 200)], 50);
    assert!(repository.record("21").ends_with(
        " deferred 2026-09-21T14:14:10Z since=2026-09-21T14:13:20Z until=2026-09-21T14:16:40Z"
    ),);
    repository.write(&[deferred("21", 300)], 90);
    assert!(repository.record("21").ends_with(
        " deferred 2026-09-21T14:14:50Z since=2026-09-21T14:13:20Z until=2026-09-21T14:18:20Z"
    ),);
}

#[test]
fn another_choice_of_platforms_is_recorded() {
    let checked = |choice| TagUpdate {
        subset: Some(subset(choice)),
        ..unchanged("21")
    };
    let mut repository = Repository::default();
    repository.write(&[checked("a")], 0);
    assert_eq!(repository.plan(&[checked("a")], 9), TagChanges::default());
    let changes = repository.plan(&[checked("b")], 9);
    assert!(changes.set["replicator:tag:21"].ends_with(" of=b"));
}

#[test]
fn a_repository_full_of_its_owners_tags_is_not_changed() {
    let repository = Repository::with_owner_tags(MAX_TAGS);
    assert_eq!(repository.plan(&[copied("21")], 0), TagChanges::default());
}

#[test]
fn an_image_tag_whose_key_would_be_too_long_has_no_record() {
    let longest = "t".repeat(MAX_KEY_CHARACTERS - TAG_KEY_PREFIX.len());
    let too_long = format!("{longest}t");
    let changes = Repository::default().plan(&[copied(&longest), copied(&too_long)], 0);
    let tags: Vec<String> = tag_records(&changes.set).into_keys().collect();
    assert_eq!(tags, [longest]);
}

#[test]
fn upstreams_beyond_the_length_of_a_value_are_left_out() {
    let from = |n| TagUpdate {
        upstream: format!("docker.io/library/image{n:02}"),
        ..copied("1")
    };
    let updates: Vec<TagUpdate> = (0..30).map(from).collect();
    let changes = Repository::default().plan(&updates, 0);
    let fitting: Vec<String> = (0..9).map(|n| from(n).upstream).collect();
    assert_eq!(changes.set[UPSTREAM_KEY], fitting.join(" "));
}

#[test]
fn an_unreadable_record_is_replaced() {
    let mut repository = Repository::default();
    repository.tags.insert(tag_key("21"), "hello".to_owned());
    repository.write(&[unchanged("21")], 0);
    assert!(
        repository
            .record("21")
            .ends_with(" ok 2026-09-21T14:13:20Z")
    );
}
