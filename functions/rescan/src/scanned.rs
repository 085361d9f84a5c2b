//! One tag of the mirror that was scanned, and what that leads to.

use image_replicator::catalogue::Catalogue;
use image_replicator::engine::{Replicator, Session};
use image_replicator::error::Error;
use image_replicator::events::Scan;
use image_replicator::image::reference::ImageRef;
use image_replicator::outcome::report::Outcome;
use image_replicator::outcome::state::{self, RecordStatus, RecordedSubset, TagRecord, TagUpdate};
use image_replicator::plan::{Action, Step, UpstreamTag};
use image_replicator::request::{Request, Trigger};
use jiff::SignedDuration;

/// For so long what the state tags say of upstream counts as known.
const COOL_DOWN: SignedDuration = SignedDuration::from_hours(1);

/// A tag of the mirror that was scanned.
pub(crate) struct Scanned {
    /// The scan, of the digest that the tag stands for.
    pub(crate) scan: Scan,
    /// Whether one image of an index was scanned: ECR scans those, and not the index.
    pub(crate) is_part: bool,
    /// The tag in the mirror.
    pub(crate) uri: ImageRef,
    /// The image that it is a copy of.
    pub(crate) upstream: ImageRef,
    pub(crate) trigger: Trigger,
}

/// What a scan led to.
pub(crate) enum Led {
    Brought(Vec<Outcome>),
    Published(Vec<Outcome>),
    Waiting,
    Ignored(String),
}

impl Scanned {
    /// Acts on the scan; an error where it cannot be told whether something has to be published.
    pub(crate) async fn act(
        &self,
        catalogue: &Catalogue,
        session: &Session,
        replicator: &Replicator,
    ) -> Result<Led, Error> {
        if self.scan.severities.at_or_above(catalogue.severity) > 0 {
            Ok(self.look_upstream(catalogue, session, replicator).await)
        } else if self.is_part {
            Ok(Led::Ignored(
                "a part of an index is clean, which says nothing of the others".to_owned(),
            ))
        } else if !self.scan.is_complete {
            Ok(Led::Ignored(
                "no finding counts so far, and not everything is known; a whole scan will tell"
                    .to_owned(),
            ))
        } else {
            self.publish(catalogue, session, replicator).await
        }
    }

    /// Findings: is there something newer?
    async fn look_upstream(
        &self,
        catalogue: &Catalogue,
        session: &Session,
        replicator: &Replicator,
    ) -> Led {
        let is_fresh =
            |entry: &TagRecord| replicator.now().duration_since(entry.recorded_at) < COOL_DOWN;
        match self.on_record(replicator).await.filter(is_fresh) {
            Some(entry) if entry.status == RecordStatus::WaitingForUpstream => {
                return Led::Ignored(
                    "upstream was asked within the hour and had nothing newer".to_owned(),
                );
            }
            Some(entry) if entry.status == RecordStatus::Ok => {
                return self.wait(entry, replicator).await;
            }
            _ => {}
        }
        let requests = self.requests(catalogue, replicator).await;
        let survey = replicator.survey(&requests, session).await;
        let plan = replicator.plan(&requests, &survey);
        let is_scanned = |step: &Step| {
            step.target.uri == self.uri && step.present.as_ref() == Some(&self.scan.digest)
        };
        let is_up_to_date = |step: &Step| is_scanned(step) && matches!(step.action, Action::Keep);
        if let Some(planned) = plan
            .0
            .iter()
            .find(|planned| planned.steps.iter().any(is_up_to_date))
        {
            let subset = RecordedSubset::new(Some(&self.scan.digest), &planned.platforms);
            let upstream = planned.upstream.clone();
            return self
                .wait(
                    TagRecord {
                        subset,
                        ..TagRecord::new(upstream, RecordStatus::Ok, replicator.now())
                    },
                    replicator,
                )
                .await;
        }
        Led::Brought(replicator.act(plan, session).await)
    }

    /// What the state tags say of the scanned digest.
    async fn on_record(&self, replicator: &Replicator) -> Option<TagRecord> {
        let tags = replicator.state(self.uri.repository()).await.ok()?;
        let entry = state::tag_record(&tags, self.uri.tag())?;
        (entry.mirrored_digest() == Some(&self.scan.digest)).then_some(entry)
    }

    async fn wait(&self, known: TagRecord, replicator: &Replicator) -> Led {
        self.note(known, RecordStatus::WaitingForUpstream, replicator)
            .await;
        Led::Waiting
    }

    async fn note(&self, known: TagRecord, status: RecordStatus, replicator: &Replicator) {
        let news = TagUpdate {
            tag: self.uri.tag().to_owned(),
            upstream: self.upstream.repository().to_string(),
            digest: known.digest,
            status,
            is_copied: false,
            subset: known.subset,
            retry_at: None,
            findings: self.scan.severities.to_string(),
        };
        replicator.note(self.uri.repository(), &[news]).await;
    }

    /// No findings that count: what waited for that may be published, by the digest that was scanned.
    async fn publish(
        &self,
        catalogue: &Catalogue,
        session: &Session,
        replicator: &Replicator,
    ) -> Result<Led, Error> {
        let on_record = self.on_record(replicator).await;
        // What is published is named as upstream names it.
        let digest = on_record
            .as_ref()
            .and_then(|entry| entry.digest.clone())
            .unwrap_or(self.scan.digest.clone());
        if let Some(entry) =
            on_record.filter(|entry| entry.status == RecordStatus::WaitingForUpstream)
        {
            self.note(entry, RecordStatus::Ok, replicator).await;
        }
        let mut requests = self.requests(catalogue, replicator).await;
        for request in &mut requests {
            request.targets.retain(|target| target.waits_for_scan);
            request
                .targets
                .iter_mut()
                .for_each(|target| target.waits_for_scan = false);
            // What was scanned is there to be read, and counts no pulls.
            request.origins.insert(0, self.uri.clone());
        }
        if requests.iter().all(|request| request.targets.is_empty()) {
            let severity = catalogue.severity;
            return Ok(Led::Ignored(format!(
                "no finding of {severity:?} or above, and nothing waits for that"
            )));
        }
        let repository = self.uri.repository().clone();
        if replicator.tag(&self.uri, session).await?.as_ref() != Some(&self.scan.digest) {
            return Ok(Led::Ignored(format!(
                "{repository} has moved on since it was scanned"
            )));
        }
        let as_scanned = |found: Result<UpstreamTag, Error>| {
            let found = found.ok().filter(|seen| seen.digest == digest);
            Ok(found.unwrap_or_else(|| UpstreamTag::unasked(digest.clone(), &self.upstream)))
        };
        let survey = replicator.survey_as(&requests, as_scanned, session).await;
        Ok(Led::Published(
            replicator
                .act(replicator.plan(&requests, &survey), session)
                .await,
        ))
    }

    async fn requests(&self, catalogue: &Catalogue, replicator: &Replicator) -> Vec<Request> {
        replicator
            .requests(
                catalogue,
                &[catalogue.resolve(self.upstream.clone())],
                &self.trigger,
            )
            .await
    }
}
