//! Manifests: HEAD and GET.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::repository::Stored;
use super::serve::{Admitted, HandlerResult};
use super::{Registry, negotiation};
use crate::error_response::{ErrorResponse, header_map};
use crate::faults::ManifestFault;
use crate::image::Manifest;

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

impl Registry {
    pub(super) fn head_manifest(&self, admitted: &Admitted, reference: &str) -> HandlerResult {
        let (digest, stored) = self.find(admitted, reference)?;
        let meter = self
            .config()
            .meter
            .as_ref()
            .and_then(|meter| meter.read(&admitted.caller, &admitted.repository));
        let mut response = self.describe(&digest, &stored, Body::empty());
        response
            .headers_mut()
            .extend(meter.map(|reading| reading.headers()).unwrap_or_default());
        Ok(response)
    }

    pub(super) fn get_manifest(&self, admitted: &Admitted, reference: &str) -> HandlerResult {
        let (digest, stored) = self.find(admitted, reference)?;
        let Admitted {
            caller, repository, ..
        } = admitted;
        let meter = self
            .config()
            .meter
            .as_ref()
            .map_or(Ok(None), |meter| meter.pull(caller, repository))?;
        let sent = match self.faults().take_manifest(&digest) {
            None => stored,
            Some(ManifestFault::Corrupt) => Stored {
                bytes: corrupted(&stored.bytes),
                ..stored
            },
            Some(ManifestFault::Replaced(Manifest {
                media_type, bytes, ..
            })) => Stored {
                media_type,
                bytes,
                ..stored
            },
        };
        let mut response = self.describe(&digest, &sent, sent.bytes.clone().into());
        response
            .headers_mut()
            .extend(meter.map(|reading| reading.headers()).unwrap_or_default());
        Ok(response)
    }

    fn find(
        &self,
        admitted: &Admitted,
        reference: &str,
    ) -> Result<(String, Stored), ErrorResponse> {
        let contents = self.contents();
        let repository = &contents.repositories[&admitted.repository];
        let digest = repository
            .resolve(reference)
            .ok_or_else(|| self.no_manifest(reference))?;
        let stored = repository.manifests[&digest].clone();
        negotiation::check(
            self.config().kind,
            admitted.request.headers(),
            reference,
            &stored.media_type,
        )?;
        Ok((digest, stored))
    }

    fn no_manifest(&self, reference: &str) -> ErrorResponse {
        let message = if self.config().kind.is_ecr() {
            "Requested image not found".into()
        } else {
            format!("manifest unknown: {reference}")
        };
        ErrorResponse::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message)
    }

    fn describe(&self, digest: &str, stored: &Stored, body: Body) -> Response {
        let mut headers = vec![
            (CONTENT_TYPE, stored.media_type.clone()),
            (CONTENT_LENGTH, stored.bytes.len().to_string()),
        ];
        if self.names_digests() {
            headers.push((CONTENT_DIGEST, digest.to_owned()));
        }
        (header_map(headers), body).into_response()
    }

    fn names_digests(&self) -> bool {
        self.contents()
            .names_digests
            .unwrap_or(self.config().kind.names_manifests())
    }
}

/// The same length with another byte in the middle.
fn corrupted(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes.into()
}
