//! Manifests: PUT.

use axum::body::to_bytes;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;

use super::Registry;
use super::ecr_messages::{digest_differs, immutable, required};
use super::manifest_store::{MANIFEST_LIMIT_BYTES, NewManifest, PutError};
use super::manifests::CONTENT_DIGEST;
use super::serve::{Admitted, HandlerResult};
use crate::digest;
use crate::error_response::{ErrorResponse, header_map};

impl Registry {
    pub(super) async fn put_manifest(&self, admitted: Admitted, reference: &str) -> HandlerResult {
        let Admitted {
            name,
            repository,
            request,
            ..
        } = admitted;
        let media_type = content_type(request.headers());
        let refuse = |error| self.put_refusal(error, &repository, reference);
        let body = to_bytes(request.into_body(), MANIFEST_LIMIT_BYTES).await;
        let bytes = body.map_err(|_| refuse(PutError::TooLarge))?;
        let is_digest = digest::is_digest(reference);
        let new_manifest = NewManifest {
            tag: (!is_digest).then_some(reference),
            digest: is_digest.then_some(reference),
            media_type: &media_type,
            bytes,
        };
        let digest = self.store(&repository, &new_manifest).map_err(refuse)?;
        if self.faults().loses_response() {
            return Err(ErrorResponse::Disconnect);
        }
        Ok((StatusCode::CREATED, self.created(&name, reference, digest)).into_response())
    }

    /// Stores a manifest in a repository that exists.
    fn store(&self, repository: &str, new_manifest: &NewManifest<'_>) -> Result<String, PutError> {
        let now = self.now();
        let mut contents = self.contents();
        let home = contents.repositories.get_mut(repository);
        home.map_or(
            Err(PutError::Malformed("the repository is gone".into())),
            |home| home.put(new_manifest, now),
        )
    }

    fn created(&self, name: &str, reference: &str, digest: String) -> HeaderMap {
        if !self.config().kind.names_manifests() {
            return HeaderMap::new();
        }
        header_map([
            (LOCATION, format!("/v2/{name}/manifests/{reference}")),
            (CONTENT_DIGEST, digest),
        ])
    }

    fn put_refusal(&self, error: PutError, repository: &str, reference: &str) -> ErrorResponse {
        let ecr = self.config().kind.is_ecr();
        let (code, message) = match error {
            PutError::TooLarge => (
                "MANIFEST_INVALID",
                format!("manifest is larger than {MANIFEST_LIMIT_BYTES} bytes"),
            ),
            PutError::Malformed(why) => ("MANIFEST_INVALID", format!("manifest invalid: {why}")),
            PutError::DigestMismatch if ecr => {
                ("MANIFEST_INVALID", digest_differs(reference, repository))
            }
            PutError::DigestMismatch => (
                "DIGEST_INVALID",
                "provided digest did not match uploaded content".into(),
            ),
            PutError::MissingImages(digests) if ecr => (
                "MANIFEST_BLOB_UNKNOWN",
                required("Images", &digests, repository),
            ),
            PutError::MissingBlobs(digests) if ecr => (
                "MANIFEST_BLOB_UNKNOWN",
                required("Layers", &digests, repository),
            ),
            PutError::MissingImages(digests) | PutError::MissingBlobs(digests) => (
                "MANIFEST_BLOB_UNKNOWN",
                format!("blob unknown to registry: {}", digests.join(", ")),
            ),
            PutError::ImmutableTag(tag) => ("TAG_INVALID", immutable(&tag, repository)),
        };
        ErrorResponse::new(StatusCode::BAD_REQUEST, code, message)
    }
}

fn content_type(headers: &HeaderMap) -> String {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}
