//! Manifests of one image: what the origins have first, and then upstream, from the pulls that were set aside.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::{Origin, Upstream};
use crate::digest::Digest;
use crate::error::{Cause, Error, Side};
use crate::manifest::Manifest;
use crate::reference::ImageRef;
use crate::registry::persistently;

/// Manifests that are fetched at once.
const AT_ONCE: usize = 16;

/// A manifest of upstream, which is fetched once in a run.
struct Once<'d> {
    digest: &'d Digest,
    manifest: Arc<OnceCell<Manifest>>,
}

impl Upstream<'_> {
    /// The manifest that an image's tag stands for. Where it has to be pulled, the whole price is set aside first.
    pub(super) async fn root(&self, digest: &Digest) -> Result<Manifest, Error> {
        let root = [self.once(digest)];
        let missing = self.fetch_from_origins(&root).await;
        let pulls = if missing > 0 { self.needs.max(missing) } else { 0 };
        if self.is_metered && !self.claim.reach(pulls).await {
            return Err(out_of_pulls(&self.image));
        }
        Ok(self.fetch(&root).await?.remove(0))
    }

    /// The manifests with these digests, in their order; each is fetched once in a run. Nothing else will be pulled afterwards:
    /// what was set aside beyond that is given back.
    pub(in super::super) async fn manifests(&self, digests: &[Digest]) -> Result<Vec<Manifest>, Error> {
        let all: Vec<Once<'_>> = digests.iter().map(|digest| self.once(digest)).collect();
        let missing = self.fetch_from_origins(&all).await;
        if self.is_metered && !self.claim.settle_on(missing).await {
            // With the index itself, which has to be pulled again then.
            let _ = self.too_dear.set(missing.saturating_add(1));
            return Err(out_of_pulls(&self.image));
        }
        self.fetch(&all).await
    }

    fn once<'d>(&self, digest: &'d Digest) -> Once<'d> {
        Once { digest, manifest: self.run.manifest(self.image.repository(), digest) }
    }

    /// Fetches what the origins have, and says how many pulls the rest will cost.
    async fn fetch_from_origins(&self, all: &[Once<'_>]) -> u32 {
        let missing = || all.iter().filter(|one| !one.manifest.initialized());
        for origin in self.origins() {
            let fetches = missing().map(|one| self.fetch_from(&origin, one).boxed());
            stream::iter(fetches.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        }
        u32::try_from(missing().count()).unwrap_or(u32::MAX)
    }

    async fn fetch(&self, all: &[Once<'_>]) -> Result<Vec<Manifest>, Error> {
        let fetches: Vec<_> = all.iter().map(|one| self.fetch_one(one).boxed()).collect();
        stream::iter(fetches).buffered(AT_ONCE).try_collect().await
    }

    async fn fetch_one(&self, one: &Once<'_>) -> Result<Manifest, Error> {
        one.manifest.get_or_try_init(|| persistently(|| self.pull(one.digest))).await.cloned()
    }

    async fn fetch_from(&self, origin: &Origin, one: &Once<'_>) {
        if origin.has_fallen.load(Ordering::Relaxed) {
            return;
        }
        let fetch = || async {
            let _turn = self.run.turn(&origin.repository.registry).await;
            origin.source.manifest_once(one.digest, None).await
        };
        if let Err(error) = one.manifest.get_or_try_init(fetch).await {
            origin.fall(&error);
        }
    }

    async fn pull(&self, digest: &Digest) -> Result<Manifest, Error> {
        let _turn = self.run.turn(&self.image.repository().registry).await;
        let pull = if self.is_metered {
            if let Some(limit) = self.run.pull_limit.get() {
                return Err(limit.clone());
            }
            Some(self.claim.pull().await.ok_or_else(|| out_of_pulls(&self.image))?)
        } else {
            None
        };
        self.source.manifest_once(digest, pull).await.inspect_err(|error| {
            if *error.cause() == Cause::PullLimit {
                let _ = self.run.pull_limit.set(error.clone());
            }
        })
    }
}

fn out_of_pulls(image: &ImageRef) -> Error {
    let error = Error::new(Side::Source, Cause::OutOfPulls, format!("copy {image}"));
    error.because("others have spent what it was to cost, or it costs more than was judged")
}
