//! The catalogue: which tags are mirrored, and where to.
//!
//! It is YAML (JSON is YAML too), in one document or several, one per team. Documents are read strictly: an unknown key, an
//! unknown destination, a name that no registry takes are problems, and all problems are reported at once, each with its
//! document, its line and its key. [`document`] is the shape as it is written, [`naming`] the templates, [`origins`] where else the
//! bytes may be, [`rescue`] what events
//! may have copied.

pub mod document;
pub mod naming;
pub mod origins;
pub mod rescue;

use std::collections::{BTreeMap, BTreeSet};

pub use document::{Document, Problems, Publish, Severity};
pub use naming::{Destination, Kind};
pub use origins::Origin;
pub use rescue::Allowed;

use crate::platform::Platforms;
use crate::reference::{self, ImageRef};
use document::PlatformsSpec;

/// What is wanted, with every reference resolved.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Destinations by name.
    pub destinations: BTreeMap<String, Destination>,
    /// Where an image goes that says nothing about it.
    pub default_to: Vec<String>,
    /// Which platforms of an image are copied that says nothing about it.
    pub default_platforms: Platforms,
    /// Other registries that may have the same bytes as Docker Hub, best first.
    pub origins: Vec<Origin>,
    /// The images, most important first, then by name; each image once.
    pub images: Vec<Wanted>,
    /// What a pull failure may have copied beside them.
    pub allowed: Allowed,
    /// Findings of this level and above ask upstream for something newer.
    pub severity: Severity,
}

/// One tag that is to be mirrored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The upstream tag.
    pub image: ImageRef,
    /// Names of destinations, in order, each once.
    pub to: Vec<String>,
    /// Higher goes first.
    pub priority: i32,
    /// Which of its platforms are copied.
    pub platforms: Platforms,
}

impl Catalogue {
    /// Puts documents together: destinations are shared, `defaults` hold for their own document, and an image that two
    /// documents name goes wherever either of them wants it.
    pub fn merge(documents: &[Document]) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let destinations = destinations(documents, &mut problems);
        let default_to = default_to(documents, &destinations);
        let default_platforms = default_platforms(documents);
        let mut wanted = BTreeMap::new();
        for document in documents {
            collect(document, &mut wanted, &mut problems);
        }
        let mut images: Vec<Wanted> = wanted.into_values().collect();
        for image in images.iter_mut().filter(|image| image.to.is_empty()) {
            image.to.clone_from(&default_to);
            if default_to.is_empty() {
                problems
                    .add(format!("{}: to: say which destinations; `defaults.to` says it for all images", image.image));
            }
        }
        images.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.image.cmp(&b.image)));
        let patterns = documents.iter().flat_map(|document| &document.rescue.allow);
        let allowed = Allowed::new(patterns).unwrap_or_else(|problem| {
            problems.add(format!("rescue.allow: {problem}"));
            Allowed::default()
        });
        // Of several teams the most careful decides.
        let severity = documents.iter().filter_map(|document| document.rescan.severity).min().unwrap_or(Severity::High);
        let origins = origins::read(documents, &destinations, &mut problems);
        let catalogue = Self { destinations, default_to, default_platforms, origins, images, allowed, severity };
        catalogue.check_places(&mut problems);
        problems.or(catalogue)
    }

    /// The destinations and images of `to` for an image that is asked for by name: as in the catalogue where it is there, else
    /// by default.
    pub fn want(&self, image: ImageRef) -> Wanted {
        let known = self.images.iter().find(|wanted| wanted.image == image).cloned();
        let unknown = |image| {
            let (to, platforms) = (self.default_to.clone(), self.default_platforms.clone());
            Wanted { image, to, priority: 0, platforms }
        };
        known.unwrap_or_else(|| unknown(image))
    }

    /// The images for which `document` itself says where they go.
    pub fn placed_by(document: &Document) -> BTreeSet<ImageRef> {
        let is_stated = |entry: &&document::Entry| entry.to.is_some() || document.defaults.to.is_some();
        let read = |entry| images(entry, "", &mut Problems::default());
        document.images.iter().filter(is_stated).flat_map(read).collect()
    }

    /// Whether an event may have `image` copied: the catalogue names it, or `rescue.allow` its repository.
    pub fn allows(&self, image: &ImageRef) -> bool {
        self.images.iter().any(|wanted| wanted.image == *image) || self.allowed.matches(image.repository())
    }

    /// Two images in one place would overwrite each other for ever; a name that no registry takes would fail every night.
    fn check_places(&self, problems: &mut Problems) {
        let mut taken: BTreeMap<(&str, String, String), &ImageRef> = BTreeMap::new();
        for wanted in &self.images {
            for name in &wanted.to {
                let Some(destination) = self.destinations.get(name) else {
                    problems.add(format!("{}: to: {}", wanted.image, self.no_such_destination(name)));
                    continue;
                };
                match destination.place(&wanted.image) {
                    Err(problem) => problems.add(format!("{}: destination {name}: {problem}", wanted.image)),
                    Ok((path, tag)) => {
                        let place = format!("{path}:{tag}");
                        if let Some(other) = taken.insert((name, path, tag), &wanted.image) {
                            let both = format!("{other} and {}", wanted.image);
                            problems.add(format!("{both}: destination {name}: both would become {place}"));
                        }
                    }
                }
            }
        }
    }

    /// Says that `name` is unknown, and what is known.
    pub fn no_such_destination(&self, name: &str) -> String {
        let known = self.destinations.keys().cloned().collect::<Vec<_>>().join(", ");
        format!("no destination is called {name:?}; there are: {known}")
    }
}

fn destinations(documents: &[Document], problems: &mut Problems) -> BTreeMap<String, Destination> {
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
fn default_to(documents: &[Document], destinations: &BTreeMap<String, Destination>) -> Vec<String> {
    let stated = documents.iter().find_map(|document| document.defaults.to.clone());
    let only = || if destinations.len() == 1 { destinations.keys().cloned().collect() } else { Vec::new() };
    stated.unwrap_or_else(only)
}

fn default_platforms(documents: &[Document]) -> Platforms {
    let stated = documents.iter().find_map(|document| document.defaults.platforms.clone());
    stated.map_or(Platforms::ALL, |PlatformsSpec(platforms)| platforms)
}

fn collect(document: &Document, wanted: &mut BTreeMap<ImageRef, Wanted>, problems: &mut Problems) {
    for (index, entry) in document.images.iter().enumerate() {
        let at = document.at(entry.line(), &format!("images[{index}]"));
        let to = entry.to.as_deref().or(document.defaults.to.as_deref()).unwrap_or_default();
        let stated = entry.platforms.as_ref().or(document.defaults.platforms.as_ref());
        let platforms = stated.map_or(Platforms::ALL, |PlatformsSpec(platforms)| platforms.clone());
        for image in images(entry, &at, problems) {
            let new =
                || Wanted { image: image.clone(), to: Vec::new(), priority: i32::MIN, platforms: platforms.clone() };
            let known = wanted.entry(image.clone()).or_insert_with(new);
            known.priority = known.priority.max(entry.priority);
            known.platforms = std::mem::take(&mut known.platforms).or(platforms.clone());
            for name in to {
                if !known.to.contains(name) {
                    known.to.push(name.clone());
                }
            }
        }
    }
}

fn images(entry: &document::Entry, at: &str, problems: &mut Problems) -> Vec<ImageRef> {
    let (repository, own_tag) = match reference::parse(&entry.image.value) {
        Ok(parsed) => parsed,
        Err(problem) => {
            problems.add(format!("{at}.image: {problem}"));
            return Vec::new();
        }
    };
    let tags: Vec<&String> = own_tag.iter().chain(&entry.tags).collect();
    if tags.is_empty() {
        problems.add(format!("{at}.tags: {} names no tag", entry.image.value));
    }
    let parsed = tags.into_iter().map(|tag| ImageRef::new(repository.clone(), tag));
    parsed.filter_map(|image| image.map_err(|problem| problems.add(format!("{at}.tags: {problem}"))).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let documents = texts.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>();
        documents.and_then(|documents| Catalogue::merge(&documents)).map_err(|problems| problems.to_string())
    }

    fn lines(catalogue: &Catalogue) -> Vec<String> {
        let line =
            |wanted: &Wanted| format!("{} {} {:?} {}", wanted.priority, wanted.image, wanted.to, wanted.platforms);
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
        assert!(
            lines(&catalogue).contains(&r#"3 docker.io/library/node:21-alpine ["private", "public"] all"#.to_owned())
        );
    }

    #[test]
    fn without_destinations_there_is_the_private_registry() {
        let catalogue = read(&["images: [{ image: node, tags: [21] }]"]).unwrap();
        assert_eq!(lines(&catalogue), [r#"0 docker.io/library/node:21 ["private"] all"#]);
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
        assert!(problems.contains("too") && problems.contains("line 2"), "{problems}");
    }

    #[test]
    fn a_platform_that_is_none_is_refused_with_its_line() {
        for (list, why) in
            [("[linux]", "is not a platform"), ("[]", "the list is empty"), ("some", "neither `all` nor a list")]
        {
            let problems = read(&[&format!("defaults: {{ platforms: {list} }}\nimages: []")]).unwrap_err();
            assert!(problems.contains(why) && problems.contains("line 1"), "{problems}");
        }
    }

    #[test]
    fn an_unknown_destination_is_answered_with_the_known_ones() {
        let problems = read(&[&DESIGN.replace("to: [private, public]", "to: [pubic]")]).unwrap_err();
        assert!(problems.contains(r#"no destination is called "pubic"; there are: private, public"#), "{problems}");
    }

    #[test]
    fn two_images_never_share_a_place() {
        let text = "destinations: { one: { ecr: { repository: nomorelimit, tag: '{name}-{tag}' } } }\nimages: [{ image: a-b, tags: [c] }, { image: a, tags: [b-c] }]";
        let problems = read(&[text]).unwrap_err();
        assert!(problems.contains("both would become nomorelimit:a-b-c"), "{problems}");
    }

    #[test]
    fn an_image_that_is_asked_for_by_name_goes_where_the_catalogue_says_else_by_default() {
        let catalogue = read(&[DESIGN]).unwrap();
        assert_eq!(catalogue.want("grafana/grafana:11.2.0".parse().unwrap()).to, ["private", "public"]);
        let unknown = catalogue.want("redis:7".parse().unwrap());
        assert_eq!(
            (unknown.to, unknown.platforms.to_string()),
            (vec!["private".to_owned()], "linux/amd64,linux/arm64".to_owned())
        );
    }
}
