//! Origins: other registries that may have the same bytes as Docker Hub.
//!
//! Content is addressed by digest, so that any registry will do which has the digest. What it
//! serves for a tag is checked against Docker Hub's HEAD, which is free. An origin is the name of a
//! destination, the host of a registry, or a template such as `mirror.example/hub/{repository}`.
//! The ECR Public Gallery is always one for Docker Official Images
//! (<https://gallery.ecr.aws/docker/>).

use std::collections::BTreeMap;

use super::document::{DestinationSpec, RegistrySpec};
use super::naming::{Destination, DestinationKind};
use super::{Document, Problems};
use crate::image::host::ECR_PUBLIC;
use crate::image::reference::{DOCKER_HUB, ImageRef, RepositoryRef};

/// Another registry that may have the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A destination of the catalogue, by name.
    Destination(String),
    /// A registry, with templates of the names that images have there.
    Registry(Destination),
}

/// The origins of all documents, in their order, each once.
pub(super) fn parse_all(
    documents: &[&Document],
    destinations: &BTreeMap<String, Destination>,
    problems: &mut Problems,
) -> Vec<Origin> {
    let mut origins = Vec::new();
    for document in documents {
        for (index, text) in document.origins.iter().enumerate() {
            match Origin::parse(&text.value, destinations) {
                Ok(origin) if origins.contains(&origin) => {}
                Ok(origin) => origins.push(origin),
                Err(problem) => {
                    let key = format!("origins[{index}]");
                    let location = document.at(text.referenced.line(), &key);
                    problems.add(format!("{location}: {problem}"));
                }
            }
        }
    }
    origins
}

impl Origin {
    fn parse(text: &str, destinations: &BTreeMap<String, Destination>) -> Result<Self, String> {
        if destinations.contains_key(text) {
            return Ok(Self::Destination(text.to_owned()));
        }
        let (host, path) = text.split_once('/').unwrap_or((text, "{repository}"));
        let repository = if path.contains('{') {
            path.to_owned()
        } else {
            format!("{path}/{{repository}}")
        };
        let spec = DestinationSpec::Registry(RegistrySpec {
            host: host.to_owned(),
            repository,
            tag: None,
        });
        match Destination::new(text, &spec) {
            Ok(registry) => Ok(Self::Registry(registry)),
            Err(problem) => {
                let names: Vec<&str> = destinations.keys().map(String::as_str).collect();
                let known = names.join(", ");
                Err(format!(
                    "{problem}; it is not one of the destinations ({known}) either"
                ))
            }
        }
    }

    /// The name of `image` at this registry. `None` if it has no valid one, and for a destination,
    /// whose registry only AWS knows.
    pub fn reference_for(&self, image: &ImageRef) -> Option<ImageRef> {
        let Self::Registry(registry) = self else {
            return None;
        };
        let DestinationKind::Registry { host } = &registry.kind else {
            return None;
        };
        let (path, tag) = registry.target_name(image).ok()?;
        let repository = RepositoryRef {
            registry: host.clone(),
            path,
        };
        ImageRef::new(repository, &tag).ok()
    }
}

/// The name of a Docker Official Image in the ECR Public Gallery. `None` for any other image.
pub fn gallery_reference(image: &ImageRef) -> Option<ImageRef> {
    let upstream = image.repository();
    if upstream.registry != DOCKER_HUB || upstream.namespace() != "library" {
        return None;
    }
    let repository = RepositoryRef {
        registry: ECR_PUBLIC.to_owned(),
        path: format!("docker/{}", upstream.path),
    };
    ImageRef::new(repository, image.tag()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of `image` at `origin`, beside a destination `lab`.
    fn name(origin: &str, image: &str) -> Result<Option<String>, String> {
        let spec = DestinationSpec::Registry(RegistrySpec {
            host: "registry.lab".to_owned(),
            repository: "{name}".to_owned(),
            tag: None,
        });
        let mut destinations = BTreeMap::new();
        let lab = Destination::new("lab", &spec).unwrap();
        destinations.insert("lab".to_owned(), lab);
        let origin = Origin::parse(origin, &destinations)?;
        let image = image.parse().unwrap();
        let reference = origin.reference_for(&image);
        Ok(reference.map(|reference| reference.to_string()))
    }

    #[test]
    fn an_origin_is_a_host_a_template_or_a_destination() {
        for (origin, reference) in [
            ("mirror.gcr.io", "mirror.gcr.io/library/node:21"),
            ("cache.lab:5000/hub", "cache.lab:5000/hub/library/node:21"),
            ("cache.lab/x/{name}", "cache.lab/x/node:21"),
        ] {
            let name = name(origin, "node:21").unwrap();
            assert_eq!(name.as_deref(), Some(reference));
        }
        assert_eq!(name("lab", "node:21").unwrap(), None);
    }

    #[test]
    fn an_invalid_origin_is_reported_with_the_known_destinations() {
        let problem = name("labb", "node:21").unwrap_err();
        assert!(problem.contains("is not a registry host"), "{problem}");
        assert!(problem.contains("(lab)"), "{problem}");
        assert!(name("docker.io", "node:21").is_err());
    }

    #[test]
    fn official_images_are_in_the_gallery() {
        let find = |image: &str| {
            let image = image.parse().unwrap();
            gallery_reference(&image)
        };
        let node = find("node:21").unwrap().to_string();
        assert_eq!(node, "public.ecr.aws/docker/library/node:21");
        assert_eq!(find("grafana/grafana:1"), None);
        assert_eq!(find("quay.io/library/node:1"), None);
    }
}
