//! Looking closer at what is not level by its digest alone: what the record says of it, what an index in the mirror stands for,
//! which other registry has the same bytes, and what was there before. Still nothing is pulled.
//!
//! What cannot be found out here is not known, and costs no more than that: the plan does without.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};

use super::survey::AT_ONCE;
use super::{Replicator, Session};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::reference::{ImageRef, RepositoryRef};
use crate::image::subset::SubsetOf;
use crate::outcome::state::{self, RecordedSubset, ResourceTags};
use crate::plan::{Survey, UpstreamTag, is_up_to_date};
use crate::request::{Request, Target};

/// What a closer look has found.
enum Found {
    Record(RepositoryRef, ResourceTags),
    SubsetOf(ImageRef, SubsetOf),
    Predecessor(ImageRef, Manifest),
    Origin(ImageRef, RepositoryRef),
}

/// Looks that go on side by side.
type Looks<'a> = Vec<BoxFuture<'a, Vec<Found>>>;

impl Replicator {
    /// Adds to `survey` what a plan needs besides digests.
    pub(super) async fn look_closer(
        &self,
        requests: &[Request],
        survey: &mut Survey,
        session: &Session,
    ) {
        let found = all(self.records(requests, survey, session)).await;
        take_in(survey, found);
        let found = all(self.subsets(requests, survey, session)).await;
        take_in(survey, found);
        let found = all(self.substitutes(requests, survey, session)).await;
        take_in(survey, found);
    }

    /// The records of repositories in which something is not level.
    fn records<'a>(
        &'a self,
        requests: &[Request],
        survey: &Survey,
        session: &'a Session,
    ) -> Looks<'a> {
        let due = requests.iter().flat_map(|request| due(request, survey));
        let kept = due.filter(|(target, _)| has_images(survey, target.uri.repository()));
        let repositories: BTreeSet<RepositoryRef> = kept
            .map(|(target, _)| target.uri.repository().clone())
            .collect();
        let look = |repository: RepositoryRef| async move {
            let look = Box::pin(self.state(&repository));
            match session
                .in_time(Side::Destination, || format!("look at {repository}"), look)
                .await
            {
                Ok(tags) => {
                    session.remember(&repository, &tags);
                    vec![Found::Record(repository, tags)]
                }
                Err(error) => unknown(&error),
            }
        };
        repositories
            .into_iter()
            .map(|repository| look(repository).boxed())
            .collect()
    }

    /// What the indexes of the mirror stand for: by the record, or by what they say themselves.
    fn subsets<'a>(
        &'a self,
        requests: &'a [Request],
        survey: &Survey,
        session: &'a Session,
    ) -> Looks<'a> {
        let chosen = requests
            .iter()
            .filter(|request| !request.platforms.is_all());
        let doubts = chosen.flat_map(|request| {
            due(request, survey)
                .into_iter()
                .map(move |(target, seen)| (request, target, seen))
        });
        let look = |(request, target, seen): (&'a Request, &'a Target, UpstreamTag)| {
            let present = present(survey, target)?.clone();
            if let Some(subset_of) = recorded(survey, target, &seen, &present, request) {
                let found = vec![Found::SubsetOf(target.uri.clone(), subset_of)];
                return Some(std::future::ready(found).boxed());
            }
            let look = async move {
                let Some(manifest) = self.read_back(target, &present, session).await else {
                    return Vec::new();
                };
                let subset_of = SubsetOf::from_manifest(&manifest, &request.platforms);
                let subset_of =
                    subset_of.map(|subset_of| Found::SubsetOf(target.uri.clone(), subset_of));
                subset_of
                    .into_iter()
                    .chain([Found::Predecessor(target.uri.clone(), manifest)])
                    .collect()
            };
            Some(look.boxed())
        };
        doubts.filter_map(look).collect()
    }

    /// For what would cost pulls: a registry with the same bytes, else what the mirror has, which tells the price.
    fn substitutes<'a>(
        &'a self,
        requests: &'a [Request],
        survey: &Survey,
        session: &'a Session,
    ) -> Looks<'a> {
        let look = |request: &'a Request| {
            let (target, seen) = due(request, survey)
                .into_iter()
                .find(|(_, seen)| seen.is_metered)?;
            let present = present(survey, target)
                .filter(|_| seen.is_index == Some(true))
                .cloned();
            let present = present.filter(|_| !survey.predecessors.contains_key(&target.uri));
            let look = async move {
                if let Some(origin) = self.origin(request, &seen.digest, session).await {
                    return vec![Found::Origin(request.image.clone(), origin)];
                }
                let Some(present) = present else {
                    return Vec::new();
                };
                let manifest = self.read_back(target, &present, session).await;
                manifest
                    .map(|manifest| Found::Predecessor(target.uri.clone(), manifest))
                    .into_iter()
                    .collect()
            };
            Some(look.boxed())
        };
        requests.iter().filter_map(look).collect()
    }

    async fn read_back(
        &self,
        target: &Target,
        digest: &Digest,
        session: &Session,
    ) -> Option<Manifest> {
        let destination = self.registries.destination(target.uri.repository());
        let look = destination.manifest(digest);
        let found = session
            .in_time(
                Side::Destination,
                || format!("look at {}", target.uri),
                look,
            )
            .await;
        found
            .inspect_err(|error| tracing::info!("not known: {}", error.chain()))
            .ok()
    }

    /// The first origin whose tag stands for `digest`.
    async fn origin(
        &self,
        request: &Request,
        digest: &Digest,
        session: &Session,
    ) -> Option<RepositoryRef> {
        for name in &request.origins {
            let registry = &name.repository().registry;
            if session.is_down(registry) {
                continue;
            }
            let source = self.registries.source(name.repository());
            let look = source.seen_once(name.tag(), request.image.digest());
            match session
                .in_time(Side::Source, || format!("find {name}"), look)
                .await
            {
                Ok(seen) if seen.digest == *digest => return Some(name.repository().clone()),
                Ok(_) => tracing::debug!(origin = %name, "not level with upstream"),
                Err(error) => {
                    tracing::info!(origin = %name, "no help: {}", error.chain());
                    if *error.cause() == Cause::Interrupted {
                        session.is_down_now(registry);
                    }
                }
            }
        }
        None
    }
}

async fn all(looks: Looks<'_>) -> Vec<Found> {
    stream::iter(looks)
        .buffer_unordered(AT_ONCE)
        .flat_map(stream::iter)
        .collect()
        .await
}

fn take_in(survey: &mut Survey, found: Vec<Found>) {
    for found in found {
        match found {
            Found::Record(repository, tags) => drop(survey.records.insert(repository, tags)),
            Found::SubsetOf(uri, subset_of) => drop(survey.subsets.insert(uri, subset_of)),
            Found::Predecessor(uri, manifest) => drop(survey.predecessors.insert(uri, manifest)),
            Found::Origin(image, origin) => drop(survey.origins.insert(image, origin)),
        }
    }
}

fn unknown(error: &Error) -> Vec<Found> {
    tracing::info!("not known: {}", error.chain());
    Vec::new()
}

/// The places of `request` that are not level as far as is known, where both sides could be seen.
fn due<'a>(request: &'a Request, survey: &Survey) -> Vec<(&'a Target, UpstreamTag)> {
    let Some(Ok(seen)) = survey.upstream.get(&request.image) else {
        return Vec::new();
    };
    let is_due = |target: &&Target| {
        let is_seen = survey
            .mirrors
            .get(target.uri.repository())
            .is_some_and(Result::is_ok);
        let subset_of = survey.subsets.get(&target.uri);
        is_seen
            && !target.waits_for_scan
            && !is_up_to_date(seen, present(survey, target), subset_of, &request.platforms)
    };
    request
        .targets
        .iter()
        .filter(is_due)
        .map(|target| (target, seen.clone()))
        .collect()
}

fn present<'a>(survey: &'a Survey, target: &Target) -> Option<&'a Digest> {
    survey
        .mirrors
        .get(target.uri.repository())?
        .as_ref()
        .ok()?
        .get(target.uri.tag())
}

fn has_images(survey: &Survey, repository: &RepositoryRef) -> bool {
    survey
        .mirrors
        .get(repository)
        .is_some_and(|mirror| mirror.as_ref().is_ok_and(|tags| !tags.is_empty()))
}

/// What the record says of `present`, when it speaks of this very digest and of these platforms.
fn recorded(
    survey: &Survey,
    target: &Target,
    seen: &UpstreamTag,
    present: &Digest,
    request: &Request,
) -> Option<SubsetOf> {
    let entry = state::tag_record(
        survey.records.get(target.uri.repository())?,
        target.uri.tag(),
    )?;
    let part = RecordedSubset::new(Some(present), &request.platforms);
    let is_it = entry.digest.as_ref() == Some(&seen.digest) && entry.subset == part;
    is_it.then(|| SubsetOf::new(seen.digest.clone(), &request.platforms))
}
