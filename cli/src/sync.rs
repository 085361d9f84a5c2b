//! `sync`, `plan` and `ensure`.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use image_replicator::catalogue::{Catalogue, SelectionResult};
use image_replicator::engine::{Replicator, Scope, Session};
use image_replicator::error::Error;
use image_replicator::outcome::report::{ImageReport, Outcome, Policy, Report};
use image_replicator::plan::{Action, Plan};
use image_replicator::request::{Request, Trigger, TriggerKind};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::args::{Ensure, Wanted};
use crate::output;

/// How often the progress bar moves.
const TICK: Duration = Duration::from_millis(100);
/// As long as it takes: nobody cuts a command line off but its user.
const NO_DEADLINE: SystemTime = SystemTime::UNIX_EPOCH;

/// What is asked for.
pub(crate) struct Asked {
    pub(crate) requests: Vec<Request>,
    /// What became of the catalogue's selections.
    pub(crate) selected: Vec<SelectionResult>,
}

/// Brings the mirror level with upstream.
pub(crate) async fn sync(
    replicator: &Replicator,
    wanted: &Wanted,
    is_json: bool,
) -> Result<bool, Error> {
    let session = Session::new(None);
    let asked = ask(replicator, &wanted.images, &wanted.to, &session).await?;
    let survey = replicator.survey(&asked.requests, &session).await;
    let mut outcomes = carry_out(
        replicator,
        replicator.plan_work(&asked.requests, &survey),
        &session,
        is_json,
    )
    .await;
    replicator.postpone(&mut outcomes, None).await;
    replicator
        .record_expanded(
            &outcomes,
            &asked.selected,
            &trigger(),
            Scope::Part,
            &session,
        )
        .await;
    let report = Report::from_outcomes(&outcomes, Policy::Keep, replicator.quota())
        .with_selections(&asked.selected);
    if is_json {
        output::json(&report);
    } else {
        report.images[outcomes.len()..]
            .iter()
            .for_each(output::image);
        output::summary(&report);
    }
    Ok(report.ok)
}

/// Prints what `sync` would do, and before that, why each tag of a selection is taken or dropped.
pub(crate) async fn show_plan(
    replicator: &Replicator,
    wanted: &Wanted,
    is_json: bool,
) -> Result<bool, Error> {
    let session = Session::new(None);
    let Asked { requests, selected } =
        ask(replicator, &wanted.images, &wanted.to, &session).await?;
    let plan = replicator.plan_work(&requests, &replicator.survey(&requests, &session).await);
    if is_json {
        output::json(
            &json!({"selections": selected, "images": plan.0, "quota": replicator.quota()}),
        );
    } else {
        for selection in &selected {
            output::line(selection.to_string().trim_end());
        }
        output::line(plan.to_string().trim_end());
    }
    let is_refused = |action: &Action| matches!(action, Action::Refuse(_));
    let mut steps = plan.0.iter().flat_map(|planned| &planned.steps);
    let is_selected = selected.iter().all(|selected| selected.error().is_none());
    let is_placed = plan.0.iter().all(|planned| planned.unplaced.is_empty());
    Ok(is_selected && is_placed && !steps.any(|step| is_refused(&step.action)))
}

/// Makes sure that images can be pulled.
pub(crate) async fn ensure(
    replicator: &Replicator,
    wanted: Ensure,
    is_json: bool,
) -> Result<bool, Error> {
    let Ensure {
        images,
        wait_seconds,
        no_stale,
    } = wanted;
    let wanted = ensure::Wanted {
        images,
        wait_seconds,
        allow_stale: !no_stale,
    };
    let report = ensure::handle(&wanted, "replicator ensure", NO_DEADLINE, replicator).await?;
    if is_json {
        output::json(&report);
    } else {
        report.images.iter().for_each(output::image);
    }
    Ok(report.ok)
}

/// The requests for `images`, or for the whole catalogue where there are none.
pub(crate) async fn ask(
    replicator: &Replicator,
    images: &[String],
    to: &[String],
    session: &Session,
) -> Result<Asked, Error> {
    let catalogue = catalogue(replicator, images, to).await?;
    let (catalogue, selected) = replicator.expand(catalogue, session).await;
    let requests = replicator
        .requests(&catalogue, &catalogue.images, &trigger())
        .await;
    Ok(Asked { requests, selected })
}

fn trigger() -> Trigger {
    Trigger {
        kind: TriggerKind::OnDemand,
        id: "replicator".to_owned(),
    }
}

async fn catalogue(
    replicator: &Replicator,
    images: &[String],
    to: &[String],
) -> Result<Catalogue, Error> {
    if images.is_empty() {
        return replicator.catalogue().await;
    }
    let entry = |image: &String| {
        if to.is_empty() {
            json!({"image": image})
        } else {
            json!({"image": image, "to": to})
        }
    };
    let document = json!({"images": images.iter().map(entry).collect::<Vec<_>>()});
    replicator.inline(&format!("{document:#}")).await
}

/// A bar on a terminal; a line for each image everywhere, on standard error where standard output is for JSON.
async fn carry_out(
    replicator: &Replicator,
    plan: Plan,
    session: &Session,
    is_json: bool,
) -> Vec<Outcome> {
    let bar = ProgressBar::new(plan.0.len() as u64);
    let style =
        ProgressStyle::with_template("{spinner} {pos}/{len} images  {wide_bar}  {msg}  {elapsed}");
    bar.set_style(style.expect("the template is a constant"));
    let tell = |outcome: &Outcome| {
        let report = ImageReport::from_outcome(outcome, Policy::Keep);
        bar.suspend(|| {
            if is_json {
                output::complain(format_args!("{} {}", report.status, report.image));
            } else {
                output::image(&report);
            }
        });
        bar.inc(1);
    };
    let mut tick = tokio::time::interval(TICK);
    let mut copies = pin!(replicator.carry_out(plan, session, tell));
    let outcomes = loop {
        tokio::select! {
            outcomes = &mut copies => break outcomes,
            _ = tick.tick() => {
                bar.set_message(output::size(session.moved_bytes()));
                bar.tick();
            }
        }
    };
    bar.finish_and_clear();
    outcomes
}
