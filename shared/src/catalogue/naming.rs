//! Naming templates: what an upstream tag is called at a destination.

use std::borrow::Cow;

use crate::image::host::{is_account, is_region};
use crate::image::reference::{self, DOCKER_HUB, ImageRef, RepositoryRef};

use super::document::{DestinationSpec, Publish};

/// Where images go, and what they are called there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its name in the catalogue and in results.
    pub name: String,
    /// Which registry it is.
    pub kind: DestinationKind,
    /// When images go there.
    pub publish: Publish,
    repository: Template,
    tag: Template,
}

/// Which registry a destination is; what is `None` is found out from AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationKind {
    /// Private Amazon ECR.
    Ecr {
        /// Twelve digits.
        account: Option<String>,
        /// Such as `eu-west-1`.
        region: Option<String>,
    },
    /// Amazon ECR Public.
    EcrPublic {
        /// The first segment of the repository's path.
        alias: Option<String>,
    },
    /// Any other registry.
    Registry {
        /// Host, with a port where needed.
        host: String,
    },
}

impl Destination {
    /// Checks what was written.
    pub(super) fn new(name: &str, spec: &DestinationSpec) -> Result<Self, String> {
        let (kind, repository, tag) = match spec {
            DestinationSpec::Ecr(ecr) => {
                let account = ecr.account.as_deref().unwrap_or("111122223333");
                let region = ecr.region.as_deref().unwrap_or("us-east-1");
                if !is_account(account) || !is_region(region) {
                    return Err(format!(
                        "{account:?} and {region:?} are not an AWS account and region"
                    ));
                }
                let kind = DestinationKind::Ecr {
                    account: ecr.account.clone(),
                    region: ecr.region.clone(),
                };
                (kind, &ecr.repository, &ecr.tag)
            }
            DestinationSpec::EcrPublic(public) => (
                DestinationKind::EcrPublic {
                    alias: public.alias.clone(),
                },
                &public.repository,
                &public.tag,
            ),
            DestinationSpec::Registry(registry) => (
                DestinationKind::Registry {
                    host: host(&registry.host)?,
                },
                &registry.repository,
                &registry.tag,
            ),
        };
        let (repository, tag) = (
            Template::parse(repository)?,
            Template::parse(tag.as_deref().unwrap_or("{tag}"))?,
        );
        let publish = if let DestinationSpec::EcrPublic(public) = spec {
            public.publish
        } else {
            Publish::Always
        };
        Ok(Self {
            name: name.to_owned(),
            kind,
            publish,
            repository,
            tag,
        })
    }

    /// The one that is there when a catalogue names none.
    pub(super) fn default_private() -> Self {
        let parse =
            |text| Template::parse(text).expect("the text is a constant with known placeholders");
        let kind = DestinationKind::Ecr {
            account: None,
            region: None,
        };
        Self {
            name: "private".to_owned(),
            kind,
            publish: Publish::Always,
            repository: parse("docker-hub/{repository}"),
            tag: parse("{tag}"),
        }
    }

    /// Whether images of two registries can never meet in one place here.
    pub fn separates_registries(&self) -> bool {
        [&self.repository, &self.tag]
            .iter()
            .any(|template| template.0.contains(&Part::Registry))
    }

    /// Repository path and tag of `image` at this destination, without the host and without ECR Public's alias.
    pub fn target_name(&self, image: &ImageRef) -> Result<(String, String), String> {
        let (path, tag) = (self.repository.render(image), self.tag.render(image));
        let check = format!("registry.invalid/{path}:{tag}").parse::<ImageRef>();
        match check {
            Ok(placed) if placed.repository().path == path && path.len() <= 256 => Ok((path, tag)),
            Ok(_) => Err(format!("{path:?} is not a repository name")),
            Err(problem) => Err(problem.to_string()),
        }
    }

    /// The image that has `path` and `tag` at this destination; `None` where the templates leave that open.
    ///
    /// What a template does not name is Docker Hub's: `{name}` alone is an official image. The answer is checked by placing it.
    pub fn find_image(&self, path: &str, tag: &str) -> Option<ImageRef> {
        let (path_parts, tag_parts) = (self.repository.capture(path)?, self.tag.capture(tag)?);
        let named = |part: &Part| {
            path_parts
                .iter()
                .chain(&tag_parts)
                .find(|(known, _)| *known == part)
                .map(|(_, text)| *text)
        };
        let repository = match (
            named(&Part::Repository),
            named(&Part::Namespace),
            named(&Part::Name),
        ) {
            (Some(repository), ..) => repository.to_owned(),
            (None, namespace, Some(name)) => format!("{}/{name}", namespace.unwrap_or("library")),
            (None, _, None) => return None,
        };
        let registry = named(&Part::Registry).unwrap_or(DOCKER_HUB).to_owned();
        let image = ImageRef::new(
            RepositoryRef {
                registry,
                path: repository,
            },
            named(&Part::Tag)?,
        )
        .ok()?;
        (self.target_name(&image) == Ok((path.to_owned(), tag.to_owned()))).then_some(image)
    }

    /// The image of `repository` that has `path` and `tag` at this destination; `None` where the templates leave its tag open.
    pub fn find_image_of(
        &self,
        repository: &RepositoryRef,
        path: &str,
        tag: &str,
    ) -> Option<ImageRef> {
        let (path_template, tag_template) =
            (self.repository.of(repository), self.tag.of(repository));
        let (in_path, in_tag) = (path_template.capture(path)?, tag_template.capture(tag)?);
        let (_, upstream_tag) = in_path.first().or(in_tag.first())?;
        let image = ImageRef::new(repository.clone(), upstream_tag).ok()?;
        (self.target_name(&image) == Ok((path.to_owned(), tag.to_owned()))).then_some(image)
    }
}

/// A port or a dot is what tells a host from a namespace (Docker's rule); Docker Hub is a source, never a destination.
fn host(text: &str) -> Result<String, String> {
    let repository = reference::parse(&format!("{text}/x"))
        .map_err(|problem| problem.to_string())?
        .repository;
    match repository.registry.as_str() {
        DOCKER_HUB if text.ends_with("docker.io") => {
            Err("Docker Hub is not a destination".to_owned())
        }
        host if host == text => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is not a registry host")),
    }
}

/// Text with `{placeholders}`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Registry,
    Repository,
    Namespace,
    Name,
    Tag,
}

impl Template {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| format!("{text:?} lacks a closing brace"))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::named(name)?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// What each placeholder stands for in `text`: as little as possible, up to the text that follows it.
    fn capture<'a>(&self, text: &'a str) -> Option<Vec<(&Part, &'a str)>> {
        let mut captured = Vec::new();
        let mut open = None;
        let mut rest = text;
        for part in &self.0 {
            let Part::Text(literal) = part else {
                open = Some(part);
                continue;
            };
            let is_last = std::ptr::eq(part, self.0.last()?);
            let at = match (open, is_last) {
                (None, _) => rest.starts_with(literal).then_some(0)?,
                (Some(_), true) => rest
                    .ends_with(literal)
                    .then(|| rest.len() - literal.len())?,
                (Some(_), false) => rest.find(literal.as_str())?,
            };
            captured.extend(open.take().map(|placeholder| (placeholder, &rest[..at])));
            rest = &rest[at + literal.len()..];
        }
        rest.is_empty().then_some(captured)
    }

    /// The template for the images of one repository: nothing but the tag is left open.
    fn of(&self, repository: &RepositoryRef) -> Self {
        let mut parts = vec![Part::Text(String::new())];
        for part in &self.0 {
            match (part.render(repository), parts.last_mut()) {
                (None, _) => parts.extend([Part::Tag, Part::Text(String::new())]),
                (Some(text), Some(Part::Text(before))) => before.push_str(text.as_ref()),
                (Some(text), _) => parts.push(Part::Text(text.into_owned())),
            }
        }
        Self(parts)
    }

    fn render(&self, image: &ImageRef) -> String {
        let text = |part: &Part| {
            part.render(image.repository())
                .map_or(image.tag().to_owned(), Cow::into_owned)
        };
        self.0.iter().map(text).collect()
    }
}

impl Part {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "registry" => Ok(Self::Registry),
            "repository" => Ok(Self::Repository),
            "namespace" => Ok(Self::Namespace),
            "name" => Ok(Self::Name),
            "tag" => Ok(Self::Tag),
            _ => Err(format!(
                "unknown placeholder {{{name}}}; there are {{registry}}, {{repository}}, {{namespace}}, {{name}} and {{tag}}"
            )),
        }
    }

    /// What stands here for the images of `repository`; `None` for the tag.
    fn render<'a>(&'a self, repository: &'a RepositoryRef) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Text(text) => Cow::Borrowed(text),
            // A port's colon cannot stand in a repository's name.
            Self::Registry => Cow::Owned(repository.registry.replace(':', "-")),
            Self::Repository => Cow::Borrowed(&repository.path),
            Self::Namespace => Cow::Borrowed(repository.namespace()),
            Self::Name => Cow::Borrowed(repository.name()),
            Self::Tag => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(repository: &str, tag: &str) -> Result<Destination, String> {
        let kind = DestinationKind::Registry {
            host: "127.0.0.1:5000".to_owned(),
        };
        let (repository, tag) = (Template::parse(repository)?, Template::parse(tag)?);
        Ok(Destination {
            name: "lab".to_owned(),
            kind,
            publish: Publish::Always,
            repository,
            tag,
        })
    }

    fn place(repository: &str, tag: &str, image: &str) -> Result<String, String> {
        destination(repository, tag)?
            .target_name(&image.parse().unwrap())
            .map(|(path, tag)| format!("{path}:{tag}"))
    }

    fn back(repository: &str, tag: &str, path: &str, placed_tag: &str) -> Option<String> {
        destination(repository, tag)
            .unwrap()
            .find_image(path, placed_tag)
            .map(|image| image.to_string())
    }

    #[test]
    fn a_name_at_the_destination_leads_back_to_the_image() {
        let node = Some("docker.io/library/node:99".to_owned());
        assert_eq!(
            back(
                "docker-hub/{repository}",
                "{tag}",
                "docker-hub/library/node",
                "99"
            ),
            node
        );
        assert_eq!(back("{name}", "{tag}", "node", "99"), node);
        assert_eq!(
            back("m/{namespace}/{name}", "{tag}", "m/library/node", "99"),
            node
        );
        assert_eq!(
            back("nomorelimit", "{name}-{tag}", "nomorelimit", "node-99"),
            node
        );
        assert_eq!(
            back("{registry}/{repository}", "{tag}", "quay.io/a/b", "1"),
            Some("quay.io/a/b:1".to_owned())
        );
    }

    #[test]
    fn the_name_of_a_digest_leads_back_to_the_pin() {
        let pin = format!("docker.io/library/node@sha256:{}", "0".repeat(64));
        let tag = format!("sha256_{}", "0".repeat(64));
        assert_eq!(
            place("docker-hub/{repository}", "{tag}", &pin).unwrap(),
            format!("docker-hub/library/node:{tag}")
        );
        assert_eq!(
            back(
                "docker-hub/{repository}",
                "{tag}",
                "docker-hub/library/node",
                &tag
            ),
            Some(pin.clone())
        );
        assert_eq!(
            back("all", "{name}-{tag}", "all", &format!("node-{tag}")),
            Some(pin)
        );
    }

    #[test]
    fn a_name_that_leads_nowhere_or_astray_is_none() {
        assert_eq!(
            back(
                "docker-hub/{repository}",
                "{tag}",
                "other/library/node",
                "99"
            ),
            None
        );
        assert_eq!(back("nomorelimit", "{tag}", "nomorelimit", "99"), None);
        assert_eq!(
            back(
                "docker-hub/{repository}",
                "v{tag}",
                "docker-hub/library/node",
                "99"
            ),
            None
        );
    }

    #[test]
    fn a_name_at_the_destination_leads_back_to_the_tag_of_a_known_repository() {
        let of = |repository: &str, tag: &str, path: &str, placed: &str| {
            let known = reference::parse("grafana/grafana").unwrap().repository;
            destination(repository, tag)
                .unwrap()
                .find_image_of(&known, path, placed)
                .map(|image| image.tag().to_owned())
        };
        assert_eq!(
            of("{name}", "{tag}", "grafana", "11"),
            Some("11".to_owned())
        );
        assert_eq!(
            of(
                "all",
                "{namespace}-{name}-v{tag}",
                "all",
                "grafana-grafana-v11"
            ),
            Some("11".to_owned())
        );
        assert_eq!(
            of("{name}/{tag}", "x", "grafana/11", "x"),
            Some("11".to_owned())
        );
        assert_eq!(of("{name}", "{tag}", "node", "11"), None);
        assert_eq!(
            of("{name}", "x", "grafana", "x"),
            None,
            "any tag has this place"
        );
        assert_eq!(of("{tag}", "{tag}", "11", "12"), None);
    }

    #[test]
    fn templates_name_images() {
        assert_eq!(
            place("docker-hub/{repository}", "{tag}", "node:21").unwrap(),
            "docker-hub/library/node:21"
        );
        assert_eq!(
            place("nomorelimit", "{name}-{tag}", "ruby:2.7.1-slim").unwrap(),
            "nomorelimit:ruby-2.7.1-slim"
        );
        assert_eq!(
            place("{registry}/{namespace}/{name}", "{tag}", "quay.io/a/b/c:1").unwrap(),
            "quay.io/a/b/c:1"
        );
        assert_eq!(
            place("{registry}", "x", "127.0.0.1:5000/c:1").unwrap(),
            "127.0.0.1-5000:x"
        );
    }

    #[test]
    fn a_name_that_no_registry_takes_is_refused() {
        for (repository, tag) in [
            ("Docker/{name}", "{tag}"),
            ("a//b", "{tag}"),
            ("", "x"),
            ("a", "x:y"),
            ("a:b", "c"),
        ] {
            assert!(
                place(repository, tag, "node:21").is_err(),
                "{repository}:{tag}"
            );
        }
        assert!(
            place("{name", "x", "node:21")
                .unwrap_err()
                .contains("closing brace")
        );
    }

    #[test]
    fn a_host_is_told_from_a_namespace() {
        assert_eq!(host("127.0.0.1:5000").unwrap(), "127.0.0.1:5000");
        assert_eq!(host("registry.lab").unwrap(), "registry.lab");
        for text in [
            "lab",
            "a/b",
            "docker.io",
            "https://x.y",
            "registry-1.docker.io",
        ] {
            assert!(host(text).is_err(), "{text}");
        }
    }
}
