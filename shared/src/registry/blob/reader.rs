//! Reading a blob: where a response breaks off, the next request starts at the byte that was reached.
//!
//! The bytes are not verified here. The consumer hashes them, those after a break like those before
//! it. So the digest reveals a source that continues with other bytes.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use bytes::{Buf, Bytes};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use http::header::CONTENT_RANGE;

use super::BlobStream;
use crate::error::{Cause, Error};
use crate::image::manifest::Blob;
use crate::registry::Source;
use crate::registry::transport::Response;
use crate::registry::transport::connection::BoxError;
use crate::registry::transport::retry;

/// How long a source may send nothing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The most requests for one blob, however many bytes each of them gets.
const MAX_REQUESTS: usize = 1000;

impl Source {
    /// The bytes of `blob` as they arrive, not verified. If a response breaks off, a further request
    /// gets the rest: after at most `retries` requests in a row without a new byte, this fails.
    pub async fn blob(&self, blob: &Blob, retries: usize) -> Result<BlobStream, Error> {
        let reader = Reader::open(self.clone(), blob.clone(), retries).await?;
        Ok(reader.into_stream())
    }
}

/// A blob that is being read.
struct Reader {
    source: Source,
    blob: Blob,
    /// Bytes passed on so far.
    reached: u64,
    part: Option<Part>,
    requests: usize,
    /// Whether requests ask for the rest only.
    uses_range: bool,
    retries: usize,
    delays: ExponentialBackoff,
    /// Whether the last response had new bytes. Then the next request needs no delay.
    has_progress: bool,
}

/// One response, and how many of its next bytes were read before.
struct Part {
    response: Response,
    bytes_to_skip: u64,
}

impl Reader {
    fn new(source: Source, blob: Blob, retries: usize) -> Self {
        Self {
            source,
            blob,
            reached: 0,
            part: None,
            requests: 0,
            uses_range: true,
            retries,
            delays: retry::backoff(retries).build(),
            has_progress: false,
        }
    }

    /// Opens the first response, with up to `retries` retries.
    async fn open(source: Source, blob: Blob, retries: usize) -> Result<Self, Error> {
        let mut reader = Self::new(source, blob, retries);
        while let Err(error) = reader.request_rest().await {
            reader.wait_for_retry(error).await?;
        }
        Ok(reader)
    }

    /// The bytes. The stream ends after an error.
    fn into_stream(self) -> BlobStream {
        let read = |reader: Option<Self>| async move {
            let mut reader = reader?;
            match reader.next().await {
                Ok(chunk) => Some((Ok(chunk?), Some(reader))),
                Err(error) => Some((Err(error), None)),
            }
        };
        stream::unfold(Some(self), read).boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let error = match self.next_of_response().await {
                Ok(Some(chunk)) => {
                    self.reached += chunk.len() as u64;
                    self.has_progress = true;
                    return Ok(Some(chunk));
                }
                Ok(None) if self.reached >= self.blob.size_bytes => return Ok(None),
                Ok(None) => {
                    let size = self.blob.size_bytes;
                    self.interrupted(format!("{} of {size} bytes arrived", self.reached))
                }
                Err(error) => error,
            };
            self.wait_for_retry(error).await?;
        }
    }

    /// The next bytes that were not read before; `None` at the end of a response.
    async fn next_of_response(&mut self) -> Result<Option<Bytes>, Error> {
        if self.part.is_none() {
            self.request_rest().await?;
        }
        while let Some(part) = &mut self.part {
            let reading = part.response.chunk();
            let Ok(read) = tokio::time::timeout(IDLE_TIMEOUT, reading).await else {
                let seconds = IDLE_TIMEOUT.as_secs();
                return Err(self.interrupted(format!("no byte arrived for {seconds} s")));
            };
            let chunk = match read {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(failure) => return Err(self.interrupted(failure)),
            };
            let chunk = part.skip_known(chunk);
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// Requests the bytes that are left. Of a source without ranges, which sends everything, the
    /// bytes that were read before are skipped.
    async fn request_rest(&mut self) -> Result<(), Error> {
        self.requests += 1;
        let first = if self.uses_range { self.reached } else { 0 };
        let response = match self.source.blob_once(&self.blob, first).await {
            // Such as 416: some servers that have the blob do not send a part of it.
            Err(error) if first > 0 && *error.cause() == Cause::Unexpected => {
                return Err(self.stop_ranges(error));
            }
            result => result?,
        };
        let is_whole = first == 0 || response.status() == StatusCode::OK;
        let bytes_to_skip = if is_whole {
            self.reached
        } else if is_rest(&response, first) {
            0
        } else {
            return Err(self.stop_ranges("the response is not the requested range"));
        };
        self.part = Some(Part {
            response,
            bytes_to_skip,
        });
        Ok(())
    }

    /// Makes further requests ask for the whole blob. Returns the error to report for this one.
    fn stop_ranges(&mut self, why: impl Into<BoxError>) -> Error {
        self.uses_range = false;
        self.interrupted(why)
    }

    /// Waits until the next request, or fails with `error` if none is worth it.
    async fn wait_for_retry(&mut self, error: Error) -> Result<(), Error> {
        self.part = None;
        let planned = if std::mem::take(&mut self.has_progress) {
            self.delays = retry::backoff(self.retries).build();
            Some(Duration::ZERO)
        } else {
            self.delays.next()
        };
        let may_retry = error.is_retryable_now() && self.requests < MAX_REQUESTS;
        let Some(planned) = planned.filter(|_| may_retry) else {
            return Err(error);
        };
        let Some(delay) = retry::delay(&error, planned) else {
            return Err(error);
        };
        let delay_ms = delay.as_millis();
        let reached = self.reached;
        tracing::debug!(delay_ms, reached, "reading the rest of a blob: {error}");
        tokio::time::sleep(delay).await;
        Ok(())
    }

    fn interrupted(&self, why: impl Into<BoxError>) -> Error {
        let error = self.source.blob_error(Cause::Interrupted, &self.blob);
        error.because(why)
    }
}

impl Part {
    /// `chunk` without the bytes that were read before.
    fn skip_known(&mut self, mut chunk: Bytes) -> Bytes {
        let to_skip = usize::try_from(self.bytes_to_skip).unwrap_or(usize::MAX);
        let skipped = to_skip.min(chunk.len());
        chunk.advance(skipped);
        self.bytes_to_skip -= skipped as u64;
        chunk
    }
}

/// Whether `response` is partial, and starts with the byte `first`.
fn is_rest(response: &Response, first: u64) -> bool {
    let is_partial = response.status() == StatusCode::PARTIAL_CONTENT;
    is_partial && range_start(response) == Some(first)
}

/// The first byte of a partial response (`Content-Range: bytes FIRST-LAST/SIZE`,
/// [RFC 9110, section 14.4](https://www.rfc-editor.org/rfc/rfc9110#section-14.4)).
fn range_start(response: &Response) -> Option<u64> {
    let value = response.header(CONTENT_RANGE)?;
    let range = value.strip_prefix("bytes ")?;
    let (start, _) = range.split_once('-')?;
    start.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::aws::{Aws, AwsKeychain};
    use crate::image::digest::Digest;
    use crate::image::reference::ImageRef;
    use crate::registry::Registries;
    use crate::settings::Settings;

    #[tokio::test(start_paused = true)]
    async fn a_silent_source_is_an_interruption() {
        let aws = Arc::new(Aws::default());
        let keychain = AwsKeychain::new(aws, None);
        let registries = Registries::new(&Settings::default(), Arc::new(keychain)).unwrap();
        let image: ImageRef = "node:1".parse().unwrap();
        let source = registries.source(image.repository());
        let blob = Blob {
            digest: Digest::from_content(b"abc"),
            size_bytes: 3,
        };
        let first_bytes = stream::iter([Ok(Bytes::from_static(b"ab"))]);
        let silent = first_bytes.chain(stream::pending());
        let response = Response::from_body(silent.boxed());
        let part = Some(Part {
            response,
            bytes_to_skip: 0,
        });
        // No further request is allowed: the test stays on this machine.
        let mut reader = Reader {
            part,
            requests: MAX_REQUESTS,
            ..Reader::new(source, blob, 0)
        };
        let first = reader.next().await.unwrap();
        assert_eq!(first.unwrap(), "ab");
        let error = reader.next().await.unwrap_err();
        assert_eq!(*error.cause(), Cause::Interrupted);
    }
}
