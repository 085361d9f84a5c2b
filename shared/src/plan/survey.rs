//! What a run found before anything is written.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::platform::Platforms;
use crate::image::reference::{DOCKER_HUB, ImageRef, RepositoryRef};
use crate::image::subset::SubsetOf;
use crate::outcome::state::ResourceTags;
use crate::request::Target;

/// Everything that the plan decides by. What could not be found out is an error, never an absence.
#[derive(Debug, Default)]
pub struct Survey {
    /// Each upstream tag.
    pub upstream: BTreeMap<ImageRef, Result<UpstreamTag, Error>>,
    /// The tags of each destination repository.
    pub destinations: BTreeMap<RepositoryRef, Result<RepositoryTags, Error>>,
    /// The resource tags of repositories with a target that is not up to date, where readable.
    pub records: BTreeMap<RepositoryRef, ResourceTags>,
    /// For each target that holds a subset: the index that it was cut from.
    pub subsets: BTreeMap<ImageRef, SubsetOf>,
    /// The manifests under target tags that are about to move.
    pub predecessors: BTreeMap<ImageRef, Manifest>,
    /// For each image, an origin with the same digest as upstream.
    pub origins: BTreeMap<ImageRef, RepositoryRef>,
}

/// An upstream tag, as a HEAD of its manifest shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTag {
    /// The digest of its manifest.
    pub digest: Digest,
    /// Whether the manifest is an index; `None` if the registry did not say.
    pub is_index: Option<bool>,
    /// The size of the manifest in bytes.
    pub size_bytes: Option<u64>,
    /// Whether a GET of the manifest is a pull that counts.
    pub is_metered: bool,
}

impl UpstreamTag {
    /// `image` at `digest`, without a request to upstream. At Docker Hub it counts as metered.
    pub fn assumed(digest: Digest, image: &ImageRef) -> Self {
        let is_metered = image.repository().registry == DOCKER_HUB;
        Self {
            is_metered,
            ..digest.into()
        }
    }
}

impl From<Digest> for UpstreamTag {
    /// A digest of which nothing else is known.
    fn from(digest: Digest) -> Self {
        Self {
            digest,
            is_index: None,
            size_bytes: None,
            is_metered: false,
        }
    }
}

/// The tags of a destination repository and their digests; empty where there is no repository yet.
pub type RepositoryTags = BTreeMap<String, Digest>;

impl Survey {
    /// The tags of the repository of `target`; `None` where they could not be read.
    pub fn repository_tags(&self, target: &Target) -> Option<&RepositoryTags> {
        let tags = self.destinations.get(target.uri.repository())?;
        tags.as_ref().ok()
    }

    /// The digest that `target` has now.
    pub fn present(&self, target: &Target) -> Option<&Digest> {
        self.repository_tags(target)?.get(target.uri.tag())
    }

    /// Whether `target` has all that is requested of `upstream`.
    pub fn is_up_to_date(
        &self,
        target: &Target,
        upstream: &UpstreamTag,
        platforms: &Platforms,
    ) -> bool {
        let subset_of = self.subsets.get(&target.uri);
        is_up_to_date(upstream, self.present(target), subset_of, platforms)
    }
}

/// Whether `present` is upstream's image, or the subset of it for `platforms`.
pub fn is_up_to_date(
    upstream: &UpstreamTag,
    present: Option<&Digest>,
    subset_of: Option<&SubsetOf>,
    platforms: &Platforms,
) -> bool {
    let Some(present) = present else { return false };
    if platforms.is_all() || upstream.is_index == Some(false) {
        return *present == upstream.digest;
    }
    let requested = SubsetOf::new(upstream.digest.clone(), platforms);
    subset_of == Some(&requested)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(character: char) -> Digest {
        format!("sha256:{}", character.to_string().repeat(64))
            .parse()
            .unwrap()
    }

    #[test]
    fn a_subset_is_up_to_date_if_it_was_cut_from_this_index_for_these_platforms() {
        let amd64 = Platforms::from(vec!["linux/amd64".parse().unwrap()]);
        let arm64 = Platforms::from(vec!["linux/arm64".parse().unwrap()]);
        let subset = digest('b');
        let upstream = UpstreamTag {
            is_index: Some(true),
            ..digest('a').into()
        };
        let moved = UpstreamTag::from(digest('c'));
        let subset_of = SubsetOf {
            upstream: digest('a'),
            choice: amd64.fingerprint(),
        };
        let check = |upstream, platforms| {
            is_up_to_date(upstream, Some(&subset), Some(&subset_of), platforms)
        };
        assert!(check(&upstream, &amd64));
        assert!(!check(&moved, &amd64), "upstream has moved");
        assert!(!check(&upstream, &arm64), "other platforms are chosen");
        assert!(!check(&upstream, &Platforms::ALL), "all are chosen");
    }

    #[test]
    fn a_whole_index_is_more_than_a_subset_and_a_single_image_has_no_subset() {
        let amd64 = Platforms::from(vec!["linux/amd64".parse().unwrap()]);
        let index = UpstreamTag {
            is_index: Some(true),
            ..digest('a').into()
        };
        assert!(!is_up_to_date(&index, Some(&digest('a')), None, &amd64));
        let single = UpstreamTag {
            is_index: Some(false),
            ..index
        };
        assert!(is_up_to_date(&single, Some(&digest('a')), None, &amd64));
    }
}
