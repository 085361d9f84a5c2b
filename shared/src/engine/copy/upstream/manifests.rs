//! The manifests of one image: from the origins first, then from upstream with the reserved pulls.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::{OriginRepository, UpstreamContent};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::registry::with_retries;

/// Manifests of one image that are fetched concurrently.
const MAX_CONCURRENT_FETCHES: usize = 16;
/// Why pulls that were planned cannot be reserved.
const ALREADY_SPENT: &str = "the pulls that were planned for it have been spent by others";

/// A manifest of upstream, shared by all who need it.
struct SharedManifest<'d> {
    digest: &'d Digest,
    manifest: Arc<OnceCell<Manifest>>,
}

impl UpstreamContent<'_> {
    /// The manifest under an image's tag. If it has to be pulled, the whole price is reserved first.
    pub(super) async fn root(&self, digest: &Digest) -> Result<Manifest, Error> {
        let root = [self.shared(digest)];
        let missing = self.fetch_from_origins(&root).await;
        let pulls = match missing {
            0 => 0,
            _ => self.reserved_pulls.max(missing),
        };
        if self.is_metered && !self.claim.reach(pulls).await {
            return Err(self.insufficient_pulls(ALREADY_SPENT));
        }
        Ok(self.fetch(&root).await?.remove(0))
    }

    /// The manifests with these digests, in their order. A manifest that another image of the session
    /// has fetched is not fetched again. Pulls that were reserved beyond that are released.
    pub(in super::super) async fn manifests(
        &self,
        digests: &[Digest],
    ) -> Result<Vec<Manifest>, Error> {
        let all: Vec<_> = digests.iter().map(|digest| self.shared(digest)).collect();
        let missing = self.fetch_from_origins(&all).await;
        if self.is_metered && !self.claim.settle_on(missing).await {
            return Err(self.too_expensive(missing));
        }
        self.fetch(&all).await
    }

    fn shared<'d>(&self, digest: &'d Digest) -> SharedManifest<'d> {
        let manifest = self.session.manifest(self.image.repository(), digest);
        SharedManifest { digest, manifest }
    }

    /// Fetches what the origins have, and returns how many pulls the rest costs.
    async fn fetch_from_origins(&self, all: &[SharedManifest<'_>]) -> u32 {
        let missing = || all.iter().filter(|shared| !shared.manifest.initialized());
        for origin in self.origins() {
            let fetch = |shared| self.fetch_from(&origin, shared).boxed();
            let fetches: Vec<_> = missing().map(fetch).collect();
            let fetches = stream::iter(fetches).buffer_unordered(MAX_CONCURRENT_FETCHES);
            fetches.collect::<Vec<()>>().await;
        }
        u32::try_from(missing().count()).unwrap_or(u32::MAX)
    }

    async fn fetch_from(&self, origin: &OriginRepository, shared: &SharedManifest<'_>) {
        if origin.has_failed() {
            return;
        }
        let fetch = || async {
            let _turn = self.session.fetch_turn(&origin.repository.registry).await;
            origin.source.manifest_once(shared.digest, None).await
        };
        if let Err(error) = shared.manifest.get_or_try_init(fetch).await {
            origin.note_error(&error);
        }
    }

    async fn fetch(&self, all: &[SharedManifest<'_>]) -> Result<Vec<Manifest>, Error> {
        let fetches = all.iter().map(|shared| self.fetch_one(shared).boxed());
        let fetches: Vec<_> = fetches.collect();
        let fetches = stream::iter(fetches).buffered(MAX_CONCURRENT_FETCHES);
        fetches.try_collect().await
    }

    async fn fetch_one(&self, shared: &SharedManifest<'_>) -> Result<Manifest, Error> {
        let pull = || with_retries(|| self.pull(shared.digest));
        shared.manifest.get_or_try_init(pull).await.cloned()
    }

    async fn pull(&self, digest: &Digest) -> Result<Manifest, Error> {
        let registry = &self.image.repository().registry;
        let _turn = self.session.fetch_turn(registry).await;
        if !self.is_metered {
            return self.source.manifest_once(digest, None).await;
        }
        if let Some(limit) = self.session.pull_limit.get() {
            return Err(limit.clone());
        }
        let pull = self.claim.pull().await;
        let pull = pull.ok_or_else(|| self.insufficient_pulls(ALREADY_SPENT))?;
        let result = self.source.manifest_once(digest, Some(pull)).await;
        if let Err(error) = &result
            && *error.cause() == Cause::PullLimit
        {
            let _ = self.session.pull_limit.set(error.clone());
        }
        result
    }

    /// Notes the real price: what was pulled for the image, and what is `missing` besides. If no window
    /// has so many pulls, the error is final and says what to change.
    fn too_expensive(&self, missing: u32) -> Error {
        let pulled = u32::try_from(self.claim.counted()).unwrap_or(u32::MAX);
        let pulls = missing.saturating_add(pulled);
        self.price.store(pulls, Ordering::Relaxed);
        match self.registries.meter().budget() {
            Some(budget) if pulls > budget.per_window() => {
                let why = format!(
                    "it costs {pulls} pulls, and one window allows {} of {}: choose fewer platforms, or reserve fewer than {} pulls for others",
                    budget.per_window(),
                    budget.limit,
                    budget.reserve
                );
                let action = format!("copy {}", self.image);
                Error::new(Side::Source, Cause::Invalid, action).because(why)
            }
            _ => self.insufficient_pulls(&format!("its index costs {pulls} pulls")),
        }
    }

    fn insufficient_pulls(&self, why: &str) -> Error {
        let action = format!("copy {}", self.image);
        let error = Error::new(Side::Source, Cause::InsufficientPulls, action);
        error.because(why.to_owned())
    }
}
