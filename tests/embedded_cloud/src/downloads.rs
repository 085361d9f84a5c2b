//! The server that blob downloads are redirected to: the CDN of Docker Hub, the S3 bucket of ECR.
//!
//! Its URLs are signed and expire. It refuses requests that also carry credentials.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::Faults;
use crate::blob_server::BlobServer;
use crate::error_response::ErrorResponse;
use crate::planned_errors;
use crate::shared_state::SharedState;

/// Lifetime of a signed URL, in seconds.
const LIFETIME_SECONDS: i64 = 3_600;

/// A blob server; clones are the same server.
#[derive(Clone)]
pub(crate) struct Downloads {
    /// The prefix of its counters in [`Counts`](crate::Counts).
    pub(crate) name: &'static str,
    pub(crate) endpoint: String,
    pub(crate) faults: Faults,
    pub(crate) shared: SharedState,
}

/// The query of a signed URL.
#[derive(Deserialize)]
struct Signature {
    expires: i64,
}

impl Downloads {
    /// A signed URL of one blob, valid for one hour.
    pub(crate) fn address(&self, digest: &str) -> String {
        let expires = self.shared.clock.now().as_second() + LIFETIME_SECONDS;
        format!("{}/blobs/{digest}?expires={expires}", self.endpoint)
    }

    fn answer(
        &self,
        digest: &str,
        signature: &Signature,
        headers: &HeaderMap,
    ) -> Result<Response, ErrorResponse> {
        self.shared.counts.hit(&format!("{}.blob.get", self.name));
        planned_errors::check(&self.faults, &format!("{}.blob.get", self.name))?;
        if headers.contains_key(AUTHORIZATION) {
            return Err(refuse(
                StatusCode::BAD_REQUEST,
                "InvalidArgument",
                "Only one auth mechanism allowed",
            ));
        }
        if signature.expires < self.shared.clock.now().as_second() {
            return Err(refuse(
                StatusCode::FORBIDDEN,
                "AccessDenied",
                "Request has expired",
            ));
        }
        let missing = || {
            refuse(
                StatusCode::NOT_FOUND,
                "NoSuchKey",
                "The specified key does not exist.",
            )
        };
        let blob = self.shared.pool.get(digest).ok_or_else(missing)?;
        let blob_server = BlobServer {
            name: self.name,
            counts: &self.shared.counts,
            faults: &self.faults,
        };
        blob_server.send(digest, &blob, headers)
    }
}

/// Serves the signed URLs.
pub(crate) fn router(downloads: Downloads) -> Router {
    Router::new()
        .route("/blobs/{digest}", get(answer))
        .with_state(downloads)
}

async fn answer(
    State(downloads): State<Downloads>,
    Path(digest): Path<String>,
    Query(signature): Query<Signature>,
    headers: HeaderMap,
) -> Result<Response, ErrorResponse> {
    downloads.answer(&digest, &signature, &headers)
}

/// An error document in the format of S3.
fn refuse(status: StatusCode, code: &str, message: &str) -> ErrorResponse {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    ErrorResponse::text(status, &body)
}
