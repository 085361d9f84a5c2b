//! The blobs of one image: those that one repository lacks are sent there.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;

use super::deliver::{Delivery, MAX_CONCURRENT_REQUESTS};
use super::upstream::Reading;
use crate::aws::MAX_LAYERS_PER_CALL;
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::{Blob, Manifest};
use crate::registry::{BlobStream, with_retries};

impl Delivery<'_, '_> {
    /// Sends the blobs of `manifests`, the largest first, so that none of those is left to wait for at
    /// the end.
    ///
    /// The first error ends it, with one exception: if some blobs cannot arrive before the deadline, the
    /// others are still brought, and the next run finds them.
    pub(super) async fn send_blobs<'m>(
        &self,
        manifests: impl Iterator<Item = &'m Manifest>,
    ) -> Result<(), Error> {
        let mut seen = HashSet::new();
        let mut blobs: Vec<&Blob> = manifests.flat_map(Manifest::blobs).collect();
        blobs.retain(|blob| seen.insert(&blob.digest));
        blobs.sort_by_key(|blob| Reverse(blob.size_bytes));
        self.check_layers(&blobs).await;
        let works = blobs.into_iter().map(|blob| self.send_blob(blob).boxed());
        let works: Vec<_> = works.collect();
        let mut works = stream::iter(works).buffer_unordered(MAX_CONCURRENT_REQUESTS);
        let mut late = Ok(());
        while let Some(result) = works.next().await {
            match result {
                Ok(()) => {}
                Err(error) if *error.cause() == Cause::Deadline => late = Err(error),
                Err(error) => return Err(error),
            }
        }
        late
    }

    /// Asks the control plane, if there is one, which blobs the repository has. If it does not answer,
    /// each blob is asked for later.
    async fn check_layers(&self, blobs: &[&Blob]) {
        let Some(control) = &self.control else { return };
        if self.session.checks_one_by_one.load(Ordering::Relaxed) {
            return;
        }
        let known_content = &self.session.known_content;
        let mut unknown: Vec<&Digest> = blobs.iter().map(|blob| &blob.digest).collect();
        unknown.retain(|digest| known_content.has(self.repository, digest).is_none());
        for digests in unknown.chunks(MAX_LAYERS_PER_CALL) {
            match Box::pin(control.layers(digests)).await {
                Ok(found) => {
                    for digest in digests {
                        let is_there = found.contains(digest);
                        known_content.note(self.repository, digest, is_there);
                    }
                }
                Err(error) => {
                    tracing::info!(
                        repository = %self.repository,
                        "blobs are checked one by one: {}",
                        error.chain()
                    );
                    self.session
                        .checks_one_by_one
                        .store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    /// Sends one blob, once for each repository and session, however many images have it.
    async fn send_blob(&self, blob: &Blob) -> Result<(), Error> {
        // Boxed, as what is below: most blobs wait, for another image to send them or for memory, and
        // should be small meanwhile.
        let send = || self.send_if_lacking(blob).boxed();
        let brought = self.session.blob(self.repository, &blob.digest);
        brought.get_or_try_init(send).await.copied()
    }

    async fn send_if_lacking(&self, blob: &Blob) -> Result<(), Error> {
        let ask = || self.destination.has_blob(&blob.digest);
        if self.has(&blob.digest, ask).await? {
            return Ok(());
        }
        self.transfer(blob).await?;
        let known_content = &self.session.known_content;
        known_content.note(self.repository, &blob.digest, true);
        Ok(())
    }

    /// Starts over if the destination breaks off. An error of the source is final: the reader has
    /// retried it already.
    async fn transfer(&self, blob: &Blob) -> Result<(), Error> {
        let is_renewed = &AtomicBool::new(false);
        let put = |reading: Reading| async move {
            let memory = self.session.memory_for(blob.size_bytes).await;
            let transfer = self.session.begin_transfer(blob.size_bytes);
            let transfer = transfer.ok_or_else(|| late(blob))?;
            let bytes = async {
                let bytes = reading.begin(blob).await?;
                Ok(hold_until_read(bytes, memory))
            };
            let counter = transfer.counter();
            let put = self.destination.put_blob(blob, bytes, counter, is_renewed);
            Box::pin(put).await
        };
        let once = || async {
            match self.upstream.blob(blob, put).await {
                Err(error) if error.side() == Side::Source => Ok(Err(error)),
                result => result.map(Ok),
            }
        };
        with_retries(once).await?
    }
}

fn late(blob: &Blob) -> Error {
    let action = format!("copy blob {}", blob.digest);
    let error = Error::new(Side::Replicator, Cause::Deadline, action);
    let why = format!(
        "its {} bytes cannot arrive before the deadline at the current rate",
        blob.size_bytes
    );
    error.because(why)
}

/// Holds `memory` until the last of `bytes` is read: the next blob is read while the response to this
/// one is awaited.
fn hold_until_read(bytes: BlobStream, memory: OwnedSemaphorePermit) -> BlobStream {
    let mut memory = Some(memory);
    let end = stream::poll_fn(move |_| {
        drop(memory.take());
        Poll::Ready(None)
    });
    bytes.chain(end).boxed()
}
