//! Images in the format of the API.

use serde_json::{Value, json};

use super::seconds;
use crate::ACCOUNT;
use crate::registry::{Repository, Stored};

/// An image with its digest, as one of `imageDetails`.
pub(super) fn detail(name: &str, repository: &Repository, digest: &str, stored: &Stored) -> Value {
    let mut detail = reference(repository, digest, stored);
    detail["registryId"] = ACCOUNT.into();
    detail["repositoryName"] = name.into();
    let tags = tags(repository, digest);
    if !tags.is_empty() {
        detail["imageTags"] = json!(tags);
    }
    detail
}

/// The properties of an image without its identifiers, as `imageDetail` in `imageTagDetails`.
pub(super) fn reference(repository: &Repository, digest: &str, stored: &Stored) -> Value {
    let mut detail = json!({
        "imageDigest": digest,
        "imageSizeInBytes": size(repository, stored),
        "imagePushedAt": seconds(stored.pushed_at),
        "imageManifestMediaType": stored.media_type,
    });
    if let Some(config) = stored.needs().blobs.first() {
        detail["artifactMediaType"] = config.media_type.clone().into();
    }
    detail
}

/// An image with its manifest, as `PutImage` and `BatchGetImage` return it.
pub(super) fn image(name: &str, digest: &str, tag: Option<&str>, stored: &Stored) -> Value {
    json!({
        "registryId": ACCOUNT,
        "repositoryName": name,
        "imageId": identifier(digest, tag),
        "imageManifest": String::from_utf8_lossy(&stored.bytes),
        "imageManifestMediaType": stored.media_type,
    })
}

pub(super) fn identifier(digest: &str, tag: Option<&str>) -> Value {
    let mut identifier = json!({ "imageDigest": digest });
    if let Some(tag) = tag {
        identifier["imageTag"] = tag.into();
    }
    identifier
}

/// The image tags that point at a digest.
pub(super) fn tags<'a>(repository: &'a Repository, digest: &str) -> Vec<&'a str> {
    repository
        .tags
        .iter()
        .filter(|(_, target)| *target == digest)
        .map(|(tag, _)| tag.as_str())
        .collect()
}

/// "If the image is a manifest list, this will be the max size of all manifests in the list."
/// (`ImageDetail`)
fn size(repository: &Repository, stored: &Stored) -> u64 {
    let needs = stored.needs();
    let own: u64 = needs.blobs.iter().map(|blob| blob.size).sum();
    let children = needs
        .manifests
        .iter()
        .filter_map(|child| repository.manifests.get(&child.digest));
    children
        .map(|child| size(repository, child))
        .max()
        .unwrap_or(own)
}
