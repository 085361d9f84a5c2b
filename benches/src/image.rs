//! OCI images and indexes, generated from seeds.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use image_replicator::image::digest::Digest;
use serde_json::{Value, json};

use crate::content::Content;
use crate::lock::lock;

/// Digests of layers, computed once: hundreds of images share a layer.
static LAYER_DIGESTS: LazyLock<Mutex<HashMap<Layer, String>>> = LazyLock::new(Mutex::default);

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

/// A blob with its digest.
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

/// A layer, from which a blob is generated. Equal layers are the same blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Layer {
    pub(crate) seed: u64,
    pub(crate) size_bytes: u64,
}

impl Image {
    /// An image for a platform, such as `linux/arm64`.
    pub(crate) fn new(platform: &str, layers: &[Layer]) -> Self {
        let layers: Vec<Blob> = layers.iter().map(Layer::blob).collect();
        let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
        let mut config = platform_json(platform);
        config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
        Self::from_parts(&config, LAYER, layers)
    }

    /// An index of one image per platform, and of one attestation per image, as `BuildKit` makes
    /// them. `layers` returns the layers of the platform with the given number.
    pub(crate) fn index(platforms: &[&str], layers: impl Fn(usize) -> Vec<Layer>) -> Self {
        let mut images = Vec::new();
        let mut attestations = Vec::new();
        let mut descriptors = Vec::new();
        let mut attestation_descriptors = Vec::new();
        for (number, platform) in platforms.iter().enumerate() {
            let image = Self::new(platform, &layers(number));
            let attestation = image.attestation();
            descriptors.push(image.descriptor(platform));
            attestation_descriptors.push(attestation.attestation_descriptor(&image));
            images.push(image);
            attestations.push(attestation);
        }
        descriptors.extend(attestation_descriptors);
        images.extend(attestations);
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors });
        Self {
            manifest: Manifest::new(INDEX, &index),
            blobs: Vec::new(),
            children: images,
        }
    }

    /// Every manifest, children first, so that they can be pushed in this order.
    pub(crate) fn manifests(&self) -> Vec<&Manifest> {
        let mut manifests = Vec::new();
        for child in &self.children {
            manifests.extend(child.manifests());
        }
        manifests.push(&self.manifest);
        manifests
    }

    /// Every blob of the image and of its children. A blob that several share occurs several times.
    pub(crate) fn all_blobs(&self) -> Vec<&Blob> {
        let mut blobs: Vec<&Blob> = self.blobs.iter().collect();
        for child in &self.children {
            blobs.extend(child.all_blobs());
        }
        blobs
    }

    /// An attestation of this image.
    fn attestation(&self) -> Self {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{ "name": "bench", "digest": { "sha256": &self.manifest.digest[7..] } }],
        });
        let mut config = platform_json("unknown/unknown");
        config["rootfs"] = json!({ "type": "layers", "diff_ids": [] });
        Self::from_parts(&config, STATEMENT, vec![Blob::in_memory(&statement)])
    }

    fn from_parts(config: &Value, layer_type: &str, layers: Vec<Blob>) -> Self {
        let config = Blob::in_memory(config);
        let descriptors: Vec<Value> = layers
            .iter()
            .map(|layer| layer.descriptor(layer_type))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(CONFIG),
            "layers": descriptors,
        });
        let mut blobs = vec![config];
        blobs.extend(layers);
        Self {
            manifest: Manifest::new(MANIFEST, &manifest),
            blobs,
            children: Vec::new(),
        }
    }

    /// The descriptor of this image in an index.
    fn descriptor(&self, platform: &str) -> Value {
        json!({
            "mediaType": self.manifest.media_type,
            "digest": self.manifest.digest,
            "size": self.manifest.bytes.len(),
            "platform": platform_json(platform),
        })
    }

    /// The descriptor of this attestation of `image` in an index.
    fn attestation_descriptor(&self, image: &Self) -> Value {
        let mut descriptor = self.descriptor("unknown/unknown");
        descriptor["annotations"] = json!({
            "vnd.docker.reference.digest": image.manifest.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        });
        descriptor
    }
}

impl Manifest {
    fn new(media_type: &str, content: &Value) -> Self {
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
        let mut digests = lock(&LAYER_DIGESTS);
        let digest = digests.entry(*self).or_insert_with(|| content.digest());
        let digest = digest.clone();
        Blob { digest, content }
    }
}

impl Blob {
    fn in_memory(content: &Value) -> Self {
        let bytes = Bytes::from(content.to_string());
        Self {
            digest: Digest::from_content(&bytes).into(),
            content: Content::InMemory(bytes),
        }
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.digest, "size": self.content.size_bytes() })
    }
}

/// A platform such as `linux/arm64`, in the form of the OCI image specification.
fn platform_json(platform: &str) -> Value {
    let (os, architecture) = platform.split_once('/').unwrap_or((platform, "amd64"));
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
    fn a_manifest_lists_the_digests_and_sizes_of_its_blobs() {
        let image = Image::new("linux/amd64", &LAYERS);
        let manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
        let digest_and_size = |descriptor: &Value| {
            (
                descriptor["digest"].as_str().unwrap().to_owned(),
                descriptor["size"].as_u64().unwrap(),
            )
        };
        let layers = manifest["layers"].as_array().unwrap().iter();
        let listed: Vec<_> = [&manifest["config"]]
            .into_iter()
            .chain(layers)
            .map(digest_and_size)
            .collect();
        let blobs: Vec<_> = image
            .blobs
            .iter()
            .map(|blob| (blob.content.digest(), blob.content.size_bytes()))
            .collect();
        assert_eq!(listed, blobs);
        assert_eq!(listed[2].1, 70_000);
        assert_eq!(
            image.manifest.digest,
            Digest::from_content(&image.manifest.bytes).as_str()
        );
    }

    #[test]
    fn an_index_lists_each_image_and_its_attestation() {
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
