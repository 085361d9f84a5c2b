//! Putting off: what Docker Hub's quota has no room for is tried again by itself, once the window has moved on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Replicator;
use crate::catalogue::{Catalogue, Options, Publish};
use crate::error::Error;
use crate::outcome::report::{Done, Outcome};
use crate::outcome::retry_schedule::RetrySchedule;
use crate::plan::budget::Budget;

/// When there is room again where Docker Hub said nothing of its window.
const SIX_HOURS: Duration = Duration::from_hours(6);

impl Replicator {
    /// Has what waits for pulls tried again when the window is likely to have freed them, and says so in its errors.
    ///
    /// Where nothing can be woken up, that fails, or a refresh would wait for a scan that has been, as far as `catalogue` says, the
    /// errors say nothing: whoever asked asks again, or the next refresh.
    pub async fn postpone(&self, outcomes: &mut [Outcome], catalogue: Option<&Catalogue>) {
        let wishes: Vec<Option<Options>> = outcomes
            .iter()
            .map(|outcome| wish(outcome, catalogue))
            .collect();
        let waiting = || {
            outcomes
                .iter()
                .zip(&wishes)
                .filter_map(|(outcome, wish)| Some((outcome, wish.clone()?)))
        };
        let (Some(settings), true) = (&self.settings.retry_target, waiting().next().is_some())
        else {
            return;
        };
        let now = self.now();
        let pulls = price(waiting().map(|(outcome, _)| outcome));
        let planned = price(outcomes.iter().filter(|outcome| is_queued(outcome)));
        let spent = outcomes
            .iter()
            .map(|outcome| outcome.pulls)
            .sum::<u64>()
            .try_into()
            .unwrap_or(u32::MAX);
        let at = match self.budget() {
            // As it was before this run: what has just been spent comes back with what is planned.
            Some(budget) => budget.before_spending(spent).estimate_retry_at(
                pulls,
                planned.saturating_add(spent),
                now,
            ),
            None => now + SIX_HOURS,
        };
        let wanted = RetrySchedule::new(
            at,
            waiting().map(|(outcome, wish)| (outcome.image.clone(), wish)),
        );
        match Box::pin(self.aws.merge_retry_schedule(settings, &wanted, now)).await {
            Ok(at) => {
                let put_off = outcomes
                    .iter_mut()
                    .zip(&wishes)
                    .filter(|(_, wish)| wish.is_some());
                for place in put_off.flat_map(|(outcome, _)| &mut outcome.places) {
                    if let Err(error) = &mut place.result
                        && error.is_waiting_for_pulls()
                    {
                        *error = error.clone().with_retry_at(at);
                    }
                }
            }
            Err(error) => {
                tracing::error!("nothing wakes up for what was put off: {}", error.chain())
            }
        }
    }

    /// What may be spent, as far as Docker Hub has said.
    pub fn budget(&self) -> Option<Budget> {
        self.registries.meter().budget()
    }
}

/// How `refresh` is to be asked for what `outcome` waits for. `None` where nothing waits, and where a refresh would wait for a scan.
fn wish(outcome: &Outcome, catalogue: Option<&Catalogue>) -> Option<Options> {
    let waiting = outcome.places.iter().filter(|place| {
        place
            .result
            .as_ref()
            .is_err_and(Error::is_waiting_for_pulls)
    });
    let to: Vec<String> = waiting
        .map(|place| place.target.destination.clone())
        .collect();
    let destination = |name| catalogue.and_then(|catalogue| catalogue.destinations.get(name));
    let waits_for_scan =
        |name| destination(name).is_some_and(|it| it.publish == Publish::AfterCleanScan);
    let platforms = Some(outcome.platforms.clone());
    (!to.is_empty() && !to.iter().any(waits_for_scan)).then(|| Options {
        to,
        platforms,
        ..Options::default()
    })
}

/// What `outcomes` cost together: tags that share a digest pay once for the same platforms.
fn price<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> u32 {
    let content = |it: &'a Outcome| {
        (
            it.image.repository(),
            it.upstream.as_ref(),
            it.platforms.to_string(),
        )
    };
    let prices: BTreeMap<_, u32> = outcomes
        .map(|outcome| (content(outcome), outcome.price))
        .collect();
    prices.into_values().fold(0, u32::saturating_add)
}

fn is_queued(outcome: &Outcome) -> bool {
    outcome
        .places
        .iter()
        .any(|place| matches!(place.result, Ok(Done::Queued)))
}
