//! One image to one repository: manifests are gathered, then blobs are brought, then manifests are put
//! from the bottom up, then the tag.
//!
//! Each step first checks whether it is needed: running it again after any failure is safe and resumes.
//! A manifest at the destination vouches for everything below it.

use std::collections::HashSet;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use super::upstream::UpstreamContent;
use crate::aws::Repository;
use crate::engine::Session;
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::reference::RepositoryRef;
use crate::registry::Destination;

/// Requests for one image that are in flight concurrently. [`Session`] bounds those of all images.
pub(super) const MAX_CONCURRENT_REQUESTS: usize = 16;
/// How deep an index may nest. An index of indexes is legal, but was never seen.
const MAX_INDEX_DEPTH: usize = 3;

/// Whether a manifest at the destination vouches for what is below it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// It does.
    Manifests,
    /// The registry said that content is missing: everything is checked.
    Nothing,
}

/// The delivery of one image to one repository.
pub(super) struct Delivery<'a, 'r> {
    pub(super) upstream: &'a UpstreamContent<'r>,
    pub(super) destination: &'a Destination,
    pub(super) control: Option<Repository<'a>>,
    pub(super) repository: &'a RepositoryRef,
    pub(super) session: &'a Session,
}

impl Delivery<'_, '_> {
    /// Puts `root` under `tag`. The tag goes last, so that nobody can pull half a copy.
    pub(super) async fn tag(&self, root: &Manifest, tag: &str, trust: Trust) -> Result<(), Error> {
        if trust == Trust::Nothing || !self.has_manifest(&root.digest).await? {
            let levels = self.gather(root, trust).await?;
            let manifests = levels.iter().flatten().chain([root]);
            self.bring_blobs(manifests).await?;
            for level in levels.iter().rev() {
                let put = |child| self.put_child(child).boxed();
                all(level.iter().map(put)).await?;
            }
        }
        self.put(tag, root).await
    }

    async fn put_child(&self, child: &Manifest) -> Result<(), Error> {
        self.put(child.digest.as_str(), child).await
    }

    async fn put(&self, reference: &str, manifest: &Manifest) -> Result<(), Error> {
        self.destination.put_manifest(reference, manifest).await?;
        let known_content = &self.session.known_content;
        known_content.note(self.repository, &manifest.digest, true);
        self.destination.vouch_for(manifest.blobs());
        Ok(())
    }

    /// The manifests below `root` that the repository lacks, level by level.
    async fn gather(&self, root: &Manifest, trust: Trust) -> Result<Vec<Vec<Manifest>>, Error> {
        let mut levels: Vec<Vec<Manifest>> = Vec::new();
        let mut seen: HashSet<Digest> = HashSet::new();
        loop {
            let parents = match levels.last() {
                Some(level) => level.as_slice(),
                None => std::slice::from_ref(root),
            };
            let digests = new_children(parents, &mut seen);
            if digests.is_empty() {
                return Ok(levels);
            }
            if levels.len() == MAX_INDEX_DEPTH {
                let action = format!("copy index {}", root.digest);
                let error = Error::new(Side::Source, Cause::Invalid, action);
                let why = format!("it nests deeper than {MAX_INDEX_DEPTH} levels");
                return Err(error.because(why));
            }
            let (mut level, lacking) = match trust {
                Trust::Manifests => (Vec::new(), self.lacking(digests).await?),
                Trust::Nothing => self.read_back(digests).await?,
            };
            let fetched = self.upstream.manifests(&lacking).await?;
            level.extend(fetched);
            levels.push(level);
        }
    }

    /// The manifests that the repository has, which costs no pull, and the digests that it lacks.
    async fn read_back(&self, digests: Vec<Digest>) -> Result<(Vec<Manifest>, Vec<Digest>), Error> {
        let mut found = Vec::new();
        let mut lacking = Vec::new();
        for digest in digests {
            match self.destination.manifest(&digest).await {
                Ok(manifest) => found.push(manifest),
                Err(error) if *error.cause() == Cause::NotFound => lacking.push(digest),
                Err(error) => return Err(error),
            }
        }
        Ok((found, lacking))
    }

    /// The digests that the repository lacks, in their order.
    async fn lacking(&self, digests: Vec<Digest>) -> Result<Vec<Digest>, Error> {
        let check = |digest: Digest| async move {
            let is_there = self.has_manifest(&digest).await?;
            Ok::<_, Error>((!is_there).then_some(digest))
        };
        let checks: Vec<_> = digests.into_iter().map(|it| check(it).boxed()).collect();
        let checks = stream::iter(checks).buffered(MAX_CONCURRENT_REQUESTS);
        let found: Vec<Option<Digest>> = checks.try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Whether the repository has the manifest: as is known, else by a request.
    pub(super) async fn has_manifest(&self, digest: &Digest) -> Result<bool, Error> {
        let ask = || self.destination.has_manifest(digest);
        self.has(digest, ask).await
    }

    /// Whether the repository has `digest`: as is known, else as `ask` finds out.
    pub(super) async fn has<F>(
        &self,
        digest: &Digest,
        ask: impl FnOnce() -> F,
    ) -> Result<bool, Error>
    where
        F: Future<Output = Result<bool, Error>>,
    {
        let known_content = &self.session.known_content;
        if let Some(is_there) = known_content.has(self.repository, digest) {
            return Ok(is_there);
        }
        let _turn = self.session.destination_turn().await;
        let is_there = Box::pin(ask()).await?;
        known_content.note(self.repository, digest, is_there);
        Ok(is_there)
    }
}

/// The digests of the children of `parents` that are not in `seen` yet, each once.
fn new_children(parents: &[Manifest], seen: &mut HashSet<Digest>) -> Vec<Digest> {
    let mut digests = Vec::new();
    for child in parents.iter().flat_map(Manifest::children) {
        if seen.insert(child.digest.clone()) {
            digests.push(child.digest.clone());
        }
    }
    digests
}

/// Awaits `works` concurrently, up to a limit; the first error ends them.
async fn all<'b>(
    works: impl Iterator<Item = BoxFuture<'b, Result<(), Error>>>,
) -> Result<(), Error> {
    let works: Vec<_> = works.collect();
    let works = stream::iter(works).buffer_unordered(MAX_CONCURRENT_REQUESTS);
    works.try_collect().await
}
