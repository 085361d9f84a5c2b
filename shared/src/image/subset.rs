//! An index cut down to chosen platforms: the only manifest that this program writes.
//!
//! Amazon ECR refuses an index if it lacks one of its manifests. Fewer platforms therefore need an
//! index of their own. Its entries are upstream's, byte for byte and in upstream's order. An
//! attestation is kept with its subject. Annotations record the digest of upstream's index and the
//! chosen platforms, so that a mirror without any record can be compared with upstream. The same
//! index and the same choice always give the same bytes.

mod cut;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::image::digest::Digest;
use crate::image::manifest::{Child, Content, Manifest};
use crate::image::platform::{Platform, Platforms};

/// The annotation with the digest of upstream's index.
pub const UPSTREAM: &str = "image-replicator.upstream-digest";
/// The annotation with the chosen platforms.
pub const PLATFORMS: &str = "image-replicator.platforms";

/// Chosen platforms that upstream does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "upstream has no {missing}; it has {available}; \
     name the platforms that it has, or write `platforms: all`"
)]
pub struct MissingPlatforms {
    missing: String,
    available: String,
}

/// The index and the choice that a subset was cut from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubsetOf {
    /// The digest of upstream's index.
    pub upstream: Digest,
    /// The [fingerprint](Platforms::fingerprint) of the chosen platforms.
    pub choice: String,
}

/// Cuts `index` down to `platforms`. Returns it unchanged if nothing is left out, or if it is not an
/// index.
pub fn subset(index: &Manifest, platforms: &Platforms) -> Result<Manifest, MissingPlatforms> {
    let Content::Index(children) = &index.content else {
        return Ok(index.clone());
    };
    let kept = select_children(children, platforms)?;
    if kept.len() == children.len() {
        return Ok(index.clone());
    }
    let cut = cut::cut(index, &kept, platforms);
    let bytes = cut.expect("it was parsed as an index before");
    Ok(Manifest {
        digest: Digest::from_content(&bytes),
        media_type: index.media_type.clone(),
        bytes: bytes.into(),
        content: Content::Index(kept),
    })
}

/// The children for `platforms` and their attestations, in the order of the index.
pub fn select_children(
    children: &[Child],
    platforms: &Platforms,
) -> Result<Vec<Child>, MissingPlatforms> {
    if platforms.is_all() {
        return Ok(children.to_vec());
    }
    check_available(platforms, || platforms_of(children))?;
    let mut chosen: Vec<&Digest> = Vec::new();
    for child in children {
        if let Some(platform) = &child.platform
            && platforms.iter().any(|choice| platform.matches(choice))
        {
            chosen.push(&child.digest);
        }
    }
    let mut kept = Vec::new();
    for child in children {
        let subject = child.attests.as_ref().unwrap_or(&child.digest);
        if chosen.contains(&subject) {
            kept.push(child.clone());
        }
    }
    Ok(kept)
}

fn platforms_of(children: &[Child]) -> impl Iterator<Item = &Platform> {
    children.iter().filter_map(|child| child.platform.as_ref())
}

/// Checks that each of `platforms` is among those `available`.
pub fn check_available<'a, I>(
    platforms: &Platforms,
    available: impl Fn() -> I,
) -> Result<(), MissingPlatforms>
where
    I: Iterator<Item = &'a Platform>,
{
    let mut missing = Vec::new();
    for choice in platforms.iter() {
        if !available().any(|platform| platform.matches(choice)) {
            missing.push(choice.to_string());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let mut names: Vec<String> = Vec::new();
    names.extend(available().map(ToString::to_string));
    names.dedup();
    Err(MissingPlatforms {
        missing: missing.join(" and no "),
        available: names.join(", "),
    })
}

impl SubsetOf {
    /// The subset of the index `upstream` for `platforms`.
    pub fn new(upstream: Digest, platforms: &Platforms) -> Self {
        Self {
            upstream,
            choice: platforms.fingerprint(),
        }
    }

    /// The origin of `manifest`, which is in the mirror: by its annotations, or the manifest itself
    /// if `platforms` leave nothing of it out.
    pub fn from_manifest(manifest: &Manifest, platforms: &Platforms) -> Option<Self> {
        if let Some(subset_of) = Self::from_annotations(manifest) {
            return Some(subset_of);
        }
        let Content::Index(children) = &manifest.content else {
            return None;
        };
        let kept = select_children(children, platforms).ok()?;
        let is_whole = kept.len() == children.len();
        is_whole.then(|| Self::new(manifest.digest.clone(), platforms))
    }

    /// The origin of `manifest` by its annotations. `None` if it is not a subset.
    pub fn from_annotations(manifest: &Manifest) -> Option<Self> {
        #[derive(Deserialize)]
        struct Probe {
            annotations: Option<BTreeMap<String, String>>,
        }
        let probe: Probe = serde_json::from_slice(&manifest.bytes).ok()?;
        let annotations = probe.annotations?;
        let upstream = annotations.get(UPSTREAM)?.parse().ok()?;
        let mut platforms: Vec<Platform> = Vec::new();
        for name in annotations.get(PLATFORMS)?.split(',') {
            platforms.push(name.parse().ok()?);
        }
        Some(Self::new(upstream, &platforms.into()))
    }
}
