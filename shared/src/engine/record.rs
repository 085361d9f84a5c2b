//! Recording: sync state in the resource tags of the destination repositories.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::run::{Job, Scope, Settled};
use super::{Replicator, Session};
use crate::catalogue::SelectionResult;
use crate::error::{Cause, Error};
use crate::image::reference::RepositoryRef;
use crate::outcome::state::{
    RecordStatus, RecordedSubset, ResourceTags, TagChanges, TagUpdate, plan_changes,
};
use crate::outcome::{Done, Outcome, TargetOutcome};

/// Repositories that are recorded concurrently.
const MAX_CONCURRENT_RECORDS: usize = 8;

/// What is new about one repository.
#[derive(Default)]
struct RepositoryUpdate {
    updates: Vec<TagUpdate>,
    /// The tags that were requested.
    requested: BTreeSet<String>,
}

impl Replicator {
    /// Records the outcomes: one ListTagsForResource for each repository, and a write only where
    /// something is new.
    ///
    /// The record is only informative: a failure here is logged and changes no result.
    pub(super) async fn record(&self, settled: &Settled, job: &Job, session: &Session) {
        // If a list could not be read, it is unknown which tags are no longer selected.
        let is_complete = job.selections.iter().all(SelectionResult::is_listed);
        let is_whole = job.scope == Scope::Whole && is_complete;
        let repositories = repository_updates(settled, job);
        let mut writes = Vec::with_capacity(repositories.len());
        for (repository, update) in &repositories {
            let requested = is_whole.then_some(&update.requested);
            let write = self.write_if_new(repository, &update.updates, requested, session);
            writes.push(write.boxed());
        }
        let writes = stream::iter(writes).buffer_unordered(MAX_CONCURRENT_RECORDS);
        writes.collect::<Vec<()>>().await;
    }

    /// Writes `updates`, unless the resource tags that the survey read show that nothing changes.
    async fn write_if_new(
        &self,
        repository: &RepositoryRef,
        updates: &[TagUpdate],
        requested: Option<&BTreeSet<String>>,
        session: &Session,
    ) {
        if let Some(tags) = session.remembered(repository) {
            let changes = plan_changes(&tags, updates, requested, self.now());
            if changes == TagChanges::default() {
                return;
            }
        }
        self.write(repository, updates, requested).await;
    }

    /// Records `updates` of one repository.
    pub async fn record_updates(&self, repository: &RepositoryRef, updates: &[TagUpdate]) {
        self.write(repository, updates, None).await;
    }

    async fn write(
        &self,
        repository: &RepositoryRef,
        updates: &[TagUpdate],
        requested: Option<&BTreeSet<String>>,
    ) {
        let written = self.try_write(repository, updates, requested).await;
        let Err(error) = written else { return };
        // Nothing was copied there yet: there is no repository to tag.
        if *error.cause() == Cause::NotFound {
            return;
        }
        let reason = error.chain();
        tracing::warn!(%repository, "could not record the sync state: {reason}");
    }

    async fn try_write(
        &self,
        repository: &RepositoryRef,
        updates: &[TagUpdate],
        requested: Option<&BTreeSet<String>>,
    ) -> Result<(), Error> {
        let Some(control) = self.aws.repository(repository).await else {
            return Ok(());
        };
        let tags = control.tags().await?;
        let changes = plan_changes(&tags, updates, requested, self.now());
        control.write_tags(&changes).await
    }

    /// The resource tags of `repository`; none where the registry has no resource tags.
    pub async fn resource_tags(&self, repository: &RepositoryRef) -> Result<ResourceTags, Error> {
        match self.aws.repository(repository).await {
            Some(control) => control.tags().await,
            None => Ok(ResourceTags::new()),
        }
    }
}

/// What is new, by repository. Repositories without updates are left out.
fn repository_updates(settled: &Settled, job: &Job) -> BTreeMap<RepositoryRef, RepositoryUpdate> {
    let mut repositories: BTreeMap<RepositoryRef, RepositoryUpdate> = BTreeMap::new();
    for outcome in &settled.0 {
        if !job.records(outcome) {
            continue;
        }
        for target in &outcome.targets {
            let uri = &target.target.uri;
            let entry = repositories.entry(uri.repository().clone());
            let repository = entry.or_default();
            repository.requested.insert(uri.tag().to_owned());
            let update = update(outcome, target);
            repository.updates.extend(update);
        }
    }
    repositories.retain(|_, repository| !repository.updates.is_empty());
    repositories
}

/// What is new about one target. The worker records what is queued; a copy that awaits a scan was not
/// begun.
fn update(outcome: &Outcome, target: &TargetOutcome) -> Option<TagUpdate> {
    let status = match &target.result {
        Ok(Done::Queued | Done::AwaitsScan) => return None,
        Ok(Done::Unchanged | Done::Copied) => RecordStatus::Ok,
        Err(error) if error.is_transient() => RecordStatus::Deferred,
        Err(_) => RecordStatus::Failed,
    };
    let request = &outcome.request;
    let tag = target.target.uri.tag();
    let upstream = request.image.repository();
    let error = target.result.as_ref().err();
    let mirrored = match error {
        None => target.present.as_ref(),
        Some(_) => None,
    };
    Some(TagUpdate {
        tag: tag.to_owned(),
        upstream: upstream.to_string(),
        digest: outcome.upstream.clone(),
        status,
        is_copied: matches!(target.result, Ok(Done::Copied)),
        subset: RecordedSubset::new(mirrored, request.platforms()),
        retry_at: error.and_then(Error::retry_at),
        findings: String::new(),
    })
}
