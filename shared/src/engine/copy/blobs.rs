//! The blobs of one image on their way to one repository: which are lacking, and bringing those.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;

use super::deliver::{AT_ONCE, Delivery};
use super::upstream::Reading;
use crate::aws::MAX_LAYERS_PER_CALL;
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::{Blob, Manifest};
use crate::registry::{BlobStream, persistently};

impl Delivery<'_, '_> {
    /// Brings the blobs that `manifests` name, the largest first, so that none is left to be waited for at the end. The first fault
    /// ends it, but for one: while some cannot arrive before the deadline, those that can are brought, for the next run to find.
    pub(super) async fn blobs<'m>(
        &self,
        manifests: impl Iterator<Item = &'m Manifest>,
    ) -> Result<(), Error> {
        let mut seen = HashSet::new();
        let mut blobs: Vec<&Blob> = manifests
            .flat_map(Manifest::blobs)
            .filter(|blob| seen.insert(&blob.digest))
            .collect();
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size_bytes));
        self.look_for(&blobs).await;
        let works = blobs
            .into_iter()
            .map(|blob| self.blob(blob).boxed())
            .collect::<Vec<_>>();
        let mut works = stream::iter(works).buffer_unordered(AT_ONCE);
        let mut late = Ok(());
        while let Some(result) = works.next().await {
            match result {
                Err(error) if *error.cause() == Cause::Deadline => late = Err(error),
                other => other?,
            }
        }
        late
    }

    /// Asks the control plane, where there is one, for what is not known. Where it does not answer, each blob is asked for later.
    async fn look_for(&self, blobs: &[&Blob]) {
        let Some(control) = self
            .control
            .as_ref()
            .filter(|_| !self.session.asks_one_by_one.load(Ordering::Relaxed))
        else {
            return;
        };
        let known_content = &self.session.known_content;
        let unknown = blobs.iter().map(|blob| &blob.digest);
        let unknown: Vec<&Digest> = unknown
            .filter(|digest| known_content.has(self.repository, digest).is_none())
            .collect();
        for some in unknown.chunks(MAX_LAYERS_PER_CALL) {
            match Box::pin(control.layers(some)).await {
                Ok(found) => {
                    for digest in some {
                        known_content.note(self.repository, digest, found.contains(digest));
                    }
                }
                Err(error) => {
                    tracing::info!("blobs are looked for one by one: {}", error.chain());
                    self.session.asks_one_by_one.store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    /// Brings one blob, once for each repository and run, however many images name it.
    async fn blob(&self, blob: &Blob) -> Result<(), Error> {
        let bring = || async {
            if self
                .has(&blob.digest, || self.destination.has_blob(&blob.digest))
                .await?
            {
                return Ok(());
            }
            self.transfer(blob).await?;
            self.session
                .known_content
                .note(self.repository, &blob.digest, true);
            Ok(())
        };
        // Boxed, as what is below: most blobs wait, for another image to bring them or for room, and should be small while they do.
        self.session
            .blob(self.repository, &blob.digest)
            .get_or_try_init(|| bring().boxed())
            .await
            .copied()
    }

    /// Starts over when the destination breaks off. What breaks off at the source has been read on as often as is worth it.
    async fn transfer(&self, blob: &Blob) -> Result<(), Error> {
        let is_renewed = &AtomicBool::new(false);
        let put = |reading: Reading| async move {
            let room = self.session.room(blob.size_bytes).await;
            let on_its_way = self
                .session
                .set_out(blob.size_bytes)
                .ok_or_else(|| late(blob))?;
            let bytes = async { Ok(until_its_end(reading.begin(blob).await?, room)) };
            Box::pin(
                self.destination
                    .put_blob(blob, bytes, on_its_way.counter(), is_renewed),
            )
            .await
        };
        let once = || async {
            match self.upstream.blob(blob, put).await {
                Err(error) if error.side() == Side::Source => Ok(Err(error)),
                other => other.map(Ok),
            }
        };
        persistently(once).await?
    }
}

fn late(blob: &Blob) -> Error {
    let error = Error::new(
        Side::Replicator,
        Cause::Deadline,
        format!("copy blob {}", blob.digest),
    );
    error.because(format!(
        "its {} bytes cannot arrive in the time that is left, at the rate so far",
        blob.size_bytes
    ))
}

/// `bytes`, which hold `room` until the last of them is read: the next blob is read while the answer to this one is awaited.
fn until_its_end(bytes: BlobStream, room: OwnedSemaphorePermit) -> BlobStream {
    let mut room = Some(room);
    let end = stream::poll_fn(move |_| {
        drop(room.take());
        Poll::Ready(None)
    });
    bytes.chain(end).boxed()
}
