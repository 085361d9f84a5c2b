//! A selector as people write it.

use std::fmt;
use std::num::NonZeroUsize;

use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::catalogue::range::Range;
use crate::catalogue::selector::{Selector, WholeTag};

/// A selector as it is written; see [`Selector`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectorSpec {
    glob: Option<Spanned<String>>,
    regex: Option<Spanned<String>>,
    semver: Option<Spanned<String>>,
    exclude: Option<Spanned<Globs>>,
    latest: Option<NonZeroUsize>,
    newest: Option<NonZeroUsize>,
    #[serde(default)]
    prereleases: bool,
}

/// One glob, or a list of them.
#[derive(Debug)]
struct Globs(Vec<String>);

/// What is wrong with a selector.
pub(in crate::catalogue) struct Fault {
    pub(in crate::catalogue) line: u64,
    /// The key in the document, from `images` on.
    pub(in crate::catalogue) key: String,
    pub(in crate::catalogue) problem: String,
}

impl SelectorSpec {
    /// The selector, or all that is wrong with it. It stands at `key`, and begins on `line`.
    pub(in crate::catalogue) fn read(&self, line: u64, key: &str) -> Result<Selector, Vec<Fault>> {
        let mut faults = Vec::new();
        if self.glob.is_none() && self.regex.is_none() && self.semver.is_none() {
            let problem = "say which tags: glob, regex or semver".to_owned();
            faults.push(Fault {
                line,
                key: key.to_owned(),
                problem,
            });
        }
        let key = |part| format!("{key}.{part}");
        let selector = Selector {
            glob: part(
                key("glob"),
                self.glob.as_ref(),
                |text| glob(text),
                &mut faults,
            ),
            regex: part(
                key("regex"),
                self.regex.as_ref(),
                |text| whole_tag(text),
                &mut faults,
            ),
            semver: part(
                key("semver"),
                self.semver.as_ref(),
                |text| Range::parse(text),
                &mut faults,
            ),
            exclude: part(
                key("exclude"),
                self.exclude.as_ref(),
                Globs::read,
                &mut faults,
            )
            .unwrap_or_default(),
            latest: self.latest,
            newest: self.newest,
            prereleases: self.prereleases,
        };
        if faults.is_empty() {
            Ok(selector)
        } else {
            Err(faults)
        }
    }
}

fn part<T, U>(
    key: String,
    written: Option<&Spanned<T>>,
    read: impl Fn(&T) -> Result<U, String>,
    faults: &mut Vec<Fault>,
) -> Option<U> {
    let written = written?;
    let line = written.referenced.line();
    read(&written.value)
        .map_err(|problem| faults.push(Fault { line, key, problem }))
        .ok()
}

fn glob(text: &str) -> Result<GlobMatcher, String> {
    GlobBuilder::new(text)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| error.to_string())
}

fn whole_tag(text: &str) -> Result<WholeTag, String> {
    // By itself first: `a)(b` would make sense between the parentheses.
    let regex = Regex::new(text).and_then(|_| Regex::new(&format!("^(?:{text})$")));
    regex
        .map(|regex| WholeTag {
            text: text.to_owned(),
            regex,
        })
        .map_err(|error| error.to_string())
}

impl Globs {
    fn read(&self) -> Result<Vec<GlobMatcher>, String> {
        self.0.iter().map(|text| glob(text)).collect()
    }
}

impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfGlobs)
    }
}

struct OfGlobs;

impl<'de> Visitor<'de> for OfGlobs {
    type Value = Globs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a glob in quotes, or a list of globs")
    }

    fn visit_str<E>(self, glob: &str) -> Result<Globs, E> {
        Ok(Globs(vec![glob.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, globs: A) -> Result<Globs, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(globs)).map(Globs)
    }
}
