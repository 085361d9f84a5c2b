//! Sending blobs: sessions, mounts, and the one streamed PUT.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, future};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use super::Destination;
use crate::error::{Cause, Error};
use crate::image::manifest::Blob;
use crate::registry::transport::{Request, Response};
use crate::registry::{BlobStream, Fault, verified};

/// How long an upload may stand still. A registry takes its time over the last byte of a large layer, and a source that falls silent is
/// asked again for almost four minutes before it is given up.
const STANDSTILL: Duration = Duration::from_mins(5);

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
    /// Sends what `reading` gives as `blob`: one POST, while the source is asked, then one streamed PUT of known length. `moved`
    /// counts the bytes on their way, and `is_renewed` tells whether a credential was renewed for this blob: what refuses a fresh one
    /// too is not sent everything again. Where the registry can take the blob from another of its repositories, nothing is read.
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
        is_renewed: &AtomicBool,
    ) -> Result<u64, Error> {
        let (session, bytes) = match self.mount(blob).await? {
            Begun::Mounted => return Ok(0),
            Begun::Session(session) => (session, reading.await?),
            Begun::Nothing => future::try_join(self.begin(blob), reading).await?,
        };
        let (hashing, fault) = (self.remote().registries.hashing, Fault::default());
        let counted = count(
            verified(bytes, blob.clone(), hashing, Arc::clone(&fault)),
            Arc::clone(moved),
        );
        let upload = self.upload(blob, session, counted.boxed(), is_renewed);
        let result = moving(
            upload,
            moved,
            self.remote().error(Cause::Interrupted, &put(blob)),
        )
        .await;
        // The source's fault comes first: the destination only saw a body that broke.
        fault
            .get()
            .map_or(result, |error| Err(error.clone()))
            .map(|()| blob.size_bytes)
    }

    /// Takes note that a manifest which is here names `blobs`, and that they are here too: other repositories may take them over.
    pub(crate) fn vouch_for(&self, blobs: &[Blob]) {
        let remote = self.remote();
        for blob in blobs {
            remote
                .registries
                .mounts
                .note(&remote.repository, &blob.digest);
        }
    }

    /// Has the registry take `blob` from another of its repositories, where one is known to have it.
    async fn mount(&self, blob: &Blob) -> Result<Begun, Error> {
        let remote = self.remote();
        let mounts = &remote.registries.mounts;
        let Some(holder) = mounts.holder(&remote.repository, &blob.digest) else {
            return Ok(Begun::Nothing);
        };
        match self
            .post_upload(blob, &[("mount", blob.digest.as_str()), ("from", &holder)])
            .await
        {
            Ok(answer) if answer.status() == StatusCode::CREATED => Ok(Begun::Mounted),
            Ok(answer) => {
                mounts.refused(&remote.repository.registry);
                self.location(&put(blob), &answer).map(Begun::Session)
            }
            Err(error) if error.is_retryable_now() => Err(error),
            Err(error) => {
                tracing::info!(
                    "blobs are not taken from other repositories: {}",
                    error.chain()
                );
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
        let mut request = self
            .remote()
            .request(Method::POST, "blobs/uploads/")?
            .header(CONTENT_LENGTH, 0);
        if !query.is_empty() {
            request.url.query_pairs_mut().extend_pairs(query);
        }
        self.remote().send(&put(blob), &request).await
    }

    /// Sends all of `body` in `session`, and completes it.
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
        let remote = self.remote();
        let request = Request::new(Method::PUT, session)
            .blob(blob.size_bytes)
            .header(CONTENT_LENGTH, blob.size_bytes);
        let request = request.header(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        let sent = remote.send_once(&put(blob), request, Some(body)).await;
        let Err(failed) = sent else {
            return Ok(());
        };
        let Some(refused) = &failed.refused_authorization else {
            return Err(failed.error);
        };
        remote.discard(refused).await;
        if is_renewed.swap(true, Ordering::Relaxed) {
            return Err(failed.error);
        }
        Err(remote
            .error(Cause::Interrupted, &put(blob))
            .because(failed.error))
    }

    fn location(&self, action: &str, response: &Response) -> Result<Url, Error> {
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        address(response.url(), location)
            .map_err(|(cause, why)| self.remote().error(cause, action).because(why))
    }
}

/// The address of an upload that `asked` opened. TLS, once begun, is kept.
fn address(asked: &Url, location: Option<&str>) -> Result<Url, (Cause, &'static str)> {
    let url = location.and_then(|location| asked.join(location).ok());
    let url = url.ok_or((Cause::Unexpected, "the upload has no location"))?;
    if asked.scheme() == "https" && url.scheme() != "https" {
        return Err((
            Cause::Invalid,
            "asked over TLS, it wants the blob without; what is in front of it has to say X-Forwarded-Proto",
        ));
    }
    Ok(url)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_goes_on_over_tls_where_it_began_so() {
        let asked = Url::parse("https://registry.example/v2/a/blobs/uploads/").unwrap();
        let at = |location| address(&asked, location).map(String::from);
        assert_eq!(
            at(Some("/v2/a/blobs/uploads/1?s=x")).unwrap(),
            "https://registry.example/v2/a/blobs/uploads/1?s=x"
        );
        assert_eq!(
            at(Some("https://storage.example/1")).unwrap(),
            "https://storage.example/1"
        );
        assert_eq!(
            at(Some("http://registry.example/1")).unwrap_err().0,
            Cause::Invalid
        );
        assert_eq!(at(None).unwrap_err().0, Cause::Unexpected);
        let asked = Url::parse("http://127.0.0.1:5000/v2/a/blobs/uploads/").unwrap();
        assert_eq!(
            address(&asked, Some("/1")).map(String::from).unwrap(),
            "http://127.0.0.1:5000/1"
        );
    }
}
