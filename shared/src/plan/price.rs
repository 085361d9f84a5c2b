//! The price of a copy in pulls: each manifest that is fetched from a metered registry is a pull.
//!
//! Docker Hub counts neither blobs nor HEAD requests. An image costs 1 pull. An index costs 1 pull,
//! and 1 for each of its manifests that the mirror lacks. The number of its manifests is known only
//! after it was fetched. Until then it is estimated from its predecessor in the mirror, which nearly
//! always has the same structure, and from its size, which a HEAD response states.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::image::manifest::{Child, Content, Manifest};
use crate::image::platform::Platforms;
use crate::image::subset::{self, SubsetOf};

/// The minimum size of an entry in an index: a digest, a media type, a size and a platform.
const MIN_BYTES_PER_CHILD: u64 = 250;

/// The price of a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Price {
    /// Pulls. If `is_exact` is false, the copy may cost fewer or a few more.
    pub pulls: u32,
    /// Whether the price is known; otherwise it is an estimate.
    pub is_exact: bool,
    /// Pulls for each platform alone, with its attestations; empty if they are unknown.
    pub alone: BTreeMap<String, u32>,
}

/// What a HEAD response and the mirror show about the manifest to copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// Whether it is an index; `None` if that is unknown.
    pub is_index: Option<bool>,
    /// Its size in bytes.
    pub size_bytes: Option<u64>,
    /// The manifest that the mirror has under the tag now.
    pub predecessor: Option<&'a Manifest>,
}

impl Price {
    /// The price of content that the mirror has already, or that an unmetered registry serves.
    pub const FREE: Self = Self {
        pulls: 0,
        is_exact: true,
        alone: BTreeMap::new(),
    };

    /// Estimates the price of copying `platforms` of the manifest that `hints` describe.
    pub fn estimate(hints: &Hints<'_>, platforms: &Platforms) -> Self {
        if hints.is_index != Some(true) {
            return Self {
                pulls: 1,
                is_exact: hints.is_index.is_some(),
                alone: BTreeMap::new(),
            };
        }
        let predecessor = hints
            .predecessor
            .and_then(|predecessor| Predecessor::new(predecessor, platforms));
        let (children, alone) = match predecessor {
            Some(predecessor) => (
                predecessor.count_children(hints.size_bytes, platforms),
                price_each_platform(predecessor.children),
            ),
            None => (max_children(hints.size_bytes, platforms), BTreeMap::new()),
        };
        Self {
            pulls: 1 + children,
            is_exact: false,
            alone,
        }
    }
}

/// An index in the mirror whose structure tells the structure of a newer index.
struct Predecessor<'a> {
    children: &'a [Child],
    size_bytes: u64,
}

impl<'a> Predecessor<'a> {
    /// `None` if `manifest` is an image, or a subset for other platforms than `platforms`.
    fn new(manifest: &'a Manifest, platforms: &Platforms) -> Option<Self> {
        let Content::Index(children) = &manifest.content else {
            return None;
        };
        let subset_of = SubsetOf::from_annotations(manifest);
        if subset_of.is_some_and(|subset_of| subset_of.choice != platforms.fingerprint()) {
            return None;
        }
        Some(Self {
            children,
            size_bytes: manifest.bytes.len() as u64,
        })
    }

    /// Estimates how many manifests an index of `new_size_bytes` has for `platforms`: as many as
    /// this one. If all platforms are copied and the new index is larger, the number grows by the
    /// same factor, rounded to the nearest integer.
    fn count_children(&self, new_size_bytes: Option<u64>, platforms: &Platforms) -> u32 {
        let chosen = subset::select_children(self.children, platforms);
        let count = chosen.map_or(self.children.len(), |chosen| chosen.len()) as u64;
        match new_size_bytes {
            Some(new) if platforms.is_all() && new > self.size_bytes => {
                let scaled = count.saturating_mul(new) + self.size_bytes / 2;
                saturate(scaled / self.size_bytes)
            }
            _ => saturate(count),
        }
    }
}

/// The maximum number of manifests that an index of `size_bytes` has for `platforms`. Each chosen
/// platform has one image and one attestation.
fn max_children(size_bytes: Option<u64>, platforms: &Platforms) -> u32 {
    let size_bytes = size_bytes.unwrap_or(MIN_BYTES_PER_CHILD);
    let by_size = saturate(size_bytes.div_ceil(MIN_BYTES_PER_CHILD));
    // A Windows platform without a version matches several manifests, one for each version.
    let is_windows = |name: String| name.starts_with("windows/");
    if platforms.is_all()
        || platforms
            .iter()
            .any(|platform| is_windows(platform.to_string()))
    {
        return by_size;
    }
    let by_platforms = 2 * saturate(platforms.iter().count() as u64);
    by_size.min(by_platforms)
}

/// The price of each platform alone: the index, the platform's manifests and their attestations.
fn price_each_platform(children: &[Child]) -> BTreeMap<String, u32> {
    let mut prices = BTreeMap::new();
    for child in children {
        let Some(platform) = &child.platform else {
            continue;
        };
        let attests_child = |other: &&Child| other.attests.as_ref() == Some(&child.digest);
        let attestations = children.iter().filter(attests_child).count();
        let price = prices.entry(platform.to_string()).or_insert(1);
        *price += 1 + saturate(attestations as u64);
    }
    prices
}

fn saturate(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platforms(names: &[&str]) -> Platforms {
        let platforms: Vec<_> = names.iter().map(|name| name.parse().unwrap()).collect();
        platforms.into()
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
        let entries = entries.join(",");
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{entries}]}}"#);
        Manifest::parse(index.into_bytes().into(), None).unwrap()
    }

    fn index_hints(size_bytes: u64, predecessor: Option<&Manifest>) -> Hints<'_> {
        Hints {
            is_index: Some(true),
            size_bytes: Some(size_bytes),
            predecessor,
        }
    }

    fn pulls(hints: &Hints<'_>, names: &[&str]) -> u32 {
        Price::estimate(hints, &platforms(names)).pulls
    }

    #[test]
    fn an_image_costs_exactly_one_pull() {
        let hints = Hints {
            is_index: Some(false),
            ..Hints::default()
        };
        let price = Price::estimate(&hints, &Platforms::ALL);
        assert_eq!((price.pulls, price.is_exact), (1, true));
    }

    #[test]
    fn a_manifest_of_unknown_kind_costs_about_one_pull() {
        let price = Price::estimate(&Hints::default(), &Platforms::ALL);
        assert_eq!((price.pulls, price.is_exact), (1, false));
    }

    #[test]
    fn an_index_costs_about_as_much_as_its_predecessor() {
        let predecessor = predecessor();
        let size_bytes = predecessor.bytes.len() as u64 + 9;
        let hints = index_hints(size_bytes, Some(&predecessor));
        let price = Price::estimate(&hints, &Platforms::ALL);
        assert_eq!((price.pulls, price.is_exact), (4, false));
        let alone = [("linux/amd64".to_owned(), 3), ("linux/arm64".to_owned(), 2)];
        assert_eq!(price.alone, alone.into());
        assert_eq!(pulls(&hints, &["linux/amd64"]), 3);
    }

    #[test]
    fn a_larger_index_has_more_manifests_unless_platforms_are_chosen() {
        let predecessor = predecessor();
        let size_bytes = 2 * predecessor.bytes.len() as u64;
        let hints = index_hints(size_bytes, Some(&predecessor));
        assert_eq!(pulls(&hints, &[]), 7);
        assert_eq!(pulls(&hints, &["linux/amd64"]), 3);
    }

    #[test]
    fn a_platform_that_the_predecessor_lacks_costs_as_much_as_all() {
        let predecessor = predecessor();
        let size_bytes = predecessor.bytes.len() as u64;
        let hints = index_hints(size_bytes, Some(&predecessor));
        assert_eq!(pulls(&hints, &["linux/s390x"]), 4);
    }

    #[test]
    fn a_subset_is_a_predecessor_for_the_same_platforms_only() {
        let subset = subset::subset(&predecessor(), &platforms(&["linux/amd64"])).unwrap();
        let hints = index_hints(2000, Some(&subset));
        assert_eq!(pulls(&hints, &["linux/amd64"]), 3);
        assert!(
            !Price::estimate(&hints, &platforms(&["linux/amd64"]))
                .alone
                .is_empty()
        );
        let by_size = 9;
        assert_eq!(pulls(&hints, &[]), by_size);
        let image_and_attestation = 3;
        assert_eq!(pulls(&hints, &["linux/arm64"]), image_and_attestation);
    }

    #[test]
    fn an_index_without_a_predecessor_is_estimated_by_its_size() {
        let hints = index_hints(2000, None);
        assert_eq!(pulls(&hints, &[]), 9);
        assert_eq!(pulls(&hints, &["linux/amd64"]), 3);
        assert_eq!(pulls(&hints, &["windows/amd64"]), 9);
    }
}
