//! From documents to a catalogue, with everything that is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{ImageEntry, PlatformsSpec};
use super::{
    Catalogue, Destination, Document, Options, Problems, RescueAllowList, Selection, Severity,
    entry, origins,
};
use crate::image::platform::Platforms;
use crate::image::reference::{ImageRef, RepositoryRef};

impl Catalogue {
    /// Puts documents together: destinations are shared, `defaults` hold for their own document, and an image that two
    /// documents name goes wherever either of them wants it.
    pub fn merge(documents: &[Document]) -> Result<Self, Problems> {
        let all: Vec<&Document> = documents.iter().collect();
        Self::assemble(&all, &all, None)
    }

    /// The images of `event`, a document of its own beside those of the catalogue, and where they go: as `event` says, else as the
    /// catalogue does. None may take the place of one in the catalogue.
    pub fn with_event(documents: &[Document], event: &Document) -> Result<Self, Problems> {
        let known: Vec<&Document> = documents.iter().collect();
        let all: Vec<&Document> = documents.iter().chain([event]).collect();
        Self::assemble(&all, &all, None)?;
        let beside = Self::assemble(&all, &known, None)?;
        Self::assemble(&all, &[event], Some(Box::new(beside)))
    }

    /// The images of `asked`, among all `documents`.
    fn assemble(
        documents: &[&Document],
        asked: &[&Document],
        beside: Option<Box<Self>>,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let destinations = destinations(documents, &mut problems);
        let default_to = default_to(documents, &destinations);
        let default_platforms = default_platforms(documents);
        let origins = origins::read(documents, &destinations, &mut problems);
        let patterns = documents.iter().flat_map(|document| &document.rescue.allow);
        let allowed = RescueAllowList::new(patterns).unwrap_or_else(|problem| {
            problems.add(format!("rescue.allow: {problem}"));
            RescueAllowList::default()
        });
        // Of several teams the most careful decides.
        let severity = documents
            .iter()
            .filter_map(|document| document.rescan.severity)
            .min()
            .unwrap_or(Severity::High);
        let (mut named, mut selections) = (BTreeMap::new(), BTreeMap::new());
        for document in asked {
            collect(document, &mut named, &mut selections, &mut problems);
        }
        let (images, taken) = (Vec::new(), BTreeSet::new());
        let mut catalogue = Self {
            destinations,
            default_to,
            default_platforms,
            origins,
            images,
            selections,
            allowed,
            severity,
            named,
            taken,
            beside,
        };
        catalogue.images = catalogue.in_order(catalogue.named.clone());
        catalogue.check_destinations(&mut problems);
        catalogue.check_places(&mut problems);
        problems.or(catalogue)
    }

    /// Everything goes somewhere, and only to destinations that there are.
    fn check_destinations(&self, problems: &mut Problems) {
        let images = self
            .images
            .iter()
            .map(|wanted| (wanted.image.to_string(), wanted.options.clone()));
        let selections = self.selections.iter().flat_map(|(repository, selections)| {
            selections
                .iter()
                .map(move |selection| (selection.name(repository), selection.options.clone()))
        });
        for (what, options) in images.chain(selections) {
            let to = if options.to.is_empty() {
                &self.default_to
            } else {
                &options.to
            };
            if to.is_empty() && self.beside.is_none() {
                problems.add(format!(
                    "{what}: to: say which destinations; `defaults.to` says it for all images"
                ));
            }
            for name in to
                .iter()
                .filter(|name| !self.destinations.contains_key(*name))
            {
                problems.add(format!("{what}: to: {}", self.unknown_destination(name)));
            }
        }
    }

    /// Two images in one place would overwrite each other for ever; a name that no registry takes would fail every night.
    fn check_places(&self, problems: &mut Problems) {
        let mut taken: BTreeMap<(&str, String, String), &ImageRef> = BTreeMap::new();
        for wanted in &self.images {
            for name in &wanted.options.to {
                let Some(destination) = self.destinations.get(name) else {
                    continue;
                };
                match destination.target_name(&wanted.image) {
                    Err(problem) => {
                        problems.add(format!("{}: destination {name}: {problem}", wanted.image))
                    }
                    Ok((path, tag)) => {
                        let place = format!("{path}:{tag}");
                        if let Some(other) = taken.insert((name, path, tag), &wanted.image) {
                            let both = format!("{other} and {}", wanted.image);
                            problems.add(format!(
                                "{both}: destination {name}: both would become {place}"
                            ));
                        }
                    }
                }
            }
        }
    }
}

fn destinations(documents: &[&Document], problems: &mut Problems) -> BTreeMap<String, Destination> {
    let mut all: BTreeMap<String, Destination> = BTreeMap::new();
    for document in documents {
        for (name, (line, spec)) in document.destinations() {
            let at = document.at(line, &format!("destinations.{name}"));
            match Destination::new(name, spec) {
                Err(problem) => problems.add(format!("{at}: {problem}")),
                Ok(new) if all.get(name).is_some_and(|known| *known != new) => {
                    problems.add(format!("{at}: another document gives it differently"));
                }
                Ok(new) => drop(all.insert(name.to_owned(), new)),
            }
        }
    }
    if all.is_empty() && problems.is_empty() {
        let private = Destination::default_private();
        all.insert(private.name.clone(), private);
    }
    all
}

/// The first document that states a default decides for those that do not; with one destination there is nothing to state.
fn default_to(
    documents: &[&Document],
    destinations: &BTreeMap<String, Destination>,
) -> Vec<String> {
    let stated = documents
        .iter()
        .find_map(|document| document.defaults.to.clone());
    let only = || {
        if destinations.len() == 1 {
            destinations.keys().cloned().collect()
        } else {
            Vec::new()
        }
    };
    stated.unwrap_or_else(only)
}

fn default_platforms(documents: &[&Document]) -> Platforms {
    let stated = documents
        .iter()
        .find_map(|document| document.defaults.platforms.clone());
    stated.map_or(Platforms::ALL, |PlatformsSpec(platforms)| platforms)
}

fn collect(
    document: &Document,
    named: &mut BTreeMap<ImageRef, Options>,
    selections: &mut BTreeMap<RepositoryRef, Vec<Selection>>,
    problems: &mut Problems,
) {
    for (index, entry) in document.images.iter().enumerate() {
        let options = Options::of(document, entry);
        let read = entry::read(document, entry, index, problems);
        for image in read.images {
            named
                .entry(image)
                .or_insert_with(|| options.clone())
                .join(&options);
        }
        for (repository, selector) in read.selectors {
            selections.entry(repository).or_default().push(Selection {
                selector,
                options: options.clone(),
            });
        }
    }
}

impl Options {
    /// What `document` states for `entry`.
    fn of(document: &Document, entry: &ImageEntry) -> Self {
        let stated = entry
            .to
            .as_ref()
            .or(document.defaults.to.as_ref())
            .cloned()
            .unwrap_or_default();
        let platforms = entry
            .platforms
            .as_ref()
            .or(document.defaults.platforms.as_ref());
        let platforms = platforms.map(|PlatformsSpec(platforms)| platforms.clone());
        let mut options = Self {
            to: Vec::new(),
            priority: entry.priority,
            platforms,
        };
        options.join(&Self {
            to: stated,
            ..options.clone()
        });
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::CatalogueImage;

    const DESIGN: &str = r#"
destinations:
  private: { ecr: { repository: "docker-hub/{repository}" } }
  public:  { ecr-public: { alias: my-alias, repository: "{name}" } }
defaults: { to: [private], platforms: [linux/amd64, linux/arm64] }
images:
  - { image: node, tags: [21-alpine, 22-alpine] }
  - { image: grafana/grafana, tags: [11.2.0, 1.10], to: [private, public], priority: 10, platforms: all }
"#;

    fn read(texts: &[&str]) -> Result<Catalogue, String> {
        let parse = |(index, text): (usize, &&str)| Document::parse(&format!("doc{index}"), text);
        let documents = texts
            .iter()
            .enumerate()
            .map(parse)
            .collect::<Result<Vec<_>, _>>();
        documents
            .and_then(|documents| Catalogue::merge(&documents))
            .map_err(|problems| problems.to_string())
    }

    fn lines(catalogue: &Catalogue) -> Vec<String> {
        let line = |wanted: &CatalogueImage| {
            let Options {
                to,
                priority,
                platforms,
            } = &wanted.options;
            format!(
                "{priority} {} {to:?} {}",
                wanted.image,
                platforms.as_ref().unwrap()
            )
        };
        catalogue.images.iter().map(line).collect()
    }

    #[test]
    fn the_catalogue_of_the_readme_is_read_most_important_first() {
        assert_eq!(
            lines(&read(&[DESIGN]).unwrap()),
            [
                r#"10 docker.io/grafana/grafana:1.10 ["private", "public"] all"#,
                r#"10 docker.io/grafana/grafana:11.2.0 ["private", "public"] all"#,
                r#"0 docker.io/library/node:21-alpine ["private"] linux/amd64,linux/arm64"#,
                r#"0 docker.io/library/node:22-alpine ["private"] linux/amd64,linux/arm64"#,
            ]
        );
    }

    #[test]
    fn teams_share_destinations_and_an_image_goes_wherever_either_wants_it() {
        let team = "images: [{ image: 'node:21-alpine', to: [public], priority: 3 }]";
        let catalogue = read(&[DESIGN, team]).unwrap();
        let both =
            r#"3 docker.io/library/node:21-alpine ["private", "public"] linux/amd64,linux/arm64"#;
        assert!(
            lines(&catalogue).contains(&both.to_owned()),
            "{:?}",
            lines(&catalogue)
        );
    }

    #[test]
    fn without_destinations_there_is_the_private_registry() {
        let catalogue = read(&["images: [{ image: node, tags: [21] }]"]).unwrap();
        assert_eq!(
            lines(&catalogue),
            [r#"0 docker.io/library/node:21 ["private"] all"#]
        );
    }

    #[test]
    fn every_problem_is_named_at_once_with_its_line_and_key() {
        let text = "destinations:\n  private: { ecr: { repository: 'x/{repo}' } }\n  other: { registry: { host: 'a/b', repository: y } }\nimages:\n  - { image: 'Node', tags: [1] }\n  - { image: node, tags: ['a b'] }\n  - { image: redis }\n";
        let problems = read(&[text]).unwrap_err();
        for part in [
            "doc0 line 2: destinations.private: unknown placeholder {repo}",
            "doc0 line 3: destinations.other: \"a/b\" is not a registry host",
            "doc0 line 5: images[0].image: \"Node\" is not an image reference",
            "doc0 line 6: images[1].tags: \"a b\" is not an image reference",
            "doc0 line 7: images[2].tags: redis names no tag",
        ] {
            assert!(problems.contains(part), "{part} in:\n{problems}");
        }
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let problems = read(&["images:\n  - { image: node, tags: [1], too: [x] }\n"]).unwrap_err();
        assert!(
            problems.contains("too") && problems.contains("line 2"),
            "{problems}"
        );
    }

    #[test]
    fn a_platform_that_is_none_is_refused_with_its_line() {
        for (list, why) in [
            ("[linux]", "is not a platform"),
            ("[]", "the list is empty"),
            ("some", "neither `all` nor a list"),
        ] {
            let problems =
                read(&[&format!("defaults: {{ platforms: {list} }}\nimages: []")]).unwrap_err();
            assert!(
                problems.contains(why) && problems.contains("line 1"),
                "{problems}"
            );
        }
    }

    #[test]
    fn an_image_has_the_platforms_that_any_document_wants() {
        let team = "images: [{ image: 'node:21-alpine', platforms: [linux/s390x] }, { image: 'node:22-alpine', platforms: all }]";
        let catalogue = read(&[DESIGN, team]).unwrap();
        let of = |tag: &str| {
            catalogue
                .resolve(format!("node:{tag}").parse().unwrap())
                .options
                .platforms
                .unwrap()
                .to_string()
        };
        assert_eq!(
            [of("21-alpine"), of("22-alpine")],
            ["linux/amd64,linux/arm64,linux/s390x", "all"]
        );
    }

    #[test]
    fn an_unknown_destination_is_answered_with_the_known_ones() {
        let problems =
            read(&[&DESIGN.replace("to: [private, public]", "to: [pubic]")]).unwrap_err();
        assert!(
            problems.contains(r#"no destination is called "pubic"; there are: private, public"#),
            "{problems}"
        );
    }

    #[test]
    fn two_images_never_share_a_place() {
        let text = "destinations: { one: { ecr: { repository: nomorelimit, tag: '{name}-{tag}' } } }\nimages: [{ image: a-b, tags: [c] }, { image: a, tags: [b-c] }]";
        let problems = read(&[text]).unwrap_err();
        assert!(
            problems.contains("both would become nomorelimit:a-b-c"),
            "{problems}"
        );
    }

    #[test]
    fn an_image_that_is_asked_for_by_name_goes_where_the_catalogue_says_else_by_default() {
        let catalogue = read(&[DESIGN]).unwrap();
        assert_eq!(
            catalogue
                .resolve("grafana/grafana:11.2.0".parse().unwrap())
                .options
                .to,
            ["private", "public"]
        );
        let unknown = catalogue.resolve("redis:7".parse().unwrap()).options;
        assert_eq!(unknown.to, ["private"]);
        assert_eq!(
            unknown.platforms.unwrap().to_string(),
            "linux/amd64,linux/arm64"
        );
    }
}
