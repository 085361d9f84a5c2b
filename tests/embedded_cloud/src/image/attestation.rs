//! Attestations as `BuildKit` attaches them: images for the platform `unknown/unknown` whose layer
//! is an in-toto statement (`BuildKit` documentation, "Image attestation storage").

use bytes::Bytes;
use serde_json::{Value, json};

use super::layer::Layer;
use super::{Image, Layout, Role};
use crate::blob::Blob;
use crate::{digest, media};

const PREDICATE: &str = "https://slsa.dev/provenance/v0.2";

/// One attestation manifest for each of `images`.
pub(super) fn of_each(images: &[Image], layout: Layout) -> Vec<Image> {
    images
        .iter()
        .map(|image| attestation(image, layout))
        .collect()
}

/// The descriptor of `statement` about `image` in an index.
pub(super) fn descriptor(statement: &Image, image: &Image) -> Value {
    let mut descriptor = statement.descriptor();
    descriptor["annotations"] = json!({
        "vnd.docker.reference.digest": image.digest(),
        "vnd.docker.reference.type": "attestation-manifest",
    });
    descriptor["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
    descriptor
}

fn statement(image: &Image) -> Layer {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": PREDICATE,
        "subject": [{ "name": "_", "digest": { "sha256": image.digest().trim_start_matches("sha256:") } }],
        "predicate": {},
    });
    let bytes = Bytes::from(statement.to_string());
    let digest = digest::of(&bytes);
    Layer {
        diff_id: digest.clone(),
        digest,
        blob: Blob::Bytes(bytes),
    }
}

fn attestation(image: &Image, layout: Layout) -> Image {
    let statement = statement(image);
    let config = json!({
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [statement.diff_id] },
    });
    let config = Bytes::from(config.to_string());
    let config_digest = digest::of(&config);
    let mut layer = statement.descriptor(media::IN_TOTO);
    layer["annotations"] = json!({ "in-toto.io/predicate-type": PREDICATE });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_MANIFEST,
        "config": { "mediaType": media::OCI_CONFIG, "digest": config_digest, "size": config.len() },
        "layers": [layer],
    });
    Image {
        role: Role::Attestation(image.digest()),
        media_type: media::OCI_MANIFEST,
        manifest: layout.write(&manifest),
        blobs: vec![
            (config_digest, Blob::Bytes(config)),
            (statement.digest.clone(), statement.blob.clone()),
        ],
        children: Vec::new(),
    }
}
