//! Selectors: which tags of a repository are mirrored, with a reason for each tag.

mod candidate;

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;

use globset::GlobMatcher;
use regex::Regex;

use candidate::Candidate;

use super::range::Range;
use super::version::{Number, ParsedTag, Stage, parse_tag};
use crate::image::reference::digest_in;

/// Rules that a tag has to pass, all of them.
///
/// * `glob`, `regex` (each over the whole tag) and `semver` (see [`Range`]) choose tags. `semver`
///   alone chooses only tags without a variant: a glob or a regex has to choose between `slim` and
///   `alpine`.
/// * `exclude` drops tags. Pre-releases are dropped too unless `prereleases` is set.
/// * Of the remaining tags, `latest` keeps those of the highest versions, with all their tags. A
///   version is a number and a pre-release, so that `22.11`, `22.11.0` and `22.11-slim` are one.
///   Tags without a version are dropped.
/// * Of the remaining tags, `newest` keeps that many. The higher version comes first; then a tag
///   without a variant; then the name. Tags without a version come last, by name.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    pub(super) glob: Option<GlobMatcher>,
    pub(super) regex: Option<WholeTag>,
    pub(super) semver: Option<Range>,
    pub(super) exclude: Vec<GlobMatcher>,
    pub(super) latest: Option<NonZeroUsize>,
    pub(super) newest: Option<NonZeroUsize>,
    pub(super) prereleases: bool,
}

/// A regular expression over the whole tag, with its text as it was written.
#[derive(Clone, Debug)]
pub(super) struct WholeTag {
    pub(super) text: String,
    pub(super) regex: Regex,
}

/// The decision about one tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagVerdict {
    /// The tag.
    pub tag: String,
    /// Whether the selector takes it. If not, the selector drops it.
    pub is_selected: bool,
    /// The reason, as the predicate of a sentence about the tag: `does not match 1.27.*`.
    pub why: String,
}

impl Selector {
    /// One verdict for each of `tags`, however often it is listed. The newest comes first, in the
    /// order of `newest`.
    pub fn judge(&self, tags: &[String]) -> Vec<TagVerdict> {
        let unique: BTreeSet<&str> = tags.iter().map(String::as_str).collect();
        let mut candidates = Vec::with_capacity(unique.len());
        for tag in unique {
            let parsed = parse_tag(tag);
            let judged = self.judge_alone(tag, parsed.as_ref());
            candidates.push(Candidate {
                tag,
                parsed,
                judged,
            });
        }
        candidates.sort_by(|a, b| a.rank().cmp(&b.rank()));
        if let Some(limit) = self.latest {
            candidate::keep_latest(&mut candidates, limit);
        }
        if let Some(limit) = self.newest {
            candidate::keep_newest(&mut candidates, limit);
        }
        candidates.into_iter().map(TagVerdict::from).collect()
    }

    /// Whether `tag` passes every rule that needs no other tags: all but `latest` and `newest`.
    pub fn admits(&self, tag: &str) -> bool {
        self.judge_alone(tag, parse_tag(tag).as_ref()).is_ok()
    }

    /// The reasons to take `tag`, or the reason to drop it, without regard to other tags.
    fn judge_alone(&self, tag: &str, parsed: Option<&ParsedTag>) -> Result<Vec<String>, String> {
        if digest_in(tag).is_some() {
            return Err("is the name of a digest".to_owned());
        }
        let mut reasons = Vec::new();
        if let Some(glob) = &self.glob {
            reasons.push(check_match(glob.is_match(tag), glob.glob().glob())?);
        }
        if let Some(whole) = &self.regex {
            reasons.push(check_match(whole.regex.is_match(tag), &whole.text)?);
        }
        if let Some(glob) = self.exclude.iter().find(|glob| glob.is_match(tag)) {
            return Err(format!("is excluded by {}", glob.glob()));
        }
        if let Some(range) = &self.semver {
            reasons.push(self.check_range(range, parsed)?);
        }
        let is_pre_release = parsed.is_some_and(|tag| tag.version.stage != Stage::Release);
        if is_pre_release && !self.prereleases {
            return Err("is a pre-release".to_owned());
        }
        Ok(reasons)
    }

    fn check_range(&self, range: &Range, parsed: Option<&ParsedTag>) -> Result<String, String> {
        let parsed = parsed.ok_or("has no version")?;
        let text = range.as_str();
        let variant = parsed.variant;
        let number = &parsed.version.number;
        if matches!(number, Number::Date(..)) {
            return Err("is a date, which semver does not compare".to_owned());
        }
        if !range.contains(number) {
            return Err(format!("is outside {text}"));
        }
        if !variant.is_empty() && self.glob.is_none() && self.regex.is_none() {
            return Err(format!(
                "has the variant {variant}; add a glob to select it"
            ));
        }
        Ok(format!("is within {text}"))
    }
}

/// The result of a pattern in words.
fn check_match(is_match: bool, pattern: &str) -> Result<String, String> {
    if is_match {
        Ok(format!("matches {pattern}"))
    } else {
        Err(format!("does not match {pattern}"))
    }
}

/// The selector as it is written, on one line: `{glob 1.27.*}`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rules = Vec::new();
        if let Some(range) = &self.semver {
            rules.push(format!("semver {}", range.as_str()));
        }
        if let Some(glob) = &self.glob {
            rules.push(format!("glob {}", glob.glob()));
        }
        if let Some(whole) = &self.regex {
            rules.push(format!("regex {}", whole.text));
        }
        for glob in &self.exclude {
            rules.push(format!("exclude {}", glob.glob()));
        }
        if let Some(limit) = self.latest {
            rules.push(format!("latest {limit}"));
        }
        if let Some(limit) = self.newest {
            rules.push(format!("newest {limit}"));
        }
        if self.prereleases {
            rules.push("prereleases true".to_owned());
        }
        write!(f, "{{{}}}", rules.join(", "))
    }
}
