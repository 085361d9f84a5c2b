//! Endpoints that write: blobs, in one piece or in chunks, and manifests.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Response, StatusCode, Uri};
use futures_util::StreamExt;
use image_replicator::image::digest::{Digest, Hasher};

use super::outgoing::{empty, refuse};
use super::sessions::Session;
use super::state::Registry;
use crate::content::{Content, Pieces};
use crate::image::Manifest;

/// The largest manifest that is accepted, as the OCI distribution specification suggests.
const MAX_MANIFEST_BYTES: usize = 4 << 20;

impl Registry {
    /// `POST`: mounts a blob, accepts a whole blob if the digest is given, or begins a session.
    pub(super) async fn begin_upload(
        &self,
        repository: &str,
        request: Request,
    ) -> Response<Pieces> {
        if let Some(mounted) = self.mount(repository, request.uri()) {
            return mounted;
        }
        let mut session = Session {
            received_bytes: 0,
            hasher: self.verifies_uploads().then(Hasher::new),
        };
        if let Some(digest) = parameter(request.uri(), "digest") {
            return match self.receive(&mut session, request).await {
                Ok(()) => self.complete(repository, &digest, session),
                Err(refusal) => refusal,
            };
        }
        let number = self.sessions.add(session);
        accepted(StatusCode::ACCEPTED, repository, number, "0-0")
    }

    /// `PATCH`, `PUT`, `GET` and `DELETE` of a session.
    pub(super) async fn continue_upload(
        &self,
        repository: &str,
        number: u64,
        method: Method,
        request: Request,
    ) -> Response<Pieces> {
        let Some(mut session) = self.sessions.take(number) else {
            let message = "no such upload";
            return refuse(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message);
        };
        let digest = parameter(request.uri(), "digest");
        if matches!(method, Method::PATCH | Method::PUT)
            && let Err(refusal) = self.receive(&mut session, request).await
        {
            return refusal;
        }
        let status = match (method, digest) {
            (Method::PUT, Some(digest)) => return self.complete(repository, &digest, session),
            (Method::DELETE, _) => return empty(StatusCode::NO_CONTENT, &[]),
            (Method::PATCH, _) => StatusCode::ACCEPTED,
            (Method::GET, _) => StatusCode::NO_CONTENT,
            _ => {
                let message = "the request that ends an upload must have a digest";
                return refuse(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message);
            }
        };
        let range = format!("0-{}", session.received_bytes.saturating_sub(1));
        self.sessions.put_back(number, session);
        accepted(status, repository, number, &range)
    }

    pub(super) async fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        request: Request,
    ) -> Response<Pieces> {
        let media_type = request.headers().get(CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default().to_owned();
        let Ok(bytes) = to_bytes(request.into_body(), MAX_MANIFEST_BYTES).await else {
            let message = "the manifest is incomplete or too large";
            return refuse(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message);
        };
        self.counters.count_received(bytes.len());
        let digest = String::from(Digest::from_content(&bytes));
        let manifest = Manifest {
            digest: digest.clone(),
            media_type,
            bytes,
        };
        match self.store().put_manifest(repository, reference, manifest) {
            Ok(()) => {
                let location = format!("/v2/{repository}/manifests/{reference}");
                created(&location, &digest)
            }
            Err(reason) => refuse(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", &reason),
        }
    }

    /// Mounts a blob from another repository. Returns `None` if the request does not ask for a
    /// mount, or if the rules or the content do not permit it.
    fn mount(&self, repository: &str, uri: &Uri) -> Option<Response<Pieces>> {
        let digest = parameter(uri, "mount")?;
        let from = parameter(uri, "from")?;
        let size_bytes = self.library.get(&digest)?.size_bytes();
        let mut store = self.store();
        if !self.rules.mount || !store.has_blob(&from, &digest) {
            return None;
        }
        store.put_blob(repository, &digest, size_bytes);
        Some(blob_created(repository, &digest))
    }

    /// Reads the body to its end.
    async fn receive(
        &self,
        session: &mut Session,
        request: Request,
    ) -> Result<(), Response<Pieces>> {
        let mut body = request.into_body().into_data_stream();
        while let Some(chunk) = body.next().await {
            let Ok(chunk) = chunk else {
                let message = "the body is incomplete";
                let status = StatusCode::BAD_REQUEST;
                return Err(refuse(status, "BLOB_UPLOAD_INVALID", message));
            };
            session.received_bytes += chunk.len() as u64;
            self.counters.count_received(chunk.len());
            if let Some(hasher) = &mut session.hasher {
                hasher.update(&chunk);
            }
        }
        Ok(())
    }

    /// Ends an upload: checks its size and, if hashed, its digest.
    fn complete(&self, repository: &str, digest: &str, session: Session) -> Response<Pieces> {
        let expected_bytes = self.library.get(digest).map(Content::size_bytes);
        if expected_bytes.is_some_and(|expected| expected != session.received_bytes) {
            let message = "the blob has another size";
            return refuse(StatusCode::BAD_REQUEST, "SIZE_INVALID", message);
        }
        if let Some(hasher) = session.hasher
            && hasher.finish().as_str() != digest
        {
            let message = "the bytes have another digest";
            return refuse(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message);
        }
        self.store()
            .put_blob(repository, digest, session.received_bytes);
        blob_created(repository, digest)
    }
}

fn blob_created(repository: &str, digest: &str) -> Response<Pieces> {
    created(&format!("/v2/{repository}/blobs/{digest}"), digest)
}

fn created(location: &str, digest: &str) -> Response<Pieces> {
    let headers = [("location", location), ("docker-content-digest", digest)];
    empty(StatusCode::CREATED, &headers)
}

/// The state of a session. Its location is relative, as the specification permits, so that a client
/// behind a proxy continues through the proxy.
fn accepted(status: StatusCode, repository: &str, number: u64, range: &str) -> Response<Pieces> {
    let location = format!("/v2/{repository}/blobs/uploads/{number}");
    empty(status, &[("location", &location), ("range", range)])
}

/// A parameter of the query, decoded.
fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let (_, value) = parameters.find(|(key, _)| key == name)?;
    Some(value.into_owned())
}
