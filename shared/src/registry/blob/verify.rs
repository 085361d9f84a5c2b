//! Verification of a blob's bytes while they pass.
//!
//! An upload of known length is complete when its last byte arrives. So the last chunk is held back
//! until size and digest of all bytes match: wrong bytes never complete an upload, whether or not the
//! destination verifies them.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

use crate::error::{Cause, Error, Side};
use crate::image::digest::Hasher;
use crate::image::manifest::Blob;
use crate::settings::Hashing;

/// Why a stream ended early. An HTTP client only reports that the body of its request broke.
pub type Fault = Arc<OnceLock<Error>>;

struct Verifier<S> {
    bytes: S,
    blob: Blob,
    /// `None` if the destination hashes.
    hasher: Option<Hasher>,
    is_over: bool,
    seen_bytes: u64,
    held_back: Option<Bytes>,
    fault: Fault,
}

/// Passes `bytes` on, one chunk behind. The last chunk passes only if all bytes match `blob`: their
/// number, and with [`Hashing::Here`] their digest. An error is also stored in `fault`.
pub fn verified<S>(
    bytes: S,
    blob: Blob,
    hashing: Hashing,
    fault: Fault,
) -> impl Stream<Item = Result<Bytes, Error>>
where
    S: Stream<Item = Result<Bytes, Error>> + Unpin,
{
    let verifier = Verifier {
        bytes,
        blob,
        hasher: (hashing == Hashing::Here).then(Hasher::new),
        is_over: false,
        seen_bytes: 0,
        held_back: None,
        fault,
    };
    stream::unfold(verifier, |mut verifier| async {
        let item = verifier.next().await.transpose()?;
        if let Err(error) = &item {
            verifier.is_over = true;
            let _ = verifier.fault.set(error.clone());
        }
        Some((item, verifier))
    })
}

impl<S: Stream<Item = Result<Bytes, Error>> + Unpin> Verifier<S> {
    /// The next chunk that may pass; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.is_over {
            let Some(chunk) = self.bytes.next().await else {
                self.is_over = true;
                self.check_end()?;
                return Ok(self.held_back.take());
            };
            let chunk = chunk?;
            if chunk.is_empty() {
                continue;
            }
            self.check_chunk(&chunk)?;
            if let Some(previous) = self.held_back.replace(chunk) {
                return Ok(Some(previous));
            }
        }
        Ok(None)
    }

    fn check_chunk(&mut self, chunk: &Bytes) -> Result<(), Error> {
        self.seen_bytes += chunk.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(chunk);
        }
        let size = self.blob.size_bytes;
        if self.seen_bytes > size {
            let why = format!("the source sent more than the {size} bytes of the blob");
            return Err(self.error(Cause::Mismatch, why));
        }
        Ok(())
    }

    fn check_end(&mut self) -> Result<(), Error> {
        let size = self.blob.size_bytes;
        if self.seen_bytes < size {
            let why = format!("{} of {size} bytes arrived", self.seen_bytes);
            return Err(self.error(Cause::Interrupted, why));
        }
        let found = self.hasher.take().map(Hasher::finish);
        if let Some(found) = found
            && found != self.blob.digest
        {
            let why = format!("the source's bytes have digest {found}");
            return Err(self.error(Cause::Mismatch, why));
        }
        Ok(())
    }

    fn error(&self, cause: Cause, why: String) -> Error {
        let action = format!("get blob {}", self.blob.digest);
        Error::new(Side::Source, cause, action).because(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::digest::Digest;

    /// The bytes of `chunks` that pass when `announced` is expected, and the cause of an error.
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
    async fn matching_bytes_pass() {
        assert_eq!(
            check(&["ab", "", "cd", "e"], "abcde").await,
            ("abcde".to_owned(), None)
        );
        assert_eq!(check(&[], "").await, (String::new(), None));
    }

    #[tokio::test]
    async fn the_last_chunk_of_wrong_bytes_never_passes() {
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
    async fn if_the_destination_hashes_only_the_size_is_checked() {
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
    async fn too_few_bytes_are_an_interruption_and_too_many_a_mismatch() {
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
