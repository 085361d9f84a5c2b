//! `rescan`: findings of a scan in the mirror make it ask upstream for something newer, and a clean scan
//! publishes what waited for it.
//!
//! Our own push leads to a scan, and the scan leads here. Equal digests end that circle, and the record
//! keeps upstream from being asked again within an hour.

mod scanned_tag;

use std::time::SystemTime;

use image_replicator::catalogue::Catalogue;
use image_replicator::engine::{Replicator, Session};
use image_replicator::error::Error;
use image_replicator::events::{Ignored, Scan, Signal, signals};
use image_replicator::image::digest::Digest;
use image_replicator::image::reference::{ImageRef, RepositoryRef};
use image_replicator::outcome::Outcome;
use image_replicator::outcome::report::{Answer, Policy, Report};
use image_replicator::request::resolve::upstream_of;
use image_replicator::request::{DestinationRoots, Trigger, TriggerKind};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::scanned_tag::{Reaction, ScannedTag};

/// What became of an event.
#[derive(Debug, Serialize)]
pub struct Rescanned {
    /// What became of the images that are copied because of it.
    #[serde(flatten)]
    pub report: Report,
    /// Images with findings for which upstream has nothing newer yet.
    pub waiting: Vec<String>,
    /// What the event contains that leads to nothing.
    pub ignored: Vec<Ignored>,
}

impl Answer for Rescanned {
    type Response = Self;

    fn report(&self) -> Report {
        self.report.clone()
    }

    fn into_response(self) -> Self {
        self
    }
}

/// What became of the scans so far.
#[derive(Default)]
struct Progress {
    outcomes: Vec<Outcome>,
    waiting: Vec<String>,
    ignored: Vec<Ignored>,
    /// The first error that keeps something from being published for now.
    unpublished: Option<Error>,
}

/// The catalogue, and where its images are in the mirror.
struct Mirror<'a> {
    catalogue: &'a Catalogue,
    roots: &'a DestinationRoots,
}

impl Mirror<'_> {
    /// The upstream image of `uri`, if it may be copied.
    fn upstream_of(&self, uri: &ImageRef) -> Option<ImageRef> {
        let upstream = upstream_of(self.catalogue, self.roots, uri)?;
        self.catalogue.allows(&upstream).then_some(upstream)
    }

    fn has_registry(&self, registry: &str) -> bool {
        let mut roots = self.roots.values().flatten();
        roots.any(|root| root.registry == registry)
    }

    /// The error of a destination whose registry is not known for now.
    fn transient_error(&self) -> Option<&Error> {
        let mut errors = self.roots.values().filter_map(|root| root.as_ref().err());
        errors.find(|error| error.is_transient())
    }
}

/// Acts on the scans in `event`. Safe to run twice, and in any order.
///
/// No refresh knows that a scan was clean: what keeps a publication for now is an error, so that Lambda
/// tries again.
pub async fn handle(
    event: &Value,
    request_id: &str,
    deadline: SystemTime,
    replicator: &Replicator,
) -> Result<Rescanned, Error> {
    let session = Session::until(deadline, Timestamp::now().into());
    let mut progress = Progress::default();
    let scans = read_scans(event, &mut progress.ignored);
    if !scans.is_empty() {
        let catalogue = replicator.catalogue_or_default().await?;
        let destinations = catalogue.destinations.values();
        let roots = &replicator.destination_roots(destinations).await;
        let mirror = Mirror {
            catalogue: &catalogue,
            roots,
        };
        for scan in scans {
            let found = find_tags(&scan, &mirror, request_id, &session, replicator).await?;
            progress.ignored.extend(found.ignored);
            for tag in found.tags {
                let reaction = Box::pin(tag.react(&catalogue, &session, replicator)).await;
                progress.add(&tag.uri, reaction);
            }
        }
    }
    let report = Report::from_outcomes(&progress.outcomes, Policy::Keep, replicator.quota());
    report.log_with_triggers(&progress.outcomes);
    let (waiting, ignored) = (&progress.waiting, &progress.ignored);
    tracing::info!(?waiting, ?ignored, "scans read");
    match progress.unpublished {
        Some(error) => Err(error),
        None => Ok(Rescanned {
            report,
            waiting: progress.waiting,
            ignored: progress.ignored,
        }),
    }
}

impl Progress {
    fn add(&mut self, uri: &ImageRef, reaction: Result<Reaction, Error>) {
        match reaction {
            Ok(Reaction::Copied(outcomes)) => self.outcomes.extend(outcomes),
            Ok(Reaction::Published(outcomes)) => {
                let error = outcomes.iter().find_map(Outcome::retryable_error);
                self.note_unpublished(error.cloned());
                self.outcomes.extend(outcomes);
            }
            Ok(Reaction::WaitForUpstream) => self.waiting.push(uri.to_string()),
            Ok(Reaction::Ignore(why)) => self.ignored.push(Ignored {
                what: uri.to_string(),
                why,
            }),
            Err(error) => self.note_unpublished(Some(error)),
        }
    }

    fn note_unpublished(&mut self, error: Option<Error>) {
        if self.unpublished.is_none() {
            self.unpublished = error;
        }
    }
}

/// The scans of `event`; the rest is added to `ignored`.
fn read_scans(event: &Value, ignored: &mut Vec<Ignored>) -> Vec<Scan> {
    let not_ours = |what: String| Ignored {
        what,
        why: "failed pulls are handled by rescue".to_owned(),
    };
    let mut scans = Vec::new();
    for signal in signals(event) {
        match signal {
            Signal::Scan(scan) => scans.push(scan),
            Signal::Ignored(other) => ignored.push(other),
            Signal::PullFailure(failure) => ignored.push(not_ours(failure.image)),
            Signal::BuildLog(log) => ignored.push(not_ours(log.build)),
        }
    }
    scans
}

/// The tags of the mirror that a scan is about, and why others are not.
#[derive(Default)]
struct FoundTags {
    tags: Vec<ScannedTag>,
    ignored: Vec<Ignored>,
}

async fn find_tags(
    scan: &Scan,
    mirror: &Mirror<'_>,
    request_id: &str,
    session: &Session,
    replicator: &Replicator,
) -> Result<FoundTags, Error> {
    let ignore = |why: &str| Ignored {
        what: format!("{}@{}", scan.repository, scan.digest),
        why: why.to_owned(),
    };
    let mut found = FoundTags::default();
    let account = scan.account.as_deref();
    let registry = replicator
        .ecr_registry(account, scan.region.as_deref())
        .await?;
    // A delegated administrator of Amazon Inspector gets the findings of all accounts.
    if !mirror.has_registry(&registry) {
        if let Some(error) = mirror.transient_error() {
            return Err(error.clone());
        }
        let why = "no destination of the catalogue is in its registry";
        found.ignored.push(ignore(why));
        return Ok(found);
    }
    let path = scan.repository.clone();
    let repository = RepositoryRef { registry, path };
    let tagged = tagged_digests(scan, &repository, mirror, session, replicator).await?;
    if tagged.is_empty() {
        found
            .ignored
            .push(ignore("no tag of the mirror leads to it"));
    }
    for (uri, digest) in tagged {
        let Some(upstream) = mirror.upstream_of(&uri) else {
            let why = "neither the catalogue nor its rescue.allow leads to it";
            found.ignored.push(ignore(why));
            continue;
        };
        let id = match scan.id.as_str() {
            "" => request_id,
            id => id,
        };
        found.tags.push(ScannedTag {
            scan: Scan {
                digest,
                ..scan.clone()
            },
            is_child: scan.tags.is_empty(),
            uri,
            upstream,
            trigger: Trigger {
                kind: TriggerKind::Scan,
                id: id.to_owned(),
            },
        });
    }
    Ok(found)
}

/// The tags that the scan names, with its digest. ECR scans the children of an index and not the index:
/// a scan without tags is about the tags whose index contains its digest.
async fn tagged_digests(
    scan: &Scan,
    repository: &RepositoryRef,
    mirror: &Mirror<'_>,
    session: &Session,
    replicator: &Replicator,
) -> Result<Vec<(ImageRef, Digest)>, Error> {
    if scan.tags.is_empty() {
        let is_ours = |uri: &ImageRef| mirror.upstream_of(uri).is_some();
        let digest = &scan.digest;
        return replicator
            .indexes_with(repository, digest, is_ours, session)
            .await;
    }
    let uris = scan
        .tags
        .iter()
        .map(|tag| ImageRef::new(repository.clone(), tag));
    let with_digest = |uri| (uri, scan.digest.clone());
    Ok(uris.flatten().map(with_digest).collect())
}
