//! Enriching a survey: for targets that are not up to date it adds the record, the index that a subset
//! was cut from, an origin with the same bytes, and the manifest that is there now. Nothing is pulled.
//!
//! Nothing here is required: if a read fails, the plan is made without its result.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};

use super::survey::MAX_CONCURRENT_READS;
use super::{Replicator, Session};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::reference::{ImageRef, RepositoryRef};
use crate::image::subset::SubsetOf;
use crate::outcome::state::{self, RecordedSubset};
use crate::plan::survey::{Survey, UpstreamTag};
use crate::request::{Request, Target};

/// A target that is not up to date, as far as is known.
#[derive(Clone)]
struct Due<'a> {
    request: &'a Request,
    target: &'a Target,
    upstream: UpstreamTag,
    /// The digest at the target now.
    present: Option<Digest>,
}

/// The index that the subset at a target was cut from, and the subset's manifest.
#[derive(Default)]
struct Index {
    subset_of: Option<SubsetOf>,
    manifest: Option<Manifest>,
}

/// What makes a copy cheaper, or its price more exact.
enum Hint {
    /// The origin of an image: a copy from there costs no pulls.
    Origin(ImageRef, RepositoryRef),
    /// The manifest that is at a target now: the price is estimated from it.
    Predecessor(ImageRef, Manifest),
}

impl Replicator {
    /// Adds to `survey` what a plan needs besides digests.
    pub(super) async fn enrich(
        &self,
        requests: &[Request],
        survey: &mut Survey,
        session: &Session,
    ) {
        self.add_records(requests, survey, session).await;
        self.add_subsets(requests, survey, session).await;
        self.add_hints(requests, survey, session).await;
    }

    /// The records of repositories with a due target.
    async fn add_records(&self, requests: &[Request], survey: &mut Survey, session: &Session) {
        let mut repositories = BTreeSet::new();
        for due in all_due(requests, survey) {
            let tags = survey.repository_tags(due.target);
            let has_tags = tags.is_some_and(|tags| !tags.is_empty());
            if has_tags {
                let repository = due.target.uri.repository();
                repositories.insert(repository.clone());
            }
        }
        let mut reads = Vec::new();
        for repository in repositories {
            let read = async move {
                let tags = Box::pin(self.resource_tags(&repository));
                let action = || format!("read the resource tags of {repository}");
                let tags = session.in_time(Side::Destination, action, tags).await;
                let tags = known(tags)?;
                session.remember(&repository, &tags);
                Some((repository, tags))
            };
            reads.push(read.boxed());
        }
        let records = all(reads).await;
        survey.records = BTreeMap::from_iter(records);
    }

    /// What the subsets at due targets were cut from, as recorded or as annotated.
    async fn add_subsets(&self, requests: &[Request], survey: &mut Survey, session: &Session) {
        let mut reads = Vec::new();
        for due in all_due(requests, survey) {
            let Some(present) = due.present.clone() else {
                continue;
            };
            if due.request.platforms().is_all() {
                continue;
            }
            if let Some(subset_of) = recorded(survey, &due, &present) {
                let uri = due.target.uri.clone();
                survey.subsets.insert(uri, subset_of);
                continue;
            }
            let read = async move {
                let index = self.read_index(&due, &present, session).await;
                Some((due.target.uri.clone(), index))
            };
            reads.push(read.boxed());
        }
        for (uri, index) in all(reads).await {
            if let Some(subset_of) = index.subset_of {
                survey.subsets.insert(uri.clone(), subset_of);
            }
            if let Some(manifest) = index.manifest {
                survey.predecessors.insert(uri, manifest);
            }
        }
    }

    async fn read_index(&self, due: &Due<'_>, present: &Digest, session: &Session) -> Index {
        let manifest = self.read_back(due.target, present, session).await;
        let Some(manifest) = manifest else {
            return Index::default();
        };
        let platforms = due.request.platforms();
        Index {
            subset_of: SubsetOf::from_manifest(&manifest, platforms),
            manifest: Some(manifest),
        }
    }

    /// For copies that would cost pulls: an origin with the same bytes, else the manifest that is
    /// there now, from which the price is estimated.
    async fn add_hints(&self, requests: &[Request], survey: &mut Survey, session: &Session) {
        let mut reads = Vec::new();
        for request in requests {
            let mut metered = due(request, survey).into_iter();
            let Some(due) = metered.find(|due| due.upstream.is_metered) else {
                continue;
            };
            let is_known = survey.predecessors.contains_key(&due.target.uri);
            let is_index = due.upstream.is_index == Some(true);
            let reads_predecessor = is_index && !is_known;
            let read = self.find_hint(due, reads_predecessor, session);
            reads.push(read.boxed());
        }
        for hint in all(reads).await {
            match hint {
                Hint::Origin(image, origin) => {
                    survey.origins.insert(image, origin);
                }
                Hint::Predecessor(uri, manifest) => {
                    survey.predecessors.insert(uri, manifest);
                }
            }
        }
    }

    async fn find_hint(
        &self,
        due: Due<'_>,
        reads_predecessor: bool,
        session: &Session,
    ) -> Option<Hint> {
        let digest = &due.upstream.digest;
        let origin = self.find_origin(due.request, digest, session).await;
        if let Some(origin) = origin {
            let image = due.request.image.clone();
            return Some(Hint::Origin(image, origin));
        }
        if !reads_predecessor {
            return None;
        }
        let present = due.present?;
        let manifest = self.read_back(due.target, &present, session).await?;
        let uri = due.target.uri.clone();
        Some(Hint::Predecessor(uri, manifest))
    }

    async fn read_back(
        &self,
        target: &Target,
        digest: &Digest,
        session: &Session,
    ) -> Option<Manifest> {
        let destination = self.registries.destination(target.uri.repository());
        let read = destination.manifest(digest);
        let action = || format!("read {} at {digest}", target.uri);
        let manifest = session.in_time(Side::Destination, action, read).await;
        known(manifest)
    }

    /// The first origin whose tag has `digest`.
    async fn find_origin(
        &self,
        request: &Request,
        digest: &Digest,
        session: &Session,
    ) -> Option<RepositoryRef> {
        for origin in &request.origins {
            let registry = &origin.repository().registry;
            if session.is_down(registry) {
                continue;
            }
            let source = self.registries.source(origin.repository());
            let head = source.seen_once(origin.tag(), request.image.digest());
            let action = || format!("find {origin}");
            let found = session.in_time(Side::Source, action, head).await;
            match found {
                Ok(found) if found.digest == *digest => {
                    return Some(origin.repository().clone());
                }
                Ok(_) => {
                    tracing::debug!(%origin, "the origin is not up to date with upstream");
                }
                Err(error) => {
                    let reason = error.chain();
                    tracing::info!(%origin, "the origin cannot be used: {reason}");
                    if *error.cause() == Cause::Interrupted {
                        session.set_down(registry);
                    }
                }
            }
        }
        None
    }
}

/// Awaits `reads` concurrently and returns what they found.
async fn all<T>(reads: Vec<BoxFuture<'_, Option<T>>>) -> Vec<T> {
    let reads = stream::iter(reads).buffer_unordered(MAX_CONCURRENT_READS);
    reads.filter_map(std::future::ready).collect().await
}

/// What was found; an error is logged, and the plan is made without it.
fn known<T>(found: Result<T, Error>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(error) => {
            let reason = error.chain();
            tracing::info!("planning continues without this: {reason}");
            None
        }
    }
}

fn all_due<'a>(requests: &'a [Request], survey: &Survey) -> Vec<Due<'a>> {
    let due = |request| due(request, survey);
    requests.iter().flat_map(due).collect()
}

/// The targets of `request` that are not up to date, as far as is known, where both sides could be
/// read.
fn due<'a>(request: &'a Request, survey: &Survey) -> Vec<Due<'a>> {
    let Some(Ok(upstream)) = survey.upstream.get(&request.image) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for target in &request.targets {
        let is_read = survey.repository_tags(target).is_some();
        let is_up_to_date = survey.is_up_to_date(target, upstream, request.platforms());
        if !is_read || target.waits_for_scan || is_up_to_date {
            continue;
        }
        found.push(Due {
            request,
            target,
            upstream: upstream.clone(),
            present: survey.present(target).cloned(),
        });
    }
    found
}

/// The index that `present` was cut from, if the record has these digests and platforms.
fn recorded(survey: &Survey, due: &Due<'_>, present: &Digest) -> Option<SubsetOf> {
    let uri = &due.target.uri;
    let platforms = due.request.platforms();
    let upstream = &due.upstream.digest;
    let tags = survey.records.get(uri.repository())?;
    let record = state::tag_record(tags, uri.tag())?;
    if record.digest.as_ref() != Some(upstream) {
        return None;
    }
    if record.subset != RecordedSubset::new(Some(present), platforms) {
        return None;
    }
    Some(SubsetOf::new(upstream.clone(), platforms))
}
