//! The server that blobs are redirected to: the CDN of Docker Hub, the S3 bucket behind ECR.
//!
//! Its addresses are signed and expire, and it refuses whoever also sends credentials.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::Faults;
use crate::outlet::Outlet;
use crate::refusal::Refusal;
use crate::registry::Surroundings;
use crate::throttle;

/// How long an address is good for, in seconds.
const LIFETIME_SECONDS: i64 = 3_600;

/// A server of blobs; clones are the same server.
#[derive(Clone)]
pub(crate) struct Downloads {
    /// The first word of its kinds in [`Counts`](crate::Counts).
    pub(crate) name: &'static str,
    pub(crate) endpoint: String,
    pub(crate) faults: Faults,
    pub(crate) surroundings: Surroundings,
}

/// The query of a signed address.
#[derive(Deserialize)]
struct Signature {
    expires: i64,
}

impl Downloads {
    /// An address for one blob that is good for an hour.
    pub(crate) fn address(&self, digest: &str) -> String {
        let expires = self.surroundings.clock.now().as_second() + LIFETIME_SECONDS;
        format!("{}/blobs/{digest}?expires={expires}", self.endpoint)
    }

    fn answer(
        &self,
        digest: &str,
        signature: &Signature,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        self.surroundings
            .counts
            .hit(&format!("{}.blob.get", self.name));
        throttle::check(&self.faults, &format!("{}.blob.get", self.name))?;
        if headers.contains_key(AUTHORIZATION) {
            return Err(refuse(
                StatusCode::BAD_REQUEST,
                "InvalidArgument",
                "Only one auth mechanism allowed",
            ));
        }
        if signature.expires < self.surroundings.clock.now().as_second() {
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
        let blob = self.surroundings.pool.get(digest).ok_or_else(missing)?;
        let outlet = Outlet {
            name: self.name,
            counts: &self.surroundings.counts,
            faults: &self.faults,
        };
        outlet.send(digest, &blob, headers)
    }
}

/// Serves the addresses.
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
) -> Result<Response, Refusal> {
    downloads.answer(&digest, &signature, &headers)
}

/// An error as S3 words it.
fn refuse(status: StatusCode, code: &str, message: &str) -> Refusal {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    Refusal::text(status, &body)
}
