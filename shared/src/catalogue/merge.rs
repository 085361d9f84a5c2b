//! Merges documents into a catalogue, and collects all problems with them.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::document::{ImageEntry, PlatformsSpec};
use super::{
    Catalogue, CatalogueImage, Destination, Document, Options, Problems, RescueAllowList,
    Selection, Severity, entry, origins,
};
use crate::image::platform::Platforms;
use crate::image::reference::ImageRef;

impl Catalogue {
    /// Merges documents. They share their destinations, and `defaults` hold for their own document.
    /// An image that two documents name goes to the destinations of both.
    pub fn merge(documents: &[Document]) -> Result<Self, Problems> {
        let all: Vec<&Document> = documents.iter().collect();
        Self::assemble(&all, &all, None)
    }

    /// The images of `event`, a document of its own, with the catalogue of `documents` as the base:
    /// it completes their options. None may have the target of an image of the catalogue.
    pub fn with_event(documents: &[Document], event: &Document) -> Result<Self, Problems> {
        let known: Vec<&Document> = documents.iter().collect();
        let all: Vec<&Document> = documents.iter().chain([event]).collect();
        // Merged once in full, for the problems that only show there.
        Self::assemble(&all, &all, None)?;
        let base = Self::assemble(&all, &known, None)?;
        Self::assemble(&all, &[event], Some(Box::new(base)))
    }

    /// The images of the documents `included`. Everything else comes from all `documents`.
    fn assemble(
        documents: &[&Document],
        included: &[&Document],
        base: Option<Box<Self>>,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let destinations = parse_destinations(documents, &mut problems);
        let mut catalogue = Self {
            default_to: default_to(documents, &destinations),
            default_platforms: default_platforms(documents),
            origins: origins::parse_all(documents, &destinations, &mut problems),
            images: Vec::new(),
            selections: BTreeMap::new(),
            allowed: allow_list(documents, &mut problems),
            severity: severity(documents),
            named: BTreeMap::new(),
            selected: BTreeSet::new(),
            destinations,
            base,
        };
        for document in included {
            catalogue.add_images(document, &mut problems);
        }
        catalogue.images = catalogue.sort_images(catalogue.named.clone());
        catalogue.check_destinations(&mut problems);
        catalogue.check_targets(&mut problems);
        problems.or(catalogue)
    }

    fn add_images(&mut self, document: &Document, problems: &mut Problems) {
        for (index, entry) in document.images.iter().enumerate() {
            let options = Options::from_entry(document, entry);
            let parsed = entry::parse(document, entry, index, problems);
            for image in parsed.images {
                self.named
                    .entry(image)
                    .and_modify(|known| known.join(&options))
                    .or_insert_with(|| options.clone());
            }
            for (repository, selector) in parsed.selectors {
                let options = options.clone();
                let selections = self.selections.entry(repository).or_default();
                selections.push(Selection { selector, options });
            }
        }
    }

    /// Checks that every image and selection has a destination, and that each destination exists.
    fn check_destinations(&self, problems: &mut Problems) {
        for CatalogueImage { image, options } in &self.images {
            self.check_to(&image.to_string(), &options.to, problems);
        }
        for (repository, selections) in &self.selections {
            for selection in selections {
                let name = selection.name(repository);
                self.check_to(&name, &selection.options.to, problems);
            }
        }
    }

    fn check_to(&self, subject: &str, to: &[String], problems: &mut Problems) {
        let to = if to.is_empty() { &self.default_to } else { to };
        if to.is_empty() && self.base.is_none() {
            problems.add(format!(
                "{subject}: to: say which destinations; `defaults.to` sets it for all images"
            ));
        }
        for name in to {
            if !self.destinations.contains_key(name) {
                let problem = self.unknown_destination(name);
                problems.add(format!("{subject}: to: {problem}"));
            }
        }
    }

    /// Checks that each image has a valid name at its destinations, and that no two have the same.
    /// They would overwrite each other on every run.
    fn check_targets(&self, problems: &mut Problems) {
        let mut owners: BTreeMap<(&str, String), &ImageRef> = BTreeMap::new();
        for CatalogueImage { image, options } in &self.images {
            for name in &options.to {
                let Some(destination) = self.destinations.get(name) else {
                    continue;
                };
                let target = match destination.target_name(image) {
                    Ok((path, tag)) => format!("{path}:{tag}"),
                    Err(problem) => {
                        problems.add(format!("{image}: destination {name}: {problem}"));
                        continue;
                    }
                };
                if let Some(other) = owners.insert((name, target.clone()), image) {
                    problems.add(format!(
                        "{other} and {image}: destination {name}: both would become {target}"
                    ));
                }
            }
        }
    }
}

fn parse_destinations(
    documents: &[&Document],
    problems: &mut Problems,
) -> BTreeMap<String, Destination> {
    let mut destinations: BTreeMap<String, Destination> = BTreeMap::new();
    for document in documents {
        for (name, spec) in document.destinations() {
            let key = format!("destinations.{name}");
            let location = document.at(spec.referenced.line(), &key);
            match Destination::new(name, &spec.value) {
                Err(problem) => problems.add(format!("{location}: {problem}")),
                Ok(new) if destinations.get(name).is_some_and(|known| *known != new) => {
                    problems.add(format!(
                        "{location}: another document defines it differently"
                    ));
                }
                Ok(new) => drop(destinations.insert(name.to_owned(), new)),
            }
        }
    }
    if destinations.is_empty() && problems.is_empty() {
        let private = Destination::default_private();
        destinations.insert(private.name.clone(), private);
    }
    destinations
}

/// The first document with a default decides for those without. A sole destination is the default.
fn default_to(
    documents: &[&Document],
    destinations: &BTreeMap<String, Destination>,
) -> Vec<String> {
    for document in documents {
        if let Some(to) = &document.defaults.to {
            return to.clone();
        }
    }
    match destinations.len() {
        1 => destinations.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

fn default_platforms(documents: &[&Document]) -> Platforms {
    for document in documents {
        if let Some(PlatformsSpec(platforms)) = &document.defaults.platforms {
            return platforms.clone();
        }
    }
    Platforms::ALL
}

fn allow_list(documents: &[&Document], problems: &mut Problems) -> RescueAllowList {
    let patterns = documents.iter().flat_map(|document| &document.rescue.allow);
    match RescueAllowList::new(patterns) {
        Ok(allowed) => allowed,
        Err(problem) => {
            problems.add(format!("rescue.allow: {problem}"));
            RescueAllowList::default()
        }
    }
}

/// The lowest severity that a document sets, so that the most careful team decides.
fn severity(documents: &[&Document]) -> Severity {
    let set = documents
        .iter()
        .filter_map(|document| document.rescan.severity);
    set.min().unwrap_or(Severity::High)
}

impl Options {
    /// The options that `entry` sets, else those of its document's defaults.
    fn from_entry(document: &Document, entry: &ImageEntry) -> Self {
        let defaults = &document.defaults;
        let to = entry.to.as_ref().or(defaults.to.as_ref());
        let platforms = entry.platforms.as_ref().or(defaults.platforms.as_ref());
        let mut options = Self {
            priority: entry.priority,
            platforms: platforms.map(|PlatformsSpec(platforms)| platforms.clone()),
            ..Self::default()
        };
        for name in to.into_iter().flatten() {
            if !options.to.contains(name) {
                options.to.push(name.clone());
            }
        }
        options
    }
}
