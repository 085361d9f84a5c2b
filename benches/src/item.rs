//! The items that are copied, and the steps of each.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::image::{Image, Layer};

const MB: u64 = 1_000_000;
const PLATFORMS: [&str; 8] = [
    "linux/amd64",
    "linux/arm64",
    "linux/arm",
    "linux/386",
    "linux/ppc64le",
    "linux/s390x",
    "linux/riscv64",
    "linux/mips64le",
];
const SMALL_LAYER_BYTES: [u64; 5] = [4 * MB, 2 * MB, MB, 700_000, 300_000];
const MEDIUM_LAYER_BYTES: [u64; 8] = [
    60 * MB,
    40 * MB,
    20 * MB,
    12 * MB,
    8 * MB,
    6 * MB,
    3 * MB,
    MB,
];
const LARGE_LAYER_BYTES: [u64; 11] = [
    1 << 30,
    30 * MB,
    30 * MB,
    30 * MB,
    30 * MB,
    30 * MB,
    30 * MB,
    30 * MB,
    30 * MB,
    30 * MB,
    30 * MB,
];
const MANY_REPOSITORIES: u64 = 20;
const MANY_TAGS: u64 = 10;

/// Something to copy.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Item {
    /// 5 layers, 8 MB in all
    Small,
    /// 8 layers, 150 MB in all
    Medium,
    /// One layer of 1 GiB and ten of 30 MB
    Large,
    /// An index of 8 platforms with 6 layers of 5 MB each, and one attestation per platform
    Multi,
    /// 200 tags in 20 repositories that share layers, 284 MB: cold, then unchanged, then after one
    /// tag has moved
    Many,
}

/// A copy of an item that is measured. The steps run in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    /// The destination is empty.
    Cold,
    /// The destination is up to date.
    Unchanged,
    /// The destination is up to date except for one tag, which has moved at the source.
    Changed,
}

/// An image with its repository and tag.
#[derive(Clone, Debug)]
pub(crate) struct Tagged {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) image: Image,
}

impl Item {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::Multi => "multi",
            Self::Many => "many",
        }
    }

    pub(crate) fn steps(self) -> &'static [Step] {
        match self {
            Self::Many => &[Step::Cold, Step::Unchanged, Step::Changed],
            _ => &[Step::Cold],
        }
    }

    /// Repository and tag of each image.
    pub(crate) fn names(self) -> Vec<(String, String)> {
        if self != Self::Many {
            return vec![(format!("bench/{}", self.name()), "v1".to_owned())];
        }
        let mut names = Vec::new();
        for repository in 0..MANY_REPOSITORIES {
            for tag in 0..MANY_TAGS {
                names.push((many_repository(repository), format!("v{tag}")));
            }
        }
        names
    }

    /// The images. This hashes every byte, which takes one or two seconds per gigabyte.
    pub(crate) fn images(self) -> Vec<Tagged> {
        let mut images = Vec::new();
        for ((repository, tag), image) in self.names().into_iter().zip(self.contents()) {
            images.push(Tagged {
                repository,
                tag,
                image,
            });
        }
        images
    }

    /// The image of the first tag after it has moved; `None` if no tag of the item moves.
    pub(crate) fn changed(self) -> Option<Tagged> {
        if self != Self::Many {
            return None;
        }
        let (repository, tag) = self.names().swap_remove(0);
        Some(Tagged {
            repository,
            tag,
            image: many_image(0, MANY_TAGS),
        })
    }

    /// The content of each image, in the order of the names.
    fn contents(self) -> Vec<Image> {
        match self {
            Self::Small => vec![single(1_000, &SMALL_LAYER_BYTES)],
            Self::Medium => vec![single(2_000, &MEDIUM_LAYER_BYTES)],
            Self::Large => vec![single(3_000, &LARGE_LAYER_BYTES)],
            Self::Multi => vec![multi_image()],
            Self::Many => many_images(),
        }
    }
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
        }
    }
}

fn many_repository(repository: u64) -> String {
    format!("many/app-{repository:02}")
}

/// An image with one layer that all repositories share, two that the tags of its repository share,
/// and two of its own.
fn many_image(repository: u64, tag: u64) -> Image {
    let shared = layers(50_000, &[10 * MB]);
    let of_repository = layers(51_000 + 10 * repository, &[2 * MB, MB]);
    let own = layers(60_000 + 100 * repository + 2 * tag, &[100_000, 20_000]);
    Image::new("linux/amd64", &[shared, of_repository, own].concat())
}

fn many_images() -> Vec<Image> {
    let mut images = Vec::new();
    for repository in 0..MANY_REPOSITORIES {
        for tag in 0..MANY_TAGS {
            images.push(many_image(repository, tag));
        }
    }
    images
}

fn multi_image() -> Image {
    Image::index(&PLATFORMS, |platform| {
        layers(4_000 + 10 * platform as u64, &[5 * MB; 6])
    })
}

fn single(first_seed: u64, sizes: &[u64]) -> Image {
    Image::new("linux/amd64", &layers(first_seed, sizes))
}

/// One layer for each of `sizes`, in bytes, with consecutive seeds.
fn layers(first_seed: u64, sizes: &[u64]) -> Vec<Layer> {
    let mut layers = Vec::new();
    for (seed, &size_bytes) in (first_seed..).zip(sizes) {
        layers.push(Layer { seed, size_bytes });
    }
    layers
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The number and the bytes of an item's layers. Each repository counts a layer once.
    fn count_layers(item: Item) -> (usize, u64) {
        let mut sizes = BTreeMap::new();
        for tagged in item.images() {
            for blob in tagged.image.all_blobs() {
                let key = (tagged.repository.clone(), blob.digest.clone());
                sizes.insert(key, blob.content.size_bytes());
            }
        }
        // Configurations and attestations are smaller than any layer.
        sizes.retain(|_, size_bytes| *size_bytes >= 20_000);
        (sizes.len(), sizes.values().sum())
    }

    #[test]
    fn the_items_have_their_documented_sizes() {
        assert_eq!(count_layers(Item::Small), (5, 8_000_000));
        assert_eq!(count_layers(Item::Medium), (8, 150_000_000));
        assert_eq!(count_layers(Item::Multi), (48, 240_000_000));
        assert_eq!(count_layers(Item::Many), (20 * (1 + 2 + 20), 284_000_000));
    }

    #[test]
    fn tags_that_share_layers_are_different_images() {
        let images = Item::Many.images();
        let changed = Item::Many.changed().unwrap();
        let digests: BTreeSet<&str> = images
            .iter()
            .chain([&changed])
            .map(|tagged| tagged.image.manifest.digest.as_str())
            .collect();
        assert_eq!(digests.len(), 201);
        assert_eq!(
            (changed.repository.as_str(), changed.tag.as_str()),
            ("many/app-00", "v0")
        );
        assert!(Item::Small.changed().is_none());
    }
}
