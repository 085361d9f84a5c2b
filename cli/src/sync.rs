//! `sync`, `plan` and `ensure`.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use replicator::catalogue::Catalogue;
use replicator::error::Error;
use replicator::plan::{Action, Plan};
use replicator::replicator::{Replicator, Run};
use replicator::report::{ImageReport, Outcome, Policy, Report};
use replicator::request::{Request, Trigger, TriggerKind};
use replicator::state::Scope;
use serde_json::json;

use crate::args::{Ensure, Wanted};
use crate::output;

/// How often the progress bar moves.
const TICK: Duration = Duration::from_millis(100);
/// As long as it takes: nobody cuts a command line off but its user.
const NO_DEADLINE: SystemTime = SystemTime::UNIX_EPOCH;

/// Brings the mirror level with upstream.
pub(crate) async fn sync(replicator: &Replicator, wanted: &Wanted, is_json: bool) -> Result<bool, Error> {
    let run = Run::new(None);
    let plan = find_out(replicator, wanted, &run).await?;
    let mut outcomes = carry_out(replicator, plan, &run, is_json).await;
    replicator.postpone(&mut outcomes, Timestamp::now()).await;
    replicator.record(&outcomes, Scope::Part, &run, Timestamp::now()).await;
    let report = Report::of(&outcomes, Policy::Keep, replicator.quota());
    if is_json {
        output::json(&report);
    } else {
        output::summary(&report);
    }
    Ok(report.ok)
}

/// Prints what `sync` would do.
pub(crate) async fn show_plan(replicator: &Replicator, wanted: &Wanted, is_json: bool) -> Result<bool, Error> {
    let plan = find_out(replicator, wanted, &Run::new(None)).await?;
    if is_json {
        output::json(&json!({"images": plan.0, "quota": replicator.quota()}));
    } else {
        output::line(plan.to_string().trim_end());
    }
    let is_refused = |action: &Action| matches!(action, Action::Refuse(_));
    let mut steps = plan.0.iter().flat_map(|planned| &planned.steps);
    Ok(plan.0.iter().all(|planned| planned.unplaced.is_empty()) && !steps.any(|step| is_refused(&step.action)))
}

/// Makes sure that images can be pulled.
pub(crate) async fn ensure(replicator: &Replicator, wanted: Ensure, is_json: bool) -> Result<bool, Error> {
    let Ensure { images, wait_seconds, no_stale } = wanted;
    let wanted = ensure::Wanted { images, wait_seconds, allow_stale: !no_stale };
    let report = ensure::handle(&wanted, "replicator ensure", NO_DEADLINE, replicator).await?;
    if is_json {
        output::json(&report);
    } else {
        report.images.iter().for_each(output::image);
    }
    Ok(report.ok)
}

async fn find_out(replicator: &Replicator, wanted: &Wanted, run: &Run) -> Result<Plan, Error> {
    let requests = requests(replicator, &wanted.images, &wanted.to).await?;
    let survey = replicator.survey(&requests, run).await;
    Ok(replicator.plan_work(&requests, &survey))
}

/// The requests for `images`, or for the whole catalogue where there are none.
pub(crate) async fn requests(replicator: &Replicator, images: &[String], to: &[String]) -> Result<Vec<Request>, Error> {
    let catalogue = catalogue(replicator, images, to).await?;
    let trigger = Trigger { kind: TriggerKind::OnDemand, id: "replicator".to_owned() };
    Ok(replicator.requests(&catalogue, &catalogue.images, &trigger).await)
}

async fn catalogue(replicator: &Replicator, images: &[String], to: &[String]) -> Result<Catalogue, Error> {
    if images.is_empty() {
        return replicator.catalogue().await;
    }
    let entry =
        |image: &String| if to.is_empty() { json!({"image": image}) } else { json!({"image": image, "to": to}) };
    let document = json!({"images": images.iter().map(entry).collect::<Vec<_>>()});
    replicator.inline(&format!("{document:#}")).await
}

/// A bar on a terminal; a line for each image everywhere, on standard error where standard output is for JSON.
async fn carry_out(replicator: &Replicator, plan: Plan, run: &Run, is_json: bool) -> Vec<Outcome> {
    let bar = ProgressBar::new(plan.0.len() as u64);
    let style = ProgressStyle::with_template("{spinner} {pos}/{len} images  {wide_bar}  {msg}  {elapsed}");
    bar.set_style(style.expect("the template is a constant"));
    let mut outcomes = Vec::with_capacity(plan.0.len());
    let mut tick = tokio::time::interval(TICK);
    let mut stream = std::pin::pin!(replicator.carry_out(plan, run));
    loop {
        tokio::select! {
            next = stream.next() => {
                let Some(outcome) = next else { break };
                let report = ImageReport::of(&outcome, Policy::Keep);
                bar.suspend(|| if is_json { output::complain(format_args!("{} {}", report.status, report.image)) } else { output::image(&report) });
                bar.inc(1);
                outcomes.push(outcome);
            }
            _ = tick.tick() => {
                bar.set_message(output::size(run.moved_bytes()));
                bar.tick();
            }
        }
    }
    bar.finish_and_clear();
    outcomes
}
