//! Bytes in flight, held back until they are known to be right.
//!
//! An upload of known length is complete when its last byte arrives. So the last chunk stays here until the size and the digest
//! of all bytes match: bytes that are wrong can never complete an upload, whatever the destination checks.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

use crate::error::{Cause, Error, Side};
use crate::image::digest::Hasher;
use crate::image::manifest::Blob;
use crate::settings::Hashing;

/// Why a stream ended early, for the one who sends it: an HTTP client only knows that its body broke.
pub type Fault = Arc<OnceLock<Error>>;

struct Held<S> {
    bytes: S,
    blob: Blob,
    /// `None` where the destination hashes.
    hasher: Option<Hasher>,
    is_over: bool,
    seen: u64,
    last: Option<Bytes>,
    fault: Fault,
}

/// Passes on `bytes`, one chunk behind, and the last chunk only when all of them are what `blob` says: their number, and by
/// [`Hashing::Here`] their digest.
pub fn verified<S>(
    bytes: S,
    blob: Blob,
    hashing: Hashing,
    fault: Fault,
) -> impl Stream<Item = Result<Bytes, Error>>
where
    S: Stream<Item = Result<Bytes, Error>> + Unpin,
{
    let hasher = (hashing == Hashing::Here).then(Hasher::new);
    let held = Held {
        bytes,
        blob,
        hasher,
        is_over: false,
        seen: 0,
        last: None,
        fault,
    };
    stream::unfold(held, |mut held| async {
        let item = held.next().await?;
        if let Err(error) = &item {
            let _ = held.fault.set(error.clone());
        }
        Some((item, held))
    })
}

impl<S: Stream<Item = Result<Bytes, Error>> + Unpin> Held<S> {
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        if self.is_over {
            return None;
        }
        loop {
            match self.bytes.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => {
                    self.take_in(&chunk);
                    if self.seen > self.blob.size_bytes {
                        return self.end(
                            Cause::Mismatch,
                            format!("more than the {} bytes announced", self.blob.size_bytes),
                        );
                    }
                    if let Some(previous) = self.last.replace(chunk) {
                        return Some(Ok(previous));
                    }
                }
                Some(Err(error)) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
                None => return self.finish(),
            }
        }
    }

    fn take_in(&mut self, chunk: &Bytes) {
        self.seen += chunk.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(chunk);
        }
    }

    fn finish(&mut self) -> Option<Result<Bytes, Error>> {
        self.is_over = true;
        if self.seen < self.blob.size_bytes {
            return self.end(
                Cause::Interrupted,
                format!("{} of {} bytes arrived", self.seen, self.blob.size_bytes),
            );
        }
        if let Some(found) = self.hasher.take().map(Hasher::finish)
            && found != self.blob.digest
        {
            return self.end(
                Cause::Mismatch,
                format!("the source's bytes have digest {found}"),
            );
        }
        self.last.take().map(Ok)
    }

    #[expect(clippy::unnecessary_wraps, reason = "what the stream yields last")]
    fn end(&mut self, cause: Cause, why: String) -> Option<Result<Bytes, Error>> {
        self.is_over = true;
        Some(Err(Error::new(
            Side::Source,
            cause,
            format!("get blob {}", self.blob.digest),
        )
        .because(why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::digest::Digest;

    /// What comes out of `chunks` when they are announced as `announced`.
    async fn check(chunks: &[&'static str], announced: &str) -> (String, Option<Cause>) {
        check_as(Hashing::Here, chunks, announced).await
    }

    async fn check_as(
        hashing: Hashing,
        chunks: &[&'static str],
        announced: &str,
    ) -> (String, Option<Cause>) {
        let blob = Blob {
            digest: Digest::from_content(announced.as_bytes()),
            size_bytes: announced.len() as u64,
        };
        let fault = Fault::default();
        let chunks = stream::iter(
            chunks
                .iter()
                .map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))),
        );
        let out: Vec<_> = verified(chunks, blob, hashing, Arc::clone(&fault))
            .collect()
            .await;
        let passed: Vec<u8> = out.iter().flatten().flatten().copied().collect();
        assert_eq!(out.iter().any(Result::is_err), fault.get().is_some());
        (
            String::from_utf8(passed).unwrap(),
            fault.get().map(|error| error.cause().clone()),
        )
    }

    #[tokio::test]
    async fn right_bytes_pass() {
        assert_eq!(
            check(&["ab", "", "cd", "e"], "abcde").await,
            ("abcde".to_owned(), None)
        );
        assert_eq!(check(&[], "").await, (String::new(), None));
    }

    #[tokio::test]
    async fn wrong_bytes_never_pass_whole() {
        assert_eq!(
            check(&["ab", "cX"], "abcd").await,
            ("ab".to_owned(), Some(Cause::Mismatch))
        );
        assert_eq!(
            check(&["X"], "a").await,
            (String::new(), Some(Cause::Mismatch))
        );
    }

    #[tokio::test]
    async fn where_the_destination_hashes_the_size_alone_is_checked() {
        let check = |chunks| check_as(Hashing::Destination, chunks, "abcd");
        assert_eq!(check(&["ab", "cX"]).await, ("abcX".to_owned(), None));
        assert_eq!(
            check(&["ab", "c"]).await,
            ("ab".to_owned(), Some(Cause::Interrupted))
        );
        assert_eq!(
            check(&["ab", "cde"]).await,
            (String::new(), Some(Cause::Mismatch))
        );
    }

    #[tokio::test]
    async fn too_few_bytes_are_an_interruption_and_too_many_a_lie() {
        assert_eq!(
            check(&["ab", "c"], "abcd").await,
            ("ab".to_owned(), Some(Cause::Interrupted))
        );
        assert_eq!(
            check(&["ab", "cde"], "abcd").await,
            (String::new(), Some(Cause::Mismatch))
        );
    }
}
