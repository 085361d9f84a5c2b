//! Writing a repository.

mod upload;

use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::{Remote, Source, with_retries};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::registry::source::accepting;

/// A repository that is written.
pub struct Destination {
    source: Source,
}

impl Destination {
    pub(super) fn new(remote: Remote) -> Self {
        Self {
            source: Source::new(remote),
        }
    }

    fn remote(&self) -> &Remote {
        &self.source.remote
    }

    /// As [`Source::prewarm`].
    pub(crate) fn prewarm(&self) {
        self.source.prewarm();
    }

    /// The digest of `tag`; `None` if there is no such tag.
    pub async fn digest(&self, tag: &str) -> Result<Option<Digest>, Error> {
        let seen = self.source.seen(tag, None).await;
        none_if_not_found(seen.map(|seen| seen.digest))
    }

    /// Whether the manifest exists. If so, its blobs and children exist too, because they are sent
    /// first.
    pub async fn has_manifest(&self, digest: &Digest) -> Result<bool, Error> {
        self.has(&format!("manifests/{digest}")).await
    }

    /// The manifest with this digest, read back from the destination.
    pub async fn manifest(&self, digest: &Digest) -> Result<Manifest, Error> {
        with_retries(|| self.source.manifest_once(digest, None)).await
    }

    /// Whether the blob exists.
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        self.has(&format!("blobs/{digest}")).await
    }

    async fn has(&self, tail: &str) -> Result<bool, Error> {
        let request = self.remote().request(Method::HEAD, tail)?;
        let request = accepting(request);
        let remote = self.remote();
        let action = format!("look for {tail} in {}", remote.repository);
        let response = remote.send_with_retries(&action, &request).await;
        let found = none_if_not_found(response)?;
        Ok(found.is_some())
    }

    /// Puts `manifest` under `reference`, a tag or its digest, byte for byte.
    pub async fn put_manifest(&self, reference: &str, manifest: &Manifest) -> Result<(), Error> {
        let remote = self.remote();
        let digest = &manifest.digest;
        let action = format!("put manifest {reference} {digest} in {}", remote.repository);
        let media_type = HeaderValue::try_from(&manifest.media_type).map_err(|error| {
            let invalid = remote.error(Cause::Invalid, &action);
            invalid.because(error)
        })?;
        let tail = format!("manifests/{reference}");
        let request = remote
            .request(Method::PUT, &tail)?
            .header(CONTENT_TYPE, media_type)
            .body(manifest.bytes.clone());
        let response = match remote.send_with_retries(&action, &request).await {
            // ECR's response to a retry of a PUT that succeeded, but whose response was lost.
            Err(error) if *error.cause() == Cause::Immutable => {
                let existing = self.digest(reference).await?;
                let is_same = existing.as_ref() == Some(digest);
                return if is_same { Ok(()) } else { Err(error) };
            }
            result => result?,
        };
        if let Some(stored) = response.header("docker-content-digest")
            && stored != digest.as_str()
        {
            let why = format!("the registry stored it with digest {stored}");
            let mismatch = remote.error(Cause::Mismatch, &action);
            return Err(mismatch.because(why));
        }
        Ok(())
    }
}

/// `None` instead of the error that the destination has no such content.
fn none_if_not_found<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    let error = match found {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error,
    };
    let is_not_found = *error.cause() == Cause::NotFound;
    if is_not_found && error.side() == Side::Destination {
        return Ok(None);
    }
    Err(error)
}
