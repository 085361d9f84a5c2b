//! Copying: blobs first, then the manifests that name them, then the tag. Streams from registry to registry.
//!
//! Running it again after any failure is safe and resumes, because each step first looks whether it is needed. A manifest that
//! is there vouches for what is below it; only when the registry itself says that content is missing is everything looked at
//! again, once, without that trust.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt, stream};

use super::{Replicator, Run};
use crate::aws::Mutability;
use crate::digest::Digest;
use crate::error::{Cause, Error, Side};
use crate::manifest::{Blob, Content, Manifest};
use crate::plan::{Action, Plan, Planned, Step};
use crate::reference::{DOCKER_HUB, ImageRef, RepositoryRef};
use crate::registry::{Destination, Source, persistently};
use crate::report::{Done, Outcome, Place};
use crate::request::Target;

/// Images at once.
const IMAGES: usize = 3;
/// Blobs, or manifests of an index, at once within one image; [`Run`] bounds the transfers of all images together.
const WITHIN_IMAGE: usize = 6;
/// How deep an index may nest: an index of indexes is legal, and seen nowhere.
const MAX_DEPTH: usize = 3;

impl Replicator {
    /// Does what `plan` says and tells what became of each image, in the plan's order. One image's fault is no other's.
    pub fn carry_out<'a>(&'a self, plan: Plan, run: &'a Run) -> impl Stream<Item = Outcome> + 'a {
        stream::iter(plan.0).map(move |planned| self.carry_out_one(planned, run).boxed()).buffered(IMAGES)
    }

    async fn carry_out_one(&self, planned: Planned, run: &Run) -> Outcome {
        let upstream = Upstream::new(self.registries.source(planned.image.repository()), &planned.image, run);
        let mut places = Vec::with_capacity(planned.steps.len());
        for step in planned.steps {
            places.push(self.take(step, &upstream, run).await);
        }
        let (bytes, pulls) = (upstream.bytes.into_inner(), upstream.pulls.into_inner());
        let Planned { image, upstream, unplaced, trigger, .. } = planned;
        Outcome { image, upstream, places, unplaced, bytes, pulls, trigger }
    }

    async fn take(&self, step: Step, upstream: &Upstream<'_>, run: &Run) -> Place {
        let Step { target, present, action } = step;
        match action {
            Action::Keep => Place { target, present, result: Ok(Done::Unchanged) },
            Action::AwaitScan => Place { target, present, result: Ok(Done::AwaitsScan) },
            Action::Refuse(error) => Place { target, present, result: Err(error) },
            Action::Copy(digest) => {
                let copy = self.copy(&digest, &target, present.as_ref(), upstream, run);
                match run.in_time(Side::Replicator, || finish(&target), copy).await {
                    Ok(()) => Place { target, present: Some(digest), result: Ok(Done::Copied) },
                    Err(error) => Place { target, present, result: Err(error) },
                }
            }
        }
    }

    async fn copy(
        &self,
        digest: &Digest,
        target: &Target,
        present: Option<&Digest>,
        upstream: &Upstream<'_>,
        run: &Run,
    ) -> Result<(), Error> {
        let repository = target.uri.repository();
        // Boxed: the AWS SDK's futures are large.
        let prepared = run.prepared(repository);
        let mutability = prepared.get_or_try_init(|| Box::pin(self.prepare(repository))).await?;
        if present.is_some() && !mutability.lets_move(target.uri.tag()) {
            return Err(Error::new(Side::Destination, Cause::Immutable, format!("move {}", target.uri)));
        }
        let destination = self.registries.destination(repository);
        let copy = Copy { upstream, destination: &destination, repository, run };
        match copy.tag(digest, target.uri.tag(), Trust::Manifests).await {
            Err(error) if *error.cause() == Cause::MissingContent => {
                tracing::warn!(image = %target.uri, "looking at everything again: {}", error.chain());
                run.distrust(repository);
                copy.tag(digest, target.uri.tag(), Trust::Nothing).await
            }
            other => other,
        }
    }

    /// A repository is made before anything is sent: a push into a missing one breaks off without a word at ECR.
    async fn prepare(&self, repository: &RepositoryRef) -> Result<Mutability, Error> {
        match self.aws.repository(repository).await {
            Some(control) => control.prepare().await,
            None => Ok(Mutability::default()),
        }
    }
}

/// What a copy that meets the deadline could not do.
pub(super) fn finish(target: &Target) -> String {
    format!("finish copying {}", target.uri)
}

/// Whether what is at the destination vouches for what is below it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Manifests,
    Nothing,
}

/// The upstream repository of one image, and what was spent on it.
struct Upstream<'a> {
    source: Source<'a>,
    run: &'a Run,
    repository: &'a RepositoryRef,
    pulls: AtomicU64,
    bytes: AtomicU64,
}

impl<'a> Upstream<'a> {
    fn new(source: Source<'a>, image: &'a ImageRef, run: &'a Run) -> Self {
        Self { source, run, repository: image.repository(), pulls: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    async fn manifest(&self, digest: &Digest) -> Result<Manifest, Error> {
        let once = self.run.manifest(self.repository, digest);
        once.get_or_try_init(|| self.pull(digest)).await.cloned()
    }

    async fn pull(&self, digest: &Digest) -> Result<Manifest, Error> {
        if let Some(limit) = self.run.pull_limit.get().filter(|_| self.repository.registry == DOCKER_HUB) {
            return Err(limit.clone());
        }
        let (manifest, pulls) = self.source.manifest(digest).await.inspect_err(|error| {
            if *error.cause() == Cause::PullLimit {
                let _ = self.run.pull_limit.set(error.clone());
            }
        })?;
        self.pulls.fetch_add(pulls, Ordering::Relaxed);
        Ok(manifest)
    }
}

/// One image on its way to one repository.
struct Copy<'a> {
    upstream: &'a Upstream<'a>,
    destination: &'a Destination<'a>,
    repository: &'a RepositoryRef,
    run: &'a Run,
}

impl Copy<'_> {
    /// Makes `tag` stand for `digest`. The tag goes last, so that a half copy is never seen.
    async fn tag(&self, digest: &Digest, tag: &str, trust: Trust) -> Result<(), Error> {
        let manifest = if trust == Trust::Manifests && self.destination.has_manifest(digest).await? {
            // Known content under a new tag: reading it back here is free.
            self.destination.manifest(digest).await?
        } else {
            let manifest = self.upstream.manifest(digest).await?;
            self.below(&manifest, trust, 0).await?;
            manifest
        };
        self.destination.put_manifest(tag, &manifest).await
    }

    /// Brings everything that `manifest` names.
    fn below<'b>(&'b self, manifest: &'b Manifest, trust: Trust, depth: usize) -> BoxFuture<'b, Result<(), Error>> {
        match &manifest.content {
            Content::Image(blobs) => self.blobs(blobs).boxed(),
            Content::Index(children) => self.children(children, trust, depth).boxed(),
        }
    }

    async fn children(&self, children: &[Digest], trust: Trust, depth: usize) -> Result<(), Error> {
        if depth == MAX_DEPTH {
            let error = Error::new(Side::Source, Cause::Invalid, "copy an index");
            return Err(error.because(format!("it nests deeper than {MAX_DEPTH}")));
        }
        all(children.iter().map(|digest| self.child(digest, trust, depth).boxed())).await
    }

    async fn child(&self, digest: &Digest, trust: Trust, depth: usize) -> Result<(), Error> {
        if trust == Trust::Manifests && self.destination.has_manifest(digest).await? {
            return Ok(());
        }
        let manifest = self.upstream.manifest(digest).await?;
        self.below(&manifest, trust, depth + 1).await?;
        self.destination.put_manifest(digest.as_str(), &manifest).await
    }

    async fn blobs(&self, blobs: &[Blob]) -> Result<(), Error> {
        all(blobs.iter().map(|blob| self.blob(blob).boxed())).await
    }

    /// Brings one blob, once for each repository and run, however many images name it.
    async fn blob(&self, blob: &Blob) -> Result<(), Error> {
        let once = self.run.blob(self.repository, &blob.digest);
        once.get_or_try_init(|| async {
            if self.destination.has_blob(&blob.digest).await? {
                return Ok(());
            }
            let _slot = self.run.transfers.acquire().await.expect("the semaphore is never closed");
            persistently(|| self.transfer(blob)).await?;
            self.upstream.bytes.fetch_add(blob.size_bytes, Ordering::Relaxed);
            Ok(())
        })
        .await
        .copied()
    }

    async fn transfer(&self, blob: &Blob) -> Result<(), Error> {
        let bytes = self.upstream.source.blob(blob).await?;
        self.destination.put_blob(blob, bytes, self.run.counter()).await
    }
}

/// A few at once; the first fault ends them.
async fn all<'b>(works: impl Iterator<Item = BoxFuture<'b, Result<(), Error>>>) -> Result<(), Error> {
    stream::iter(works.collect::<Vec<_>>()).buffer_unordered(WITHIN_IMAGE).try_collect().await
}
