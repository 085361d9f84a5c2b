//! Bringing one image to one repository: manifests are gathered, then blobs, then manifests from the bottom up, then the tag.
//!
//! Each step first looks whether it is needed, so that running it again after any failure is safe and resumes. A manifest that is
//! there vouches for what is below it.

use std::collections::HashSet;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use super::upstream::Upstream;
use crate::aws::Repository;
use crate::engine::Session;
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::reference::RepositoryRef;
use crate::registry::Destination;

/// Requests at once within one image; [`Session`] bounds those of all images together.
pub(super) const AT_ONCE: usize = 16;
/// How deep an index may nest: an index of indexes is legal, and seen nowhere.
const MAX_DEPTH: usize = 3;

/// Whether what is at the destination vouches for what is below it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// A manifest that is there has everything that it names.
    Manifests,
    /// The registry said that content is missing: everything is looked at.
    Nothing,
}

/// One image on its way to one repository.
pub(super) struct Delivery<'a, 'r> {
    pub(super) upstream: &'a Upstream<'r>,
    pub(super) destination: &'a Destination,
    pub(super) control: Option<Repository<'a>>,
    pub(super) repository: &'a RepositoryRef,
    pub(super) session: &'a Session,
}

impl Delivery<'_, '_> {
    /// Makes `tag` stand for `root`. The tag goes last, so that a half copy is never seen.
    pub(super) async fn tag(&self, root: &Manifest, tag: &str, trust: Trust) -> Result<(), Error> {
        if trust == Trust::Nothing || !self.has_manifest(&root.digest).await? {
            let below = self.gather(root, trust).await?;
            self.blobs(below.iter().flatten().chain([root])).await?;
            for level in below.iter().rev() {
                all(level
                    .iter()
                    .map(|child| self.put(child.digest.as_str(), child).boxed()))
                .await?;
            }
        }
        self.put(tag, root).await
    }

    async fn put(&self, reference: &str, manifest: &Manifest) -> Result<(), Error> {
        self.destination.put_manifest(reference, manifest).await?;
        self.session
            .known_content
            .note(self.repository, &manifest.digest, true);
        self.destination.vouch_for(manifest.blobs());
        Ok(())
    }

    /// The manifests below `root` that the repository lacks, level by level.
    async fn gather(&self, root: &Manifest, trust: Trust) -> Result<Vec<Vec<Manifest>>, Error> {
        let mut levels: Vec<Vec<Manifest>> = Vec::new();
        let mut seen: HashSet<Digest> = HashSet::new();
        loop {
            let above = levels
                .last()
                .map_or(std::slice::from_ref(root), Vec::as_slice);
            let named = above
                .iter()
                .flat_map(Manifest::children)
                .map(|child| &child.digest);
            let named: Vec<Digest> = named
                .filter(|digest| seen.insert((*digest).clone()))
                .cloned()
                .collect();
            if named.is_empty() {
                return Ok(levels);
            }
            if levels.len() == MAX_DEPTH {
                let error = Error::new(Side::Source, Cause::Invalid, "copy an index");
                return Err(error.because(format!("it nests deeper than {MAX_DEPTH}")));
            }
            let (mut level, lacking) = match trust {
                Trust::Manifests => (Vec::new(), self.lacking(named).await?),
                Trust::Nothing => self.read_back(named).await?,
            };
            level.extend(self.upstream.manifests(&lacking).await?);
            levels.push(level);
        }
    }

    /// What is there, which costs no pull, and what is not.
    async fn read_back(&self, digests: Vec<Digest>) -> Result<(Vec<Manifest>, Vec<Digest>), Error> {
        let (mut there, mut lacking) = (Vec::new(), Vec::new());
        for digest in digests {
            match self.destination.manifest(&digest).await {
                Ok(manifest) => there.push(manifest),
                Err(error) if *error.cause() == Cause::NotFound => lacking.push(digest),
                Err(error) => return Err(error),
            }
        }
        Ok((there, lacking))
    }

    async fn lacking(&self, digests: Vec<Digest>) -> Result<Vec<Digest>, Error> {
        let look = |digest: Digest| async move {
            let is_there = self.has_manifest(&digest).await?;
            Ok::<_, Error>((!is_there).then_some(digest))
        };
        let looks = digests
            .into_iter()
            .map(|digest| look(digest).boxed())
            .collect::<Vec<_>>();
        let found: Vec<Option<Digest>> =
            stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Whether the manifest is there, as far as is known, else by asking.
    pub(super) async fn has_manifest(&self, digest: &Digest) -> Result<bool, Error> {
        self.has(digest, || self.destination.has_manifest(digest))
            .await
    }

    /// What is known of `digest`, or what `ask` finds out.
    pub(super) async fn has<F>(
        &self,
        digest: &Digest,
        ask: impl FnOnce() -> F,
    ) -> Result<bool, Error>
    where
        F: Future<Output = Result<bool, Error>>,
    {
        if let Some(is_there) = self.session.known_content.has(self.repository, digest) {
            return Ok(is_there);
        }
        let _question = self.session.question().await;
        let is_there = Box::pin(ask()).await?;
        self.session
            .known_content
            .note(self.repository, digest, is_there);
        Ok(is_there)
    }
}

/// Some at once; the first fault ends them.
async fn all<'b>(
    works: impl Iterator<Item = BoxFuture<'b, Result<(), Error>>>,
) -> Result<(), Error> {
    stream::iter(works.collect::<Vec<_>>())
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}
