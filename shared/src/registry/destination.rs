//! Writing a repository.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, future};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use super::source::accepting;
use super::transport::{Request, Response};
use super::{BlobStream, Fault, Remote, Source, persistently, verified};
use crate::digest::Digest;
use crate::error::{Cause, Error, Side};
use crate::manifest::{Blob, Manifest};

/// How long an upload may stand still. A registry takes its time over the last byte of a large layer, and a source that falls silent is
/// asked again for almost four minutes before it is given up.
const STANDSTILL: Duration = Duration::from_mins(5);

/// A repository that is written.
pub struct Destination(Source);

/// How far an upload has come before its first byte.
enum Begun {
    /// The registry had the blob, and needs nothing.
    Mounted,
    /// A session is open.
    Session(Url),
    /// Nothing was asked.
    Nothing,
}

impl Destination {
    pub(super) fn new(remote: Remote) -> Self {
        Self(Source::new(remote))
    }

    fn remote(&self) -> &Remote {
        &self.0.0
    }

    /// As [`Source::connect_ahead`].
    pub(crate) fn connect_ahead(&self) {
        self.0.connect_ahead();
    }

    /// The digest of `tag`; `None` where there is no such tag.
    pub async fn digest(&self, tag: &str) -> Result<Option<Digest>, Error> {
        absent(self.0.seen(tag, None).await.map(|seen| seen.digest))
    }

    /// Whether the manifest is there. A manifest that is there vouches for what is below it, because children go first.
    pub async fn has_manifest(&self, digest: &Digest) -> Result<bool, Error> {
        self.has(&format!("manifests/{digest}")).await
    }

    /// The manifest with this digest, read back from here.
    pub async fn manifest(&self, digest: &Digest) -> Result<Manifest, Error> {
        persistently(|| self.0.manifest_once(digest, None)).await
    }

    /// Whether the blob is there.
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        self.has(&format!("blobs/{digest}")).await
    }

    async fn has(&self, tail: &str) -> Result<bool, Error> {
        let request = accepting(self.remote().request(Method::HEAD, tail)?);
        let answer = self.remote().ask(&format!("look for {tail}"), &request).await;
        absent(answer).map(|found| found.is_some())
    }

    /// Puts `manifest` under `reference`, a tag or its digest, byte for byte.
    pub async fn put_manifest(&self, reference: &str, manifest: &Manifest) -> Result<(), Error> {
        let action = format!("put manifest {reference} {}", manifest.digest);
        let media_type = HeaderValue::try_from(&manifest.media_type)
            .map_err(|error| self.remote().error(Cause::Invalid, &action).because(error))?;
        let request = self.remote().request(Method::PUT, &format!("manifests/{reference}"))?;
        let request = request.header(CONTENT_TYPE, media_type).body(manifest.bytes.clone());
        let response = match self.remote().ask(&action, &request).await {
            // So ECR answers a second PUT of the same, whose first answer was lost.
            Err(error) if *error.cause() == Cause::Immutable => {
                let is_there = self.digest(reference).await?.as_ref() == Some(&manifest.digest);
                return if is_there { Ok(()) } else { Err(error) };
            }
            response => response?,
        };
        let stored = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
        match stored {
            Some(stored) if stored != manifest.digest.as_str() => {
                Err(self.remote().error(Cause::Mismatch, &action).because(format!("it was stored as {stored}")))
            }
            _ => Ok(()),
        }
    }

    /// Sends what `reading` gives as `blob`: one POST, while the source is asked, then one streamed PUT of known length. `moved`
    /// counts the bytes on their way. Where the registry can take the blob from another of its repositories, nothing is read.
    ///
    /// Gives the bytes that were sent.
    ///
    /// Never in chunks, which Amazon ECR answers wrongly. After a failure the session is left behind: a second PUT in it would
    /// be refused (416). Tried once: a stream cannot be sent again, so that the caller starts over with a new one.
    pub async fn put_blob(
        &self,
        blob: &Blob,
        reading: impl Future<Output = Result<BlobStream, Error>>,
        moved: &Arc<AtomicU64>,
    ) -> Result<u64, Error> {
        let (session, bytes) = match self.mount(blob).await? {
            Begun::Mounted => return Ok(0),
            Begun::Session(session) => (session, reading.await?),
            Begun::Nothing => future::try_join(self.begin(blob), reading).await?,
        };
        let (hashing, fault) = (self.remote().registries.hashing, Fault::default());
        let counted = count(verified(bytes, blob.clone(), hashing, Arc::clone(&fault)), Arc::clone(moved));
        let upload = self.upload(blob, session, counted.boxed());
        let result = moving(upload, moved, self.remote().error(Cause::Interrupted, &put(blob))).await;
        // The source's fault comes first: the destination only saw a body that broke.
        fault.get().map_or(result, |error| Err(error.clone())).map(|()| blob.size_bytes)
    }

    /// Takes note that a manifest which is here names `blobs`, and that they are here too: other repositories may take them over.
    pub(crate) fn vouch_for(&self, blobs: &[Blob]) {
        let remote = self.remote();
        for blob in blobs {
            remote.registries.mounts.note(&remote.repository, &blob.digest);
        }
    }

    /// Has the registry take `blob` from another of its repositories, where one is known to have it.
    async fn mount(&self, blob: &Blob) -> Result<Begun, Error> {
        let remote = self.remote();
        let mounts = &remote.registries.mounts;
        let Some(holder) = mounts.holder(&remote.repository, &blob.digest) else { return Ok(Begun::Nothing) };
        match self.post_upload(blob, &[("mount", blob.digest.as_str()), ("from", &holder)]).await {
            Ok(answer) if answer.status() == StatusCode::CREATED => Ok(Begun::Mounted),
            Ok(answer) => {
                mounts.refused(&remote.repository.registry);
                self.location(&put(blob), &answer).map(Begun::Session)
            }
            Err(error) if error.is_worth_a_retry_now() => Err(error),
            Err(error) => {
                tracing::info!("blobs are not taken from other repositories: {}", error.chain());
                mounts.refused(&remote.repository.registry);
                Ok(Begun::Nothing)
            }
        }
    }

    /// Opens an upload session, and gives its address.
    async fn begin(&self, blob: &Blob) -> Result<Url, Error> {
        let answer = self.post_upload(blob, &[]).await?;
        self.location(&put(blob), &answer)
    }

    async fn post_upload(&self, blob: &Blob, query: &[(&str, &str)]) -> Result<Response, Error> {
        let mut request = self.remote().request(Method::POST, "blobs/uploads/")?.header(CONTENT_LENGTH, 0);
        if !query.is_empty() {
            request.url.query_pairs_mut().extend_pairs(query);
        }
        self.remote().send(&put(blob), &request).await
    }

    /// Sends all of `body` in `session`, and completes it.
    async fn upload(&self, blob: &Blob, mut session: Url, body: BlobStream) -> Result<(), Error> {
        session.query_pairs_mut().append_pair("digest", blob.digest.as_str());
        let remote = self.remote();
        let request = Request::new(Method::PUT, session).blob(blob.size_bytes).header(CONTENT_LENGTH, blob.size_bytes);
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let Err(refusal) = remote.send_once(&put(blob), request, Some(body)).await? else { return Ok(()) };
        if !refusal.is_expired_credential {
            return Err(refusal.error);
        }
        remote.registries.authorizer.renew(&remote.repository, remote.access, refusal.authorization.as_ref()).await;
        Err(remote.error(Cause::Interrupted, &put(blob)).because(refusal.error))
    }

    fn location(&self, action: &str, response: &Response) -> Result<Url, Error> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let url = location.and_then(|location| response.url().join(location).ok());
        url.ok_or_else(|| self.remote().error(Cause::Unexpected, action).because("the upload has no location"))
    }
}

fn put(blob: &Blob) -> String {
    format!("put blob {}", blob.digest)
}

/// Adds what passes to `counter`.
fn count<S>(bytes: S, counter: Arc<AtomicU64>) -> impl Stream<Item = Result<Bytes, Error>>
where
    S: Stream<Item = Result<Bytes, Error>>,
{
    bytes.inspect_ok(move |chunk| {
        counter.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    })
}

/// Waits for `upload` as long as bytes move.
async fn moving<T>(
    upload: impl Future<Output = Result<T, Error>>,
    moved: &AtomicU64,
    stalled: Error,
) -> Result<T, Error> {
    tokio::pin!(upload);
    let mut seen = moved.load(Ordering::Relaxed);
    loop {
        tokio::select! {
            result = &mut upload => return result,
            () = tokio::time::sleep_until(Instant::now() + STANDSTILL) => {
                let now = moved.load(Ordering::Relaxed);
                if now == seen {
                    return Err(stalled.because(format!("no byte moved for {} s", STANDSTILL.as_secs())));
                }
                seen = now;
            }
        }
    }
}

/// Nothing there is an answer, not an error.
fn absent<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(error) if *error.cause() == Cause::NotFound && error.side() == Side::Destination => Ok(None),
        Err(error) => Err(error),
    }
}
