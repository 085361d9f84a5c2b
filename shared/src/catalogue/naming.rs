//! Destinations, and the names that images get there.

mod template;
#[cfg(test)]
mod tests;

use template::{Part, Template};

use super::document::{DestinationSpec, EcrSpec, Publish};
use crate::image::host::{is_account, is_region};
use crate::image::reference::{self, DOCKER_HUB, ImageRef, RepositoryRef};

/// The longest path of a repository at a destination, in bytes.
const MAX_PATH_BYTES: usize = 256;

/// A destination: a registry, and templates of the names that images get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its name in the catalogue and in results.
    pub name: String,
    /// Its registry.
    pub kind: DestinationKind,
    /// When images go there.
    pub publish: Publish,
    repository: Template,
    tag: Template,
}

/// The registry of a destination. AWS supplies what is `None`.
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
    /// The destination `name` as a document defines it.
    pub(super) fn new(name: &str, spec: &DestinationSpec) -> Result<Self, String> {
        let kind = DestinationKind::from_spec(spec)?;
        let (repository, tag, publish) = match spec {
            DestinationSpec::Ecr(ecr) => (&ecr.repository, &ecr.tag, Publish::Always),
            DestinationSpec::EcrPublic(public) => (&public.repository, &public.tag, public.publish),
            DestinationSpec::Registry(other) => (&other.repository, &other.tag, Publish::Always),
        };
        Ok(Self {
            name: name.to_owned(),
            kind,
            publish,
            repository: Template::parse(repository)?,
            tag: Template::parse(tag.as_deref().unwrap_or("{tag}"))?,
        })
    }

    /// The only destination of a catalogue that defines none.
    pub(super) fn default_private() -> Self {
        let spec = DestinationSpec::Ecr(EcrSpec {
            repository: "docker-hub/{repository}".to_owned(),
            tag: None,
            region: None,
            account: None,
        });
        Self::new("private", &spec).expect("its templates are constants with known placeholders")
    }

    /// Whether images of two registries always have different names here.
    pub fn separates_registries(&self) -> bool {
        self.repository.contains(&Part::Registry) || self.tag.contains(&Part::Registry)
    }

    /// Repository path and tag of `image` at this destination, without the host and without ECR
    /// Public's alias.
    pub fn target_name(&self, image: &ImageRef) -> Result<(String, String), String> {
        let path = self.repository.render(image);
        let tag = self.tag.render(image);
        let text = format!("registry.invalid/{path}:{tag}");
        let target: Result<ImageRef, _> = text.parse();
        let parsed = target.map_err(|problem| problem.to_string())?;
        if parsed.repository().path == path && path.len() <= MAX_PATH_BYTES {
            Ok((path, tag))
        } else {
            Err(format!("{path:?} is not a repository name"))
        }
    }

    /// The image whose name at this destination is `path` and `tag`. `None` if the templates leave
    /// that open.
    ///
    /// A part that no template names is Docker Hub's: `{name}` alone is an official image.
    pub fn find_image(&self, path: &str, tag: &str) -> Option<ImageRef> {
        let mut captured = self.repository.capture(path)?;
        captured.extend(self.tag.capture(tag)?);
        let value_of = |part: Part| {
            let (_, value) = captured.iter().find(|(known, _)| **known == part)?;
            Some(*value)
        };
        let upstream_path = if let Some(repository) = value_of(Part::Repository) {
            repository.to_owned()
        } else {
            let namespace = value_of(Part::Namespace).unwrap_or("library");
            format!("{namespace}/{}", value_of(Part::Name)?)
        };
        let repository = RepositoryRef {
            registry: value_of(Part::Registry).unwrap_or(DOCKER_HUB).to_owned(),
            path: upstream_path,
        };
        let image = ImageRef::new(repository, value_of(Part::Tag)?).ok()?;
        self.has_name(&image, path, tag).then_some(image)
    }

    /// The image of `repository` whose name at this destination is `path` and `tag`. `None` if the
    /// templates leave its tag open.
    pub fn find_image_of(
        &self,
        repository: &RepositoryRef,
        path: &str,
        tag: &str,
    ) -> Option<ImageRef> {
        let path_template = self.repository.for_repository(repository);
        let tag_template = self.tag.for_repository(repository);
        let mut captured = path_template.capture(path)?;
        captured.extend(tag_template.capture(tag)?);
        let (_, upstream_tag) = captured.first()?;
        let image = ImageRef::new(repository.clone(), upstream_tag).ok()?;
        self.has_name(&image, path, tag).then_some(image)
    }

    fn has_name(&self, image: &ImageRef, path: &str, tag: &str) -> bool {
        match self.target_name(image) {
            Ok((own_path, own_tag)) => own_path == path && own_tag == tag,
            Err(_) => false,
        }
    }
}

impl DestinationKind {
    fn from_spec(spec: &DestinationSpec) -> Result<Self, String> {
        match spec {
            DestinationSpec::Ecr(ecr) => Self::from_ecr(ecr),
            DestinationSpec::EcrPublic(public) => Ok(Self::EcrPublic {
                alias: public.alias.clone(),
            }),
            DestinationSpec::Registry(registry) => Ok(Self::Registry {
                host: parse_host(&registry.host)?,
            }),
        }
    }

    fn from_ecr(ecr: &EcrSpec) -> Result<Self, String> {
        if let Some(account) = &ecr.account
            && !is_account(account)
        {
            return Err(format!("{account:?} is not an AWS account (12 digits)"));
        }
        if let Some(region) = &ecr.region
            && !is_region(region)
        {
            return Err(format!("{region:?} is not an AWS region"));
        }
        Ok(Self::Ecr {
            account: ecr.account.clone(),
            region: ecr.region.clone(),
        })
    }
}

/// Checks the host of a registry by Docker's rule: without a dot or a port, `text` would be a
/// namespace. Docker Hub is a source only.
fn parse_host(text: &str) -> Result<String, String> {
    let host = match reference::parse(&format!("{text}/x")) {
        Ok(parsed) => parsed.repository.registry,
        Err(problem) => return Err(problem.to_string()),
    };
    if host == DOCKER_HUB && text.ends_with("docker.io") {
        return Err("Docker Hub is not a destination".to_owned());
    }
    if host == text {
        Ok(host)
    } else {
        Err(format!("{text:?} is not a registry host"))
    }
}
