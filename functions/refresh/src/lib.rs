//! `refresh`: a schedule, or somebody's list of images, brought to the mirror.
//!
//! With a queue it finds out what has moved and asks `replicate` for it; without one it copies by itself.

use std::time::SystemTime;

use futures_util::StreamExt;
use jiff::Timestamp;
use replicator::catalogue::Catalogue;
use replicator::error::Error;
use replicator::plan::plan;
use replicator::replicator::{Replicator, Run};
use replicator::report::{Outcome, Policy, Report};
use replicator::request::{Trigger, Wish, wish};
use serde_json::Value;

/// Refreshes what `event` wants (see [`wish`]) and reports on every tag of it.
///
/// Safe to run twice: what is level is left alone, and the queue takes one wish once.
pub async fn handle(
    event: &Value,
    request_id: &str,
    deadline: SystemTime,
    replicator: &Replicator,
) -> Result<Report, Error> {
    let (wish, trigger) = wish(event, request_id)?;
    let catalogue = match wish {
        Wish::Catalogue => replicator.catalogue().await?,
        Wish::Inline(text) => replicator.inline(&text).await?,
    };
    let run = Run::until(deadline, Timestamp::now().into(), None);
    let outcomes = refresh(&catalogue, &trigger, &run, replicator).await;
    replicator.record(&outcomes, Timestamp::now()).await;
    let report = Report::of(&outcomes, Policy::Keep, replicator.quota());
    report.log(&trigger);
    Ok(report)
}

async fn refresh(catalogue: &Catalogue, trigger: &Trigger, run: &Run, replicator: &Replicator) -> Vec<Outcome> {
    let requests = replicator.requests(catalogue, &catalogue.images, trigger).await;
    let survey = replicator.survey(&requests).await;
    let plan = plan(&requests, &survey);
    match &replicator.settings().queue_url {
        Some(queue) => replicator.enqueue(queue, plan).await,
        None => replicator.carry_out(plan, run).collect().await,
    }
}
