//! Blob uploads: start or mount, parts, and the end (distribution spec, "Pushing Blobs").
//!
//! ECR deviates from the specification. Each deviation is noted at its place, with its source.

use axum::body::Body;
use axum::extract::{Query, Request};
use axum::http::header::{HeaderName, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use futures_util::StreamExt as _;
use serde::Deserialize;

use super::serve::{Admitted, HandlerResult};
use super::session::Session;
use super::upload_rules::check_start;
use super::{Registry, RegistryKind};
use crate::digest;
use crate::error_response::{ErrorResponse, header_map};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The query of an upload request.
#[derive(Deserialize)]
struct Wish {
    mount: Option<String>,
    from: Option<String>,
    digest: Option<String>,
}

impl Registry {
    /// Mounts a blob of another repository, or opens a session.
    pub(super) fn start_upload(&self, admitted: &Admitted) -> HandlerResult {
        let wish = wish(&admitted.request)?;
        if let (Some(digest), Some(from)) = (&wish.mount, &wish.from) {
            self.count("blob.mount");
            if self.mount(digest, from, &admitted.repository) {
                return Ok(
                    (StatusCode::CREATED, blob_headers(&admitted.name, digest)).into_response()
                );
            }
        }
        let locate = |id: &str| self.location(&admitted.name, id, admitted.request.headers());
        let session = self.sessions().start(&admitted.repository, locate);
        Ok((StatusCode::ACCEPTED, self.progress(&session)).into_response())
    }

    /// ECR mounts only blobs that a manifest refers to, and only if the account allows it
    /// (aws/containers-roadmap#2860).
    fn mount(&self, digest: &str, from: &str, to: &str) -> bool {
        let mut contents = self.contents();
        let mounting = contents.mounting;
        let available =
            contents
                .repositories
                .get(from)
                .is_some_and(|source| match self.config().kind {
                    RegistryKind::Ecr => {
                        mounting && source.blobs.contains(digest) && source.refers_to(digest)
                    }
                    RegistryKind::Distribution => source.blobs.contains(digest),
                    RegistryKind::DockerHub
                    | RegistryKind::EcrPublic { .. }
                    | RegistryKind::Gallery
                    | RegistryKind::PullThroughCache => false,
                });
        if let (true, Some(target)) = (available, contents.repositories.get_mut(to)) {
            target.blobs.insert(digest.to_owned());
        }
        available
    }

    /// ECR does not report the progress of a session (dotnet/sdk#33019).
    pub(super) fn upload_status(&self, admitted: &Admitted, id: &str) -> HandlerResult {
        let session = self.session(admitted, id)?;
        if self.config().kind.is_ecr() {
            return Err(unknown_upload());
        }
        Ok((StatusCode::NO_CONTENT, self.progress(&session)).into_response())
    }

    /// Appends one part. ECR responds with 201 where the specification has 202.
    pub(super) async fn append(&self, admitted: Admitted, id: &str) -> HandlerResult {
        let session = self.session(&admitted, id)?;
        check_start(&session, admitted.request.headers())?;
        self.receive(&session, admitted.request.into_body()).await?;
        let status = if self.config().kind.is_ecr() {
            StatusCode::CREATED
        } else {
            StatusCode::ACCEPTED
        };
        Ok((status, self.progress(&session)).into_response())
    }

    /// Appends the rest, if any, and checks the digest of the whole blob.
    pub(super) async fn finish_upload(&self, admitted: Admitted, id: &str) -> HandlerResult {
        let session = self.session(&admitted, id)?;
        let claimed = wish(&admitted.request)?
            .digest
            .filter(|claimed| digest::is_digest(claimed));
        let claimed = claimed.ok_or_else(|| {
            ErrorResponse::new(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "a valid digest is required to finish an upload",
            )
        })?;
        check_start(&session, admitted.request.headers())?;
        if self.config().shared.pool.holds(&claimed) {
            session.forget_bytes();
        }
        self.receive(&session, admitted.request.into_body()).await?;
        self.complete(&session, &claimed)?;
        Ok((StatusCode::CREATED, blob_headers(&admitted.name, &claimed)).into_response())
    }

    fn complete(&self, session: &Session, claimed: &str) -> Result<(), ErrorResponse> {
        self.sessions().close(&session.id);
        self.check_parts(session)?;
        if session.digest() != claimed {
            return Err(self.digest_refusal());
        }
        if let Some(blob) = session.take_blob() {
            self.config().shared.pool.add(claimed, blob);
        }
        if let Some(home) = self.contents().repositories.get_mut(&session.repository) {
            home.blobs.insert(claimed.to_owned());
        }
        Ok(())
    }

    /// Streams a body into a session. Bytes that arrived before a disconnect stay there.
    async fn receive(&self, session: &Session, body: Body) -> Result<(), ErrorResponse> {
        let parts = self.config();
        let _open = parts.shared.counts.open(format!("{}.upload", parts.name));
        let mut reached = 0;
        let mut stream = body.into_data_stream();
        session.begin_part();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| ErrorResponse::Disconnect)?;
            reached += chunk.len() as u64;
            if self.faults().cuts_upload(reached) {
                return Err(ErrorResponse::Disconnect);
            }
            parts
                .shared
                .counts
                .add(&format!("{}.bytes", parts.name), chunk.len() as u64);
            session.receive(&chunk);
        }
        session.end_part();
        Ok(())
    }

    fn session(&self, admitted: &Admitted, id: &str) -> Result<Session, ErrorResponse> {
        self.sessions()
            .get(id, &admitted.repository)
            .ok_or_else(unknown_upload)
    }
}

fn wish(request: &Request) -> Result<Wish, ErrorResponse> {
    let invalid = |_| {
        ErrorResponse::new(
            StatusCode::BAD_REQUEST,
            "BLOB_UPLOAD_INVALID",
            "invalid query",
        )
    };
    Query::try_from_uri(request.uri())
        .map(|Query(wish)| wish)
        .map_err(invalid)
}

fn blob_headers(name: &str, digest: &str) -> HeaderMap {
    header_map([
        (LOCATION, format!("/v2/{name}/blobs/{digest}")),
        (CONTENT_DIGEST, digest.to_owned()),
    ])
}

fn unknown_upload() -> ErrorResponse {
    ErrorResponse::new(
        StatusCode::NOT_FOUND,
        "BLOB_UPLOAD_UNKNOWN",
        "blob upload unknown to registry",
    )
}
