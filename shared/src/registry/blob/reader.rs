//! A blob on its way: where an answer breaks off, the next one begins at the byte that was reached.
//!
//! The bytes are not checked here: whoever takes them hashes them, those after a break as those before it. So a source that goes on
//! with something else is found out by the digest.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use bytes::{Buf, Bytes};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use http::header::CONTENT_RANGE;

use crate::error::{Cause, Error};
use crate::image::manifest::Blob;
use crate::registry::transport::Response;
use crate::registry::transport::retry::{as_asked, patience};
use crate::registry::{BlobStream, Source};

/// How long a source may send nothing.
const IDLE: Duration = Duration::from_secs(30);
/// How many answers one blob may take, however much each of them brings.
const ANSWERS: usize = 1000;

/// A blob that is being read.
pub(crate) struct Reader {
    source: Source,
    blob: Blob,
    /// Bytes handed on so far.
    reached: u64,
    answer: Option<Answer>,
    answers: usize,
    /// Whether the source is asked for the rest alone.
    by_range: bool,
    tries: usize,
    waits: ExponentialBackoff,
    /// Whether the last answer brought anything: then there is nothing to wait for.
    has_gained: bool,
}

/// One answer, and how many of its bytes have been read before.
struct Answer {
    body: Response,
    known: u64,
}

impl Reader {
    fn new(source: Source, blob: Blob, tries: usize) -> Self {
        let waits = patience(tries).build();
        let (reached, answer, answers, by_range, has_gained) = (0, None, 0, true, false);
        Self {
            source,
            blob,
            reached,
            answer,
            answers,
            by_range,
            tries,
            waits,
            has_gained,
        }
    }

    /// Begins to read: an error when no answer began, after `tries` more than one where that was worth it.
    pub(crate) async fn open(source: Source, blob: Blob, tries: usize) -> Result<Self, Error> {
        let mut reader = Self::new(source, blob, tries);
        while let Err(error) = reader.ask().await {
            reader.wait(error).await?;
        }
        Ok(reader)
    }

    /// The bytes; after an error there are no more.
    pub(crate) fn into_stream(self) -> BlobStream {
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
            match self.chunk().await {
                Ok(Some(chunk)) => {
                    self.reached += chunk.len() as u64;
                    self.has_gained = true;
                    return Ok(Some(chunk));
                }
                Ok(None) if self.reached >= self.blob.size_bytes => return Ok(None),
                Ok(None) => {
                    let why = format!("{} of {} bytes arrived", self.reached, self.blob.size_bytes);
                    self.wait(self.broken(why)).await?;
                }
                Err(error) => self.wait(error).await?,
            }
        }
    }

    /// The next bytes that were not read before; `None` at the end of an answer.
    async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        if self.answer.is_none() {
            self.ask().await?;
        }
        let Self {
            source,
            blob,
            answer,
            ..
        } = self;
        while let Some(answer) = answer {
            let Ok(chunk) = tokio::time::timeout(IDLE, answer.body.chunk()).await else {
                return Err(broken(
                    source,
                    blob,
                    format!("nothing arrived for {} s", IDLE.as_secs()),
                ));
            };
            let Some(mut chunk) = chunk.map_err(|error| broken(source, blob, error))? else {
                break;
            };
            let known = usize::try_from(answer.known)
                .unwrap_or(usize::MAX)
                .min(chunk.len());
            chunk.advance(known);
            answer.known -= known as u64;
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// Asks for what is left. A source that does not know ranges sends everything, of which what is known is skipped.
    async fn ask(&mut self) -> Result<(), Error> {
        self.answers += 1;
        let first = if self.by_range { self.reached } else { 0 };
        let body = match self.source.blob_once(&self.blob, first).await {
            // Such as 416: not everybody who has the blob sends a part of it.
            Err(error) if first > 0 && *error.cause() == Cause::Unexpected => {
                return Err(self.without_range(error));
            }
            answer => answer?,
        };
        let known = match (first, body.status()) {
            (0, _) | (_, StatusCode::OK) => self.reached,
            (first, StatusCode::PARTIAL_CONTENT) if begins_at(&body, first) => 0,
            _ => return Err(self.without_range("the answer is not the rest that was asked for")),
        };
        self.answer = Some(Answer { body, known });
        Ok(())
    }

    /// From now on everything is asked for; this is why.
    fn without_range(&mut self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.by_range = false;
        self.broken(why)
    }

    /// Lets the time until the next try pass, or gives up with `error`.
    async fn wait(&mut self, error: Error) -> Result<(), Error> {
        self.answer = None;
        let is_worth_it = error.is_retryable_now() && self.answers < ANSWERS;
        let planned = if std::mem::take(&mut self.has_gained) {
            self.waits = patience(self.tries).build();
            Some(Duration::ZERO)
        } else {
            self.waits.next()
        };
        let wait = planned
            .filter(|_| is_worth_it)
            .and_then(|planned| as_asked(&error, planned));
        let Some(wait) = wait else { return Err(error) };
        tracing::debug!(
            wait_ms = wait.as_millis(),
            reached = self.reached,
            "reading on: {error}"
        );
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn broken(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        broken(&self.source, &self.blob, why)
    }
}

fn broken(
    source: &Source,
    blob: &Blob,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    source
        .0
        .error(Cause::Interrupted, &format!("get blob {}", blob.digest))
        .because(why)
}

/// Whether the answer says that it begins with the byte `first` (`bytes FIRST-LAST/SIZE`, RFC 9110, section 14.4).
fn begins_at(answer: &Response, first: u64) -> bool {
    let range = answer
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    let begin = range.and_then(|range| {
        range
            .strip_prefix("bytes ")?
            .split_once('-')?
            .0
            .trim()
            .parse::<u64>()
            .ok()
    });
    begin == Some(first)
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
    async fn a_source_that_falls_silent_is_cut() {
        let keychain = Arc::new(AwsKeychain::new(Arc::new(Aws::default()), None));
        let registries = Registries::new(&Settings::default(), keychain).unwrap();
        let source = registries.source("node:1".parse::<ImageRef>().unwrap().repository());
        let blob = Blob {
            digest: Digest::from_content(b"abc"),
            size_bytes: 3,
        };
        let silent = stream::iter([Ok(Bytes::from_static(b"ab"))]).chain(stream::pending());
        let body = Response::made_up(silent.boxed());
        let answer = Some(Answer { body, known: 0 });
        // No other answer may be asked for: the test stays on this machine.
        let mut reader = Reader {
            answer,
            answers: ANSWERS,
            ..Reader::new(source, blob, 0)
        };
        assert_eq!(reader.next().await.unwrap().unwrap(), "ab");
        assert_eq!(
            reader.next().await.unwrap_err().cause(),
            &Cause::Interrupted
        );
    }
}
