//! Parses manifests.

use bytes::Bytes;
use oci_client::manifest::{
    ImageIndexEntry, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciDescriptor,
    OciImageIndex, OciImageManifest, Platform as StatedPlatform,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{ACCEPT, Blob, Child, Content, InvalidManifest, Manifest, essence, is_index};
use crate::image::digest::Digest;
use crate::image::platform::Platform;

impl Manifest {
    /// Parses `bytes`. `served_as` is the `Content-Type` of the response.
    pub fn parse(bytes: Bytes, served_as: Option<&str>) -> Result<Self, InvalidManifest> {
        let media_type = find_media_type(&bytes, served_as)?;
        let content = match is_index(&media_type) {
            Some(true) => parse_index(&bytes)?,
            Some(false) => parse_image(&bytes)?,
            None => return Err(InvalidManifest::Kind(media_type)),
        };
        Ok(Self {
            digest: Digest::from_content(&bytes),
            media_type,
            bytes,
            content,
        })
    }
}

/// The media type of a manifest. Its own `mediaType` has precedence over the `Content-Type`, which
/// is only the server's guess. OCI leaves the field optional.
fn find_media_type(bytes: &[u8], served_as: Option<&str>) -> Result<String, InvalidManifest> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Probe {
        media_type: Option<String>,
        manifests: Option<IgnoredAny>,
    }
    let probe: Probe = serde_json::from_slice(bytes)?;
    if let Some(media_type) = probe.media_type {
        return Ok(media_type);
    }
    let default = if probe.manifests.is_some() {
        OCI_IMAGE_INDEX_MEDIA_TYPE
    } else {
        OCI_IMAGE_MEDIA_TYPE
    };
    let served_as = served_as.map_or("", essence);
    let is_known = ACCEPT.contains(&served_as);
    let media_type = if is_known { served_as } else { default };
    Ok(media_type.to_owned())
}

fn parse_index(bytes: &[u8]) -> Result<Content, InvalidManifest> {
    let index: OciImageIndex = serde_json::from_slice(bytes)?;
    let mut children: Vec<Child> = Vec::with_capacity(index.manifests.len());
    for entry in index.manifests {
        let child = parse_child(entry)?;
        if children.iter().all(|known| known.digest != child.digest) {
            children.push(child);
        }
    }
    Ok(Content::Index(children))
}

/// An attestation has annotations by `BuildKit`, and `unknown/unknown` as its platform.
fn parse_child(entry: ImageIndexEntry) -> Result<Child, InvalidManifest> {
    let annotations = entry.annotations.unwrap_or_default();
    let kind = annotations.get("vnd.docker.reference.type");
    let is_attestation = kind.is_some_and(|kind| kind == "attestation-manifest");
    let mut child = Child {
        digest: entry.digest.parse()?,
        platform: None,
        attests: None,
    };
    if !is_attestation {
        child.platform = entry.platform.as_ref().map(to_platform);
    } else if let Some(subject) = annotations.get("vnd.docker.reference.digest") {
        child.attests = Some(subject.parse()?);
    }
    Ok(child)
}

fn to_platform(stated: &StatedPlatform) -> Platform {
    Platform::new(
        &stated.os.to_string(),
        stated.os_version.as_deref(),
        &stated.architecture.to_string(),
        stated.variant.as_deref(),
    )
}

fn parse_image(bytes: &[u8]) -> Result<Content, InvalidManifest> {
    let manifest: OciImageManifest = serde_json::from_slice(bytes)?;
    let mut blobs: Vec<Blob> = Vec::with_capacity(manifest.layers.len() + 1);
    for descriptor in std::iter::once(manifest.config).chain(manifest.layers) {
        if !is_distributable(&descriptor) {
            continue;
        }
        let blob = parse_blob(&descriptor)?;
        if !blobs.contains(&blob) {
            blobs.push(blob);
        }
    }
    Ok(Content::Image(blobs))
}

fn parse_blob(descriptor: &OciDescriptor) -> Result<Blob, InvalidManifest> {
    let digest: Digest = descriptor.digest.parse()?;
    match u64::try_from(descriptor.size) {
        Ok(size_bytes) => Ok(Blob { digest, size_bytes }),
        Err(_) => Err(InvalidManifest::Size(digest)),
    }
}

/// Clients fetch foreign layers (old Windows base images) from the vendor's URL, never from a
/// registry.
fn is_distributable(descriptor: &OciDescriptor) -> bool {
    let media_type = &descriptor.media_type;
    let marks = [".foreign.", ".nondistributable."];
    !marks.iter().any(|mark| media_type.contains(mark))
}
