//! One image to one repository: missing manifests are fetched, blobs are sent, then manifests are put
//! from the bottom up, and the tag last.
//!
//! Each step first checks whether it is needed: running it again after any failure is safe and resumes.
//! If a manifest is at the destination, everything below it is there too.

use std::collections::HashSet;

use futures_util::{FutureExt, StreamExt, TryStreamExt, future, stream};

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
/// Levels of nested indexes. An index of indexes is valid, but was never seen.
const MAX_INDEX_DEPTH: usize = 3;

/// What is taken as proof that content is at the destination.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// A manifest there proves that everything below it is there too.
    Manifests,
    /// Nothing: the registry reported missing content, and everything is checked.
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
    /// Puts `root` under `tag`. The tag is last, so that an incomplete copy cannot be pulled.
    pub(super) async fn tag(&self, root: &Manifest, tag: &str, trust: Trust) -> Result<(), Error> {
        let is_complete = match trust {
            Trust::Manifests => self.has_manifest(&root.digest).await?,
            Trust::Nothing => false,
        };
        if !is_complete {
            self.send_content(root, trust).await?;
        }
        self.put(tag, root).await
    }

    /// Sends everything below `root` that the repository lacks.
    async fn send_content(&self, root: &Manifest, trust: Trust) -> Result<(), Error> {
        let levels = self.gather(root, trust).await?;
        let manifests = levels.iter().flatten().chain([root]);
        self.send_blobs(manifests).await?;
        for level in levels.iter().rev() {
            self.put_children(level).await?;
        }
        Ok(())
    }

    /// Puts `children` concurrently; the first error ends it.
    async fn put_children(&self, children: &[Manifest]) -> Result<(), Error> {
        let mut puts = Vec::with_capacity(children.len());
        for child in children {
            let put = self.put(child.digest.as_str(), child);
            puts.push(put.boxed());
        }
        let puts = stream::iter(puts).buffer_unordered(MAX_CONCURRENT_REQUESTS);
        puts.try_collect().await
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
                return Err(too_deep(root));
            }
            let mut level = Level::default();
            match trust {
                Trust::Manifests => level.lacking = self.lacking(digests).await?,
                Trust::Nothing => level = self.read_back(digests).await?,
            }
            let fetched = self.upstream.manifests(&level.lacking).await?;
            level.manifests.extend(fetched);
            levels.push(level.manifests);
        }
    }

    /// Reads back the manifests that the repository has, which costs no pull.
    async fn read_back(&self, digests: Vec<Digest>) -> Result<Level, Error> {
        let mut level = Level::default();
        for digest in digests {
            let read = self.destination.manifest(&digest).await;
            match read {
                Ok(manifest) => level.manifests.push(manifest),
                Err(error) if *error.cause() == Cause::NotFound => level.lacking.push(digest),
                Err(error) => return Err(error),
            }
        }
        Ok(level)
    }

    /// The digests that the repository lacks, in their order.
    async fn lacking(&self, digests: Vec<Digest>) -> Result<Vec<Digest>, Error> {
        let mut checks = Vec::with_capacity(digests.len());
        for digest in digests {
            let check = async move {
                let is_there = self.has_manifest(&digest).await?;
                Ok((!is_there).then_some(digest))
            };
            checks.push(check.boxed());
        }
        let checks = stream::iter(checks).buffered(MAX_CONCURRENT_REQUESTS);
        checks.try_filter_map(future::ok).try_collect().await
    }

    /// Whether the repository has the manifest. A request is sent only if that is unknown.
    pub(super) async fn has_manifest(&self, digest: &Digest) -> Result<bool, Error> {
        let check = || self.destination.has_manifest(digest);
        self.has(digest, check).await
    }

    /// Whether the repository has `digest`. `check` is called only if that is unknown.
    pub(super) async fn has<F>(
        &self,
        digest: &Digest,
        check: impl FnOnce() -> F,
    ) -> Result<bool, Error>
    where
        F: Future<Output = Result<bool, Error>>,
    {
        let known_content = &self.session.known_content;
        if let Some(is_there) = known_content.has(self.repository, digest) {
            return Ok(is_there);
        }
        let _turn = self.session.destination_turn().await;
        let is_there = Box::pin(check()).await?;
        known_content.note(self.repository, digest, is_there);
        Ok(is_there)
    }
}

/// The children of one level of an index.
#[derive(Default)]
struct Level {
    manifests: Vec<Manifest>,
    /// The children that the repository lacks, and whose manifests are not fetched yet.
    lacking: Vec<Digest>,
}

fn too_deep(root: &Manifest) -> Error {
    let action = format!("copy index {}", root.digest);
    let why = format!("it nests deeper than {MAX_INDEX_DEPTH} levels");
    Error::new(Side::Source, Cause::Invalid, action).because(why)
}

/// The digests of the children of `parents` that are not in `seen` yet, each once.
fn new_children(parents: &[Manifest], seen: &mut HashSet<Digest>) -> Vec<Digest> {
    let mut digests = Vec::new();
    for child in parents.iter().flat_map(Manifest::children) {
        let digest = &child.digest;
        if seen.insert(digest.clone()) {
            digests.push(digest.clone());
        }
    }
    digests
}
