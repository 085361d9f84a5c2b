//! Selectors: which tags of a repository are mirrored, and for every tag why, or why not.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;

use globset::GlobMatcher;
use regex::Regex;

use super::range::Range;
use super::version::{Number, ParsedTag, Stage, parse_tag};
use crate::image::reference::digest_in;

/// Rules that a tag has to pass, all of them.
///
/// * `glob`, `regex` (each over the whole tag) and `semver` (see [`Range`]) say which tags are meant. Without one of the first two
///   beside it, `semver` means tags without a variant only: which `slim` or `alpine` is wanted has to be said.
/// * `exclude` takes away, and so do pre-releases unless `prereleases` is set.
/// * Of what is left, `latest` keeps the tags of the highest versions, however many tags each has. A version is number and
///   pre-release, so that `22.11`, `22.11.0` and `22.11-slim` are one; tags without a version are of none.
/// * Of what is left then, `newest` keeps so many tags. The order is: the higher version; of the same version, the tag without a
///   variant; then the name. Tags without a version come last, by name.
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

/// A regular expression over the whole tag, beside its text as it was written.
#[derive(Clone, Debug)]
pub(super) struct WholeTag {
    pub(super) text: String,
    pub(super) regex: Regex,
}

/// Whether a tag is mirrored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagVerdict {
    /// The tag.
    pub tag: String,
    /// Whether it is taken, or dropped.
    pub is_selected: bool,
    /// Why, to be read after the tag: `does not match 1.27.*`.
    pub why: String,
}

/// A tag under consideration; `Err` once a rule dropped it.
struct Candidate<'a> {
    tag: &'a str,
    reading: Option<ParsedTag<'a>>,
    judged: Result<Vec<String>, String>,
}

impl Selector {
    /// One verdict for each of `tags`, however often and in whatever order they stand there; newest first, as `newest` counts.
    pub fn judge(&self, tags: &[String]) -> Vec<TagVerdict> {
        let unique: BTreeSet<&str> = tags.iter().map(String::as_str).collect();
        let candidate = |tag| {
            let reading = parse_tag(tag);
            Candidate {
                tag,
                judged: self.by_itself(tag, reading.as_ref()),
                reading,
            }
        };
        let mut candidates: Vec<Candidate> = unique.into_iter().map(candidate).collect();
        candidates.sort_by(|a, b| a.rank().cmp(&b.rank()));
        self.keep_latest(&mut candidates);
        self.keep_newest(&mut candidates);
        candidates.into_iter().map(Candidate::verdict).collect()
    }

    /// Whether `tag` passes every rule that can be decided without the other tags: all but `latest` and `newest`.
    pub fn admits(&self, tag: &str) -> bool {
        self.by_itself(tag, parse_tag(tag).as_ref()).is_ok()
    }

    fn by_itself(&self, tag: &str, reading: Option<&ParsedTag>) -> Result<Vec<String>, String> {
        if digest_in(tag).is_some() {
            return Err("is the name of a digest".to_owned());
        }
        let mut passed = Vec::new();
        if let Some(glob) = &self.glob {
            passed.push(matching(glob.is_match(tag), glob.glob().glob())?);
        }
        if let Some(whole) = &self.regex {
            passed.push(matching(whole.regex.is_match(tag), &whole.text)?);
        }
        if let Some(glob) = self.exclude.iter().find(|glob| glob.is_match(tag)) {
            return Err(format!("is excluded by {}", glob.glob()));
        }
        if let Some(range) = &self.semver {
            passed.push(self.in_range(range, reading)?);
        }
        let is_pre_release = reading.is_some_and(|reading| reading.version.stage != Stage::Release);
        if is_pre_release && !self.prereleases {
            Err("is a pre-release".to_owned())
        } else {
            Ok(passed)
        }
    }

    fn in_range(&self, range: &Range, reading: Option<&ParsedTag>) -> Result<String, String> {
        let reading = reading.ok_or("has no version")?;
        let text = range.as_str();
        match &reading.version.number {
            Number::Date(..) => return Err("is a date, which semver does not compare".to_owned()),
            number if !range.contains(number) => return Err(format!("is outside {text}")),
            Number::Parts(_) => {}
        }
        if !reading.variant.is_empty() && self.glob.is_none() && self.regex.is_none() {
            return Err(format!(
                "has the variant {}; add a glob to select it",
                reading.variant
            ));
        }
        Ok(format!("is within {text}"))
    }

    fn keep_latest(&self, candidates: &mut [Candidate]) {
        let Some(most) = self.latest else { return };
        let group = if most.get() == 1 {
            "of the latest version"
        } else {
            &format!("among the {most} latest versions")
        };
        let (mut versions, mut last) = (0, None);
        for candidate in candidates
            .iter_mut()
            .filter(|candidate| candidate.judged.is_ok())
        {
            let Some(version) = candidate
                .reading
                .as_ref()
                .map(|reading| reading.version.clone())
            else {
                candidate.judged = Err("has no version, and only the latest are taken".to_owned());
                continue;
            };
            if last.as_ref() != Some(&version) {
                versions += 1;
                last = Some(version);
            }
            candidate.keep_within(versions, most, group);
        }
    }

    fn keep_newest(&self, candidates: &mut [Candidate]) {
        let Some(most) = self.newest else { return };
        let group = if most.get() == 1 {
            "the newest"
        } else {
            &format!("among the {most} newest")
        };
        let left = candidates
            .iter_mut()
            .filter(|candidate| candidate.judged.is_ok());
        for (place, candidate) in left.enumerate() {
            candidate.keep_within(place + 1, most, group);
        }
    }
}

impl Candidate<'_> {
    /// The order of `newest`.
    fn rank(&self) -> impl Ord {
        let version = self.reading.as_ref().map(|reading| &reading.version);
        let is_variant = self
            .reading
            .as_ref()
            .is_some_and(|reading| !reading.variant.is_empty());
        (Reverse(version), is_variant, self.tag)
    }

    fn keep_within(&mut self, place: usize, most: NonZeroUsize, group: &str) {
        if place > most.get() {
            self.judged = Err(format!("is not {group}"));
        } else if let Ok(passed) = &mut self.judged {
            passed.push(format!("is {group}"));
        }
    }

    fn verdict(self) -> TagVerdict {
        let is_selected = self.judged.is_ok();
        let why = self
            .judged
            .map_or_else(|why| why, |passed| passed.join(", "));
        TagVerdict {
            tag: self.tag.to_owned(),
            is_selected,
            why,
        }
    }
}

/// Whether a pattern fits, in words.
fn matching(is_match: bool, pattern: &str) -> Result<String, String> {
    if is_match {
        Ok(format!("matches {pattern}"))
    } else {
        Err(format!("does not match {pattern}"))
    }
}

/// The selector as it is written, on one line: `{glob 1.27.*}`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rules: Vec<String> = Vec::new();
        rules.extend(
            self.semver
                .iter()
                .map(|range| format!("semver {}", range.as_str())),
        );
        rules.extend(self.glob.iter().map(|glob| format!("glob {}", glob.glob())));
        rules.extend(
            self.regex
                .iter()
                .map(|whole| format!("regex {}", whole.text)),
        );
        rules.extend(
            self.exclude
                .iter()
                .map(|glob| format!("exclude {}", glob.glob())),
        );
        rules.extend(self.latest.iter().map(|most| format!("latest {most}")));
        rules.extend(self.newest.iter().map(|most| format!("newest {most}")));
        rules.extend(self.prereleases.then(|| "prereleases true".to_owned()));
        write!(f, "{{{}}}", rules.join(", "))
    }
}
