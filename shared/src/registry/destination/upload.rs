//! Uploads of blobs: mounts, sessions, and the one streamed PUT.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, future};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use url::Url;

use super::Destination;
use crate::error::{Cause, Error};
use crate::image::manifest::Blob;
use crate::registry::transport::{Request, Response};
use crate::registry::{BlobStream, Fault, verified};

/// How long an upload may make no progress. A registry takes time to finish a large layer, and a
/// silent source gets retries for almost four minutes.
const STALL_TIMEOUT: Duration = Duration::from_mins(5);

/// The state of an upload before its first byte.
enum Start {
    /// The registry has mounted the blob.
    Mounted,
    /// A session is open at this address.
    Session(Url),
    /// No request was sent.
    Unknown,
}

impl Destination {
    /// Uploads the bytes of `reading` as `blob`: one POST, while the source responds, then one
    /// streamed PUT of known length. If the registry can mount the blob from another of its
    /// repositories, nothing is read. Returns the number of bytes that were sent.
    ///
    /// `moved` counts the bytes in flight. `is_renewed` is set once a credential was renewed for this
    /// blob. The blob is not sent again if a fresh credential is refused too.
    ///
    /// Never in chunks, to which Amazon ECR responds wrongly. After a failure the session is
    /// abandoned: a second PUT in it would be refused (416). There is no retry here: a stream cannot
    /// be sent again, so the caller starts again with a new one.
    pub async fn put_blob(
        &self,
        blob: &Blob,
        reading: impl Future<Output = Result<BlobStream, Error>>,
        moved: &Arc<AtomicU64>,
        is_renewed: &AtomicBool,
    ) -> Result<u64, Error> {
        let (session, bytes) = match self.try_mount(blob).await? {
            Start::Mounted => return Ok(0),
            Start::Session(session) => (session, reading.await?),
            Start::Unknown => future::try_join(self.open_session(blob), reading).await?,
        };
        let hashing = self.remote().registries.hashing;
        let fault = Fault::default();
        let verified = verified(bytes, blob.clone(), hashing, Arc::clone(&fault));
        let body = count(verified, Arc::clone(moved)).boxed();
        let upload = self.upload(blob, session, body, is_renewed);
        let stalled = self.error(Cause::Interrupted, blob);
        let result = while_moving(upload, moved, stalled).await;
        // The source's error is the cause: the destination only saw a body that broke.
        if let Some(error) = fault.get() {
            return Err(error.clone());
        }
        result.map(|()| blob.size_bytes)
    }

    /// Records that `blobs` exist here and are named by a manifest: other repositories of the
    /// registry may mount them.
    pub(crate) fn vouch_for(&self, blobs: &[Blob]) {
        let remote = self.remote();
        let mounts = &remote.registries.mounts;
        for blob in blobs {
            mounts.note_blob(&remote.repository, &blob.digest);
        }
    }

    /// Mounts `blob` from another repository of the registry, if one is known to have it.
    async fn try_mount(&self, blob: &Blob) -> Result<Start, Error> {
        let repository = &self.remote().repository;
        let mounts = &self.remote().registries.mounts;
        let Some(holder) = mounts.find_holder(repository, &blob.digest) else {
            return Ok(Start::Unknown);
        };
        let query = [("mount", blob.digest.as_str()), ("from", &holder)];
        match self.post_upload(blob, &query).await {
            Ok(response) if response.status() == StatusCode::CREATED => Ok(Start::Mounted),
            Ok(response) => {
                mounts.note_refusal(&repository.registry);
                self.location(blob, &response).map(Start::Session)
            }
            Err(error) if error.is_retryable_now() => Err(error),
            Err(error) => {
                tracing::info!(
                    registry = repository.registry,
                    "the registry refuses to mount blobs of other repositories: {}",
                    error.chain()
                );
                mounts.note_refusal(&repository.registry);
                Ok(Start::Unknown)
            }
        }
    }

    /// Opens an upload session, and returns its address.
    async fn open_session(&self, blob: &Blob) -> Result<Url, Error> {
        let response = self.post_upload(blob, &[]).await?;
        self.location(blob, &response)
    }

    async fn post_upload(&self, blob: &Blob, query: &[(&str, &str)]) -> Result<Response, Error> {
        let remote = self.remote();
        let mut request = remote
            .request(Method::POST, "blobs/uploads/")?
            .header(CONTENT_LENGTH, 0);
        if !query.is_empty() {
            request.url.query_pairs_mut().extend_pairs(query);
        }
        remote.send(&self.action(blob), &request).await
    }

    /// Sends all of `body` in `session`, which completes it.
    async fn upload(
        &self,
        blob: &Blob,
        mut session: Url,
        body: BlobStream,
        is_renewed: &AtomicBool,
    ) -> Result<(), Error> {
        session
            .query_pairs_mut()
            .append_pair("digest", blob.digest.as_str());
        let media_type = HeaderValue::from_static("application/octet-stream");
        let request = Request::new(Method::PUT, session)
            .blob(blob.size_bytes)
            .header(CONTENT_LENGTH, blob.size_bytes)
            .header(CONTENT_TYPE, media_type);
        let remote = self.remote();
        let action = self.action(blob);
        let Err(failed) = remote.send_once(&action, request, Some(body)).await else {
            return Ok(());
        };
        let Some(refused) = &failed.refused_authorization else {
            return Err(failed.error);
        };
        remote.discard(refused).await;
        if is_renewed.swap(true, Ordering::Relaxed) {
            return Err(failed.error);
        }
        Err(self.error(Cause::Interrupted, blob).because(failed.error))
    }

    fn location(&self, blob: &Blob, response: &Response) -> Result<Url, Error> {
        let location = response.header(LOCATION);
        session_url(response.url(), location).map_err(|problem| {
            let error = self.error(problem.cause(), blob);
            error.because(problem)
        })
    }

    fn action(&self, blob: &Blob) -> String {
        format!("put blob {} in {}", blob.digest, self.remote().repository)
    }

    fn error(&self, cause: Cause, blob: &Blob) -> Error {
        self.remote().error(cause, &self.action(blob))
    }
}

/// What is wrong with the address of an upload session.
#[derive(Debug, thiserror::Error)]
enum InvalidLocation {
    #[error("the upload has no location")]
    Missing,
    #[error(
        "the registry redirects the upload from TLS to plain HTTP; \
         a proxy in front of it must set X-Forwarded-Proto"
    )]
    Plain,
}

impl InvalidLocation {
    fn cause(&self) -> Cause {
        match self {
            Self::Missing => Cause::Unexpected,
            Self::Plain => Cause::Invalid,
        }
    }
}

/// The address of the upload session that a POST to `posted_to` opened. It never leads from TLS to
/// plain HTTP.
fn session_url(posted_to: &Url, location: Option<&str>) -> Result<Url, InvalidLocation> {
    let location = location.ok_or(InvalidLocation::Missing)?;
    let Ok(url) = posted_to.join(location) else {
        return Err(InvalidLocation::Missing);
    };
    let is_tls = |url: &Url| url.scheme() == "https";
    if is_tls(posted_to) && !is_tls(&url) {
        return Err(InvalidLocation::Plain);
    }
    Ok(url)
}

/// Adds the number of bytes that pass to `counter`.
fn count<S>(bytes: S, counter: Arc<AtomicU64>) -> impl Stream<Item = Result<Bytes, Error>>
where
    S: Stream<Item = Result<Bytes, Error>>,
{
    bytes.inspect_ok(move |chunk| {
        counter.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    })
}

/// Waits for `upload`, and fails with `stalled` once no byte moves for [`STALL_TIMEOUT`].
async fn while_moving<T>(
    upload: impl Future<Output = Result<T, Error>>,
    moved: &AtomicU64,
    stalled: Error,
) -> Result<T, Error> {
    tokio::pin!(upload);
    let mut last_moved = moved.load(Ordering::Relaxed);
    loop {
        if let Ok(result) = tokio::time::timeout(STALL_TIMEOUT, &mut upload).await {
            return result;
        }
        let now_moved = moved.load(Ordering::Relaxed);
        if now_moved == last_moved {
            let seconds = STALL_TIMEOUT.as_secs();
            return Err(stalled.because(format!("no byte moved for {seconds} s")));
        }
        last_moved = now_moved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the address of the session that a POST to `start` opened.
    #[track_caller]
    fn check(start: &str, location: &str, expected: &str) {
        let start = Url::parse(start).unwrap();
        let session = session_url(&start, Some(location)).unwrap();
        assert_eq!(session.as_str(), expected);
    }

    #[test]
    fn an_upload_that_starts_over_tls_continues_over_tls() {
        let start = "https://registry.example/v2/a/blobs/uploads/";
        let path = "/v2/a/blobs/uploads/1?s=x";
        check(
            start,
            path,
            "https://registry.example/v2/a/blobs/uploads/1?s=x",
        );
        let elsewhere = "https://storage.example/1";
        check(start, elsewhere, elsewhere);

        let start = Url::parse(start).unwrap();
        let plain = session_url(&start, Some("http://registry.example/1"));
        assert_eq!(plain.unwrap_err().cause(), Cause::Invalid);
        let missing = session_url(&start, None);
        assert_eq!(missing.unwrap_err().cause(), Cause::Unexpected);
    }

    #[test]
    fn an_upload_that_starts_over_plain_http_continues_over_it() {
        let start = "http://127.0.0.1:5000/v2/a/blobs/uploads/";
        check(start, "/1", "http://127.0.0.1:5000/1");
    }
}
