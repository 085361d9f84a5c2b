//! `rescan`: what a scan found in the mirror asks upstream for something newer.
//!
//! Our own push leads to a scan, and the scan leads here: equal digests end the circle, and the state tags keep it from asking
//! upstream again within an hour.

mod scanned;

use std::time::SystemTime;

use image_replicator::catalogue::Catalogue;
use image_replicator::engine::{Replicator, Session};
use image_replicator::error::Error;
use image_replicator::events::{Ignored, Scan, Signal, signals};
use image_replicator::image::reference::{ImageRef, RepositoryRef};
use image_replicator::outcome::report::{ImageReport, Outcome, Policy, Report};
use image_replicator::request::{DestinationRoots, Trigger, TriggerKind, origin};
use jiff::Timestamp;
use scanned::{Led, Scanned};
use serde::Serialize;
use serde_json::Value;

/// What became of an event.
#[derive(Debug, Serialize)]
pub struct Rescanned {
    /// What became of the images that are copied because of it.
    #[serde(flatten)]
    pub report: Report,
    /// Images with findings that upstream has not mended yet.
    pub waiting: Vec<String>,
    /// What the event held that asks for nothing.
    pub ignored: Vec<Ignored>,
}

/// Acts on the scans that `event` tells of. Safe to run twice, and in any order.
///
/// No refresh knows that a scan came back clean: what keeps a publication for now is an error, so that Lambda asks again.
pub async fn handle(
    event: &Value,
    request_id: &str,
    deadline: SystemTime,
    replicator: &Replicator,
) -> Result<Rescanned, Error> {
    let session = Session::until(deadline, Timestamp::now().into());
    let (mut outcomes, mut waiting, mut ignored) = (Vec::new(), Vec::new(), Vec::new());
    let mut unpublished = None;
    let mut scans = Vec::new();
    for signal in signals(event) {
        match signal {
            Signal::Scan(scan) => scans.push(scan),
            Signal::Ignored(nothing) => ignored.push(nothing),
            Signal::PullFailure(failure) => ignored.push(not_ours(failure.image)),
            Signal::BuildLog(log) => ignored.push(not_ours(log.build)),
        }
    }
    if !scans.is_empty() {
        let catalogue = replicator.any_catalogue().await?;
        let places = replicator.places(catalogue.destinations.values()).await;
        for scan in scans {
            let (found, strange) =
                scanned(&scan, request_id, &catalogue, &places, &session, replicator).await?;
            ignored.extend(strange);
            for one in found {
                let what = one.uri.to_string();
                match Box::pin(one.act(&catalogue, &session, replicator)).await {
                    Ok(Led::Brought(brought)) => outcomes.extend(brought),
                    Ok(Led::Published(brought)) => {
                        unpublished = unpublished
                            .or(brought.iter().find_map(Outcome::retryable_error).cloned());
                        outcomes.extend(brought);
                    }
                    Ok(Led::Waiting) => waiting.push(what),
                    Ok(Led::Ignored(why)) => ignored.push(Ignored { what, why }),
                    Err(error) => unpublished = unpublished.or(Some(error)),
                }
            }
        }
        replicator.postpone(&mut outcomes, Some(&catalogue)).await;
        replicator.record(&outcomes, &session).await;
    }
    let report = Report::from_outcomes(&outcomes, Policy::Keep, replicator.quota());
    for outcome in &outcomes {
        ImageReport::from_outcome(outcome, Policy::Keep).log(&outcome.trigger);
    }
    tracing::info!(?waiting, ?ignored, "scans read");
    unpublished.map_or(
        Ok(Rescanned {
            report,
            waiting,
            ignored,
        }),
        Err,
    )
}

fn not_ours(what: String) -> Ignored {
    Ignored {
        what,
        why: "a failed pull is the business of rescue".to_owned(),
    }
}

/// The tags of the mirror that `scan` is about, and what it says that is none of ours.
async fn scanned(
    scan: &Scan,
    request_id: &str,
    catalogue: &Catalogue,
    places: &DestinationRoots,
    session: &Session,
    replicator: &Replicator,
) -> Result<(Vec<Scanned>, Vec<Ignored>), Error> {
    let ignore = |why: &str| Ignored {
        what: format!("{}@{}", scan.repository, scan.digest),
        why: why.to_owned(),
    };
    let registry = replicator
        .registry_of(scan.account.as_deref(), scan.region.as_deref())
        .await?;
    // A delegated administrator of Amazon Inspector hears of the findings of all accounts.
    if !places
        .values()
        .flatten()
        .any(|place| place.registry == registry)
    {
        if let Some(Err(error)) = places
            .values()
            .find(|place| place.as_ref().is_err_and(Error::is_transient))
        {
            return Err(error.clone());
        }
        return Ok((
            Vec::new(),
            vec![ignore("no destination of the catalogue is in its registry")],
        ));
    }
    let repository = RepositoryRef {
        registry,
        path: scan.repository.clone(),
    };
    let upstream_of = |uri: &ImageRef| {
        origin(catalogue, places, uri).filter(|upstream| catalogue.allows(upstream))
    };
    let tagged: Vec<_> = scan
        .tags
        .iter()
        .map(|tag| ImageRef::new(repository.clone(), tag))
        .collect();
    let is_part = tagged.is_empty();
    let named = if is_part {
        replicator
            .indexes_with(
                &repository,
                &scan.digest,
                |uri| upstream_of(uri).is_some(),
                session,
            )
            .await?
    } else {
        tagged
            .into_iter()
            .flatten()
            .map(|uri| (uri, scan.digest.clone()))
            .collect()
    };
    if named.is_empty() {
        return Ok((Vec::new(), vec![ignore("no tag of the mirror leads to it")]));
    }
    let (mut found, mut strange) = (Vec::new(), Vec::new());
    for (uri, digest) in named {
        let Some(upstream) = upstream_of(&uri) else {
            strange.push(ignore(
                "neither the catalogue nor its rescue.allow leads to it",
            ));
            continue;
        };
        let id = if scan.id.is_empty() {
            request_id
        } else {
            &scan.id
        };
        let trigger = Trigger {
            kind: TriggerKind::Scan,
            id: id.to_owned(),
        };
        found.push(Scanned {
            scan: Scan {
                digest,
                ..scan.clone()
            },
            is_part,
            uri,
            upstream,
            trigger,
        });
    }
    Ok((found, strange))
}
