//! Storing manifests: the same rules for `PUT /v2/…/manifests/…` and for the `PutImage` action.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use super::repository::{Descriptor, Repository, Stored, needs};
use crate::digest;

/// The largest manifest: `ImageManifest.max` in the API model of ECR, 4 MiB in practice elsewhere.
pub(crate) const MANIFEST_LIMIT_BYTES: usize = 4_194_304;

/// A manifest to store.
pub(crate) struct NewManifest<'a> {
    pub(crate) tag: Option<&'a str>,
    /// The digest that the sender computed.
    pub(crate) digest: Option<&'a str>,
    pub(crate) media_type: &'a str,
    pub(crate) bytes: Bytes,
}

/// Why a manifest is refused.
#[derive(Debug, PartialEq)]
pub(crate) enum PutError {
    TooLarge,
    Malformed(String),
    DigestMismatch,
    /// Children of an index that are not in the repository.
    MissingImages(Vec<String>),
    /// Configurations or layers that are not in the repository.
    MissingBlobs(Vec<String>),
    ImmutableTag(String),
}

impl Repository {
    /// Stores a manifest and points its tag at it; returns the digest.
    pub(crate) fn put(
        &mut self,
        new_manifest: &NewManifest<'_>,
        now: Timestamp,
    ) -> Result<String, PutError> {
        let computed = digest::of(&new_manifest.bytes);
        self.check(new_manifest, &computed)?;
        let stored = || Stored::new(new_manifest.media_type, new_manifest.bytes.clone(), now);
        self.manifests
            .entry(computed.clone())
            .or_insert_with(stored);
        if let Some(tag) = new_manifest.tag {
            self.tags.insert(tag.to_owned(), computed.clone());
        }
        Ok(computed)
    }

    fn check(&self, new_manifest: &NewManifest<'_>, computed: &str) -> Result<(), PutError> {
        if new_manifest.bytes.len() > MANIFEST_LIMIT_BYTES {
            return Err(PutError::TooLarge);
        }
        if new_manifest
            .digest
            .is_some_and(|claimed| claimed != computed)
        {
            return Err(PutError::DigestMismatch);
        }
        check_media_type(new_manifest)?;
        self.check_references(&new_manifest.bytes)?;
        new_manifest.tag.map_or(Ok(()), |tag| self.check_tag(tag))
    }

    fn check_references(&self, bytes: &[u8]) -> Result<(), PutError> {
        let needs = needs(bytes).map_err(|error| PutError::Malformed(error.to_string()))?;
        let images = missing(&needs.manifests, |digest| {
            self.manifests.contains_key(digest)
        });
        let blobs = missing(&needs.blobs, |digest| self.blobs.contains(digest));
        match (images.is_empty(), blobs.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => Err(PutError::MissingBlobs(blobs)),
            (false, _) => Err(PutError::MissingImages(images)),
        }
    }

    /// ECR refuses an existing immutable tag even if it would not change.
    fn check_tag(&self, tag: &str) -> Result<(), PutError> {
        let is_kept = self.tags.contains_key(tag) && self.mutability.protects(tag);
        if is_kept {
            Err(PutError::ImmutableTag(tag.to_owned()))
        } else {
            Ok(())
        }
    }
}

/// Checks that the stated media type equals the one in the document, if it has one.
fn check_media_type(new_manifest: &NewManifest<'_>) -> Result<(), PutError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        schema_version: u64,
        media_type: Option<String>,
    }
    let head: Head = serde_json::from_slice(&new_manifest.bytes)
        .map_err(|error| PutError::Malformed(error.to_string()))?;
    if head.schema_version != 2 {
        return Err(PutError::Malformed(format!(
            "schemaVersion is {}, not 2",
            head.schema_version
        )));
    }
    match head.media_type {
        Some(named) if named != new_manifest.media_type => Err(PutError::Malformed(format!(
            "media type is {named} inside and {} outside",
            new_manifest.media_type
        ))),
        _ => Ok(()),
    }
}

fn missing(needed: &[Descriptor], here: impl Fn(&str) -> bool) -> Vec<String> {
    needed
        .iter()
        .map(|descriptor| &descriptor.digest)
        .filter(|digest| !here(digest))
        .cloned()
        .collect()
}
