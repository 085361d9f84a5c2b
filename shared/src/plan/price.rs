//! The price of a copy: the manifests that have to be fetched from a metered source, each of which is a pull.
//!
//! Blobs are free at Docker Hub, and so is a HEAD. An image costs 1. An index costs 1 and as many as it names, less those that the
//! mirror has; how many it names is only known once it was fetched. Until then its predecessor in the mirror tells, which is
//! nearly always built alike, and its size, which a HEAD states.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::image::manifest::{Child, Content, Manifest};
use crate::image::platform::Platforms;
use crate::image::subset::{self, SubsetOf};

/// An index spends at least so many bytes on each manifest that it names: a digest, a media type, a size and a platform.
const BYTES_PER_CHILD: u64 = 250;

/// What a copy costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Price {
    /// Pulls; where `is_exact` is false it may be fewer, or a few more.
    pub pulls: u32,
    /// Whether that is known, or judged by the mirror's older copy or by the index's size.
    pub is_exact: bool,
    /// What each platform would cost alone, its attestations included, as far as that is known.
    pub alone: BTreeMap<String, u32>,
}

/// What a HEAD and the mirror tell of what is to be fetched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// Whether it is an index; `None` when nobody said.
    pub is_index: Option<bool>,
    /// The manifest's size in bytes.
    pub size_bytes: Option<u64>,
    /// What the mirror has under the tag now.
    pub predecessor: Option<&'a Manifest>,
}

impl Price {
    /// Nothing: what is wanted is there already, or comes from a source that does not count.
    pub const FREE: Self = Self {
        pulls: 0,
        is_exact: true,
        alone: BTreeMap::new(),
    };

    /// The price of what `hints` tell of, for `platforms`.
    pub fn estimate(hints: &Hints<'_>, platforms: &Platforms) -> Self {
        if hints.is_index != Some(true) {
            return Self {
                pulls: 1,
                is_exact: hints.is_index.is_some(),
                alone: BTreeMap::new(),
            };
        }
        let judged = hints
            .predecessor
            .and_then(|older| by_predecessor(older, hints.size_bytes, platforms));
        let (count, alone) =
            judged.unwrap_or_else(|| (by_size(hints.size_bytes, platforms), BTreeMap::new()));
        Self {
            pulls: 1 + count,
            is_exact: false,
            alone,
        }
    }
}

/// As many manifests as `predecessor` would lead to, and what its platforms would cost alone. All of an index are as many more as
/// it is longer. `None` where that tells nothing: for an image, and for a part that was cut for other platforms.
fn by_predecessor(
    predecessor: &Manifest,
    size_bytes: Option<u64>,
    platforms: &Platforms,
) -> Option<(u32, BTreeMap<String, u32>)> {
    let Content::Index(children) = &predecessor.content else {
        return None;
    };
    if SubsetOf::from_annotations(predecessor)
        .is_some_and(|part| part.choice != platforms.fingerprint())
    {
        return None;
    }
    let count = subset::select_children(children, platforms)
        .map_or(children.len(), |chosen| chosen.len()) as u64;
    let before_bytes = predecessor.bytes.len() as u64;
    let count = match size_bytes.filter(|bytes| platforms.is_all() && *bytes > before_bytes) {
        Some(bytes) => (count.saturating_mul(bytes) + before_bytes / 2) / before_bytes,
        None => count,
    };
    Some((as_u32(count), alone(children)))
}

/// The most manifests that an index of this size can name, or that a choice of platforms leads to: each, and its attestation.
fn by_size(size_bytes: Option<u64>, platforms: &Platforms) -> u32 {
    let by_size = as_u32(
        size_bytes
            .unwrap_or(BYTES_PER_CHILD)
            .div_ceil(BYTES_PER_CHILD),
    );
    // One name of Windows can stand for several versions.
    let is_bounded = !platforms.is_all()
        && platforms
            .iter()
            .all(|platform| !platform.to_string().starts_with("windows/"));
    if is_bounded {
        by_size.min(2 * as_u32(platforms.iter().count() as u64))
    } else {
        by_size
    }
}

fn alone(children: &[Child]) -> BTreeMap<String, u32> {
    let mut prices: BTreeMap<String, u32> = BTreeMap::new();
    for child in children {
        if let Some(platform) = &child.platform {
            let attestations = children
                .iter()
                .filter(|other| other.attests.as_ref() == Some(&child.digest))
                .count();
            *prices.entry(platform.to_string()).or_insert(1) += 1 + as_u32(attestations as u64);
        }
    }
    prices
}

fn as_u32(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platforms(names: &[&str]) -> Platforms {
        names
            .iter()
            .map(|name| name.parse().unwrap())
            .collect::<Vec<_>>()
            .into()
    }

    fn entry(name: char, os: &str, architecture: &str, attests: Option<char>) -> String {
        let digest = |name: char| format!("sha256:{}", name.to_string().repeat(64));
        let annotations = attests.map_or(String::new(), |subject| {
            format!(
                r#","annotations":{{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"{}"}}"#,
                digest(subject)
            )
        });
        format!(
            r#"{{"mediaType":"m","digest":"{}","size":1,"platform":{{"os":"{os}","architecture":"{architecture}"}}{annotations}}}"#,
            digest(name)
        )
    }

    /// Two platforms, of which the first has an attestation.
    fn predecessor() -> Manifest {
        let entries = [
            entry('a', "linux", "amd64", None),
            entry('b', "linux", "arm64", None),
            entry('c', "unknown", "unknown", Some('a')),
        ];
        Manifest::parse(
            format!(
                r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
                entries.join(",")
            )
            .into_bytes()
            .into(),
            None,
        )
        .unwrap()
    }

    fn pulls(hints: &Hints<'_>, names: &[&str]) -> u32 {
        Price::estimate(hints, &platforms(names)).pulls
    }

    #[test]
    fn an_image_costs_one() {
        let price = Price::estimate(
            &Hints {
                is_index: Some(false),
                ..Hints::default()
            },
            &Platforms::ALL,
        );
        assert_eq!((price.pulls, price.is_exact), (1, true));
        assert_eq!(pulls(&Hints::default(), &[]), 1);
    }

    #[test]
    fn an_index_costs_what_its_predecessor_would() {
        let predecessor = predecessor();
        let size_bytes = predecessor.bytes.len() as u64;
        let hints = Hints {
            is_index: Some(true),
            size_bytes: Some(size_bytes + 9),
            predecessor: Some(&predecessor),
        };
        let price = Price::estimate(&hints, &Platforms::ALL);
        assert_eq!((price.pulls, price.is_exact), (4, false));
        assert_eq!(
            pulls(
                &Hints {
                    size_bytes: Some(2 * size_bytes),
                    ..hints
                },
                &[]
            ),
            7,
            "twice as many"
        );
        assert_eq!(
            pulls(
                &Hints {
                    size_bytes: Some(2 * size_bytes),
                    ..hints
                },
                &["linux/amd64"]
            ),
            3
        );
        assert_eq!(
            price.alone,
            [("linux/amd64".to_owned(), 3), ("linux/arm64".to_owned(), 2)].into()
        );
        assert_eq!(pulls(&hints, &["linux/amd64"]), 3);
        assert_eq!(
            pulls(&hints, &["linux/s390x"]),
            4,
            "what the predecessor lacks may be there now"
        );
    }

    #[test]
    fn a_part_tells_the_price_of_the_same_platforms_alone() {
        let part = subset::subset(&predecessor(), &platforms(&["linux/amd64"])).unwrap();
        let hints = Hints {
            is_index: Some(true),
            size_bytes: Some(2000),
            predecessor: Some(&part),
        };
        assert_eq!(pulls(&hints, &["linux/amd64"]), 3);
        assert_eq!(pulls(&hints, &[]), 9);
        assert_eq!(
            pulls(&hints, &["linux/arm64"]),
            3,
            "an image and its attestation"
        );
    }

    #[test]
    fn an_index_without_a_predecessor_is_judged_by_its_size() {
        let hints = Hints {
            is_index: Some(true),
            size_bytes: Some(2000),
            predecessor: None,
        };
        assert_eq!(pulls(&hints, &[]), 9);
        assert_eq!(pulls(&hints, &["linux/amd64"]), 3);
        assert_eq!(pulls(&hints, &["windows/amd64"]), 9);
    }
}
