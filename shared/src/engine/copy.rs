//! Copying: the writes of a plan, image by image and target by target. Blobs are streamed from
//! registry to registry.
//!
//! Upstream is read once for all targets of an image: once the first target has it, the others are
//! filled from there.

mod blobs;
mod deliver;
mod upstream;

use std::collections::BTreeMap;

use futures_util::{FutureExt, StreamExt, future, stream};
use tokio::sync::{OnceCell, OwnedSemaphorePermit};

use self::deliver::{Delivery, Trust};
use self::upstream::UpstreamContent;
use super::wait::finish;
use super::{Replicator, Session};
use crate::aws::{Mutability, Repository};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::reference::RepositoryRef;
use crate::outcome::{Done, Outcome, TargetOutcome};
use crate::plan::{Plan, Planned, Step, Write};
use crate::request::Target;

/// Images that are copied concurrently: while the blobs of some are streamed, the manifests of the next
/// are fetched. [`Session::memory_for`] bounds the blobs of all together.
const MAX_CONCURRENT_IMAGES: usize = 64;

impl Replicator {
    /// Carries out `plan`. `progress` gets each outcome as soon as it is known; the result is in the
    /// plan's order. An error of one image does not affect the others.
    pub(super) async fn copy(
        &self,
        plan: Plan,
        session: &Session,
        mut progress: impl FnMut(&Outcome),
    ) -> Vec<Outcome> {
        let copy = |(index, planned)| {
            let copy = self.copy_image(planned, session);
            copy.map(move |outcome| (index, outcome)).boxed()
        };
        let images = plan.0.into_iter().enumerate();
        let copies = stream::iter(images).map(copy);
        let mut copies = copies.buffer_unordered(MAX_CONCURRENT_IMAGES);
        let mut outcomes = BTreeMap::new();
        while let Some((index, outcome)) = copies.next().await {
            progress(&outcome);
            outcomes.insert(index, outcome);
        }
        outcomes.into_values().collect()
    }

    async fn copy_image(&self, mut planned: Planned, session: &Session) -> Outcome {
        if !planned.is_due() {
            return Outcome::uniform(planned, &Ok(Done::Unchanged));
        }
        let _turn = image_turn(&planned, session).await;
        let steps = std::mem::take(&mut planned.steps);
        let copy = Copy {
            replicator: self,
            upstream: UpstreamContent::new(&self.registries, &planned, session),
            planned,
            session,
            root: OnceCell::new(),
        };
        let mut targets = Vec::with_capacity(steps.len());
        for step in steps {
            targets.push(copy.execute(step).await);
        }
        let Copy {
            mut planned,
            upstream,
            ..
        } = copy;
        planned.price.pulls = upstream.price();
        let spent = upstream.spent();
        Outcome::new(planned, targets, spent)
    }
}

/// Tags of the same image are copied one after another, so that only the first one costs pulls. Waits
/// for the turn of `planned`; `None` if its copy costs none.
async fn image_turn(planned: &Planned, session: &Session) -> Option<OwnedSemaphorePermit> {
    if !planned.is_metered {
        return None;
    }
    let mut steps = planned.steps.iter();
    let digest = steps.find_map(|step| step.action.copied())?;
    let repository = planned.request.image.repository();
    Some(session.image_turn(repository, digest).await)
}

/// The copy of one image.
struct Copy<'a> {
    replicator: &'a Replicator,
    planned: Planned,
    upstream: UpstreamContent<'a>,
    session: &'a Session,
    /// The manifest that goes under the tag, once it was fetched.
    root: OnceCell<Manifest>,
}

impl Copy<'_> {
    async fn execute(&self, step: Step) -> TargetOutcome {
        let Some(write) = step.action.write() else {
            return TargetOutcome::from_step(step, Ok(Done::Unchanged));
        };
        let present = step.present.as_ref();
        // Boxed: a deadline around it would reserve its size twice.
        let copy = Box::pin(self.write(write, &step.target, present));
        let action = || finish(&step.target);
        let copied = self.session.in_time(Side::Replicator, action, copy).await;
        let digest = match copied {
            Ok(digest) => digest,
            Err(error) => return TargetOutcome::from_step(step, Err(error)),
        };
        let repository = step.target.uri.repository();
        self.upstream.add_origin(repository);
        TargetOutcome {
            target: step.target,
            present: Some(digest),
            result: Ok(Done::Copied),
        }
    }

    /// Writes to one target, and returns the digest that it has then.
    async fn write(
        &self,
        write: &Write,
        target: &Target,
        present: Option<&Digest>,
    ) -> Result<Digest, Error> {
        let repository = target.uri.repository();
        let destination = self.replicator.registries.destination(repository);
        if let Write::Copy(_) = write {
            destination.prewarm();
            self.upstream.prewarm();
        }
        // Boxed: the AWS SDK's futures are large.
        let control = Box::pin(self.replicator.aws.repository(repository)).await;
        let mutability = self.prepare(repository, control.as_ref()).await?;
        if present.is_some() && !mutability.lets_move(target.uri.tag()) {
            let action = format!("move {}", target.uri);
            return Err(Error::new(Side::Destination, Cause::Immutable, action));
        }
        let delivery = Delivery {
            upstream: &self.upstream,
            destination: &destination,
            control,
            repository,
            session: self.session,
        };
        let root = self.find_root(write, &delivery).await?;
        self.deliver(&delivery, &root, target).await?;
        Ok(root.digest)
    }

    /// Puts `root` under the tag of `target`. If the registry reports missing content, it starts again
    /// once and checks all content.
    async fn deliver(
        &self,
        delivery: &Delivery<'_, '_>,
        root: &Manifest,
        target: &Target,
    ) -> Result<(), Error> {
        let tag = target.uri.tag();
        let delivered = delivery.tag(root, tag, Trust::Manifests).await;
        let error = match delivered {
            Err(error) if *error.cause() == Cause::MissingContent => error,
            result => return result,
        };
        tracing::warn!(
            target = %target.uri,
            "content is missing at the destination; all of it is checked again: {}",
            error.chain()
        );
        self.session.distrust(delivery.repository);
        delivery.tag(root, tag, Trust::Nothing).await
    }

    /// Creates the repository if it does not exist, before anything is sent: ECR ends the connection of
    /// a push into a missing repository without a reason.
    async fn prepare(
        &self,
        repository: &RepositoryRef,
        control: Option<&Repository<'_>>,
    ) -> Result<Mutability, Error> {
        let prepare = || async {
            let Some(control) = control else {
                return Ok(Mutability::default());
            };
            let prepared = control.prepare().await?;
            if prepared.is_new {
                self.session.known_content.note_creation(repository);
            }
            Ok(prepared.mutability)
        };
        let prepared = self.session.prepared(repository);
        let mutability = prepared.get_or_try_init(|| Box::pin(prepare())).await?;
        Ok(mutability.clone())
    }

    /// The manifest that goes under the tag.
    async fn find_root(
        &self,
        write: &Write,
        delivery: &Delivery<'_, '_>,
    ) -> Result<Manifest, Error> {
        let (upstream, here) = match write {
            Write::Copy(digest) => return self.fetch_root(digest, delivery).await,
            Write::Tag { upstream, here } => (upstream, here),
        };
        match delivery.destination.manifest(here).await {
            Err(error) if *error.cause() == Cause::NotFound => {
                self.fetch_root(upstream, delivery).await
            }
            result => result,
        }
    }

    /// The manifest that goes under the tag, fetched once for all targets.
    async fn fetch_root(
        &self,
        digest: &Digest,
        delivery: &Delivery<'_, '_>,
    ) -> Result<Manifest, Error> {
        // Boxed: its futures are large, and the copy continues long after it.
        let fetch = || self.fetch_from_best(digest, delivery).boxed();
        self.root.get_or_try_init(fetch).await.cloned()
    }

    /// Where pulls are counted, content that is already at the destination is read back from there,
    /// which is free. Elsewhere the destination is checked concurrently, which saves a request later.
    async fn fetch_from_best(
        &self,
        digest: &Digest,
        delivery: &Delivery<'_, '_>,
    ) -> Result<Manifest, Error> {
        let upstream = self.upstream.requested(digest, &self.planned);
        if !self.planned.request.platforms().is_all() {
            return upstream.await;
        }
        if self.planned.is_metered {
            if delivery.has_manifest(digest).await? {
                return delivery.destination.manifest(digest).await;
            }
            return upstream.await;
        }
        let check = delivery.has_manifest(digest);
        let (is_there, manifest) = future::join(check, upstream).await;
        if is_there? && manifest.is_err() {
            return delivery.destination.manifest(digest).await;
        }
        manifest
    }
}
