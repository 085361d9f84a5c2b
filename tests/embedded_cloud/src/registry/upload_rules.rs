//! The rules and the progress of uploads. Those of ECR are observations by its clients.

use axum::http::header::{CONTENT_RANGE, HOST, HeaderName, LOCATION, RANGE};
use axum::http::{HeaderMap, StatusCode};

use super::Registry;
use super::session::Session;
use crate::error_response::{ErrorResponse, header_map};

/// The smallest part except the last (`LayerPartTooSmallException`).
const ECR_PART_BYTES: u64 = 5 * 1024 * 1024;
const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

impl Registry {
    pub(super) fn check_parts(&self, session: &Session) -> Result<(), ErrorResponse> {
        let parts = session.parts();
        let before_last = &parts[..parts.len().saturating_sub(1)];
        match before_last.iter().find(|size| **size < ECR_PART_BYTES) {
            Some(size) if self.config().kind.is_ecr() => {
                let message = format!(
                    "Layer part of {size} bytes is too small: the minimum is {ECR_PART_BYTES} bytes"
                );
                Err(ErrorResponse::new(
                    StatusCode::BAD_REQUEST,
                    "BLOB_UPLOAD_INVALID",
                    message,
                ))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn digest_refusal(&self) -> ErrorResponse {
        let (code, message) = if self.config().kind.is_ecr() {
            (
                "BLOB_UPLOAD_INVALID",
                "None of the provided layer digests match the calculated layer digest",
            )
        } else {
            (
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            )
        };
        ErrorResponse::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// On ECR the range stays that of the first part (aws/containers-roadmap#2831).
    pub(super) fn progress(&self, session: &Session) -> HeaderMap {
        let first = session.parts().first().copied().unwrap_or_default();
        let received = if self.config().kind.is_ecr() {
            first
        } else {
            session.received()
        };
        header_map([
            (LOCATION, session.location.clone()),
            (UPLOAD_ID, session.id.clone()),
            (RANGE, format!("0-{}", received.saturating_sub(1))),
        ])
    }

    /// Absolute at ECR; relative and with a query of its own elsewhere, as CNCF distribution may
    /// have it.
    pub(super) fn location(&self, name: &str, id: &str, headers: &HeaderMap) -> String {
        let path = format!("/v2/{name}/blobs/uploads/{id}");
        if !self.config().kind.is_ecr() {
            return format!("{path}?_state=open");
        }
        let host = headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        format!("http://{host}{path}")
    }
}

/// A part must begin where the last one ended. A session whose part was interrupted is lost
/// (apple/containerization#790).
pub(super) fn check_start(session: &Session, headers: &HeaderMap) -> Result<(), ErrorResponse> {
    let expected = session.received();
    let named = headers
        .get(CONTENT_RANGE)
        .and_then(|range| range.to_str().ok()?.split('-').next()?.parse().ok());
    let first = named.unwrap_or(if session.is_broken() { 0 } else { expected });
    if first == expected {
        return Ok(());
    }
    let message = format!("First byte of the layer part is {first} instead of {expected}");
    Err(ErrorResponse::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "BLOB_UPLOAD_INVALID",
        message,
    ))
}
