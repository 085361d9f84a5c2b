//! `rescue`: a pull that failed somewhere becomes a copy in the mirror, so that the next try finds the image there.
//!
//! Names in events are untrusted: only what the catalogue names, or its `rescue.allow`, is ever copied.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use image_replicator::catalogue::Catalogue;
use image_replicator::engine::{Replicator, Session};
use image_replicator::error::Error;
use image_replicator::events::{BuildLog, FailureKind, Ignored, PullFailure, Signal, signals};
use image_replicator::image::host::Host;
use image_replicator::image::reference::{ImageRef, InvalidReference};
use image_replicator::outcome::report::{ImageReport, Outcome, Policy, Report};
use image_replicator::request::{DestinationRoots, Request, Trigger, TriggerKind, origin};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// What became of an event.
#[derive(Debug, Serialize)]
pub struct Rescued {
    /// What became of the images that may be copied.
    #[serde(flatten)]
    pub report: Report,
    /// Images that may not be copied, and why.
    pub refused: Vec<Refused>,
    /// What the event held that asks for no copy.
    pub ignored: Vec<Ignored>,
}

/// An image that may not be copied.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The image as the event names it.
    pub image: String,
    /// Why.
    pub why: String,
}

/// What a pull failure asks for.
enum Verdict {
    Copy(ImageRef),
    Refuse(String),
    Ignore(String),
}

/// Copies, or has copied, what `event` could not pull. Safe to run twice, and in any order: one wish makes one copy.
pub async fn handle(
    event: &Value,
    request_id: &str,
    deadline: SystemTime,
    replicator: &Replicator,
) -> Result<Rescued, Error> {
    let session = Session::until(deadline, Timestamp::now().into());
    let (failures, mut ignored) = failures(event, replicator).await?;
    let mut refused = Vec::new();
    let mut outcomes = Vec::new();
    if !failures.is_empty() {
        let catalogue = replicator.any_catalogue().await?;
        let places = replicator.places(catalogue.destinations.values()).await;
        let mut wanted: BTreeMap<ImageRef, Trigger> = BTreeMap::new();
        for failure in failures {
            match judge(&failure, &catalogue, &places) {
                Verdict::Copy(image) => drop(
                    wanted
                        .entry(image)
                        .or_insert_with(|| trigger(&failure, request_id)),
                ),
                Verdict::Refuse(why) => refused.push(Refused {
                    image: failure.image,
                    why,
                }),
                Verdict::Ignore(why) => ignored.push(Ignored {
                    what: failure.image,
                    why,
                }),
            }
        }
        outcomes = bring(&wanted, &catalogue, &session, replicator).await;
        replicator.postpone(&mut outcomes, Some(&catalogue)).await;
        replicator.record(&outcomes, &session).await;
    }
    let report = Report::from_outcomes(&outcomes, Policy::Keep, replicator.quota());
    for outcome in &outcomes {
        ImageReport::from_outcome(outcome, Policy::Keep).log(&outcome.trigger);
    }
    for Refused { image, why } in &refused {
        tracing::warn!(image, why, "refused");
    }
    for Ignored { what, why } in &ignored {
        tracing::info!(what, why, "ignored");
    }
    Ok(Rescued {
        report,
        refused,
        ignored,
    })
}

/// The failed pulls that `event` tells of, those in build logs included, each once.
async fn failures(
    event: &Value,
    replicator: &Replicator,
) -> Result<(Vec<PullFailure>, Vec<Ignored>), Error> {
    let (mut failures, mut ignored) = (Vec::new(), Vec::new());
    for signal in signals(event) {
        match signal {
            Signal::PullFailure(failure) => failures.push(failure),
            Signal::BuildLog(log) => match in_log(&log, replicator).await {
                Ok(found) if found.is_empty() => {
                    ignored.push(Ignored {
                        what: log.build,
                        why: "its log tells of no failed pull".to_owned(),
                    });
                }
                Ok(found) => failures.extend(found),
                // Lambda tries again what passes.
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => ignored.push(Ignored {
                    what: log.build,
                    why: error.chain(),
                }),
            },
            Signal::Scan(scan) => {
                let why = "an image scan is the business of rescan".to_owned();
                ignored.push(Ignored {
                    what: scan.repository,
                    why,
                });
            }
            Signal::Ignored(nothing) => ignored.push(nothing),
        }
    }
    let mut seen = BTreeSet::new();
    failures.retain(|failure| seen.insert(failure.image.clone()));
    Ok((failures, ignored))
}

async fn in_log(log: &BuildLog, replicator: &Replicator) -> Result<Vec<PullFailure>, Error> {
    Ok(log.pull_failures(&replicator.log_tail(&log.group, &log.stream).await?))
}

fn judge(failure: &PullFailure, catalogue: &Catalogue, places: &DestinationRoots) -> Verdict {
    let image = match wanted(&failure.image, catalogue) {
        Ok(image) => image,
        Err(problem) => return Verdict::Refuse(format!("it is no image with a tag: {problem}")),
    };
    let upstream = match origin(catalogue, places, &image) {
        Some(upstream) => upstream,
        None if is_a_mirror(&image, places) => {
            return Verdict::Refuse("no naming template of the catalogue leads to it".to_owned());
        }
        None => match failure.kind {
            FailureKind::NotFound => {
                return Verdict::Ignore("upstream itself has no such image".to_owned());
            }
            FailureKind::Denied => {
                return Verdict::Ignore(
                    "upstream denies access to it; a copy would be denied too".to_owned(),
                );
            }
            FailureKind::PullLimit | FailureKind::AbuseLimit | FailureKind::Network => image,
        },
    };
    if catalogue.allows(&upstream) {
        Verdict::Copy(upstream)
    } else {
        Verdict::Refuse(format!(
            "neither the catalogue nor its rescue.allow names {upstream}"
        ))
    }
}

/// The image that `name` stands for. The digest of `name:tag@sha256:…` says which bytes were wanted; what is mirrored is the tag, unless
/// the catalogue pins just these.
fn wanted(name: &str, catalogue: &Catalogue) -> Result<ImageRef, InvalidReference> {
    match name.parse() {
        Ok(pin) if catalogue.covers(&pin) => Ok(pin),
        _ => name.split('@').next().unwrap_or_default().parse(),
    }
}

/// Whether the image's registry is one that we write to: then what it lacks is ours to explain.
fn is_a_mirror(image: &ImageRef, places: &DestinationRoots) -> bool {
    let registry = &image.repository().registry;
    matches!(Host::parse(registry), Host::Ecr { .. })
        || places
            .values()
            .flatten()
            .any(|place| place.registry == *registry)
}

fn trigger(failure: &PullFailure, request_id: &str) -> Trigger {
    let id = if failure.id.is_empty() {
        request_id
    } else {
        &failure.id
    };
    Trigger {
        kind: TriggerKind::PullFailure,
        id: id.to_owned(),
    }
}

async fn bring(
    wanted: &BTreeMap<ImageRef, Trigger>,
    catalogue: &Catalogue,
    session: &Session,
    replicator: &Replicator,
) -> Vec<Outcome> {
    let mut requests: Vec<Request> = Vec::with_capacity(wanted.len());
    for (image, trigger) in wanted {
        let images = [catalogue.resolve(image.clone())];
        requests.extend(replicator.requests(catalogue, &images, trigger).await);
    }
    replicator.bring(&requests, session).await
}
