//! `sync`, `plan` and `ensure`.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use ensure::EnsureRequest;
use image_replicator::catalogue::{Catalogue, SelectionResult};
use image_replicator::engine::{Finished, Job, Prepared, Replicator, Route, Session};
use image_replicator::error::Error;
use image_replicator::outcome::Outcome;
use image_replicator::outcome::report::{ImageReport, Policy};
use image_replicator::plan::{Action, Plan};
use image_replicator::request::{Trigger, TriggerKind};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::args::{EnsureArgs, ImageArgs};
use crate::output;

/// How often the progress bar is redrawn.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);
/// A deadline that means none: only its user ends a command.
const NO_DEADLINE: SystemTime = SystemTime::UNIX_EPOCH;

/// Brings the mirror up to date. Returns whether every image is as requested.
pub(crate) async fn sync(
    replicator: &Replicator,
    args: &ImageArgs,
    is_json: bool,
) -> Result<bool, Error> {
    let session = Session::new(None);
    let job = job(replicator, args, &session).await?;
    let prepared = replicator.prepare(job, &session).await;
    let finished = execute(replicator, prepared, &session, is_json).await;
    let report = finished.report(Policy::Keep, replicator.quota());
    if is_json {
        output::json(&report);
    } else {
        let selections = &report.images[finished.outcomes.len()..];
        selections.iter().for_each(output::image);
        output::summary(&report);
    }
    Ok(report.ok)
}

/// Prints what `sync` would do, and before that why each tag of a selection is taken or dropped.
/// Returns whether every target could be planned.
pub(crate) async fn show_plan(
    replicator: &Replicator,
    args: &ImageArgs,
    is_json: bool,
) -> Result<bool, Error> {
    let session = Session::new(None);
    let job = job(replicator, args, &session).await?;
    let prepared = replicator.prepare(job, &session).await;
    let selections = prepared.selections();
    let plan = &prepared.plan;
    if is_json {
        let quota = replicator.quota();
        let document = json!({"selections": selections, "images": plan.0, "quota": quota});
        output::json(&document);
    } else {
        for selection in selections {
            output::line(selection.to_string().trim_end());
        }
        output::line(plan.to_string().trim_end());
    }
    let is_selected = selections
        .iter()
        .all(|selection| selection.error().is_none());
    Ok(is_selected && is_feasible(plan))
}

/// Whether every destination has a target, and every target can be planned.
fn is_feasible(plan: &Plan) -> bool {
    let is_resolved = plan
        .0
        .iter()
        .all(|planned| planned.request.unresolved.is_empty());
    let mut steps = plan.0.iter().flat_map(|planned| &planned.steps);
    is_resolved && !steps.any(|step| matches!(step.action, Action::Refuse(_)))
}

/// Makes sure that images can be pulled. Returns whether all can.
pub(crate) async fn ensure(
    replicator: &Replicator,
    args: EnsureArgs,
    is_json: bool,
) -> Result<bool, Error> {
    let request = EnsureRequest {
        images: args.images,
        wait_seconds: args.wait_seconds,
        allow_stale: !args.no_stale,
    };
    let report = ensure::handle(&request, "replicator ensure", NO_DEADLINE, replicator).await?;
    if is_json {
        output::json(&report);
    } else {
        report.images.iter().for_each(output::image);
    }
    Ok(report.ok)
}

/// The job for the images of `args`, or for the whole catalogue where there are none.
pub(crate) async fn job(
    replicator: &Replicator,
    args: &ImageArgs,
    session: &Session,
) -> Result<Job, Error> {
    let trigger = Trigger {
        kind: TriggerKind::OnDemand,
        id: "replicator".to_owned(),
    };
    let catalogue = catalogue(replicator, args).await?;
    let (catalogue, selections): (Catalogue, Vec<SelectionResult>) =
        replicator.expand(catalogue, session).await;
    let images = &catalogue.images;
    let requests = replicator.requests(&catalogue, images, &trigger).await;
    Ok(Job {
        selections,
        route: Route::Here,
        ..Job::new(requests, trigger)
    })
}

async fn catalogue(replicator: &Replicator, args: &ImageArgs) -> Result<Catalogue, Error> {
    if args.images.is_empty() {
        return replicator.catalogue().await;
    }
    let entry = |image: &String| {
        if args.to.is_empty() {
            json!({"image": image})
        } else {
            json!({"image": image, "to": args.to})
        }
    };
    let images: Vec<_> = args.images.iter().map(entry).collect();
    let document = json!({"images": images});
    replicator.inline_catalogue(&format!("{document:#}")).await
}

/// Copies with a progress bar on a terminal, and a line for each image everywhere: on standard error
/// where standard output is for JSON.
async fn execute(
    replicator: &Replicator,
    prepared: Prepared,
    session: &Session,
    is_json: bool,
) -> Finished {
    let bar = ProgressBar::new(prepared.plan.0.len() as u64);
    let template = "{spinner} {pos}/{len} images  {wide_bar}  {msg}  {elapsed}";
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.expect("the template is a constant"));
    let progress = |outcome: &Outcome| {
        bar.suspend(|| print_outcome(outcome, is_json));
        bar.inc(1);
    };
    let mut redraw = tokio::time::interval(REDRAW_INTERVAL);
    let mut execution = pin!(replicator.execute(prepared, session, progress));
    let finished = loop {
        tokio::select! {
            finished = &mut execution => break finished,
            _ = redraw.tick() => {
                bar.set_message(output::size(session.moved_bytes()));
                bar.tick();
            }
        }
    };
    bar.finish_and_clear();
    finished
}

fn print_outcome(outcome: &Outcome, is_json: bool) {
    let report = ImageReport::from_outcome(outcome, Policy::Keep);
    if is_json {
        output::complain(format_args!("{} {}", report.status, report.image));
    } else {
        output::image(&report);
    }
}
