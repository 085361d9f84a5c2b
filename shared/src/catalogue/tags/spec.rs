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

/// A problem with a selector.
pub(in crate::catalogue) struct Fault {
    pub(in crate::catalogue) line: u64,
    /// The key in the document, from `images` on.
    pub(in crate::catalogue) key: String,
    pub(in crate::catalogue) problem: String,
}

impl SelectorSpec {
    /// The selector, or every problem with it. `line` and `key` locate it in the document.
    pub(in crate::catalogue) fn parse(&self, line: u64, key: &str) -> Result<Selector, Vec<Fault>> {
        let mut faults = Vec::new();
        if self.glob.is_none() && self.regex.is_none() && self.semver.is_none() {
            faults.push(Fault {
                line,
                key: key.to_owned(),
                problem: "say which tags: glob, regex or semver".to_owned(),
            });
        }
        let mut parser = Parser { key, faults };
        let selector = Selector {
            glob: parser.parse("glob", self.glob.as_ref(), |text| parse_glob(text)),
            regex: parser.parse("regex", self.regex.as_ref(), |text| parse_regex(text)),
            semver: parser.parse("semver", self.semver.as_ref(), |text| Range::parse(text)),
            exclude: parser
                .parse("exclude", self.exclude.as_ref(), Globs::parse)
                .unwrap_or_default(),
            latest: self.latest,
            newest: self.newest,
            prereleases: self.prereleases,
        };
        if parser.faults.is_empty() {
            Ok(selector)
        } else {
            Err(parser.faults)
        }
    }
}

struct Parser<'a> {
    key: &'a str,
    faults: Vec<Fault>,
}

impl Parser<'_> {
    /// The parsed value of the key `name`. `None` if it is unset or has a fault, which is kept.
    fn parse<T, U>(
        &mut self,
        name: &str,
        written: Option<&Spanned<T>>,
        parse: impl Fn(&T) -> Result<U, String>,
    ) -> Option<U> {
        let written = written?;
        match parse(&written.value) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.faults.push(Fault {
                    line: written.referenced.line(),
                    key: format!("{}.{name}", self.key),
                    problem,
                });
                None
            }
        }
    }
}

fn parse_glob(text: &str) -> Result<GlobMatcher, String> {
    match GlobBuilder::new(text).build() {
        Ok(glob) => Ok(glob.compile_matcher()),
        Err(error) => Err(error.to_string()),
    }
}

fn parse_regex(text: &str) -> Result<WholeTag, String> {
    // Alone first: `a)(b` is invalid, but would be valid between the parentheses.
    Regex::new(text).map_err(|error| error.to_string())?;
    match Regex::new(&format!("^(?:{text})$")) {
        Ok(regex) => Ok(WholeTag {
            text: text.to_owned(),
            regex,
        }),
        Err(error) => Err(error.to_string()),
    }
}

impl Globs {
    fn parse(&self) -> Result<Vec<GlobMatcher>, String> {
        self.0.iter().map(|text| parse_glob(text)).collect()
    }
}

impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GlobsVisitor)
    }
}

struct GlobsVisitor;

impl<'de> Visitor<'de> for GlobsVisitor {
    type Value = Globs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a glob in quotes, or a list of globs")
    }

    fn visit_str<E>(self, glob: &str) -> Result<Globs, E> {
        Ok(Globs(vec![glob.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, globs: A) -> Result<Globs, A::Error> {
        let globs = Vec::deserialize(SeqAccessDeserializer::new(globs))?;
        Ok(Globs(globs))
    }
}
