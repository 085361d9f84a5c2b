//! Images and indexes in OCI form whose bytes follow from a seed.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use image_replicator::image::digest::Digest;
use serde_json::{Value, json};

use crate::content::Content;

/// Digests of layers that were made before: hundreds of images share one.
static DIGESTS: LazyLock<Mutex<HashMap<Layer, String>>> = LazyLock::new(Mutex::default);

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const STATEMENT: &str = "application/vnd.in-toto+json";

/// A manifest as a registry stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) digest: String,
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
}

/// A blob under its digest.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) digest: String,
    pub(crate) content: Content,
}

/// An image with its blobs, or an index with its children.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) manifest: Manifest,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) children: Vec<Image>,
}

/// A layer: what its bytes follow from, and how many there are. Equal layers are the same blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Layer {
    pub(crate) seed: u64,
    pub(crate) size_bytes: u64,
}

impl Image {
    /// An image for a platform, such as `linux/arm64`.
    pub(crate) fn of(platform_name: &str, layers: &[Layer]) -> Self {
        let layers: Vec<Blob> = layers.iter().map(Layer::blob).collect();
        let mut config = platform(platform_name);
        let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
        config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
        Self::from_parts(&config, LAYER, layers)
    }

    /// An index over an image for each of `platforms` with the layers that `layers` gives it, and with an attestation for each
    /// image, as `BuildKit` makes them.
    pub(crate) fn index(platforms: &[&str], layers: impl Fn(usize) -> Vec<Layer>) -> Self {
        let images: Vec<Self> = platforms
            .iter()
            .enumerate()
            .map(|(number, platform)| Self::of(platform, &layers(number)))
            .collect();
        let attestations: Vec<Self> = images.iter().map(Self::attestation).collect();
        let described = images
            .iter()
            .zip(platforms)
            .map(|(image, platform)| image.descriptor(platform, json!({})));
        let attested = attestations
            .iter()
            .zip(&images)
            .map(|(attestation, image)| {
                let about = json!({
                    "vnd.docker.reference.digest": image.manifest.digest,
                    "vnd.docker.reference.type": "attestation-manifest",
                });
                attestation.descriptor("unknown/unknown", about)
            });
        let manifests: Vec<Value> = described.chain(attested).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        Self {
            manifest: Manifest::of(INDEX, &index),
            blobs: Vec::new(),
            children: [images, attestations].concat(),
        }
    }

    /// Every manifest, children first, in an order in which they may be pushed.
    pub(crate) fn manifests(&self) -> Vec<&Manifest> {
        self.children
            .iter()
            .flat_map(Image::manifests)
            .chain([&self.manifest])
            .collect()
    }

    /// Every blob of the image or of all children; one that several name comes several times.
    pub(crate) fn all_blobs(&self) -> Vec<&Blob> {
        self.blobs
            .iter()
            .chain(self.children.iter().flat_map(Image::all_blobs))
            .collect()
    }

    /// A statement about this image.
    fn attestation(&self) -> Self {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{ "name": "bench", "digest": { "sha256": &self.manifest.digest[7..] } }],
        });
        let mut config = platform("unknown/unknown");
        config["rootfs"] = json!({ "type": "layers", "diff_ids": [] });
        Self::from_parts(&config, STATEMENT, vec![Blob::held(&statement)])
    }

    fn from_parts(config: &Value, layer_type: &str, layers: Vec<Blob>) -> Self {
        let config = Blob::held(config);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(CONFIG),
            "layers": layers.iter().map(|layer| layer.descriptor(layer_type)).collect::<Vec<_>>(),
        });
        let blobs = [vec![config], layers].concat();
        Self {
            manifest: Manifest::of(MANIFEST, &manifest),
            blobs,
            children: Vec::new(),
        }
    }

    /// How an index refers to this image.
    fn descriptor(&self, platform_name: &str, annotations: Value) -> Value {
        let Manifest {
            digest,
            media_type,
            bytes,
        } = &self.manifest;
        let mut descriptor =
            json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() });
        descriptor["platform"] = platform(platform_name);
        if annotations.as_object().is_some_and(|map| !map.is_empty()) {
            descriptor["annotations"] = annotations;
        }
        descriptor
    }
}

impl Manifest {
    fn of(media_type: &str, content: &Value) -> Self {
        let bytes = Bytes::from(content.to_string());
        Self {
            digest: Digest::from_content(&bytes).into(),
            media_type: media_type.to_owned(),
            bytes,
        }
    }
}

impl Layer {
    fn blob(&self) -> Blob {
        let content = Content::Generated {
            seed: self.seed,
            size_bytes: self.size_bytes,
        };
        let mut known = DIGESTS.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = known
            .entry(*self)
            .or_insert_with(|| content.digest())
            .clone();
        Blob { digest, content }
    }
}

impl Blob {
    fn held(content: &Value) -> Self {
        let bytes = Bytes::from(content.to_string());
        Self {
            digest: Digest::from_content(&bytes).into(),
            content: Content::Held(bytes),
        }
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.digest, "size": self.content.size_bytes() })
    }
}

/// `linux/arm64` as the image specification writes it.
fn platform(text: &str) -> Value {
    let (os, architecture) = text.split_once('/').unwrap_or((text, "amd64"));
    json!({ "architecture": architecture, "os": os })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: [Layer; 2] = [
        Layer {
            seed: 1,
            size_bytes: 1_000,
        },
        Layer {
            seed: 2,
            size_bytes: 70_000,
        },
    ];

    #[test]
    fn a_manifest_names_the_digests_and_sizes_of_its_blobs() {
        let image = Image::of("linux/amd64", &LAYERS);
        let manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
        let named = |descriptor: &Value| {
            (
                descriptor["digest"].as_str().unwrap().to_owned(),
                descriptor["size"].as_u64().unwrap(),
            )
        };
        let layers = manifest["layers"].as_array().unwrap().iter();
        let all: Vec<_> = [&manifest["config"]]
            .into_iter()
            .chain(layers)
            .map(named)
            .collect();
        let held: Vec<_> = image
            .blobs
            .iter()
            .map(|blob| (blob.content.digest(), blob.content.size_bytes()))
            .collect();
        assert_eq!(all, held);
        assert_eq!(all[2].1, 70_000);
        assert_eq!(
            image.manifest.digest,
            Digest::from_content(&image.manifest.bytes).as_str()
        );
    }

    #[test]
    fn an_index_names_each_image_and_an_attestation_about_it() {
        let index = Image::index(&["linux/amd64", "linux/arm64"], |number| {
            vec![LAYERS[number]]
        });
        let json: Value = serde_json::from_slice(&index.manifest.bytes).unwrap();
        let entries = json["manifests"].as_array().unwrap();
        let children: Vec<&str> = index
            .children
            .iter()
            .map(|child| child.manifest.digest.as_str())
            .collect();
        assert_eq!(
            entries
                .iter()
                .map(|entry| entry["digest"].as_str().unwrap())
                .collect::<Vec<_>>(),
            children
        );
        assert_eq!(
            entries[1]["platform"],
            json!({ "architecture": "arm64", "os": "linux" })
        );
        assert_eq!(
            entries[3]["annotations"]["vnd.docker.reference.digest"],
            children[1]
        );
        assert_eq!((index.manifests().len(), index.all_blobs().len()), (5, 8));
    }
}
