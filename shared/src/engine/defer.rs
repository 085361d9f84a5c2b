//! Deferring: images that Docker Hub's quota has no pulls for are retried by a schedule.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Replicator;
use super::run::{Acted, Retry, Settled};
use crate::catalogue::Options;
use crate::error::Error;
use crate::outcome::retry_schedule::RetrySchedule;
use crate::outcome::{Outcome, TargetOutcome};

/// When there are pulls again if Docker Hub did not tell its window.
const DEFAULT_RETRY_DELAY: Duration = Duration::from_hours(6);

impl Replicator {
    /// Schedules the retry of deferred images for the time at which the quota's window has probably
    /// freed enough pulls, and sets that time in their errors.
    ///
    /// If nothing can be scheduled, errors carry no retry time: the caller asks again, or the next
    /// refresh does.
    pub(super) async fn defer(&self, acted: Acted, retry: Retry) -> Settled {
        let Acted(mut outcomes) = acted;
        let deferred = match retry {
            Retry::Scheduled => deferred(&outcomes),
            Retry::Caller => BTreeMap::new(),
        };
        let Some(retry_target) = &self.settings.retry_target else {
            return Settled(outcomes);
        };
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
                    "failed to schedule the retry of deferred images; the next refresh retries them: {}",
                    error.chain()
                );
            }
        }
        Settled(outcomes)
    }

    fn retry_time(
        &self,
        outcomes: &[Outcome],
        deferred: &BTreeMap<usize, Options>,
    ) -> jiff::Timestamp {
        let now = self.now();
        let Some(budget) = self.budget() else {
            return now + DEFAULT_RETRY_DELAY;
        };
        let needed = price(deferred.keys().map(|&index| &outcomes[index]));
        let queued = price(outcomes.iter().filter(|outcome| outcome.is_queued()));
        let spent: u64 = outcomes.iter().map(|outcome| outcome.spent.pulls).sum();
        let spent = u32::try_from(spent).unwrap_or(u32::MAX);
        // From the budget before this run: what it spent is freed together with what is queued.
        let before = budget.before_spending(spent);
        before.estimate_retry_at(needed, queued.saturating_add(spent), now)
    }
}

/// For each deferred outcome, by its index: the options with which `refresh` retries it.
fn deferred(outcomes: &[Outcome]) -> BTreeMap<usize, Options> {
    let options = outcomes.iter().map(retry_options).enumerate();
    options
        .filter_map(|(index, options)| Some((index, options?)))
        .collect()
}

/// The options for a retry of `outcome` by `refresh`. `None` where nothing is deferred, and where a
/// deferred target waits for a scan, because `refresh` would wait for that scan again.
fn retry_options(outcome: &Outcome) -> Option<Options> {
    let deferred: Vec<&TargetOutcome> = outcome.targets.iter().filter(is_deferred).collect();
    let waits_for_scan = deferred.iter().any(|it| it.target.waits_for_scan);
    if deferred.is_empty() || waits_for_scan {
        return None;
    }
    let names = deferred.iter().map(|it| it.target.destination.clone());
    Some(outcome.request.options.for_retry(names.collect()))
}

fn is_deferred(outcome: &&TargetOutcome) -> bool {
    matches!(&outcome.result, Err(error) if error.is_waiting_for_pulls())
}

fn set_retry_time(outcome: &mut Outcome, at: jiff::Timestamp) {
    for target in &mut outcome.targets {
        if let Err(error) = &mut target.result
            && error.is_waiting_for_pulls()
        {
            *error = Error::clone(error).with_retry_at(at);
        }
    }
}

/// The pulls that `outcomes` cost together: tags with one digest and the same platforms pay once.
fn price<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> u32 {
    let mut prices = BTreeMap::new();
    for outcome in outcomes {
        let request = &outcome.request;
        let repository = request.image.repository();
        let platforms = request.platforms().to_string();
        let content = (repository, outcome.upstream.as_ref(), platforms);
        prices.insert(content, outcome.price);
    }
    prices.into_values().fold(0, u32::saturating_add)
}
