//! References to images and repositories.
//!
//! Everything else names an image by these types and not by a `String`. Docker's short names are
//! expanded, and all hosts of Docker Hub become one registry, so that it has one credential and one
//! quota.

mod grammar;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::image::digest::Digest;

/// The name of Docker Hub in every reference.
pub const DOCKER_HUB: &str = "docker.io";

/// A full reference, `registry/repository:tag`: `docker.io/library/node:21-alpine`.
///
/// Or a pin, a reference by digest, with or without a tag:
/// `docker.io/library/node:21-alpine@sha256:…`, `docker.io/library/node@sha256:…`. A pin without a
/// tag gets the tag `sha256_` and the 64 characters of its digest as its name in a mirror. Every
/// reference with such a tag is that pin. (`sha256-…` are the names of signatures and referrers.)
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    repository: RepositoryRef,
    tag: String,
    digest: Option<Digest>,
}

/// The longest tag, in bytes.
const MAX_TAG_BYTES: usize = 128;

/// The beginning of the tag of a pin without another tag.
const PIN_TAG_PREFIX: &str = "sha256_";

/// `registry/repository`: `docker.io/library/node`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryRef {
    /// Host, with a port where there is one.
    pub registry: String,
    /// Path of the repository in the registry, `library/node`.
    pub path: String,
}

/// A text that is not a reference, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an image reference: {reason}")]
pub struct InvalidReference {
    text: String,
    reason: String,
}

impl InvalidReference {
    fn new(text: &str, reason: impl Into<String>) -> Self {
        Self {
            text: text.chars().take(300).collect(),
            reason: reason.into(),
        }
    }
}

impl ImageRef {
    /// The image `tag` in `repository`. Fails if the distribution specification does not allow `tag`.
    pub fn new(repository: RepositoryRef, tag: &str) -> Result<Self, InvalidReference> {
        if !is_tag(tag) {
            let reason = "a tag has 1 to 128 letters, digits, `_`, `.` and `-`, \
                and does not begin with `.` or `-`";
            return Err(InvalidReference::new(tag, reason));
        }
        Ok(Self {
            repository,
            digest: digest_in(tag),
            tag: tag.to_owned(),
        })
    }

    /// The pin of `digest` in `repository`. Without a `tag` it is named after its digest.
    pub fn pinned(
        repository: RepositoryRef,
        tag: Option<&str>,
        digest: Digest,
    ) -> Result<Self, InvalidReference> {
        let own_tag = digest.as_str().replacen(':', "_", 1);
        let named = Self::new(repository, tag.unwrap_or(&own_tag))?;
        if let Some(other) = &named.digest
            && *other != digest
        {
            let text = format!("{}@{digest}", named.tagged());
            let reason = "its tag is the name of another digest";
            return Err(InvalidReference::new(&text, reason));
        }
        Ok(Self {
            digest: Some(digest),
            ..named
        })
    }

    /// The repository of the image.
    pub fn repository(&self) -> &RepositoryRef {
        &self.repository
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The digest of a pin. `None` for a tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// `registry/repository:tag`, for a pin too: its name in a mirror.
    pub fn tagged(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

impl RepositoryRef {
    /// The part before the last slash, `library`. Empty without a slash.
    pub fn namespace(&self) -> &str {
        self.path
            .rsplit_once('/')
            .map_or("", |(namespace, _)| namespace)
    }

    /// The part after the last slash: `node`.
    pub fn name(&self) -> &str {
        self.path
            .rsplit_once('/')
            .map_or(&self.path, |(_, name)| name)
    }
}

/// Whether `text` is a tag by the
/// [distribution specification](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests).
pub fn is_tag(text: &str) -> bool {
    if text.is_empty() || text.len() > MAX_TAG_BYTES {
        return false;
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    !text.starts_with(['.', '-']) && text.bytes().all(is_allowed)
}

/// The digest in the tag of a pin without another tag.
pub fn digest_in(tag: &str) -> Option<Digest> {
    let hex = tag.strip_prefix(PIN_TAG_PREFIX)?;
    format!("sha256:{hex}").parse().ok()
}

/// A reference as it was written: a repository, and optionally a tag and a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedReference {
    /// The repository.
    pub repository: RepositoryRef,
    /// The tag.
    pub tag: Option<String>,
    /// The digest.
    pub digest: Option<Digest>,
}

/// Parses `[registry/]repository[:tag][@digest]`.
pub fn parse(text: &str) -> Result<ParsedReference, InvalidReference> {
    grammar::parse(text).map_err(|reason| InvalidReference::new(text, reason))
}

/// Whether the first segment of a name marks itself as a registry: by a dot, a port, or as
/// `localhost`.
///
/// References also take a segment with a capital letter for a registry ([`parse`]). Globs and prose
/// do not: a capital may be in a glob's character class, or begin a sentence.
pub(crate) fn looks_like_host(segment: &str) -> bool {
    segment.contains(['.', ':']) || segment == "localhost"
}

/// Whether `host` is one of the hosts of Docker Hub's registry (docs.docker.com, "allow list").
pub(crate) fn is_docker_hub(host: &str) -> bool {
    let hosts = [
        DOCKER_HUB,
        "index.docker.io",
        "registry-1.docker.io",
        "registry.hub.docker.com",
    ];
    hosts.contains(&host)
}

impl FromStr for ImageRef {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = parse(text)?;
        let tag = parsed.tag.as_deref();
        if let Some(digest) = parsed.digest {
            return Self::pinned(parsed.repository, tag, digest);
        }
        let Some(tag) = tag else {
            let reason = "it names no tag; write one, for example `:latest`";
            return Err(InvalidReference::new(text, reason));
        };
        Self::new(parsed.repository, tag)
    }
}

impl TryFrom<String> for ImageRef {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> Self {
        image.to_string()
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        let is_named_by_digest = digest_in(&self.tag).is_some();
        if !is_named_by_digest {
            write!(f, ":{}", self.tag)?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl fmt::Display for RepositoryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}
