//! The rules that compare tags with each other: `latest` and `newest`.

use std::cmp::Reverse;
use std::num::NonZeroUsize;

use super::TagVerdict;
use crate::catalogue::version::ParsedTag;

/// A tag that rules are applied to.
pub(super) struct Candidate<'a> {
    pub(super) tag: &'a str,
    pub(super) parsed: Option<ParsedTag<'a>>,
    /// The rules that it passed, or the one that dropped it.
    pub(super) judged: Result<Vec<String>, String>,
}

/// Drops all but the tags of the `limit` highest versions. `candidates` are sorted by rank.
pub(super) fn keep_latest(candidates: &mut [Candidate], limit: NonZeroUsize) {
    let group = if limit.get() == 1 {
        "of the latest version"
    } else {
        &format!("among the {limit} latest versions")
    };
    let mut versions = 0;
    let mut last = None;
    for candidate in candidates {
        if candidate.judged.is_err() {
            continue;
        }
        let Some(parsed) = &candidate.parsed else {
            candidate.judged = Err("has no version, and only the latest are taken".to_owned());
            continue;
        };
        if last.as_ref() != Some(&parsed.version) {
            versions += 1;
            last = Some(parsed.version.clone());
        }
        candidate.apply_limit(versions, limit, group);
    }
}

/// Drops all but the first `limit` tags. `candidates` are sorted by rank.
pub(super) fn keep_newest(candidates: &mut [Candidate], limit: NonZeroUsize) {
    let group = if limit.get() == 1 {
        "the newest"
    } else {
        &format!("among the {limit} newest")
    };
    let mut position = 0;
    for candidate in candidates {
        if candidate.judged.is_ok() {
            position += 1;
            candidate.apply_limit(position, limit, group);
        }
    }
}

impl Candidate<'_> {
    /// The order of `newest`.
    pub(super) fn rank(&self) -> impl Ord {
        let version = self.parsed.as_ref().map(|parsed| &parsed.version);
        let variant = self.parsed.as_ref().map_or("", |parsed| parsed.variant);
        (Reverse(version), !variant.is_empty(), self.tag)
    }

    /// Drops the tag if its position, which counts from 1, is above `limit`.
    fn apply_limit(&mut self, position: usize, limit: NonZeroUsize, group: &str) {
        if position > limit.get() {
            self.judged = Err(format!("is not {group}"));
        } else if let Ok(passed) = &mut self.judged {
            passed.push(format!("is {group}"));
        }
    }
}

impl From<Candidate<'_>> for TagVerdict {
    fn from(candidate: Candidate) -> Self {
        let is_selected = candidate.judged.is_ok();
        let why = match candidate.judged {
            Ok(passed) => passed.join(", "),
            Err(why) => why,
        };
        Self {
            tag: candidate.tag.to_owned(),
            is_selected,
            why,
        }
    }
}
