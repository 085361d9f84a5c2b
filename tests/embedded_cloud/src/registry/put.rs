//! Taking in a manifest: the rules are the same for `PUT /v2/…/manifests/…` and for the `PutImage` action.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use super::repository::{Descriptor, Repository, Stored, needs};
use crate::digest;

/// The largest manifest: `ImageManifest.max` in the API model of ECR, 4 MiB in practice elsewhere.
pub(crate) const MANIFEST_LIMIT_BYTES: usize = 4_194_304;

/// A manifest that somebody wants to store.
pub(crate) struct Deposit<'a> {
    pub(crate) tag: Option<&'a str>,
    /// The digest that the sender computed.
    pub(crate) digest: Option<&'a str>,
    pub(crate) media_type: &'a str,
    pub(crate) bytes: Bytes,
}

/// Why a manifest is not taken.
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
    /// Stores a manifest and points its tag at it; gives the digest.
    pub(crate) fn put(
        &mut self,
        deposit: &Deposit<'_>,
        now: Timestamp,
    ) -> Result<String, PutError> {
        let computed = digest::of(&deposit.bytes);
        self.check(deposit, &computed)?;
        let stored = || Stored::new(deposit.media_type, deposit.bytes.clone(), now);
        self.manifests
            .entry(computed.clone())
            .or_insert_with(stored);
        if let Some(tag) = deposit.tag {
            self.tags.insert(tag.to_owned(), computed.clone());
        }
        Ok(computed)
    }

    fn check(&self, deposit: &Deposit<'_>, computed: &str) -> Result<(), PutError> {
        if deposit.bytes.len() > MANIFEST_LIMIT_BYTES {
            return Err(PutError::TooLarge);
        }
        if deposit.digest.is_some_and(|claimed| claimed != computed) {
            return Err(PutError::DigestMismatch);
        }
        check_media_type(deposit)?;
        self.check_references(&deposit.bytes)?;
        deposit.tag.map_or(Ok(()), |tag| self.check_tag(tag))
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

    /// ECR refuses a tag that is there even where it would stay what it is.
    fn check_tag(&self, tag: &str) -> Result<(), PutError> {
        let is_kept = self.tags.contains_key(tag) && self.mutability.protects(tag);
        if is_kept {
            Err(PutError::ImmutableTag(tag.to_owned()))
        } else {
            Ok(())
        }
    }
}

/// The type that the sender names must be the one in the document, where it has one.
fn check_media_type(deposit: &Deposit<'_>) -> Result<(), PutError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        schema_version: u64,
        media_type: Option<String>,
    }
    let head: Head = serde_json::from_slice(&deposit.bytes)
        .map_err(|error| PutError::Malformed(error.to_string()))?;
    if head.schema_version != 2 {
        return Err(PutError::Malformed(format!(
            "schemaVersion is {}, not 2",
            head.schema_version
        )));
    }
    match head.media_type {
        Some(named) if named != deposit.media_type => Err(PutError::Malformed(format!(
            "media type is {named} inside and {} outside",
            deposit.media_type
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
