//! `rescue`: an image that could not be pulled is copied to the mirror, so that the next try finds it.
//!
//! Names in events are untrusted: only images of the catalogue, or of its `rescue.allow`, are copied.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use image_replicator::catalogue::Catalogue;
use image_replicator::engine::{Job, Replicator, Session};
use image_replicator::error::Error;
use image_replicator::events::{BuildLog, FailureKind, Ignored, PullFailure, Signal, signals};
use image_replicator::image::host::Host;
use image_replicator::image::reference::{ImageRef, InvalidReference};
use image_replicator::outcome::Outcome;
use image_replicator::outcome::report::{Answer, Policy, Report};
use image_replicator::request::resolve::upstream_of;
use image_replicator::request::{DestinationRoots, Trigger, TriggerKind};
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
    /// What the event contains that leads to no copy.
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

impl Answer for Rescued {
    type Response = Self;

    fn report(&self) -> Report {
        self.report.clone()
    }

    fn into_response(self) -> Self {
        self
    }
}

/// What is done about a failed pull.
enum Decision {
    Copy(ImageRef),
    Refuse(String),
    Ignore(String),
}

/// The failed pulls of an event, and the rest of it.
#[derive(Default)]
struct Failures {
    pulls: Vec<PullFailure>,
    ignored: Vec<Ignored>,
}

/// Copies what `event` could not pull. Safe to run twice, and in any order: the same request leads to
/// one copy.
pub async fn handle(
    event: &Value,
    request_id: &str,
    deadline: SystemTime,
    replicator: &Replicator,
) -> Result<Rescued, Error> {
    let session = Session::until(deadline, Timestamp::now().into());
    let Failures { pulls, mut ignored } = read_failures(event, replicator).await?;
    let mut refused = Vec::new();
    let mut outcomes = Vec::new();
    if !pulls.is_empty() {
        let catalogue = replicator.catalogue_or_default().await?;
        let destinations = catalogue.destinations.values();
        let roots = replicator.destination_roots(destinations).await;
        let mut allowed: BTreeMap<ImageRef, Trigger> = BTreeMap::new();
        for failure in pulls {
            match decide(&failure, &catalogue, &roots) {
                Decision::Copy(image) => {
                    let trigger = || trigger(&failure, request_id);
                    allowed.entry(image).or_insert_with(trigger);
                }
                Decision::Refuse(why) => refused.push(Refused {
                    image: failure.image,
                    why,
                }),
                Decision::Ignore(why) => ignored.push(Ignored {
                    what: failure.image,
                    why,
                }),
            }
        }
        outcomes = copy(allowed, &catalogue, &session, replicator).await;
    }
    let report = Report::from_outcomes(&outcomes, Policy::Keep, replicator.quota());
    report.log_with_triggers(&outcomes);
    log(&refused, &ignored);
    Ok(Rescued {
        report,
        refused,
        ignored,
    })
}

/// The failed pulls of `event`, those in build logs included, each image once.
async fn read_failures(event: &Value, replicator: &Replicator) -> Result<Failures, Error> {
    let mut found = Failures::default();
    for signal in signals(event) {
        match signal {
            Signal::PullFailure(failure) => found.pulls.push(failure),
            Signal::BuildLog(log) => read_log(log, &mut found, replicator).await?,
            Signal::Scan(scan) => found.ignored.push(Ignored {
                what: scan.repository,
                why: "image scans are handled by rescan".to_owned(),
            }),
            Signal::Ignored(ignored) => found.ignored.push(ignored),
        }
    }
    let mut seen = BTreeSet::new();
    found
        .pulls
        .retain(|failure| seen.insert(failure.image.clone()));
    Ok(found)
}

/// Adds the failed pulls in a build's log. An error that passes fails the invocation: Lambda retries
/// it.
async fn read_log(
    log: BuildLog,
    found: &mut Failures,
    replicator: &Replicator,
) -> Result<(), Error> {
    let why = match replicator.log_tail(&log.group, &log.stream).await {
        Ok(text) => {
            let failures = log.pull_failures(&text);
            if !failures.is_empty() {
                found.pulls.extend(failures);
                return Ok(());
            }
            "its log contains no failed pull".to_owned()
        }
        Err(error) if error.is_transient() => return Err(error),
        Err(error) => error.chain(),
    };
    found.ignored.push(Ignored {
        what: log.build,
        why,
    });
    Ok(())
}

fn decide(failure: &PullFailure, catalogue: &Catalogue, roots: &DestinationRoots) -> Decision {
    let image = match parse_image(&failure.image, catalogue) {
        Ok(image) => image,
        Err(problem) => return Decision::Refuse(format!("it is no image with a tag: {problem}")),
    };
    let upstream = match upstream_of(catalogue, roots, &image) {
        Some(upstream) => upstream,
        None if is_in_mirror(&image, roots) => {
            let why = "no naming template of the catalogue leads to it";
            return Decision::Refuse(why.to_owned());
        }
        None => match failure.kind {
            FailureKind::NotFound => {
                let why = "upstream itself has no such image";
                return Decision::Ignore(why.to_owned());
            }
            FailureKind::Denied => {
                let why = "upstream denies access to it; a copy would be denied too";
                return Decision::Ignore(why.to_owned());
            }
            FailureKind::PullLimit | FailureKind::AbuseLimit | FailureKind::Network => image,
        },
    };
    if !catalogue.allows(&upstream) {
        let why = format!("neither the catalogue nor its rescue.allow names {upstream}");
        return Decision::Refuse(why);
    }
    Decision::Copy(upstream)
}

/// The image called `name`. The digest of `name:tag@sha256:…` is what was pulled; the tag is what is
/// mirrored, unless the catalogue has that very pin.
fn parse_image(name: &str, catalogue: &Catalogue) -> Result<ImageRef, InvalidReference> {
    match name.parse() {
        Ok(pin) if catalogue.covers(&pin) => Ok(pin),
        _ => {
            let (tagged, _digest) = name.split_once('@').unwrap_or((name, ""));
            tagged.parse()
        }
    }
}

/// Whether the image's registry is one that the mirror writes to, or an ECR registry.
fn is_in_mirror(image: &ImageRef, roots: &DestinationRoots) -> bool {
    let registry = &image.repository().registry;
    let mut roots = roots.values().flatten();
    matches!(Host::parse(registry), Host::Ecr { .. }) || roots.any(|it| it.registry == *registry)
}

fn trigger(failure: &PullFailure, request_id: &str) -> Trigger {
    let id = match failure.id.as_str() {
        "" => request_id,
        id => id,
    };
    Trigger {
        kind: TriggerKind::PullFailure,
        id: id.to_owned(),
    }
}

async fn copy(
    images: BTreeMap<ImageRef, Trigger>,
    catalogue: &Catalogue,
    session: &Session,
    replicator: &Replicator,
) -> Vec<Outcome> {
    let mut requests = Vec::with_capacity(images.len());
    for (image, trigger) in &images {
        let image = [catalogue.resolve(image.clone())];
        let request = replicator.requests(catalogue, &image, trigger).await;
        requests.extend(request);
    }
    let Some(trigger) = images.into_values().next() else {
        return Vec::new();
    };
    let job = Job::new(requests, trigger);
    replicator.run(job, session).await.outcomes
}

fn log(refused: &[Refused], ignored: &[Ignored]) {
    for Refused { image, why } in refused {
        tracing::warn!(image, why, "refused");
    }
    for Ignored { what, why } in ignored {
        tracing::info!(what, why, "ignored");
    }
}
