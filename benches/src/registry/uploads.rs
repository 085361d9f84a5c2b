//! What a registry takes: blobs in one piece or in chunks, and manifests.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Response, StatusCode, Uri};
use futures_util::StreamExt;
use image_replicator::image::digest::{Digest, Hasher};

use super::Registry;
use super::outgoing::{done, refuse};
use crate::content::{Content, Pieces};
use crate::image::Manifest;

/// The largest manifest that is taken, as the distribution specification suggests.
const MANIFEST_BYTES: usize = 4 << 20;

/// Uploads that have begun.
#[derive(Default)]
pub(super) struct Sessions(Mutex<(u64, HashMap<u64, Session>)>);

/// The bytes of an upload so far: counted, hashed where they are verified, and thrown away.
#[derive(Default)]
struct Session {
    seen_bytes: u64,
    hasher: Option<Hasher>,
}

impl Sessions {
    fn begin(&self, session: Session) -> u64 {
        let mut all = self.lock();
        all.0 += 1;
        let number = all.0;
        all.1.insert(number, session);
        number
    }

    fn take(&self, number: u64) -> Option<Session> {
        self.lock().1.remove(&number)
    }

    fn put_back(&self, number: u64, session: Session) {
        self.lock().1.insert(number, session);
    }

    fn lock(&self) -> MutexGuard<'_, (u64, HashMap<u64, Session>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// `POST`: a mount, a whole blob where the digest is given already, or a session.
    pub(super) async fn begin(&self, repository: &str, request: Request) -> Response<Pieces> {
        if let Some(mounted) = self.mount(repository, request.uri()) {
            return mounted;
        }
        let mut session = Session {
            hasher: self.verifies().then(Hasher::new),
            ..Session::default()
        };
        if let Some(digest) = parameter(request.uri(), "digest") {
            return match self.take_in(&mut session, request).await {
                Ok(()) => self.complete(repository, &digest, session),
                Err(refusal) => refusal,
            };
        }
        let number = self.sessions.begin(session);
        done(
            StatusCode::ACCEPTED,
            &[
                ("location", &location(repository, number)),
                ("range", "0-0"),
            ],
        )
    }

    /// `PATCH`, `PUT`, `GET` and `DELETE` of a session.
    pub(super) async fn upload(
        &self,
        repository: &str,
        number: u64,
        method: Method,
        request: Request,
    ) -> Response<Pieces> {
        let Some(mut session) = self.sessions.take(number) else {
            return refuse(
                StatusCode::NOT_FOUND,
                "BLOB_UPLOAD_UNKNOWN",
                "no such upload",
            );
        };
        let digest = parameter(request.uri(), "digest");
        if matches!(method, Method::PATCH | Method::PUT)
            && let Err(refusal) = self.take_in(&mut session, request).await
        {
            return refusal;
        }
        let range = format!("0-{}", session.seen_bytes.saturating_sub(1));
        let status = match (method, digest) {
            (Method::PUT, Some(digest)) => return self.complete(repository, &digest, session),
            (Method::DELETE, _) => return done(StatusCode::NO_CONTENT, &[]),
            (Method::PATCH, _) => StatusCode::ACCEPTED,
            (Method::GET, _) => StatusCode::NO_CONTENT,
            _ => {
                return refuse(
                    StatusCode::BAD_REQUEST,
                    "DIGEST_INVALID",
                    "an upload ends with a digest",
                );
            }
        };
        self.sessions.put_back(number, session);
        done(
            status,
            &[
                ("location", &location(repository, number)),
                ("range", &range),
            ],
        )
    }

    pub(super) async fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        request: Request,
    ) -> Response<Pieces> {
        let media_type = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let media_type = media_type.to_owned();
        let Ok(bytes) = axum::body::to_bytes(request.into_body(), MANIFEST_BYTES).await else {
            return refuse(
                StatusCode::BAD_REQUEST,
                "MANIFEST_INVALID",
                "it is cut off, or too large",
            );
        };
        self.counters.received(bytes.len() as u64);
        let digest = String::from(Digest::from_content(&bytes));
        let manifest = Manifest {
            digest: digest.clone(),
            media_type,
            bytes,
        };
        match self.store().put_manifest(repository, reference, manifest) {
            Ok(()) => {
                let location = format!("/v2/{repository}/manifests/{reference}");
                done(
                    StatusCode::CREATED,
                    &[("location", &location), ("docker-content-digest", &digest)],
                )
            }
            Err(why) => refuse(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", &why),
        }
    }

    /// A mount that was asked for, is allowed and can be made.
    fn mount(&self, repository: &str, uri: &Uri) -> Option<Response<Pieces>> {
        let (digest, from) = (parameter(uri, "mount")?, parameter(uri, "from")?);
        let mut store = self.store();
        let size_bytes = self.library.get(&digest)?.size_bytes();
        if !self.rules.mount || !store.has_blob(&from, &digest) {
            return None;
        }
        store.put_blob(repository, &digest, size_bytes);
        Some(arrived(repository, &digest))
    }

    /// Reads the body to its end.
    async fn take_in(
        &self,
        session: &mut Session,
        request: Request,
    ) -> Result<(), Response<Pieces>> {
        let mut body = request.into_body().into_data_stream();
        while let Some(chunk) = body.next().await {
            let Ok(chunk) = chunk else {
                return Err(refuse(
                    StatusCode::BAD_REQUEST,
                    "BLOB_UPLOAD_INVALID",
                    "the body is cut off",
                ));
            };
            session.seen_bytes += chunk.len() as u64;
            self.counters.received(chunk.len() as u64);
            if let Some(hasher) = &mut session.hasher {
                hasher.update(&chunk);
            }
        }
        Ok(())
    }

    fn complete(&self, repository: &str, digest: &str, session: Session) -> Response<Pieces> {
        let known_bytes = self.library.get(digest).map(Content::size_bytes);
        if known_bytes.is_some_and(|known| known != session.seen_bytes) {
            return refuse(
                StatusCode::BAD_REQUEST,
                "SIZE_INVALID",
                "the blob has another size",
            );
        }
        if session
            .hasher
            .is_some_and(|hasher| hasher.finish().as_str() != digest)
        {
            return refuse(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "the bytes have another digest",
            );
        }
        self.store()
            .put_blob(repository, digest, session.seen_bytes);
        arrived(repository, digest)
    }
}

fn arrived(repository: &str, digest: &str) -> Response<Pieces> {
    let location = format!("/v2/{repository}/blobs/{digest}");
    done(
        StatusCode::CREATED,
        &[("location", &location), ("docker-content-digest", digest)],
    )
}

/// Relative, as the specification allows: a client that came through a proxy stays there.
fn location(repository: &str, number: u64) -> String {
    format!("/v2/{repository}/blobs/uploads/{number}")
}

/// A parameter of the query, decoded.
fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}
