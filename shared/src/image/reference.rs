//! Names of images, in the two forms that people write and that registries want.
//!
//! After this door no `String` names an image. Docker's short names are spelled out, and the host names of Docker Hub are one
//! registry here, so that a credential or a quota can never be keyed twice.

mod grammar;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::image::digest::Digest;

/// The name under which Docker Hub is known everywhere.
pub const DOCKER_HUB: &str = "docker.io";

/// `registry/repository:tag`, fully spelled: `docker.io/library/node:21-alpine`. Or a pin, which stays at one digest, with a tag
/// or without: `docker.io/library/node:21-alpine@sha256:…`, `docker.io/library/node@sha256:…`.
///
/// A pin without a tag has the tag `sha256_` and the digest's 64 characters, so that a mirror has a name for it, and whatever has
/// such a tag is that pin. (`sha256-…` are the names of signatures and referrers.)
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    repository: RepositoryRef,
    tag: String,
    digest: Option<Digest>,
}

/// What the tag of a pin that has no other begins with.
const PINNED: &str = "sha256_";

/// `registry/repository`: `docker.io/library/node`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryRef {
    /// Host, with a port where there is one.
    pub registry: String,
    /// Path of the repository in the registry, `library/node`.
    pub path: String,
}

/// Says which text is not the name of an image, and why.
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
    /// The image called `tag` in `repository`. `tag` is a name that the distribution specification allows.
    pub fn new(repository: RepositoryRef, tag: &str) -> Result<Self, InvalidReference> {
        if is_tag(tag) {
            Ok(Self {
                repository,
                digest: digest_in(tag),
                tag: tag.to_owned(),
            })
        } else {
            let reason = "a tag has 1 to 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two";
            Err(InvalidReference::new(tag, reason))
        }
    }

    /// The image in `repository` that has `digest`, to be called `tag`, or after its digest where there is no tag.
    pub fn pinned(
        repository: RepositoryRef,
        tag: Option<&str>,
        digest: Digest,
    ) -> Result<Self, InvalidReference> {
        let own_tag = digest.as_str().replacen(':', "_", 1);
        let named = Self::new(repository, tag.unwrap_or(&own_tag))?;
        match &named.digest {
            Some(other) if *other != digest => Err(InvalidReference::new(
                &format!("{}@{digest}", named.tagged()),
                "its tag is the name of another digest",
            )),
            _ => Ok(Self {
                digest: Some(digest),
                ..named
            }),
        }
    }

    /// Where the image lives.
    pub fn repository(&self) -> &RepositoryRef {
        &self.repository
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The digest that a pin stays at.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// `registry/repository:tag`, also of a pin: the name under which a mirror has it, whatever bytes that are.
    pub fn tagged(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

impl RepositoryRef {
    /// The part before the last slash, empty where there is none: `library`.
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
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(|first| word(*first))
        && bytes
            .iter()
            .all(|byte| word(*byte) || *byte == b'.' || *byte == b'-')
}

/// The digest of which `tag` is the name, in the way of a pin without a tag.
pub fn digest_in(tag: &str) -> Option<Digest> {
    tag.strip_prefix(PINNED)
        .and_then(|hex| format!("sha256:{hex}").parse().ok())
}

/// What a text names: a repository, and where they are written, a tag and a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedReference {
    /// The repository.
    pub repository: RepositoryRef,
    /// The tag.
    pub tag: Option<String>,
    /// The digest.
    pub digest: Option<Digest>,
}

/// Reads what `text` names.
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

/// Every name of Docker Hub's registry that is in use (docs.docker.com, "allow list").
pub(crate) fn is_docker_hub(host: &str) -> bool {
    matches!(
        host,
        DOCKER_HUB | "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com"
    )
}

impl FromStr for ImageRef {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ParsedReference {
            repository,
            tag,
            digest,
        } = parse(text)?;
        match (tag, digest) {
            (tag, Some(digest)) => Self::pinned(repository, tag.as_deref(), digest),
            (Some(tag), None) => Self::new(repository, &tag),
            (None, None) => Err(InvalidReference::new(
                text,
                "it names no tag; write one, for example `:latest`",
            )),
        }
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
        match &self.digest {
            None => f.write_str(&self.tagged()),
            Some(digest) if digest_in(&self.tag).is_some() => {
                write!(f, "{}@{digest}", self.repository)
            }
            Some(digest) => write!(f, "{}:{}@{digest}", self.repository, self.tag),
        }
    }
}

impl fmt::Display for RepositoryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(text: &str) -> String {
        text.parse::<ImageRef>().unwrap().to_string()
    }

    #[test]
    fn short_names_are_spelled_out() {
        assert_eq!(full("node:21-alpine"), "docker.io/library/node:21-alpine");
        assert_eq!(
            full("grafana/grafana:11.2.0"),
            "docker.io/grafana/grafana:11.2.0"
        );
        assert_eq!(full("quay.io/a/b/c:v1"), "quay.io/a/b/c:v1");
        assert_eq!(full("127.0.0.1:5000/x:1"), "127.0.0.1:5000/x:1");
    }

    #[test]
    fn docker_hub_has_one_name() {
        for host in [
            "docker.io",
            "index.docker.io",
            "registry-1.docker.io",
            "registry.hub.docker.com",
        ] {
            assert_eq!(
                full(&format!("{host}/library/node:1")),
                "docker.io/library/node:1"
            );
        }
        assert_eq!(
            full("registry-1.docker.io/node:1"),
            "docker.io/library/node:1"
        );
    }

    #[test]
    fn a_tag_is_never_made_up() {
        let error = "node".parse::<ImageRef>().unwrap_err().to_string();
        assert!(error.contains("names no tag"), "{error}");
        assert_eq!(parse("127.0.0.1:5000/x").unwrap().tag, None);
    }

    #[test]
    fn a_pin_has_one_name_and_a_tag_that_leads_back() {
        let hex = "0123456789abcdef".repeat(4);
        let (bare, tagged) = (
            format!("node@sha256:{hex}"),
            format!("node:21@sha256:{hex}"),
        );
        assert_eq!(full(&bare), format!("docker.io/library/{bare}"));
        assert_eq!(full(&tagged), format!("docker.io/library/{tagged}"));
        let image: ImageRef = bare.parse().unwrap();
        assert_eq!(image.tag(), format!("sha256_{hex}"));
        assert_eq!(image.digest().unwrap().as_str(), format!("sha256:{hex}"));
        assert_eq!(
            image.tagged(),
            format!("docker.io/library/node:sha256_{hex}")
        );
        assert_eq!(
            ImageRef::new(image.repository().clone(), image.tag()).unwrap(),
            image
        );
        assert_eq!(image.tagged().parse::<ImageRef>().unwrap(), image);
        assert_eq!(
            format!("{}@sha256:{hex}", image.tagged())
                .parse::<ImageRef>()
                .unwrap(),
            image
        );
        assert_ne!(
            tagged.parse::<ImageRef>().unwrap(),
            "node:21".parse().unwrap()
        );
        assert_eq!(tagged.parse::<ImageRef>().unwrap().tag(), "21");
        for text in [&bare, &tagged] {
            let image: ImageRef = text.parse().unwrap();
            let json = serde_json::to_string(&image).unwrap();
            assert_eq!(serde_json::from_str::<ImageRef>(&json).unwrap(), image);
        }
    }

    #[test]
    fn a_tag_that_almost_names_a_digest_is_a_tag() {
        for tag in [
            "sha256_",
            "sha256_0a",
            &format!("sha256-{}", "0".repeat(64)),
            &format!("sha256_{}", "A".repeat(64)),
        ] {
            assert_eq!(
                format!("node:{tag}").parse::<ImageRef>().unwrap().digest(),
                None,
                "{tag}"
            );
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let other = format!("node:sha256_{}@sha256:{}", "0".repeat(64), "1".repeat(64));
        let long = format!("node@sha512:{}", "0".repeat(128));
        for text in [
            "",
            "node:",
            "Node:1",
            "node:a b",
            "node:1/../2",
            "-:1",
            "node@sha256:0a",
            "node@",
            &other,
            &long,
        ] {
            assert!(text.parse::<ImageRef>().is_err(), "{text}");
        }
    }
}
