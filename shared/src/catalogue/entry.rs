//! One entry of `images`: the images that it names, and the selectors that take more.

use super::Problems;
use super::document::{Document, ImageEntry};
use super::selector::Selector;
use super::tags::{Fault, SelectorAt};
use crate::image::digest::Digest;
use crate::image::reference::{self, ImageRef, ParsedReference, RepositoryRef};

/// An entry with its references and selectors parsed.
#[derive(Default)]
pub(super) struct ParsedEntry {
    pub(super) images: Vec<ImageRef>,
    pub(super) selectors: Vec<(RepositoryRef, Selector)>,
}

/// Parses `entry`, number `index` of `document`. A part with a problem is left out, and the problem
/// is added to `problems`.
pub(super) fn parse(
    document: &Document,
    entry: &ImageEntry,
    index: usize,
    problems: &mut Problems,
) -> ParsedEntry {
    let key = format!("images[{index}]");
    let mut parser = Parser {
        document,
        entry,
        location: document.at(entry.line(), &key),
        key,
        problems,
        parsed: ParsedEntry::default(),
    };
    match reference::parse(&entry.image.value) {
        Ok(reference) => parser.add(reference),
        Err(problem) => parser.report("image", &problem.to_string()),
    }
    parser.parsed
}

struct Parser<'a> {
    document: &'a Document,
    entry: &'a ImageEntry,
    key: String,
    /// Document, line and key, as problems begin.
    location: String,
    problems: &'a mut Problems,
    parsed: ParsedEntry,
}

impl Parser<'_> {
    fn report(&mut self, part: &str, problem: &str) {
        self.problems
            .add(format!("{}.{part}: {problem}", self.location));
    }

    fn add(&mut self, reference: ParsedReference) {
        let ParsedReference {
            repository,
            tag,
            digest,
        } = reference;
        match digest {
            Some(digest) => self.add_pin(repository, tag.as_deref(), digest),
            None => self.add_tags(&repository, tag.as_deref()),
        }
    }

    fn add_pin(&mut self, repository: RepositoryRef, tag: Option<&str>, digest: Digest) {
        if self.entry.tags.is_some() {
            let image = &self.entry.image.value;
            self.report(
                "tags",
                &format!("{image} stays at its digest; give other tags an entry of their own"),
            );
        }
        match ImageRef::pinned(repository, tag, digest) {
            Ok(image) => self.parsed.images.push(image),
            Err(problem) => self.report("image", &problem.to_string()),
        }
    }

    fn add_tags(&mut self, repository: &RepositoryRef, own_tag: Option<&str>) {
        let (listed, selectors) = match &self.entry.tags {
            Some(tags) => tags.value.split(tags.referenced.line(), &self.key),
            None => Default::default(),
        };
        if own_tag.is_none() && listed.is_empty() && selectors.is_empty() {
            let image = &self.entry.image.value;
            self.report("tags", &format!("{image} names no tag"));
        }
        for tag in own_tag.into_iter().chain(listed) {
            match ImageRef::new(repository.clone(), tag) {
                Ok(image) => self.parsed.images.push(image),
                Err(problem) => self.report("tags", &problem.to_string()),
            }
        }
        for selector in selectors {
            self.add_selector(repository, &selector);
        }
    }

    fn add_selector(&mut self, repository: &RepositoryRef, written: &SelectorAt) {
        match written.spec.parse(written.line, &written.key) {
            Ok(selector) => {
                let entry = (repository.clone(), selector);
                self.parsed.selectors.push(entry);
            }
            Err(faults) => {
                for Fault { line, key, problem } in faults {
                    let location = self.document.at(line, &key);
                    self.problems.add(format!("{location}: {problem}"));
                }
            }
        }
    }
}
