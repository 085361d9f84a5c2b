//! `refresh`: brings the catalogue, or the images of an event, up to date in the mirror.
//!
//! With a queue it finds out which tags have moved and asks `replicate` to copy them; without one it
//! copies them itself.

use std::time::SystemTime;

use image_replicator::catalogue::Catalogue;
use image_replicator::engine::{Job, Replicator, Scope, Session};
use image_replicator::error::Error;
use image_replicator::outcome::report::{Policy, Report};
use image_replicator::request::TriggerKind;
use image_replicator::request::refresh_event::{self, RefreshScope};
use jiff::Timestamp;
use serde_json::Value;

/// Refreshes what `event` asks for (see [`refresh_event::parse`]), and reports on every tag of it, and
/// on each selection without a tag.
///
/// Safe to run twice: targets that are up to date are left alone, and the queue takes the same copy
/// once.
pub async fn handle(
    event: &Value,
    request_id: &str,
    deadline: SystemTime,
    replicator: &Replicator,
) -> Result<Report, Error> {
    let (requested, trigger) = refresh_event::parse(event, request_id)?;
    let (catalogue, scope) = read_catalogue(requested, trigger.kind, replicator).await?;
    let session = Session::until(deadline, Timestamp::now().into());
    let (catalogue, selections) = replicator.expand(catalogue, &session).await;
    let images = &catalogue.images;
    let requests = replicator.requests(&catalogue, images, &trigger).await;
    let job = Job {
        selections,
        scope,
        ..Job::new(requests, trigger.clone())
    };
    let finished = replicator.run(job, &session).await;
    let report = finished.report(Policy::Keep, replicator.quota());
    report.log(&trigger);
    Ok(report)
}

async fn read_catalogue(
    requested: RefreshScope,
    trigger: TriggerKind,
    replicator: &Replicator,
) -> Result<(Catalogue, Scope), Error> {
    let RefreshScope::Inline(text) = requested else {
        return Ok((replicator.catalogue().await?, Scope::Whole));
    };
    match replicator.inline_catalogue(&text).await {
        // A destination that was removed from the catalogue must not keep the other deferred images
        // waiting.
        Err(error) if trigger == TriggerKind::Schedule => {
            tracing::warn!(
                "the deferred images cannot be read; the whole catalogue is refreshed instead: {}",
                error.chain()
            );
            Ok((replicator.catalogue().await?, Scope::Whole))
        }
        catalogue => Ok((catalogue?, Scope::Part)),
    }
}
