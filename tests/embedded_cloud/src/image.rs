//! Test images whose bytes follow from a seed: the same call gives the same digests in every run.
//!
//! Layers between about 2 KiB and 4 MiB are real gzipped tar archives with one file, so that
//! `docker pull` can unpack them. Smaller and larger layers are noise. Layers above 4 MiB are
//! generated while they are streamed.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::blob::Blob;
use crate::digest;

mod archive;
mod attestation;
mod children;
mod form;
mod index;
mod layer;
mod platform;

use form::{Family, Form, Layout};
pub use index::ImageIndex;
use layer::Layer;

/// An image: a manifest with its blobs, or an index with its children.
#[derive(Clone, Debug)]
pub struct Image {
    role: Role,
    media_type: &'static str,
    manifest: Bytes,
    blobs: Vec<(String, Blob)>,
    children: Vec<Image>,
}

/// A manifest as a registry stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of `bytes`.
    pub digest: String,
    /// The type with which it is stored and served.
    pub media_type: String,
    /// The exact bytes.
    pub bytes: Bytes,
}

/// The role of an image among the children of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Role {
    /// An index.
    Index,
    /// The image for a platform.
    Platform(String),
    /// The attestation of the image with this digest.
    Attestation(String),
}

/// The default form of an image.
const fn compact(family: Family) -> Form {
    Form {
        family,
        layout: Layout::Compact,
    }
}

impl Image {
    /// A Docker image (version 2 schema 2) for `linux/amd64` with layers of these sizes in bytes.
    pub fn docker(seed: u64, layers: &[u64]) -> Self {
        Self::docker_for(seed, "linux/amd64", layers)
    }

    /// An OCI image for `linux/amd64` with layers of these sizes in bytes.
    pub fn oci(seed: u64, layers: &[u64]) -> Self {
        Self::oci_for(seed, "linux/amd64", layers)
    }

    /// A Docker image for a platform such as `linux/arm64`, which its configuration states; see
    /// [`ImageIndex::new`].
    pub fn docker_for(seed: u64, platform: &str, layers: &[u64]) -> Self {
        Self::single(
            compact(Family::Docker),
            platform,
            &layer::stack(seed, layers),
        )
    }

    /// An OCI image for a platform such as `linux/arm64`, which its configuration states; see
    /// [`ImageIndex::new`].
    pub fn oci_for(seed: u64, platform: &str, layers: &[u64]) -> Self {
        Self::single(compact(Family::Oci), platform, &layer::stack(seed, layers))
    }

    /// The digest of the manifest or index.
    pub fn digest(&self) -> String {
        digest::of(&self.manifest)
    }

    /// The media type of the manifest or index.
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// The bytes of the manifest or index.
    pub fn manifest(&self) -> &Bytes {
        &self.manifest
    }

    /// The images and attestations that an index lists, in its order; empty for an image.
    pub fn children(&self) -> &[Image] {
        &self.children
    }

    /// Every manifest in an order in which it may be pushed: children first, this one last.
    pub fn manifests(&self) -> Vec<Manifest> {
        let below = self.children.iter().flat_map(Image::manifests);
        let own = Manifest {
            digest: self.digest(),
            media_type: self.media_type.into(),
            bytes: self.manifest.clone(),
        };
        below.chain([own]).collect()
    }

    /// Every blob, once, with its digest: configurations and layers of the image and of all
    /// children.
    pub fn blobs(&self) -> Vec<(String, Blob)> {
        let mut blobs = self.blobs.clone();
        blobs.extend(self.children.iter().flat_map(Image::blobs));
        blobs.sort_by(|a, b| a.0.cmp(&b.0));
        blobs.dedup_by(|a, b| a.0 == b.0);
        blobs
    }

    /// The digests of the layers of an image, base first; empty for an index.
    pub fn layers(&self) -> Vec<String> {
        self.blobs
            .iter()
            .skip(1)
            .map(|(digest, _)| digest.clone())
            .collect()
    }

    fn single(Form { family, layout }: Form, platform: &str, layers: &[Layer]) -> Self {
        let config = Bytes::from(configuration(platform, layers).to_string());
        let config_digest = digest::of(&config);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": family.manifest(),
            "config": { "mediaType": family.config(), "digest": config_digest, "size": config.len() },
            "layers": layers.iter().map(|layer| layer.descriptor(family.layer())).collect::<Vec<_>>(),
        });
        let blobs = layers
            .iter()
            .map(|layer| (layer.digest.clone(), layer.blob.clone()));
        Self {
            role: Role::Platform(platform.to_owned()),
            media_type: family.manifest(),
            manifest: layout.write(&manifest),
            blobs: [(config_digest, Blob::Bytes(config))]
                .into_iter()
                .chain(blobs)
                .collect(),
            children: Vec::new(),
        }
    }

    /// The descriptor of this image in an index.
    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest(), "size": self.manifest.len() })
    }
}

/// The image configuration, whose diff IDs container engines check against the layers (OCI image
/// spec, "Image Configuration").
fn configuration(platform: &str, layers: &[Layer]) -> Value {
    let mut config = platform::document(platform);
    config["created"] = json!("2024-01-01T00:00:00Z");
    config["config"] = json!({});
    config["rootfs"] = json!({ "type": "layers", "diff_ids": layers.iter().map(|layer| &layer.diff_id).collect::<Vec<_>>() });
    config
}
