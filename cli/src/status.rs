//! `status`: what the tags of the mirror's repositories say.

use std::collections::{BTreeMap, BTreeSet};

use image_replicator::catalogue::SelectionResult;
use image_replicator::engine::{Replicator, Session};
use image_replicator::error::Error;
use image_replicator::image::digest::Digest;
use image_replicator::image::reference::RepositoryRef;
use image_replicator::outcome::state::{self, ResourceTags};
use image_replicator::timestamp;
use serde_json::json;

use crate::output;
use crate::sync::{self, Asked};

/// Prints a row for each tag on record. It holds when no repository is `failed` or `partial`, every record can be read, and it is
/// known which there are.
pub(crate) async fn show(
    replicator: &Replicator,
    images: &[String],
    is_json: bool,
) -> Result<bool, Error> {
    let Asked { requests, selected } =
        sync::ask(replicator, images, &[], &Session::new(None)).await?;
    let unknown: Vec<Error> = selected.iter().filter_map(SelectionResult::error).collect();
    let unplaced = requests.iter().flat_map(|request| &request.unplaced);
    let strange: BTreeSet<String> = unknown.iter().chain(unplaced).map(Error::chain).collect();
    for problem in &strange {
        output::complain(problem);
    }
    let targets = requests.iter().flat_map(|request| &request.targets);
    let repositories: BTreeSet<&RepositoryRef> =
        targets.map(|target| target.uri.repository()).collect();
    let mut states = BTreeMap::new();
    for repository in repositories {
        states.insert(repository.to_string(), replicator.state(repository).await);
    }
    if is_json {
        let document: BTreeMap<_, _> = states
            .iter()
            .map(|(name, state)| (name, as_json(state)))
            .collect();
        output::json(&json!({"repositories": document}));
    } else {
        let head = [
            "REPOSITORY",
            "TAG",
            "STATUS",
            "UPSTREAM",
            "SINCE",
            "NEXT TRY",
        ]
        .map(str::to_owned)
        .to_vec();
        output::table(
            &std::iter::once(head)
                .chain(states.iter().flat_map(|(name, state)| rows(name, state)))
                .collect::<Vec<_>>(),
        );
    }
    Ok(strange.is_empty() && states.values().all(is_well))
}

fn is_well(state: &Result<ResourceTags, Error>) -> bool {
    let summary = |tags: &ResourceTags| tags.get(state::STATUS_KEY).cloned();
    state
        .as_ref()
        .is_ok_and(|tags| !matches!(summary(tags).as_deref(), Some("failed" | "partial")))
}

fn rows(repository: &str, state: &Result<ResourceTags, Error>) -> Vec<Vec<String>> {
    let row = |cells: [&str; 5]| {
        std::iter::once(repository)
            .chain(cells)
            .map(str::to_owned)
            .collect()
    };
    let tags = match state {
        Ok(tags) => tags,
        Err(error) => return vec![row(["-", "unknown", &error.chain(), "", ""])],
    };
    let entries = state::tag_records(tags);
    if entries.is_empty() {
        return vec![row(["-", "no record", "", "", ""])];
    }
    let entry = |(tag, entry): (&String, &state::TagRecord)| {
        let digest = entry.digest.as_ref().map_or("-", Digest::short);
        let since = timestamp::format_seconds(entry.first_deferred_at.unwrap_or(entry.recorded_at));
        let next_try = entry
            .retry_at
            .map(timestamp::format_seconds)
            .unwrap_or_default();
        row([tag, &entry.status.to_string(), digest, &since, &next_try])
    };
    entries.iter().map(entry).collect()
}

fn as_json(state: &Result<ResourceTags, Error>) -> serde_json::Value {
    match state {
        Ok(tags) => json!(
            tags.iter()
                .filter(|(key, _)| key.starts_with("replicator:"))
                .collect::<BTreeMap<_, _>>()
        ),
        Err(error) => json!({"error": error.chain()}),
    }
}
