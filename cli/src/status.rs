//! `status`: what the resource tags of the mirror's repositories record.

use std::collections::{BTreeMap, BTreeSet};

use image_replicator::catalogue::SelectionResult;
use image_replicator::engine::{Job, Replicator, Session};
use image_replicator::error::Error;
use image_replicator::image::digest::Digest;
use image_replicator::image::reference::RepositoryRef;
use image_replicator::outcome::state::{self, ResourceTags, STATUS_KEY, TagRecord};
use image_replicator::timestamp;
use serde_json::{Value, json};

use crate::args::ImageArgs;
use crate::output;
use crate::sync;

/// The record of each repository, or why it cannot be read.
type Records = BTreeMap<String, Result<ResourceTags, Error>>;

/// Prints a row for each recorded tag. Returns whether no repository is `failed` or `partial`, every
/// record can be read, and every repository is known.
pub(crate) async fn show(
    replicator: &Replicator,
    images: Vec<String>,
    is_json: bool,
) -> Result<bool, Error> {
    let args = ImageArgs {
        images,
        to: Vec::new(),
    };
    let job = sync::job(replicator, &args, &Session::new(None)).await?;
    let problems = problems(&job);
    for problem in &problems {
        output::complain(problem);
    }
    let mut records = Records::new();
    for repository in repositories(&job) {
        let tags = replicator.resource_tags(repository).await;
        records.insert(repository.to_string(), tags);
    }
    if is_json {
        print_json(&records);
    } else {
        print_table(&records);
    }
    Ok(problems.is_empty() && records.values().all(is_well))
}

/// Why some selections have no tags, and some destinations no target.
fn problems(job: &Job) -> BTreeSet<String> {
    let of_selections = job.selections.iter().filter_map(SelectionResult::error);
    let mut problems: BTreeSet<String> = of_selections.map(|error| error.chain()).collect();
    for request in &job.requests {
        problems.extend(request.unresolved.iter().map(Error::chain));
    }
    problems
}

fn repositories(job: &Job) -> BTreeSet<&RepositoryRef> {
    let targets = job.requests.iter().flat_map(|request| &request.targets);
    targets.map(|target| target.uri.repository()).collect()
}

fn is_well(record: &Result<ResourceTags, Error>) -> bool {
    let Ok(tags) = record else { return false };
    let status = tags.get(STATUS_KEY).map(String::as_str);
    !matches!(status, Some("failed" | "partial"))
}

fn print_table(records: &Records) {
    let head = [
        "REPOSITORY",
        "TAG",
        "STATUS",
        "UPSTREAM",
        "SINCE",
        "NEXT TRY",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    for (repository, record) in records {
        table.extend(rows(repository, record));
    }
    output::table(&table);
}

fn rows(repository: &str, record: &Result<ResourceTags, Error>) -> Vec<Vec<String>> {
    let row = |cells: [&str; 5]| {
        let cells = std::iter::once(repository).chain(cells);
        cells.map(str::to_owned).collect()
    };
    let tags = match record {
        Ok(tags) => tags,
        Err(error) => return vec![row(["-", "unknown", &error.chain(), "", ""])],
    };
    let records = state::tag_records(tags);
    if records.is_empty() {
        return vec![row(["-", "no record", "", "", ""])];
    }
    let tag_row = |(tag, record): (&String, &TagRecord)| {
        let status = record.status.to_string();
        let digest = record.digest.as_ref().map_or("-", Digest::short);
        let since = record.first_deferred_at.unwrap_or(record.recorded_at);
        let since = timestamp::format_seconds(since);
        let next_try = record
            .retry_at
            .map(timestamp::format_seconds)
            .unwrap_or_default();
        row([tag, &status, digest, &since, &next_try])
    };
    records.iter().map(tag_row).collect()
}

fn print_json(records: &Records) {
    let mut repositories = BTreeMap::new();
    for (repository, record) in records {
        repositories.insert(repository, as_json(record));
    }
    output::json(&json!({"repositories": repositories}));
}

/// Our own resource tags; those of the repository's owner are left out.
fn as_json(record: &Result<ResourceTags, Error>) -> Value {
    match record {
        Ok(tags) => {
            let ours = tags
                .iter()
                .filter(|(key, _)| key.starts_with("replicator:"));
            json!(ours.collect::<BTreeMap<_, _>>())
        }
        Err(error) => json!({"error": error.chain()}),
    }
}
