//! Deferring: images that Docker Hub's quota has no pulls for are retried by a schedule.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Replicator;
use super::run::{Acted, Retry, Settled};
use crate::catalogue::Options;
use crate::error::Error;
use crate::outcome::retry_schedule::RetrySchedule;
use crate::outcome::{Outcome, TargetOutcome};

/// The delay of a retry if the response of Docker Hub names no quota.
const DEFAULT_RETRY_DELAY: Duration = Duration::from_hours(6);

impl Replicator {
    /// Schedules the retry of deferred images for the time at which the quota's window has probably
    /// freed enough pulls, and sets that time in their errors.
    ///
    /// If nothing can be scheduled, errors carry no retry time: the caller or the next refresh retries.
    pub(super) async fn defer(&self, acted: Acted, retry: Retry) -> Settled {
        let Acted(mut outcomes) = acted;
        let Some(retry_target) = &self.settings.retry_target else {
            return Settled(outcomes);
        };
        if retry == Retry::Caller {
            return Settled(outcomes);
        }
        let deferred = deferred(&outcomes);
        if deferred.is_empty() {
            return Settled(outcomes);
        }
        let at = self.retry_time(&outcomes, &deferred);
        let images = deferred.iter().map(|(&index, options)| {
            let image = outcomes[index].request.image.clone();
            (image, options.clone())
        });
        let schedule = RetrySchedule::new(at, images);
        let now = self.now();
        let merge = self.aws.merge_retry_schedule(retry_target, &schedule, now);
        match Box::pin(merge).await {
            Ok(at) => {
                for &index in deferred.keys() {
                    set_retry_time(&mut outcomes[index], at);
                }
            }
            Err(error) => {
                let images = deferred.len();
                tracing::error!(
                    images,
                    "could not schedule the retry of deferred images; \
                     the next refresh retries them: {}",
                    error.chain()
                );
            }
        }
        Settled(outcomes)
    }

    fn retry_time(&self, outcomes: &[Outcome], deferred: &BTreeMap<usize, Options>) -> Timestamp {
        let now = self.now();
        let Some(budget) = self.budget() else {
            return now + DEFAULT_RETRY_DELAY;
        };
        let deferred = deferred.keys().map(|&index| &outcomes[index]);
        let needed = price(deferred);
        let queued = outcomes.iter().filter(|outcome| outcome.is_queued());
        let queued = price(queued);
        let spent = spent_pulls(outcomes);
        // From the budget before this run: what it spent is freed together with what is queued.
        let budget_before = budget.before_spending(spent);
        let planned = queued.saturating_add(spent);
        budget_before.estimate_retry_at(needed, planned, now)
    }
}

fn spent_pulls(outcomes: &[Outcome]) -> u32 {
    let pulls = outcomes.iter().map(|outcome| outcome.spent.pulls);
    let pulls: u64 = pulls.sum();
    u32::try_from(pulls).unwrap_or(u32::MAX)
}

/// For each deferred outcome, by its index: the options with which `refresh` retries it.
fn deferred(outcomes: &[Outcome]) -> BTreeMap<usize, Options> {
    let mut deferred = BTreeMap::new();
    for (index, outcome) in outcomes.iter().enumerate() {
        if let Some(options) = retry_options(outcome) {
            deferred.insert(index, options);
        }
    }
    deferred
}

/// The options for a retry of `outcome` by `refresh`. `None` where nothing is deferred, and where a
/// deferred target waits for a scan, because `refresh` would wait for that scan again.
fn retry_options(outcome: &Outcome) -> Option<Options> {
    let mut destinations = Vec::new();
    for TargetOutcome { target, result, .. } in &outcome.targets {
        let Err(error) = result else { continue };
        if !error.is_waiting_for_pulls() {
            continue;
        }
        if target.waits_for_scan {
            return None;
        }
        destinations.push(target.destination.clone());
    }
    if destinations.is_empty() {
        return None;
    }
    Some(outcome.request.options.for_retry(destinations))
}

fn set_retry_time(outcome: &mut Outcome, at: Timestamp) {
    for target in &mut outcome.targets {
        if let Err(error) = &mut target.result
            && error.is_waiting_for_pulls()
        {
            *error = Error::clone(error).with_retry_at(at);
        }
    }
}

/// The pulls that `outcomes` cost together: tags with the same digest and platforms cost them once.
fn price<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> u32 {
    let mut prices = BTreeMap::new();
    for outcome in outcomes {
        let request = &outcome.request;
        let repository = request.image.repository();
        let platforms = request.platforms().to_string();
        let digest = outcome.upstream.as_ref();
        let content = (repository, digest, platforms);
        prices.insert(content, outcome.price);
    }
    prices.into_values().fold(0, u32::saturating_add)
}
