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

    /// Verifies `chunks` as `abcd`. Returns the bytes that pass, and the cause of an error.
    async fn verify(hashing: Hashing, chunks: &[&'static str]) -> (String, Option<Cause>) {
        verify_as(hashing, chunks, "abcd").await
    }

    async fn verify_as(
        hashing: Hashing,
        chunks: &[&'static str],
        announced: &str,
    ) -> (String, Option<Cause>) {
        let blob = Blob {
            digest: Digest::from_content(announced.as_bytes()),
            size_bytes: announced.len() as u64,
        };
        let fault = Fault::default();
        let chunks = chunks.iter().map(|chunk| Ok(Bytes::from(*chunk)));
        let chunks = stream::iter(chunks);
        let verified = verified(chunks, blob, hashing, Arc::clone(&fault));
        let mut verified = std::pin::pin!(verified);

        let mut passed = Vec::new();
        let mut has_failed = false;
        while let Some(item) = verified.next().await {
            match item {
                Ok(chunk) => passed.extend_from_slice(&chunk),
                Err(_) => has_failed = true,
            }
        }
        assert_eq!(has_failed, fault.get().is_some());
        let cause = fault.get().map(|error| error.cause().clone());
        (String::from_utf8(passed).unwrap(), cause)
    }

    #[track_caller]
    fn assert_fails(found: &(String, Option<Cause>), passed: &str, cause: &Cause) {
        assert_eq!(found.0, passed);
        assert_eq!(found.1.as_ref(), Some(cause));
    }

    #[tokio::test]
    async fn matching_bytes_pass() {
        let (passed, cause) = verify(Hashing::Here, &["ab", "", "c", "d"]).await;
        assert_eq!(passed, "abcd");
        assert_eq!(cause, None);

        let (passed, cause) = verify_as(Hashing::Here, &[], "").await;
        assert_eq!(passed, "");
        assert_eq!(cause, None);
    }

    #[tokio::test]
    async fn the_last_chunk_of_wrong_bytes_never_passes() {
        let two_chunks = verify(Hashing::Here, &["ab", "cX"]).await;
        assert_fails(&two_chunks, "ab", &Cause::Mismatch);
        let one_chunk = verify(Hashing::Here, &["abcX"]).await;
        assert_fails(&one_chunk, "", &Cause::Mismatch);
    }

    #[tokio::test]
    async fn if_the_destination_hashes_only_the_size_is_checked() {
        let (passed, cause) = verify(Hashing::Destination, &["ab", "cX"]).await;
        assert_eq!(passed, "abcX");
        assert_eq!(cause, None);
    }

    #[tokio::test]
    async fn too_few_bytes_are_an_interruption_and_too_many_a_mismatch() {
        for hashing in [Hashing::Here, Hashing::Destination] {
            let too_few = verify(hashing, &["ab", "c"]).await;
            assert_fails(&too_few, "ab", &Cause::Interrupted);
            let too_many = verify(hashing, &["ab", "cde"]).await;
            assert_fails(&too_many, "", &Cause::Mismatch);
        }
    }
}
