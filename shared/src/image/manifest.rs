//! Manifests: their bytes, which are authoritative, and a view of what they name.
//!
//! A manifest is pushed byte for byte as it was fetched, so that its digest stays the same. The only
//! manifest that this program writes is a subset of an index ([`crate::image::subset`]).

mod parse;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};

use crate::image::digest::{Digest, InvalidDigest};
use crate::image::platform::Platform;

/// The largest manifest, in bytes, that Amazon ECR accepts (`ImageManifest` in its API model) and
/// that this program reads.
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// The media types of the manifests that are copied. A registry may convert the image, which changes
/// its digest, if a request does not accept all four.
pub const ACCEPT: [&str; 4] = [
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
];

/// A manifest as it was fetched.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The digest of `bytes`.
    pub digest: Digest,
    /// The `Content-Type` of a push.
    pub media_type: String,
    /// The manifest itself.
    pub bytes: Bytes,
    /// What it names.
    pub content: Content,
}

/// What a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One image: its configuration first, then its layers, in the manifest's order, each once.
    Image(Vec<Blob>),
    /// An index or manifest list: its manifests, in order, each once.
    Index(Vec<Child>),
}

/// A manifest that an index names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The digest of the manifest.
    pub digest: Digest,
    /// Its platform, if the index has it.
    pub platform: Option<Platform>,
    /// The subject of an attestation (provenance, SBOM): the manifest that it is about, as
    /// [BuildKit](https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md)
    /// writes it.
    pub attests: Option<Digest>,
}

/// A blob that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Blob {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// Why bytes are not a manifest that can be copied.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// They are not the JSON of a manifest.
    #[error("not a manifest")]
    Json(#[from] serde_json::Error),
    /// It names content by an invalid digest.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    /// It has a negative size for a blob.
    #[error("blob {0} has a negative size")]
    Size(Digest),
    /// Its media type is not copied, such as Docker's schema 1, which Docker Hub no longer serves.
    #[error("manifest kind {0:?} is not supported")]
    Kind(String),
}

impl Manifest {
    /// Whether it names manifests rather than blobs.
    pub fn is_index(&self) -> bool {
        matches!(self.content, Content::Index(_))
    }

    /// The blobs that it names itself. An index names none.
    pub fn blobs(&self) -> &[Blob] {
        match &self.content {
            Content::Image(blobs) => blobs,
            Content::Index(_) => &[],
        }
    }

    /// The manifests that it names. An image names none.
    pub fn children(&self) -> &[Child] {
        match &self.content {
            Content::Image(_) => &[],
            Content::Index(children) => children,
        }
    }
}

/// Whether a media type is that of an index. `None` if it is not that of a manifest.
pub fn is_index(media_type: &str) -> Option<bool> {
    match essence(media_type) {
        OCI_IMAGE_INDEX_MEDIA_TYPE | IMAGE_MANIFEST_LIST_MEDIA_TYPE => Some(true),
        OCI_IMAGE_MEDIA_TYPE | IMAGE_MANIFEST_MEDIA_TYPE => Some(false),
        _ => None,
    }
}

/// A media type without its parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}
