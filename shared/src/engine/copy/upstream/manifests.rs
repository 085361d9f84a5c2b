//! Manifests of one image: what the origins have first, and then upstream, from the pulls that were set aside.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::{Origin, Upstream};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::plan::budget::Budget;
use crate::registry::persistently;

/// Manifests that are fetched at once.
const AT_ONCE: usize = 16;
/// Why pulls that were planned are not to be had.
const SPENT: &str = "what it was to cost is no longer left";

/// A manifest of upstream, which whoever wants it at the same time shares.
struct Once<'d> {
    digest: &'d Digest,
    manifest: Arc<OnceCell<Manifest>>,
}

impl Upstream<'_> {
    /// The manifest that an image's tag stands for. Where it has to be pulled, the whole price is set aside first.
    pub(super) async fn root(&self, digest: &Digest) -> Result<Manifest, Error> {
        let root = [self.once(digest)];
        let missing = self.fetch_from_origins(&root).await;
        let pulls = if missing > 0 {
            self.needs.max(missing)
        } else {
            0
        };
        if self.is_metered && !self.claim.reach(pulls).await {
            return Err(self.out_of_pulls(SPENT));
        }
        Ok(self.fetch(&root).await?.remove(0))
    }

    /// The manifests with these digests, in their order; what another image of the run has fetched is not fetched again. What was set
    /// aside beyond that is given back.
    pub(in super::super) async fn manifests(
        &self,
        digests: &[Digest],
    ) -> Result<Vec<Manifest>, Error> {
        let all: Vec<Once<'_>> = digests.iter().map(|digest| self.once(digest)).collect();
        let missing = self.fetch_from_origins(&all).await;
        if self.is_metered && !self.claim.settle_on(missing).await {
            return Err(self.too_dear(missing));
        }
        self.fetch(&all).await
    }

    fn once<'d>(&self, digest: &'d Digest) -> Once<'d> {
        Once {
            digest,
            manifest: self.session.manifest(self.image.repository(), digest),
        }
    }

    /// Fetches what the origins have, and says how many pulls the rest will cost.
    async fn fetch_from_origins(&self, all: &[Once<'_>]) -> u32 {
        let missing = || all.iter().filter(|one| !one.manifest.initialized());
        for origin in self.origins() {
            let fetches = missing().map(|one| self.fetch_from(&origin, one).boxed());
            stream::iter(fetches.collect::<Vec<_>>())
                .buffer_unordered(AT_ONCE)
                .collect::<Vec<()>>()
                .await;
        }
        u32::try_from(missing().count()).unwrap_or(u32::MAX)
    }

    async fn fetch(&self, all: &[Once<'_>]) -> Result<Vec<Manifest>, Error> {
        let fetches: Vec<_> = all.iter().map(|one| self.fetch_one(one).boxed()).collect();
        stream::iter(fetches).buffered(AT_ONCE).try_collect().await
    }

    async fn fetch_one(&self, one: &Once<'_>) -> Result<Manifest, Error> {
        one.manifest
            .get_or_try_init(|| persistently(|| self.pull(one.digest)))
            .await
            .cloned()
    }

    async fn fetch_from(&self, origin: &Origin, one: &Once<'_>) {
        if origin.has_fallen.load(Ordering::Relaxed) {
            return;
        }
        let fetch = || async {
            let _turn = self.session.turn(&origin.repository.registry).await;
            origin.source.manifest_once(one.digest, None).await
        };
        if let Err(error) = one.manifest.get_or_try_init(fetch).await {
            origin.fall(&error);
        }
    }

    async fn pull(&self, digest: &Digest) -> Result<Manifest, Error> {
        let _turn = self.session.turn(&self.image.repository().registry).await;
        let pull = if self.is_metered {
            if let Some(limit) = self.session.pull_limit.get() {
                return Err(limit.clone());
            }
            Some(
                self.claim
                    .pull()
                    .await
                    .ok_or_else(|| self.out_of_pulls(SPENT))?,
            )
        } else {
            None
        };
        self.source
            .manifest_once(digest, pull)
            .await
            .inspect_err(|error| {
                if *error.cause() == Cause::PullLimit {
                    let _ = self.session.pull_limit.set(error.clone());
                }
            })
    }

    /// Takes note of what it costs, which is what was pulled for it, the index, and what is `missing` besides. Where no window allows so
    /// many pulls, somebody has to change something.
    fn too_dear(&self, missing: u32) -> Error {
        let pulls = missing.saturating_add(u32::try_from(self.claim.counted()).unwrap_or(u32::MAX));
        self.price.store(pulls, Ordering::Relaxed);
        match self.registries.meter().budget() {
            Some(budget) if pulls > budget.per_window() => {
                let Budget { limit, reserve, .. } = budget;
                let why = format!(
                    "it costs {pulls} pulls, and no window allows more than {} of {limit}; choose fewer platforms, or a smaller reserve than {reserve}",
                    budget.per_window()
                );
                Error::new(Side::Source, Cause::Invalid, format!("copy {}", self.image))
                    .because(why)
            }
            _ => self.out_of_pulls(&format!("it costs {pulls} pulls, as its index says")),
        }
    }

    fn out_of_pulls(&self, why: &str) -> Error {
        Error::new(
            Side::Source,
            Cause::InsufficientPulls,
            format!("copy {}", self.image),
        )
        .because(why)
    }
}
