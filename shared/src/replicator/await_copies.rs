//! Waiting: a build wants the image, and the queue makes one copy of many wishes.

use std::time::Duration;

use jiff::Timestamp;

use super::{Replicator, Run, copy};
use crate::digest::Digest;
use crate::error::{Cause, Error, Side};
use crate::report::{Done, Outcome, Place};
use crate::state::{self, EntryStatus};

/// The first pause between two looks; each is a half longer than the last, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Replicator {
    /// Waits until what `outcomes` have queued is there, or a worker has recorded since `asked` that it cannot be for now, or `run` ends.
    pub async fn await_copies(&self, outcomes: &mut [Outcome], run: &Run, asked: Timestamp) {
        let mut pause = FIRST_PAUSE;
        while outcomes.iter().flat_map(|outcome| &outcome.places).any(is_queued) {
            if run.is_over_after(pause).await {
                break;
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            for outcome in outcomes.iter_mut() {
                let Some(wanted) = outcome.upstream.clone() else { continue };
                for place in outcome.places.iter_mut().filter(|place| is_queued(place)) {
                    if let Some(result) = self.look(place, &wanted, asked).await {
                        place.present = if result.is_ok() { Some(wanted.clone()) } else { place.present.take() };
                        place.result = result;
                    }
                }
            }
        }
        for place in outcomes.iter_mut().flat_map(|outcome| &mut outcome.places).filter(|place| is_queued(place)) {
            place.result = Err(late(place).because("it is queued, and will be copied"));
        }
    }

    /// `None` while nothing is known. A look that fails is tried again with the next.
    async fn look(&self, place: &Place, wanted: &Digest, asked: Timestamp) -> Option<Result<Done, Error>> {
        let uri = &place.target.uri;
        if self.tag(uri).await.as_ref() == Some(wanted) {
            return Some(Ok(Done::Copied));
        }
        let tags = self.state(uri.repository()).await.ok()?;
        let entry = state::entry(&tags, uri.tag())?;
        // Tags hold whole seconds.
        let cause = match entry.status {
            EntryStatus::Failed => Cause::Unexpected,
            EntryStatus::Deferred => Cause::PutOff,
            EntryStatus::Ok | EntryStatus::WaitingForUpstream => return None,
        };
        let is_news = entry.at.as_second() >= asked.as_second();
        is_news.then(|| {
            let error = Error::new(Side::Replicator, cause, format!("copy to {uri}"));
            Err(error.because("a worker recorded it so; the log of replicate says why"))
        })
    }
}

fn late(place: &Place) -> Error {
    Error::new(Side::Replicator, Cause::Deadline, copy::finish(&place.target))
}

fn is_queued(place: &Place) -> bool {
    matches!(place.result, Ok(Done::Queued))
}
