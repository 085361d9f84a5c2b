//! The contents of a registry.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The repositories of a registry, and its settings.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// The account setting `BLOB_MOUNTING` of ECR.
    pub(crate) mounting: bool,
    /// Whether manifests are sent with `Docker-Content-Digest`, if a test overrides it.
    pub(crate) names_digests: Option<bool>,
}

/// A repository; the fields from `mutability` on are settings that only ECR has.
pub(crate) struct Repository {
    pub(crate) created_at: Timestamp,
    pub(crate) manifests: BTreeMap<String, Stored>,
    /// Image tag → digest.
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) blobs: BTreeSet<String>,
    pub(crate) private: bool,
    pub(crate) denied: bool,
    pub(crate) mutability: Mutability,
    pub(crate) resource_tags: BTreeMap<String, String>,
    pub(crate) scan_on_push: bool,
    pub(crate) lifecycle_policy: Option<String>,
    /// The catalogue data of ECR Public.
    pub(crate) catalog: Value,
}

/// A manifest in a repository.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
    pub(crate) pushed_at: Timestamp,
}

/// Which tags of a repository can be overwritten.
#[derive(Clone)]
pub(crate) struct Mutability {
    /// `MUTABLE`, `IMMUTABLE`, `IMMUTABLE_WITH_EXCLUSION` or `MUTABLE_WITH_EXCLUSION`.
    pub(crate) mode: String,
    /// Wildcards of the tags that are excluded from the rule.
    pub(crate) filters: Vec<String>,
}

/// What a manifest or an index needs in its repository.
#[derive(Default)]
pub(crate) struct Needs {
    pub(crate) blobs: Vec<Descriptor>,
    pub(crate) manifests: Vec<Descriptor>,
}

/// A reference inside a manifest (OCI image spec, "Content Descriptors").
#[derive(Clone, Deserialize)]
pub(crate) struct Descriptor {
    pub(crate) digest: String,
    #[serde(default)]
    pub(crate) size: u64,
    #[serde(default, rename = "mediaType")]
    pub(crate) media_type: String,
    /// The external location of a layer that is not in the registry and never pushed.
    #[serde(default)]
    urls: Vec<String>,
}

/// The parts of manifests and indexes that refer to other content.
#[derive(Deserialize)]
struct Document {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

impl Repository {
    pub(crate) fn new(created_at: Timestamp) -> Self {
        Self {
            created_at,
            manifests: BTreeMap::new(),
            tags: BTreeMap::new(),
            blobs: BTreeSet::new(),
            private: false,
            denied: false,
            mutability: Mutability::default(),
            resource_tags: BTreeMap::new(),
            scan_on_push: false,
            lifecycle_policy: None,
            catalog: Value::Null,
        }
    }

    /// The digest of a tag or digest, if its manifest is here.
    pub(crate) fn resolve(&self, reference: &str) -> Option<String> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        self.manifests
            .contains_key(digest)
            .then(|| digest.to_owned())
    }

    /// Whether a manifest here refers to the blob.
    pub(crate) fn refers_to(&self, blob: &str) -> bool {
        self.manifests.values().any(|stored| {
            stored
                .needs()
                .blobs
                .iter()
                .any(|needed| needed.digest == blob)
        })
    }
}

impl Stored {
    pub(crate) fn new(media_type: &str, bytes: Bytes, pushed_at: Timestamp) -> Self {
        Self {
            media_type: media_type.into(),
            bytes,
            pushed_at,
        }
    }

    /// The references of this manifest; empty if it is not a manifest.
    pub(crate) fn needs(&self) -> Needs {
        needs(&self.bytes).unwrap_or_default()
    }
}

/// Reads the references of a manifest.
pub(crate) fn needs(bytes: &[u8]) -> serde_json::Result<Needs> {
    let Document {
        config,
        layers,
        manifests,
    } = serde_json::from_slice(bytes)?;
    let blobs = config
        .into_iter()
        .chain(layers)
        .filter(|descriptor| descriptor.urls.is_empty())
        .collect();
    Ok(Needs { blobs, manifests })
}

impl Mutability {
    pub(crate) fn immutable() -> Self {
        Self {
            mode: "IMMUTABLE".into(),
            filters: Vec::new(),
        }
    }

    /// Whether an existing `tag` is protected from being moved.
    pub(crate) fn protects(&self, tag: &str) -> bool {
        let excluded = self.filters.iter().any(|filter| matches(filter, tag));
        match self.mode.as_str() {
            "IMMUTABLE" => true,
            "IMMUTABLE_WITH_EXCLUSION" => !excluded,
            "MUTABLE_WITH_EXCLUSION" => excluded,
            _ => false,
        }
    }
}

impl Default for Mutability {
    fn default() -> Self {
        Self {
            mode: "MUTABLE".into(),
            filters: Vec::new(),
        }
    }
}

/// Whether `text` matches a wildcard filter, in which `*` matches any characters.
fn matches(filter: &str, text: &str) -> bool {
    match filter.split_once('*') {
        None => filter == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len())
                .any(|skipped| rest.is_char_boundary(skipped) && matches(tail, &rest[skipped..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_excludes_the_tags_that_it_matches() {
        let filters = vec!["latest".to_owned(), "*-dev*".to_owned()];
        let mutability = Mutability {
            mode: "IMMUTABLE_WITH_EXCLUSION".into(),
            filters,
        };
        assert!(mutability.protects("1.0"));
        assert!(!mutability.protects("latest"));
        assert!(!mutability.protects("1.0-dev-7"));
    }
}
