//! `refresh`: a schedule, or somebody's list of images, brought to the mirror.
//!
//! With a queue it finds out what has moved and asks `replicate` for it; without one it copies by itself.

use std::time::SystemTime;

use image_replicator::engine::{Replicator, Scope, Session};
use image_replicator::error::Error;
use image_replicator::outcome::report::{Policy, Report};
use image_replicator::request::{RefreshScope, TriggerKind, wish};
use jiff::Timestamp;
use serde_json::Value;

/// Refreshes what `event` wants (see [`wish`]) and reports on every tag of it, and on each selection that comes to nothing.
///
/// Safe to run twice: what is level is left alone, and the queue takes one wish once.
pub async fn handle(
    event: &Value,
    request_id: &str,
    deadline: SystemTime,
    replicator: &Replicator,
) -> Result<Report, Error> {
    let (wish, trigger) = wish(event, request_id)?;
    let (catalogue, scope) = match wish {
        RefreshScope::Catalogue => (replicator.catalogue().await?, Scope::Whole),
        RefreshScope::Inline(text) => match replicator.inline(&text).await {
            // A destination that is no longer in the catalogue must not keep all others waiting.
            Err(error) if trigger.kind == TriggerKind::Schedule => {
                tracing::warn!(
                    "all of the catalogue is refreshed in place of what was put off: {}",
                    error.chain()
                );
                (replicator.catalogue().await?, Scope::Whole)
            }
            catalogue => (catalogue?, Scope::Part),
        },
    };
    let session = Session::until(deadline, Timestamp::now().into());
    let (catalogue, selected) = replicator.expand(catalogue, &session).await;
    let requests = replicator
        .requests(&catalogue, &catalogue.images, &trigger)
        .await;
    let mut outcomes = replicator.bring(&requests, &session).await;
    replicator.postpone(&mut outcomes, Some(&catalogue)).await;
    replicator
        .record_expanded(&outcomes, &selected, &trigger, scope, &session)
        .await;
    let report = Report::from_outcomes(&outcomes, Policy::Keep, replicator.quota())
        .with_selections(&selected);
    report.log(&trigger);
    Ok(report)
}
