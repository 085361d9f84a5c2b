//! The record of one image tag, and its text form in a resource tag.

use std::fmt;

use jiff::Timestamp;

use super::MAX_VALUE_CHARACTERS;
use crate::image::digest::Digest;
use crate::image::platform::Platforms;
use crate::timestamp;

/// The digest of a record whose upstream digest is unknown.
const UNKNOWN_DIGEST: &str = "-";

/// The record of one image tag.
///
/// The text form is `<upstream digest> <status> <RFC 3339 time>`, with `-` for an unknown digest,
/// and then these optional words:
///
/// * `as=<digest> of=<choice>`: the destination has this index, a subset of upstream's index for
///   [the chosen platforms](Platforms::fingerprint),
/// * `since=<RFC 3339 time>`: when the tag was first deferred,
/// * `until=<RFC 3339 time>`: when a schedule retries it,
/// * any other words, such as `critical=1 high=3`: what a scan found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRecord {
    /// The upstream digest; `None` if it could not be read.
    pub digest: Option<Digest>,
    /// The state of the tag.
    pub status: RecordStatus,
    /// When the record was made.
    pub recorded_at: Timestamp,
    /// The subset of upstream's index that the destination has; `None` if it has the whole image.
    pub subset: Option<RecordedSubset>,
    /// When the tag was first deferred, if it was deferred before this record as well.
    pub first_deferred_at: Option<Timestamp>,
    /// When a schedule retries the tag.
    pub retry_at: Option<Timestamp>,
    /// What a scan found, such as `critical=1 high=3`; empty if there was no scan.
    pub findings: String,
}

/// A subset of an index, as a record keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSubset {
    /// The digest of the index at the destination.
    pub digest: Digest,
    /// The [fingerprint](Platforms::fingerprint) of the chosen platforms.
    pub choice: String,
}

impl RecordedSubset {
    /// The subset for `platforms` whose digest is `digest`; `None` if there is no digest or if
    /// `platforms` are all.
    pub fn new(digest: Option<&Digest>, platforms: &Platforms) -> Option<Self> {
        if platforms.is_all() {
            return None;
        }
        Some(Self {
            digest: digest?.clone(),
            choice: platforms.fingerprint(),
        })
    }
}

/// The state of an image tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordStatus {
    /// Up to date.
    Ok,
    /// Retried automatically.
    Deferred,
    /// The copy failed; an operator has to act.
    Failed,
    /// Up to date, but a scan found vulnerabilities that upstream has not fixed yet.
    WaitingForUpstream,
}

impl RecordStatus {
    const ALL: [Self; 4] = [
        Self::Ok,
        Self::Deferred,
        Self::Failed,
        Self::WaitingForUpstream,
    ];

    /// Whether the tag has upstream's digest.
    pub fn is_up_to_date(self) -> bool {
        matches!(self, Self::Ok | Self::WaitingForUpstream)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
            Self::WaitingForUpstream => "waiting-for-upstream",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl fmt::Display for RecordStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl TagRecord {
    /// A record without optional words.
    pub fn new(digest: Option<Digest>, status: RecordStatus, recorded_at: Timestamp) -> Self {
        Self {
            digest,
            status,
            recorded_at,
            subset: None,
            first_deferred_at: None,
            retry_at: None,
            findings: String::new(),
        }
    }

    /// Parses the value of a resource tag; `None` if it is not a record.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let digest = match words.next()? {
            UNKNOWN_DIGEST => None,
            digest => Some(digest.parse().ok()?),
        };
        let status = RecordStatus::parse(words.next()?)?;
        let recorded_at = words.next()?.parse().ok()?;

        let mut record = Self::new(digest, status, recorded_at);
        let mut subset_digest = None;
        let mut subset_choice = None;
        let mut findings = Vec::new();
        for word in words {
            match word.split_once('=') {
                Some(("as", digest)) => subset_digest = Some(digest.parse().ok()?),
                Some(("of", choice)) => subset_choice = Some(choice.to_owned()),
                Some(("since", at)) => record.first_deferred_at = Some(at.parse().ok()?),
                Some(("until", at)) => record.retry_at = Some(at.parse().ok()?),
                _ => findings.push(word),
            }
        }
        record.findings = findings.join(" ");
        if let (Some(digest), Some(choice)) = (subset_digest, subset_choice) {
            record.subset = Some(RecordedSubset { digest, choice });
        }
        Some(record)
    }

    /// Since when upstream is known to have newer content that is not copied yet; `None` unless the
    /// tag is deferred.
    pub fn deferred_since(&self) -> Option<Timestamp> {
        if self.status == RecordStatus::Deferred {
            Some(self.first_deferred_at.unwrap_or(self.recorded_at))
        } else {
            None
        }
    }

    /// The digest that the destination has if the tag is up to date: the subset's digest if there is
    /// a subset, else upstream's.
    pub fn mirrored_digest(&self) -> Option<&Digest> {
        match &self.subset {
            Some(subset) => Some(&subset.digest),
            None => self.digest.as_ref(),
        }
    }

    fn optional_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(RecordedSubset { digest, choice }) = &self.subset {
            words.push(format!("as={digest} of={choice}"));
        }
        if let Some(at) = self.first_deferred_at {
            words.push(format!("since={}", timestamp::format_seconds(at)));
        }
        if let Some(at) = self.retry_at {
            words.push(format!("until={}", timestamp::format_seconds(at)));
        }
        words.extend(self.findings.split_whitespace().map(str::to_owned));
        words
    }
}

/// Writes the text form. Words beyond [`MAX_VALUE_CHARACTERS`] are left out; these are the least
/// severe findings, because a scan lists the most severe ones first.
impl fmt::Display for TagRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest.as_ref().map_or(UNKNOWN_DIGEST, Digest::as_str);
        let recorded_at = timestamp::format_seconds(self.recorded_at);
        let mut text = format!("{digest} {} {recorded_at}", self.status);
        for word in self.optional_words() {
            if text.len() + 1 + word.len() > MAX_VALUE_CHARACTERS {
                break;
            }
            text.push(' ');
            text.push_str(&word);
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPSTREAM: &str =
        "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const MIRRORED: &str =
        "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn parse(text: &str) -> TagRecord {
        TagRecord::parse(text).unwrap()
    }

    #[test]
    fn parsing_a_record_and_formatting_it_gives_the_same_text() {
        for text in [
            format!("{UPSTREAM} ok 2026-09-21T14:13:20Z"),
            "- failed 2026-09-21T14:13:20Z".to_owned(),
            format!(
                "{UPSTREAM} deferred 2026-09-21T14:13:20Z \
                 since=2026-09-21T08:13:20Z until=2026-09-21T20:13:20Z"
            ),
            format!(
                "{UPSTREAM} waiting-for-upstream 2026-09-21T14:13:20Z \
                 as={MIRRORED} of=0123456789ab critical=1 high=3"
            ),
        ] {
            assert_eq!(parse(&text).to_string(), text);
        }
    }

    #[test]
    fn each_word_is_read_into_its_field() {
        let record = parse(&format!(
            "{UPSTREAM} deferred 2026-09-21T14:13:20Z as={MIRRORED} of=x since=2026-09-21T08:13:20Z \
             until=2026-09-21T20:13:20Z critical=1 high=3"
        ));
        let expected = TagRecord {
            digest: Some(UPSTREAM.parse().unwrap()),
            status: RecordStatus::Deferred,
            recorded_at: "2026-09-21T14:13:20Z".parse().unwrap(),
            subset: Some(RecordedSubset {
                digest: MIRRORED.parse().unwrap(),
                choice: "x".to_owned(),
            }),
            first_deferred_at: Some("2026-09-21T08:13:20Z".parse().unwrap()),
            retry_at: Some("2026-09-21T20:13:20Z".parse().unwrap()),
            findings: "critical=1 high=3".to_owned(),
        };
        assert_eq!(record, expected);
    }

    #[test]
    fn a_value_that_is_not_a_record_is_not_parsed() {
        for text in [
            "",
            "hello",
            &format!("{UPSTREAM} ok"),
            &format!("{UPSTREAM} ok today"),
            &format!("{UPSTREAM} fine 2026-09-21T14:13:20Z"),
            "latest ok 2026-09-21T14:13:20Z",
            &format!("{UPSTREAM} ok 2026-09-21T14:13:20Z as=x of=y"),
            &format!("{UPSTREAM} deferred 2026-09-21T14:13:20Z until=tomorrow"),
        ] {
            assert_eq!(TagRecord::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_mirrored_digest_is_the_digest_of_the_subset_if_there_is_one() {
        let whole = parse(&format!("{UPSTREAM} ok 2026-09-21T14:13:20Z"));
        assert_eq!(whole.mirrored_digest().unwrap().as_str(), UPSTREAM);
        let subset = parse(&format!(
            "{UPSTREAM} ok 2026-09-21T14:13:20Z as={MIRRORED} of=x"
        ));
        assert_eq!(subset.mirrored_digest().unwrap().as_str(), MIRRORED);
    }

    #[test]
    fn findings_that_do_not_fit_are_left_out_word_by_word() {
        let text = format!(
            "{UPSTREAM} waiting-for-upstream 2026-09-21T14:13:20Z as={MIRRORED} of=0123456789ab"
        );
        let mut record = parse(&text);
        record.findings =
            "critical=100 high=3000 medium=10000 low=100000 informational=1000000 undefined=1"
                .to_owned();
        assert_eq!(
            record.to_string(),
            format!("{text} critical=100 high=3000 medium=10000 low=100000")
        );
    }
}
