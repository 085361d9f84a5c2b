//! Writing a repository.

mod upload;

use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::{Remote, Source, persistently};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::registry::source::accepting;

/// A repository that is written.
pub struct Destination(Source);

impl Destination {
    pub(super) fn new(remote: Remote) -> Self {
        Self(Source::new(remote))
    }

    fn remote(&self) -> &Remote {
        &self.0.0
    }

    /// As [`Source::prewarm`].
    pub(crate) fn prewarm(&self) {
        self.0.prewarm();
    }

    /// The digest of `tag`; `None` where there is no such tag.
    pub async fn digest(&self, tag: &str) -> Result<Option<Digest>, Error> {
        absent(self.0.seen(tag, None).await.map(|seen| seen.digest))
    }

    /// Whether the manifest is there. A manifest that is there vouches for what is below it, because children go first.
    pub async fn has_manifest(&self, digest: &Digest) -> Result<bool, Error> {
        self.has(&format!("manifests/{digest}")).await
    }

    /// The manifest with this digest, read back from here.
    pub async fn manifest(&self, digest: &Digest) -> Result<Manifest, Error> {
        persistently(|| self.0.manifest_once(digest, None)).await
    }

    /// Whether the blob is there.
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        self.has(&format!("blobs/{digest}")).await
    }

    async fn has(&self, tail: &str) -> Result<bool, Error> {
        let request = accepting(self.remote().request(Method::HEAD, tail)?);
        let answer = self
            .remote()
            .ask(&format!("look for {tail}"), &request)
            .await;
        absent(answer).map(|found| found.is_some())
    }

    /// Puts `manifest` under `reference`, a tag or its digest, byte for byte.
    pub async fn put_manifest(&self, reference: &str, manifest: &Manifest) -> Result<(), Error> {
        let action = format!("put manifest {reference} {}", manifest.digest);
        let media_type = HeaderValue::try_from(&manifest.media_type)
            .map_err(|error| self.remote().error(Cause::Invalid, &action).because(error))?;
        let request = self
            .remote()
            .request(Method::PUT, &format!("manifests/{reference}"))?;
        let request = request
            .header(CONTENT_TYPE, media_type)
            .body(manifest.bytes.clone());
        let response = match self.remote().ask(&action, &request).await {
            // So ECR answers a second PUT of the same, whose first answer was lost.
            Err(error) if *error.cause() == Cause::Immutable => {
                let is_there = self.digest(reference).await?.as_ref() == Some(&manifest.digest);
                return if is_there { Ok(()) } else { Err(error) };
            }
            response => response?,
        };
        let stored = response
            .headers()
            .get("docker-content-digest")
            .and_then(|value| value.to_str().ok());
        match stored {
            Some(stored) if stored != manifest.digest.as_str() => Err(self
                .remote()
                .error(Cause::Mismatch, &action)
                .because(format!("it was stored as {stored}"))),
            _ => Ok(()),
        }
    }
}

/// Nothing there is an answer, not an error.
fn absent<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(error) if *error.cause() == Cause::NotFound && error.side() == Side::Destination => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
