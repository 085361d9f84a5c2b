//! Names of images, in the two forms that people write and that registries want.
//!
//! After this door no `String` names an image. Docker's short names are expanded by `oci-client`; what it leaves apart,
//! the other host names of Docker Hub, is one registry here, so that a credential or a quota can never be keyed twice.

use std::fmt;
use std::str::FromStr;

use oci_client::Reference;
use serde::{Deserialize, Serialize};

/// The name under which Docker Hub is known everywhere.
pub const DOCKER_HUB: &str = "docker.io";

/// `registry/repository:tag`, fully spelled: `docker.io/library/node:21-alpine`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    repository: RepositoryRef,
    tag: String,
}

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
pub struct NotAnImage {
    text: String,
    reason: String,
}

impl NotAnImage {
    fn new(text: &str, reason: impl Into<String>) -> Self {
        Self { text: text.chars().take(300).collect(), reason: reason.into() }
    }
}

impl ImageRef {
    /// The image called `tag` in `repository`. `tag` is a name that the distribution specification allows.
    pub fn new(repository: RepositoryRef, tag: &str) -> Result<Self, NotAnImage> {
        if is_tag(tag) {
            Ok(Self { repository, tag: tag.to_owned() })
        } else {
            let reason = "a tag has 1 to 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two";
            Err(NotAnImage::new(tag, reason))
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
}

impl RepositoryRef {
    /// The part before the last slash, empty where there is none: `library`.
    pub fn namespace(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The part after the last slash: `node`.
    pub fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(&self.path, |(_, name)| name)
    }
}

/// Whether `text` is a tag by the
/// [distribution specification](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests).
pub fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(|first| word(*first))
        && bytes.iter().all(|byte| word(*byte) || *byte == b'.' || *byte == b'-')
}

/// Splits `text` into a repository and, where it names one, a tag.
pub fn parse(text: &str) -> Result<(RepositoryRef, Option<String>), NotAnImage> {
    let parsed = Reference::from_str(text).map_err(|error| NotAnImage::new(text, error.to_string()))?;
    if parsed.digest().is_some() {
        return Err(NotAnImage::new(text, "a digest has no tag to mirror it under; name the tag"));
    }
    // `oci-client` supplies `latest` by itself: only the text tells whether somebody wrote a tag.
    let last = text.rsplit_once('/').map_or(text, |(_, last)| last);
    let tag = last.contains(':').then(|| parsed.tag().unwrap_or_default().to_owned());
    Ok((RepositoryRef { registry: registry(&parsed), path: path(&parsed) }, tag))
}

fn registry(parsed: &Reference) -> String {
    let host = parsed.registry();
    if is_docker_hub(host) { DOCKER_HUB.to_owned() } else { host.to_owned() }
}

fn path(parsed: &Reference) -> String {
    let path = parsed.repository();
    if is_docker_hub(parsed.registry()) && !path.contains('/') { format!("library/{path}") } else { path.to_owned() }
}

/// Every name of Docker Hub's registry that is in use (docs.docker.com, "allow list").
fn is_docker_hub(host: &str) -> bool {
    matches!(host, DOCKER_HUB | "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com")
}

impl FromStr for ImageRef {
    type Err = NotAnImage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (repository, tag) = parse(text)?;
        let tag = tag.ok_or_else(|| NotAnImage::new(text, "it names no tag; write one, for example `:latest`"))?;
        Self::new(repository, &tag)
    }
}

impl TryFrom<String> for ImageRef {
    type Error = NotAnImage;

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
        write!(f, "{}:{}", self.repository, self.tag)
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
        assert_eq!(full("grafana/grafana:11.2.0"), "docker.io/grafana/grafana:11.2.0");
        assert_eq!(full("quay.io/a/b/c:v1"), "quay.io/a/b/c:v1");
        assert_eq!(full("127.0.0.1:5000/x:1"), "127.0.0.1:5000/x:1");
    }

    #[test]
    fn docker_hub_has_one_name() {
        for host in ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"] {
            assert_eq!(full(&format!("{host}/library/node:1")), "docker.io/library/node:1");
        }
        assert_eq!(full("registry-1.docker.io/node:1"), "docker.io/library/node:1");
    }

    #[test]
    fn a_tag_is_never_made_up() {
        let error = "node".parse::<ImageRef>().unwrap_err().to_string();
        assert!(error.contains("names no tag"), "{error}");
        assert_eq!(parse("127.0.0.1:5000/x").unwrap().1, None);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let digest = format!("node@sha256:{}", "0".repeat(64));
        for text in ["", "node:", "Node:1", "node:a b", "node:1/../2", "-:1", &digest] {
            assert!(text.parse::<ImageRef>().is_err(), "{text}");
        }
    }
}
