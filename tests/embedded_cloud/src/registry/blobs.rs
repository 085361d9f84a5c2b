//! Blobs: HEAD and GET.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::response::IntoResponse;

use super::Registry;
use super::serve::{Admitted, HandlerResult};
use crate::blob::Blob;
use crate::digest;
use crate::error_response::{ErrorResponse, header_map};

impl Registry {
    pub(super) fn head_blob(&self, admitted: &Admitted, digest: &str) -> HandlerResult {
        let blob = self.find_blob(&admitted.repository, digest)?;
        let headers = [
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (CONTENT_LENGTH, blob.size().to_string()),
        ];
        Ok(header_map(headers).into_response())
    }

    pub(super) fn get_blob(&self, admitted: &Admitted, digest: &str) -> HandlerResult {
        let blob = self.find_blob(&admitted.repository, digest)?;
        let config = self.config();
        let elsewhere = config.faults.redirect(digest);
        let usual = || {
            config
                .downloads
                .as_ref()
                .map(|downloads| downloads.address(digest))
        };
        match elsewhere.or_else(usual) {
            Some(address) => {
                let location = header_map([(LOCATION, address)]);
                Ok((StatusCode::TEMPORARY_REDIRECT, location).into_response())
            }
            None => config
                .blob_server()
                .send(digest, &blob, admitted.request.headers()),
        }
    }

    /// The content of a blob that the repository has.
    fn find_blob(&self, repository: &str, digest: &str) -> Result<Blob, ErrorResponse> {
        if !digest::is_digest(digest) {
            return Err(ErrorResponse::new(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "invalid digest format",
            ));
        }
        let here = self
            .contents()
            .repositories
            .get(repository)
            .is_some_and(|home| home.blobs.contains(digest));
        let blob = here
            .then(|| self.config().shared.pool.get(digest))
            .flatten();
        blob.ok_or_else(|| {
            ErrorResponse::new(
                StatusCode::NOT_FOUND,
                "BLOB_UNKNOWN",
                "blob unknown to registry",
            )
        })
    }
}
