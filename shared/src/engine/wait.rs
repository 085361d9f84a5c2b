//! Waiting: a build wants the image, and the queue makes one copy of many wishes.

use std::time::Duration;

use jiff::Timestamp;

use super::{Replicator, Session, copy};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::platform::Platforms;
use crate::image::reference::ImageRef;
use crate::image::subset::SubsetOf;
use crate::outcome::report::{Done, Outcome, TargetOutcome};
use crate::outcome::state::{self, RecordStatus};

/// The first pause between two looks; each is a half longer than the last, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Replicator {
    /// Waits until what `outcomes` have queued is there, or a worker has recorded since `asked` that it cannot be for now, or `run` ends.
    pub async fn await_copies(
        &self,
        outcomes: &mut [Outcome],
        session: &Session,
        asked: Timestamp,
    ) {
        let mut pause = FIRST_PAUSE;
        while outcomes
            .iter()
            .flat_map(|outcome| &outcome.places)
            .any(is_queued)
        {
            if session.is_over_after(pause).await {
                break;
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            for outcome in outcomes.iter_mut() {
                let Some(upstream) = outcome.upstream.clone() else {
                    continue;
                };
                let wanted = SubsetOf::new(upstream, &outcome.platforms);
                for place in outcome.places.iter_mut().filter(|place| is_queued(place)) {
                    match self
                        .look(place, &wanted, &outcome.platforms, session, asked)
                        .await
                    {
                        Some(Ok(digest)) => {
                            (place.present, place.result) = (Some(digest), Ok(Done::Copied))
                        }
                        Some(Err(error)) => place.result = Err(error),
                        None => {}
                    }
                }
            }
        }
        for place in outcomes
            .iter_mut()
            .flat_map(|outcome| &mut outcome.places)
            .filter(|place| is_queued(place))
        {
            place.result = Err(late(place).because("it is queued, and will be copied"));
        }
    }

    /// The digest that is there once it is what was wanted; `None` while nothing is known. A look that fails is tried again with the
    /// next.
    async fn look(
        &self,
        place: &TargetOutcome,
        wanted: &SubsetOf,
        platforms: &Platforms,
        session: &Session,
        asked: Timestamp,
    ) -> Option<Result<Digest, Error>> {
        let uri = &place.target.uri;
        if let Ok(Some(here)) = self.tag(uri, session).await {
            let is_part = !platforms.is_all() && place.present.as_ref() != Some(&here);
            if here == wanted.upstream
                || (is_part && self.is_part(uri, &here, wanted, platforms).await)
            {
                return Some(Ok(here));
            }
        }
        let tags = self.state(uri.repository()).await.ok()?;
        let entry = state::tag_record(&tags, uri.tag())?;
        // Tags hold whole seconds.
        let cause = match entry.status {
            RecordStatus::Failed => Cause::Unexpected,
            RecordStatus::Deferred => Cause::Deferred,
            RecordStatus::Ok | RecordStatus::WaitingForUpstream => return None,
        };
        let is_news = entry.recorded_at.as_second() >= asked.as_second();
        is_news.then(|| {
            let error = Error::new(Side::Replicator, cause, format!("copy to {uri}"));
            let error = error.because("a worker recorded it so; the log of replicate says why");
            Err(entry.retry_at.into_iter().fold(error, Error::with_retry_at))
        })
    }

    /// Whether the index `here` says itself that it is the part that is wanted.
    async fn is_part(
        &self,
        uri: &ImageRef,
        here: &Digest,
        wanted: &SubsetOf,
        platforms: &Platforms,
    ) -> bool {
        let manifest = self
            .registries
            .destination(uri.repository())
            .manifest(here)
            .await
            .ok();
        manifest
            .and_then(|manifest| SubsetOf::from_manifest(&manifest, platforms))
            .is_some_and(|subset_of| subset_of == *wanted)
    }
}

fn late(place: &TargetOutcome) -> Error {
    Error::new(
        Side::Replicator,
        Cause::Deadline,
        copy::finish(&place.target),
    )
}

fn is_queued(place: &TargetOutcome) -> bool {
    matches!(place.result, Ok(Done::Queued))
}
