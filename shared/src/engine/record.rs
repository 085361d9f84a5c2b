//! Remembering: sync state into the resource tags of the destination repositories, and news to those who want them.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::{Replicator, Session};
use crate::catalogue::SelectionResult;
use crate::error::{Cause, Error};
use crate::image::reference::RepositoryRef;
use crate::outcome::notice::Notice;
use crate::outcome::report::{Done, Outcome, TargetOutcome};
use crate::outcome::state::{
    RecordStatus, RecordedSubset, ResourceTags, TagChanges, TagUpdate, plan_changes,
};
use crate::request::Trigger;

/// Repositories at once.
const AT_ONCE: usize = 8;

/// How much of the catalogue a run looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it: a trouble with a tag that it does not name any more is over.
    Whole,
    /// Some of it; other tags are as they were.
    Part,
}

impl Replicator {
    /// Records `outcomes`: one ListTagsForResource for each repository, and writes only where that says something new.
    ///
    /// State is a record and never the truth, so that a failure here is logged and changes no result.
    pub async fn record(&self, outcomes: &[Outcome], session: &Session) {
        self.announce(&notices(outcomes)).await;
        self.remember(outcomes, Scope::Part, session).await;
    }

    /// The same for a run of a catalogue with selections. While one could not be listed, nobody knows which tags are wanted no more.
    pub async fn record_expanded(
        &self,
        outcomes: &[Outcome],
        selected: &[SelectionResult],
        trigger: &Trigger,
        scope: Scope,
        session: &Session,
    ) {
        let mut news = notices(outcomes);
        news.extend(
            selected
                .iter()
                .filter_map(|selected| Notice::from_selection(selected, trigger)),
        );
        self.announce(&news).await;
        let is_whole = selected.iter().all(SelectionResult::is_listed);
        self.remember(
            outcomes,
            if is_whole { scope } else { Scope::Part },
            session,
        )
        .await;
    }

    async fn remember(&self, outcomes: &[Outcome], scope: Scope, session: &Session) {
        let now = self.now();
        let mut repositories: BTreeMap<&RepositoryRef, (Vec<TagUpdate>, BTreeSet<String>)> =
            BTreeMap::new();
        for (outcome, place) in outcomes
            .iter()
            .flat_map(|outcome| outcome.places.iter().map(move |place| (outcome, place)))
        {
            let (news, wanted) = repositories
                .entry(place.target.uri.repository())
                .or_default();
            wanted.insert(place.target.uri.tag().to_owned());
            news.extend(new(outcome, place));
        }
        let write =
            |(repository, (news, wanted)): (&RepositoryRef, (Vec<TagUpdate>, BTreeSet<String>))| {
                let repository = repository.clone();
                async move {
                    let wanted = Some(&wanted).filter(|_| scope == Scope::Whole);
                    // What was seen before the copies is good enough to tell that there is nothing to write.
                    let seen = session.remembered(&repository);
                    if !seen.is_some_and(|tags| {
                        plan_changes(&tags, &news, wanted, now) == TagChanges::default()
                    }) {
                        self.write(&repository, &news, wanted).await;
                    }
                }
            };
        let with_news = repositories
            .into_iter()
            .filter(|(_, (news, _))| !news.is_empty());
        let writes: Vec<_> = with_news.map(|one| write(one).boxed()).collect();
        stream::iter(writes)
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<()>>()
            .await;
    }

    /// Records `news` of one repository.
    pub async fn note(&self, repository: &RepositoryRef, news: &[TagUpdate]) {
        self.write(repository, news, None).await;
    }

    async fn write(
        &self,
        repository: &RepositoryRef,
        news: &[TagUpdate],
        wanted: Option<&BTreeSet<String>>,
    ) {
        match self.record_one(repository, news, wanted).await {
            // Nothing was copied there yet: there is nothing to hang a record on.
            Err(error) if *error.cause() == Cause::NotFound => {}
            Err(error) => {
                tracing::warn!(%repository, "sync state is not recorded: {}", error.chain())
            }
            Ok(()) => {}
        }
    }

    async fn record_one(
        &self,
        repository: &RepositoryRef,
        news: &[TagUpdate],
        wanted: Option<&BTreeSet<String>>,
    ) -> Result<(), Error> {
        let Some(control) = self.aws.repository(repository).await else {
            return Ok(());
        };
        let changes = plan_changes(&control.tags().await?, news, wanted, self.now());
        control.write_tags(&changes).await
    }

    /// The resource tags of `repository`; none where the registry has no such thing.
    pub async fn state(&self, repository: &RepositoryRef) -> Result<ResourceTags, Error> {
        match self.aws.repository(repository).await {
            Some(control) => control.tags().await,
            None => Ok(ResourceTags::new()),
        }
    }
}

fn notices(outcomes: &[Outcome]) -> Vec<Notice> {
    outcomes.iter().filter_map(Notice::from_outcome).collect()
}

/// What is queued is recorded by who copies it; what was not begun is no news.
fn new(outcome: &Outcome, place: &TargetOutcome) -> Option<TagUpdate> {
    let status = match &place.result {
        Ok(Done::Queued | Done::AwaitsScan) => return None,
        Ok(Done::Unchanged | Done::Copied) => RecordStatus::Ok,
        Err(error) if error.is_transient() => RecordStatus::Deferred,
        Err(_) => RecordStatus::Failed,
    };
    let level = place.present.as_ref().filter(|_| place.result.is_ok());
    Some(TagUpdate {
        tag: place.target.uri.tag().to_owned(),
        upstream: outcome.image.repository().to_string(),
        digest: outcome.upstream.clone(),
        status,
        is_copied: matches!(place.result, Ok(Done::Copied)),
        subset: RecordedSubset::new(level, &outcome.platforms),
        retry_at: place.result.as_ref().err().and_then(Error::retry_at),
        findings: String::new(),
    })
}
