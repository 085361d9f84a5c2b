//! What is remembered of one tag.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::{MAX_VALUE_CHARACTERS, format_time};
use crate::image::digest::Digest;
use crate::image::platform::Platforms;

/// What is remembered of one tag: `<upstream digest> <status> <RFC 3339>`, then what else there is to say, word by word:
///
/// * `as=<digest> of=<choice>`: the index here is a part of upstream's, for [some platforms](Platforms::fingerprint),
/// * `since=<RFC 3339> until=<RFC 3339>`: since when what is deferred waits, and when it is tried again by itself,
/// * the rest, such as `critical=1 high=3`: what a scan found.
///
/// A digest that nobody could find out is `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRecord {
    /// The upstream digest.
    pub digest: Option<Digest>,
    /// What became of the tag.
    pub status: RecordStatus,
    /// When that was.
    pub recorded_at: Timestamp,
    /// What is here instead of upstream's index; `None` for an image as it is upstream.
    pub subset: Option<RecordedSubset>,
    /// Since when it waits, when it was put off before.
    pub first_deferred_at: Option<Timestamp>,
    /// When it is tried again by itself.
    pub retry_at: Option<Timestamp>,
    /// What a scan found, such as `critical=1 high=3`; empty otherwise.
    pub findings: String,
}

/// An index cut down to some platforms, as the record remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSubset {
    /// The digest of the index here.
    pub digest: Digest,
    /// The [fingerprint](Platforms::fingerprint) of the platforms that were chosen.
    pub choice: String,
}

impl RecordedSubset {
    /// The part that `digest` is for `platforms`; `None` when nothing was chosen.
    pub fn new(digest: Option<&Digest>, platforms: &Platforms) -> Option<Self> {
        let digest = digest.filter(|_| !platforms.is_all())?;
        Some(Self {
            digest: digest.clone(),
            choice: platforms.fingerprint(),
        })
    }
}

/// What became of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordStatus {
    /// Level with upstream.
    Ok,
    /// To be tried again by itself.
    Deferred,
    /// Somebody has to look at it.
    Failed,
    /// Level with upstream, and a scan found what upstream has not mended yet.
    WaitingForUpstream,
}

impl fmt::Display for TagRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest.as_ref().map_or("-", Digest::as_str);
        let mut text = format!("{digest} {} {}", self.status, format_time(self.recorded_at));
        let part = self
            .subset
            .as_ref()
            .map(|subset| format!("as={} of={}", subset.digest, subset.choice));
        let since = self
            .first_deferred_at
            .map(|since| format!("since={}", format_time(since)));
        let until = self
            .retry_at
            .map(|until| format!("until={}", format_time(until)));
        // What does not fit is the end of what a scan found; its worst comes first.
        for word in part
            .into_iter()
            .chain(since)
            .chain(until)
            .chain(self.findings.split_whitespace().map(str::to_owned))
        {
            if text.len() + 1 + word.len() > MAX_VALUE_CHARACTERS {
                break;
            }
            text.push(' ');
            text.push_str(&word);
        }
        f.write_str(&text)
    }
}

impl FromStr for TagRecord {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let (Some(digest), Some(status), Some(at)) = (words.next(), words.next(), words.next())
        else {
            return Err(());
        };
        let digest = if digest == "-" {
            None
        } else {
            Some(digest.parse().map_err(|_| ())?)
        };
        let mut entry = Self::new(digest, status.parse()?, at.parse().map_err(|_| ())?);
        let (mut part, mut choice) = (None, None);
        for word in words {
            match word.split_once('=') {
                Some(("as", digest)) => part = Some(digest.parse().map_err(|_| ())?),
                Some(("of", name)) => choice = Some(name.to_owned()),
                Some(("since", at)) => entry.first_deferred_at = Some(at.parse().map_err(|_| ())?),
                Some(("until", at)) => entry.retry_at = Some(at.parse().map_err(|_| ())?),
                _ => {
                    entry
                        .findings
                        .push_str(if entry.findings.is_empty() { "" } else { " " });
                    entry.findings.push_str(word);
                }
            }
        }
        entry.subset = part
            .zip(choice)
            .map(|(digest, choice)| RecordedSubset { digest, choice });
        Ok(entry)
    }
}

impl TagRecord {
    /// An entry with nothing more to say.
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

    /// Since when upstream is known to have something newer; `None` where the tag is level, or what it lacks is not coming.
    pub fn deferred_since(&self) -> Option<Timestamp> {
        (self.status == RecordStatus::Deferred)
            .then(|| self.first_deferred_at.unwrap_or(self.recorded_at))
    }

    /// The digest that the tag has here when it is level: the part's where there is one, else upstream's.
    pub fn mirrored_digest(&self) -> Option<&Digest> {
        self.subset
            .as_ref()
            .map(|subset| &subset.digest)
            .or(self.digest.as_ref())
    }
}

impl fmt::Display for RecordStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
            Self::WaitingForUpstream => "waiting-for-upstream",
        })
    }
}

impl RecordStatus {
    /// Whether the tag has upstream's digest.
    pub fn is_up_to_date(self) -> bool {
        matches!(self, Self::Ok | Self::WaitingForUpstream)
    }
}

impl FromStr for RecordStatus {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "ok" => Ok(Self::Ok),
            "deferred" => Ok(Self::Deferred),
            "failed" => Ok(Self::Failed),
            "waiting-for-upstream" => Ok(Self::WaitingForUpstream),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPSTREAM: &str =
        "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const HERE: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        for text in [
            format!("{UPSTREAM} ok 2026-09-21T14:13:20Z"),
            "- failed 2026-09-21T14:13:20Z".to_owned(),
            format!(
                "{UPSTREAM} deferred 2026-09-21T14:13:20Z since=2026-09-21T08:13:20Z until=2026-09-21T20:13:20Z"
            ),
            format!(
                "{UPSTREAM} waiting-for-upstream 2026-09-21T14:13:20Z as={HERE} of=0123456789ab critical=1 high=3"
            ),
        ] {
            assert_eq!(text.parse::<TagRecord>().unwrap().to_string(), text);
        }
        assert!(format!("{UPSTREAM} ok today").parse::<TagRecord>().is_err());
        assert!(format!("{UPSTREAM} ok").parse::<TagRecord>().is_err());
    }

    #[test]
    fn what_is_here_is_the_part_where_there_is_one() {
        let entry: TagRecord = format!("{UPSTREAM} ok 2026-09-21T14:13:20Z as={HERE} of=x")
            .parse()
            .unwrap();
        assert_eq!(entry.mirrored_digest().unwrap().as_str(), HERE);
    }

    #[test]
    fn what_does_not_fit_is_left_out_word_by_word() {
        let text = format!(
            "{UPSTREAM} waiting-for-upstream 2026-09-21T14:13:20Z as={HERE} of=0123456789ab"
        );
        let mut entry: TagRecord = text.parse().unwrap();
        entry.findings =
            "critical=100 high=3000 medium=10000 low=100000 informational=1000000 undefined=1"
                .to_owned();
        assert_eq!(
            entry.to_string(),
            format!("{text} critical=100 high=3000 medium=10000 low=100000")
        );
    }
}
