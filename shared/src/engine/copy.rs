//! Copying: what the plan says, image by image and place by place. Streams from registry to registry.
//!
//! Upstream is read once for all places of an image: once the first has it, the others are filled from there.

mod blobs;
mod deliver;
mod upstream;

use futures_util::future::OptionFuture;
use futures_util::{FutureExt, StreamExt, future, stream};
use tokio::sync::OnceCell;

use super::{Replicator, Session};
use crate::aws::{Mutability, Repository};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::reference::RepositoryRef;
use crate::outcome::report::{Done, Outcome, TargetOutcome};
use crate::plan::{Action, Plan, Planned, Step};
use crate::request::Target;
use deliver::{Delivery, Trust};
use upstream::{Spent, Upstream};

/// Images at once: while the blobs of some stream, the manifests of the next are fetched. [`Session::room`] bounds the blobs of all together.
const IMAGES: usize = 64;

impl Replicator {
    /// Does what `plan` says, `tell`s what became of each image as soon as that is known, and gives all of it in the plan's order.
    /// One image's fault is no other's.
    pub async fn carry_out(
        &self,
        plan: Plan,
        session: &Session,
        mut tell: impl FnMut(&Outcome),
    ) -> Vec<Outcome> {
        let copy = |(index, planned)| {
            self.carry_out_one(planned, session)
                .map(move |outcome| (index, outcome))
                .boxed()
        };
        let mut copies = stream::iter(plan.0.into_iter().enumerate())
            .map(copy)
            .buffer_unordered(IMAGES);
        let mut outcomes = Vec::new();
        while let Some(done) = copies.next().await {
            tell(&done.1);
            outcomes.push(done);
        }
        outcomes.sort_by_key(|(index, _)| *index);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    async fn carry_out_one(&self, mut planned: Planned, session: &Session) -> Outcome {
        let steps = std::mem::take(&mut planned.steps);
        if !steps.iter().any(Step::is_due) {
            let places = steps
                .into_iter()
                .map(|step| TargetOutcome::from_step(step, Ok(Done::Unchanged)))
                .collect();
            return Outcome::new(planned, places, 0, 0);
        }
        // Tags that stand for the same image go one after another: the first pays for it.
        let copied = steps.iter().find_map(|step| match &step.action {
            Action::Copy(digest) if planned.is_metered => Some(digest),
            _ => None,
        });
        let turn = copied.map(|digest| session.turn_to_pull(planned.image.repository(), digest));
        let _turn = OptionFuture::from(turn).await;
        let upstream = Upstream::new(&self.registries, &planned, session);
        let copy = Copy {
            replicator: self,
            planned,
            upstream,
            session,
            wanted: OnceCell::new(),
        };
        let mut places = Vec::with_capacity(steps.len());
        for step in steps {
            places.push(copy.take(step).await);
        }
        let Copy {
            mut planned,
            upstream,
            ..
        } = copy;
        let Spent {
            bytes,
            pulls,
            price,
        } = upstream.spent();
        planned.price.pulls = price;
        Outcome::new(planned, places, bytes, pulls)
    }
}

/// What a copy that meets the deadline could not do.
pub(super) fn finish(target: &Target) -> String {
    format!("finish copying {}", target.uri)
}

/// One image on its way.
struct Copy<'a> {
    replicator: &'a Replicator,
    planned: Planned,
    upstream: Upstream<'a>,
    session: &'a Session,
    /// The manifest that goes under the tag, once it was fetched.
    wanted: OnceCell<Manifest>,
}

impl Copy<'_> {
    async fn take(&self, step: Step) -> TargetOutcome {
        if !step.is_due() {
            return TargetOutcome::from_step(step, Ok(Done::Unchanged));
        }
        let target = &step.target;
        // Boxed, because a deadline around it would take its room twice.
        let copy = Box::pin(self.copy(&step.action, target, step.present.as_ref()));
        match self
            .session
            .in_time(Side::Replicator, || finish(target), copy)
            .await
        {
            Ok(digest) => {
                self.upstream.add_origin(target.uri.repository());
                TargetOutcome {
                    target: step.target,
                    present: Some(digest),
                    result: Ok(Done::Copied),
                }
            }
            Err(error) => TargetOutcome::from_step(step, Err(error)),
        }
    }

    /// Copies to one place, and gives the digest that it has then.
    async fn copy(
        &self,
        action: &Action,
        target: &Target,
        present: Option<&Digest>,
    ) -> Result<Digest, Error> {
        let repository = target.uri.repository();
        let destination = self.replicator.registries.destination(repository);
        if let Action::Copy(_) = action {
            destination.prewarm();
            self.upstream.prewarm();
        }
        // Boxed: the AWS SDK's futures are large.
        let control = Box::pin(self.replicator.aws.repository(repository)).await;
        let prepared = self.session.prepared(repository);
        let mutability = prepared
            .get_or_try_init(|| Box::pin(self.prepare(repository, control.as_ref())))
            .await?;
        if present.is_some() && !mutability.lets_move(target.uri.tag()) {
            return Err(Error::new(
                Side::Destination,
                Cause::Immutable,
                format!("move {}", target.uri),
            ));
        }
        let (upstream, session) = (&self.upstream, self.session);
        let delivery = Delivery {
            upstream,
            destination: &destination,
            control,
            repository,
            session,
        };
        let root = match action {
            Action::Tag { upstream, here } => match destination.manifest(here).await {
                Err(error) if *error.cause() == Cause::NotFound => {
                    self.wanted(upstream, &delivery).await?
                }
                other => other?,
            },
            Action::Copy(digest) => self.wanted(digest, &delivery).await?,
            _ => unreachable!("nothing else is sent"),
        };
        match delivery
            .tag(&root, target.uri.tag(), Trust::Manifests)
            .await
        {
            Err(error) if *error.cause() == Cause::MissingContent => {
                tracing::warn!(image = %target.uri, "looking at everything again: {}", error.chain());
                self.session.distrust(repository);
                delivery
                    .tag(&root, target.uri.tag(), Trust::Nothing)
                    .await?;
            }
            other => other?,
        }
        Ok(root.digest)
    }

    /// A repository is made before anything is sent: a push into a missing one breaks off without a word at ECR.
    async fn prepare(
        &self,
        repository: &RepositoryRef,
        control: Option<&Repository<'_>>,
    ) -> Result<Mutability, Error> {
        let Some(control) = control else {
            return Ok(Mutability::default());
        };
        let prepared = control.prepare().await?;
        if prepared.is_new {
            self.session.known_content.made(repository);
        }
        Ok(prepared.mutability)
    }

    /// What goes under the tag. Where pulls are counted, content that is there already is read back from the destination, which is
    /// free. Elsewhere the destination is asked meanwhile, for what follows.
    async fn wanted(
        &self,
        digest: &Digest,
        delivery: &Delivery<'_, '_>,
    ) -> Result<Manifest, Error> {
        let fetch = || async {
            let upstream = self.upstream.wanted(digest, &self.planned);
            if !self.planned.platforms.is_all() {
                return upstream.await;
            }
            if !self.planned.is_metered {
                return match future::join(delivery.has_manifest(digest), upstream).await {
                    (Ok(true), Err(_)) => delivery.destination.manifest(digest).await,
                    (is_there, manifest) => is_there.and(manifest),
                };
            }
            if delivery.has_manifest(digest).await? {
                return delivery.destination.manifest(digest).await;
            }
            upstream.await
        };
        // Boxed: its futures are large, and the copy that they belong to goes on for long.
        self.wanted
            .get_or_try_init(|| fetch().boxed())
            .await
            .cloned()
    }
}
