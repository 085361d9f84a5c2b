//! One tag of the mirror that was scanned, and what that leads to.

use image_replicator::catalogue::Catalogue;
use image_replicator::engine::{Job, Prepared, Replicator, Retry, Session, Upstream};
use image_replicator::error::Error;
use image_replicator::events::Scan;
use image_replicator::image::digest::Digest;
use image_replicator::image::reference::ImageRef;
use image_replicator::outcome::Outcome;
use image_replicator::outcome::state::{self, RecordStatus, RecordedSubset, TagRecord, TagUpdate};
use image_replicator::plan::{Action, Step};
use image_replicator::request::{Request, Trigger};
use jiff::SignedDuration;

/// How long the record of a tag spares a request to upstream.
const COOL_DOWN: SignedDuration = SignedDuration::from_hours(1);

/// A tag of the mirror that was scanned.
pub(crate) struct ScannedTag {
    /// The scan, with the digest of the tag.
    pub(crate) scan: Scan,
    /// Whether a child of the tag's index was scanned: ECR scans those, and not the index.
    pub(crate) is_child: bool,
    /// The tag in the mirror.
    pub(crate) uri: ImageRef,
    /// The image that it is a copy of.
    pub(crate) upstream: ImageRef,
    pub(crate) trigger: Trigger,
}

/// What a scan leads to.
pub(crate) enum Reaction {
    Copied(Vec<Outcome>),
    Published(Vec<Outcome>),
    WaitForUpstream,
    Ignore(String),
}

impl ScannedTag {
    /// Acts on the scan; an error if it is unknown whether something has to be published.
    pub(crate) async fn react(
        &self,
        catalogue: &Catalogue,
        session: &Session,
        replicator: &Replicator,
    ) -> Result<Reaction, Error> {
        if self.scan.severities.at_or_above(catalogue.severity) > 0 {
            return Ok(self.ask_upstream(catalogue, session, replicator).await);
        }
        if self.is_child {
            let why = "one image of an index is clean, which says nothing of the others";
            return Ok(Reaction::Ignore(why.to_owned()));
        }
        if !self.scan.is_complete {
            let why = "no finding counts so far, but the scan is not complete";
            return Ok(Reaction::Ignore(why.to_owned()));
        }
        self.publish(catalogue, session, replicator).await
    }

    /// There are findings: copies what upstream has, if that is newer.
    async fn ask_upstream(
        &self,
        catalogue: &Catalogue,
        session: &Session,
        replicator: &Replicator,
    ) -> Reaction {
        if let Some(record) = self.record(replicator).await {
            let age = replicator.now().duration_since(record.recorded_at);
            match record.status {
                RecordStatus::WaitingForUpstream if age < COOL_DOWN => {
                    let why = "upstream was asked within the hour and had nothing newer";
                    return Reaction::Ignore(why.to_owned());
                }
                RecordStatus::Ok if age < COOL_DOWN => {
                    self.record_findings(record, replicator).await;
                    return Reaction::WaitForUpstream;
                }
                _ => {}
            }
        }
        let requests = self.requests(catalogue, replicator).await;
        let job = Job::new(requests, self.trigger.clone());
        let prepared = replicator.prepare(job, session).await;
        if let Some(record) = self.kept(&prepared, replicator) {
            self.record_findings(record, replicator).await;
            return Reaction::WaitForUpstream;
        }
        let finished = replicator.execute(prepared, session, |_| ()).await;
        Reaction::Copied(finished.outcomes)
    }

    /// The record of the scanned tag, if the plan keeps it because upstream has the scanned digest.
    fn kept(&self, prepared: &Prepared, replicator: &Replicator) -> Option<TagRecord> {
        let digest = &self.scan.digest;
        let is_kept = |step: &Step| {
            let is_scanned = step.target.uri == self.uri && step.present.as_ref() == Some(digest);
            is_scanned && matches!(step.action, Action::Keep)
        };
        let mut images = prepared.plan.0.iter();
        let planned = images.find(|planned| planned.steps.iter().any(is_kept))?;
        let upstream = planned.upstream.clone();
        Some(TagRecord {
            subset: RecordedSubset::new(Some(digest), planned.request.platforms()),
            ..TagRecord::new(upstream, RecordStatus::Ok, replicator.now())
        })
    }

    /// What is recorded of the scanned digest.
    async fn record(&self, replicator: &Replicator) -> Option<TagRecord> {
        let tags = replicator.resource_tags(self.uri.repository()).await.ok()?;
        let record = state::tag_record(&tags, self.uri.tag())?;
        (record.mirrored_digest() == Some(&self.scan.digest)).then_some(record)
    }

    async fn record_findings(&self, known: TagRecord, replicator: &Replicator) {
        let status = RecordStatus::WaitingForUpstream;
        self.record_status(known, status, replicator).await;
    }

    async fn record_status(&self, known: TagRecord, status: RecordStatus, replicator: &Replicator) {
        let update = TagUpdate {
            tag: self.uri.tag().to_owned(),
            upstream: self.upstream.repository().to_string(),
            digest: known.digest,
            status,
            is_copied: false,
            subset: known.subset,
            retry_at: None,
            findings: self.scan.severities.to_string(),
        };
        let repository = self.uri.repository();
        replicator.record_updates(repository, &[update]).await;
    }

    /// No finding counts: what waited for a clean scan is published, at the digest that was scanned.
    async fn publish(
        &self,
        catalogue: &Catalogue,
        session: &Session,
        replicator: &Replicator,
    ) -> Result<Reaction, Error> {
        let record = self.record(replicator).await;
        // A publication has upstream's digest, which differs from the scanned one for a subset.
        let recorded = record.as_ref().and_then(|record| record.digest.clone());
        let digest = recorded.unwrap_or_else(|| self.scan.digest.clone());
        if let Some(record) = record
            && record.status == RecordStatus::WaitingForUpstream
        {
            self.record_status(record, RecordStatus::Ok, replicator)
                .await;
        }
        let requests = self.publications(catalogue, replicator).await;
        if requests.iter().all(|request| request.targets.is_empty()) {
            let severity = catalogue.severity;
            let why = format!("no finding of {severity:?} or above, and no target waits for that");
            return Ok(Reaction::Ignore(why));
        }
        if replicator.tag(&self.uri, session).await?.as_ref() != Some(&self.scan.digest) {
            let why = format!("{} has moved since it was scanned", self.uri);
            return Ok(Reaction::Ignore(why));
        }
        let finished = self.run_publication(requests, digest, session, replicator);
        Ok(Reaction::Published(finished.await))
    }

    async fn run_publication(
        &self,
        requests: Vec<Request>,
        digest: Digest,
        session: &Session,
        replicator: &Replicator,
    ) -> Vec<Outcome> {
        let job = Job {
            upstream: Upstream::Exactly(digest),
            retry: Retry::Caller,
            ..Job::new(requests, self.trigger.clone())
        };
        replicator.run(job, session).await.outcomes
    }

    /// The requests for the targets that wait for a clean scan.
    async fn publications(&self, catalogue: &Catalogue, replicator: &Replicator) -> Vec<Request> {
        let mut requests = self.requests(catalogue, replicator).await;
        for request in &mut requests {
            request.targets.retain(|target| target.waits_for_scan);
            for target in &mut request.targets {
                target.waits_for_scan = false;
            }
            // The scanned copy can be read, and counts no pulls.
            request.origins.insert(0, self.uri.clone());
        }
        requests
    }

    async fn requests(&self, catalogue: &Catalogue, replicator: &Replicator) -> Vec<Request> {
        let image = [catalogue.resolve(self.upstream.clone())];
        replicator.requests(catalogue, &image, &self.trigger).await
    }
}
