//! One layer of a test image.

use bytes::Bytes;
use serde_json::{Value, json};

use super::archive::archive;
use crate::blob::{self, Blob};
use crate::digest;

/// The largest layer that is kept in memory.
const IN_MEMORY_BYTES: u64 = 4 * 1024 * 1024;

pub(super) struct Layer {
    pub(super) digest: String,
    pub(super) diff_id: String,
    pub(super) blob: Blob,
}

/// Layers of these sizes. Their content is derived from `seed` and their position.
pub(super) fn stack(seed: u64, sizes: &[u64]) -> Vec<Layer> {
    sizes
        .iter()
        .zip(0..)
        .map(|(size, place)| Layer::new(seed.wrapping_mul(1_000_003).wrapping_add(place), *size))
        .collect()
}

impl Layer {
    fn new(seed: u64, size: u64) -> Self {
        match usize::try_from(size) {
            Ok(bytes) if size <= IN_MEMORY_BYTES => Self::in_memory(seed, bytes),
            _ => Self::noise(Blob::Generated { seed, size }),
        }
    }

    fn in_memory(seed: u64, size: usize) -> Self {
        match archive(seed, size) {
            Some(archive) => {
                let bytes = Bytes::from(archive.bytes);
                Self {
                    digest: digest::of(&bytes),
                    diff_id: archive.diff_id,
                    blob: Blob::Bytes(bytes),
                }
            }
            None => Self::noise(Blob::Bytes(blob::noise(seed, size).into())),
        }
    }

    fn noise(blob: Blob) -> Self {
        let digest = blob.digest();
        Self {
            diff_id: digest.clone(),
            digest,
            blob,
        }
    }

    pub(super) fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.digest, "size": self.blob.size() })
    }
}
