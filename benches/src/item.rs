//! What is copied: the items, and what happens to each.

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
const REPOSITORIES: u64 = 20;
const TAGS: u64 = 10;

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
    /// An index of 8 platforms with 6 layers of 5 MB each, and an attestation for each platform
    Multi,
    /// 200 tags in 20 repositories that share layers, 284 MB: all of them, then once more, then after one tag has moved
    Many,
}

/// What is measured of an item, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    /// Nothing is at the destination.
    Cold,
    /// Everything is there.
    Unchanged,
    /// Everything is there, and one tag of the source has moved since.
    Changed,
}

/// An image under the name that the source gives it.
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

    /// Repository and tag of each image, without making it.
    pub(crate) fn names(self) -> Vec<(String, String)> {
        match self {
            Self::Many => (0..REPOSITORIES)
                .flat_map(|repository| {
                    (0..TAGS).map(move |tag| (many(repository), format!("v{tag}")))
                })
                .collect(),
            _ => vec![(format!("bench/{}", self.name()), "v1".to_owned())],
        }
    }

    /// The images, made: every byte is hashed, which takes a second or two for a gigabyte.
    pub(crate) fn images(self) -> Vec<Tagged> {
        let tagged = |((repository, tag), image)| Tagged {
            repository,
            tag,
            image,
        };
        self.names()
            .into_iter()
            .zip(self.contents())
            .map(tagged)
            .collect()
    }

    /// What the first tag stands for once it has moved.
    pub(crate) fn changed(self) -> Option<Tagged> {
        let (repository, tag) = self.names().swap_remove(0);
        (self == Self::Many).then(|| Tagged {
            repository,
            tag,
            image: many_image(0, TAGS),
        })
    }

    fn contents(self) -> Vec<Image> {
        match self {
            Self::Small => vec![single(1, &[4 * MB, 2 * MB, MB, 700_000, 300_000])],
            Self::Medium => vec![single(
                2,
                &[
                    60 * MB,
                    40 * MB,
                    20 * MB,
                    12 * MB,
                    8 * MB,
                    6 * MB,
                    3 * MB,
                    MB,
                ],
            )],
            Self::Large => vec![single(3, &[[1 << 30].as_slice(), &[30 * MB; 10]].concat())],
            Self::Multi => {
                vec![Image::index(&PLATFORMS, |platform| {
                    layers(4_000 + 10 * platform as u64, &[5 * MB; 6])
                })]
            }
            Self::Many => (0..REPOSITORIES)
                .flat_map(|repository| (0..TAGS).map(move |tag| many_image(repository, tag)))
                .collect(),
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

fn many(repository: u64) -> String {
    format!("many/app-{repository:02}")
}

/// One layer that all repositories share, two that the tags of a repository share, and two of its own.
fn many_image(repository: u64, tag: u64) -> Image {
    let own = 60_000 + 100 * repository + 2 * tag;
    let shared = [Layer {
        seed: 50_000,
        size_bytes: 10 * MB,
    }];
    let of_repository = layers(51_000 + 10 * repository, &[2 * MB, MB]);
    Image::of(
        "linux/amd64",
        &[
            shared.to_vec(),
            of_repository,
            layers(own, &[100_000, 20_000]),
        ]
        .concat(),
    )
}

fn single(number: u64, sizes: &[u64]) -> Image {
    Image::of("linux/amd64", &layers(1_000 * number, sizes))
}

fn layers(first_seed: u64, sizes: &[u64]) -> Vec<Layer> {
    let seeds = first_seed..;
    seeds
        .zip(sizes)
        .map(|(seed, &size_bytes)| Layer { seed, size_bytes })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Blobs and bytes of an item, those that a repository has twice counted once.
    fn check(item: Item) -> (usize, u64) {
        let mut blobs = BTreeMap::new();
        for Tagged {
            repository, image, ..
        } in item.images()
        {
            blobs.extend(image.all_blobs().into_iter().map(|blob| {
                (
                    (repository.clone(), blob.digest.clone()),
                    blob.content.size_bytes(),
                )
            }));
        }
        let layers = blobs.values().filter(|size| **size >= 20_000);
        (layers.clone().count(), layers.sum())
    }

    #[test]
    fn the_items_are_as_large_as_they_say() {
        assert_eq!(check(Item::Small), (5, 8_000_000));
        assert_eq!(check(Item::Medium), (8, 150_000_000));
        assert_eq!(check(Item::Multi), (48, 240_000_000));
        assert_eq!(check(Item::Many), (20 * (1 + 2 + 20), 284_000_000));
    }

    #[test]
    fn tags_that_share_layers_are_images_of_their_own() {
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
