//! One entry of `images`: the images that it names, and the selectors that take more.

use super::document::{Document, ImageEntry, Problems};
use super::selector::Selector;
use super::tags::Fault;
use crate::image::reference::{self, ImageRef, ParsedReference, RepositoryRef};

/// What an entry asks for.
#[derive(Default)]
pub(super) struct ParsedEntry {
    pub(super) images: Vec<ImageRef>,
    pub(super) selectors: Vec<(RepositoryRef, Selector)>,
}

/// Reads `entry`, which is number `index` of `document`. What is wrong with it is added to `problems`, and left out.
pub(super) fn read(
    document: &Document,
    entry: &ImageEntry,
    index: usize,
    problems: &mut Problems,
) -> ParsedEntry {
    let key = format!("images[{index}]");
    let at = document.at(entry.line(), &key);
    let mut read = ParsedEntry::default();
    let name = match reference::parse(&entry.image.value) {
        Ok(name) => name,
        Err(problem) => {
            problems.add(format!("{at}.image: {problem}"));
            return read;
        }
    };
    let (listed, specs) = entry
        .tags
        .as_ref()
        .map(|tags| tags.value.parts(tags.referenced.line(), &key))
        .unwrap_or_default();
    let ParsedReference {
        repository,
        tag: own_tag,
        digest,
    } = name;
    if let Some(digest) = digest {
        if entry.tags.is_some() {
            problems.add(format!(
                "{at}.tags: {} stays at its digest; give other tags an entry of their own",
                entry.image.value
            ));
        }
        match ImageRef::pinned(repository, own_tag.as_deref(), digest) {
            Ok(image) => read.images.push(image),
            Err(problem) => problems.add(format!("{at}.image: {problem}")),
        }
        return read;
    }
    if own_tag.is_none() && listed.is_empty() && specs.is_empty() {
        problems.add(format!("{at}.tags: {} names no tag", entry.image.value));
    }
    for tag in own_tag.as_deref().into_iter().chain(listed) {
        match ImageRef::new(repository.clone(), tag) {
            Ok(image) => read.images.push(image),
            Err(problem) => problems.add(format!("{at}.tags: {problem}")),
        }
    }
    for (spec, line, key) in specs {
        match spec.read(line, &key) {
            Ok(selector) => read.selectors.push((repository.clone(), selector)),
            Err(faults) => {
                for Fault { line, key, problem } in faults {
                    problems.add(format!("{}: {problem}", document.at(line, &key)));
                }
            }
        }
    }
    read
}
