//! Enriching a survey with what digests alone do not tell about targets that are not up to date: the
//! record, the index that a subset was cut from, an origin with the same bytes, and the manifest that
//! is there now. Still nothing is pulled.
//!
//! What cannot be found out here is left out, and the plan does without.

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

/// The index that the subset at a target was cut from, and the manifest that told it.
#[derive(Default)]
struct Index {
    subset_of: Option<SubsetOf>,
    manifest: Option<Manifest>,
}

/// What spares pulls, or tells how many a copy costs.
enum Hint {
    Origin(ImageRef, RepositoryRef),
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
            if tags.is_some_and(|tags| !tags.is_empty()) {
                repositories.insert(due.target.uri.repository().clone());
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
        survey.records = BTreeMap::from_iter(all(reads).await);
    }

    /// What the subsets at due targets were cut from: by the record, or by their annotations.
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
                survey.subsets.insert(due.target.uri.clone(), subset_of);
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
        let Some(manifest) = self.read_back(due.target, present, session).await else {
            return Index::default();
        };
        Index {
            subset_of: SubsetOf::from_manifest(&manifest, due.request.platforms()),
            manifest: Some(manifest),
        }
    }

    /// For copies that would cost pulls: an origin with the same bytes, else the manifest that is
    /// there now, which tells the price.
    async fn add_hints(&self, requests: &[Request], survey: &mut Survey, session: &Session) {
        let mut reads = Vec::new();
        for request in requests {
            let mut metered = due(request, survey).into_iter();
            let Some(due) = metered.find(|due| due.upstream.is_metered) else {
                continue;
            };
            let is_known = survey.predecessors.contains_key(&due.target.uri);
            let is_index = due.upstream.is_index == Some(true);
            let read_predecessor = is_index && !is_known;
            reads.push(self.find_hint(due, read_predecessor, session).boxed());
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
        read_predecessor: bool,
        session: &Session,
    ) -> Option<Hint> {
        let digest = &due.upstream.digest;
        if let Some(origin) = self.find_origin(due.request, digest, session).await {
            return Some(Hint::Origin(due.request.image.clone(), origin));
        }
        let present = due.present.filter(|_| read_predecessor)?;
        let manifest = self.read_back(due.target, &present, session).await?;
        Some(Hint::Predecessor(due.target.uri.clone(), manifest))
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
        known(session.in_time(Side::Destination, action, read).await)
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
            match session.in_time(Side::Source, action, head).await {
                Ok(found) if found.digest == *digest => return Some(origin.repository().clone()),
                Ok(_) => tracing::debug!(%origin, "the origin is not up to date with upstream"),
                Err(error) => {
                    tracing::info!(%origin, "the origin cannot be used: {}", error.chain());
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

/// What was found; an error is logged, and the plan does without.
fn known<T>(found: Result<T, Error>) -> Option<T> {
    let log = |error: &Error| tracing::info!("planning continues without: {}", error.chain());
    found.inspect_err(log).ok()
}

fn all_due<'a>(requests: &'a [Request], survey: &Survey) -> Vec<Due<'a>> {
    requests.iter().flat_map(|it| due(it, survey)).collect()
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
        if is_read && !target.waits_for_scan && !is_up_to_date {
            found.push(Due {
                request,
                target,
                upstream: upstream.clone(),
                present: survey.present(target).cloned(),
            });
        }
    }
    found
}

/// What the record says that `present` was cut from, if it is about this digest and these platforms.
fn recorded(survey: &Survey, due: &Due<'_>, present: &Digest) -> Option<SubsetOf> {
    let uri = &due.target.uri;
    let platforms = due.request.platforms();
    let upstream = &due.upstream.digest;
    let record = state::tag_record(survey.records.get(uri.repository())?, uri.tag())?;
    let subset = RecordedSubset::new(Some(present), platforms);
    let is_this = record.digest.as_ref() == Some(upstream) && record.subset == subset;
    is_this.then(|| SubsetOf::new(upstream.clone(), platforms))
}
