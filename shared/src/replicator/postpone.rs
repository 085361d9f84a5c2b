//! Putting off: what Docker Hub's quota has no room for is tried again by itself, once the window has moved on.

use std::time::Duration;

use super::Replicator;
use crate::budget::Budget;
use crate::report::{Done, Outcome};
use crate::wake_up::WakeUp;

/// When there is room again where Docker Hub said nothing of its window.
const SIX_HOURS: Duration = Duration::from_hours(6);

impl Replicator {
    /// Has what waits for pulls tried again when the window is likely to have freed them, and says so in its errors.
    ///
    /// Where nothing can be woken up, or that fails, the errors say nothing, and the next refresh tries again.
    pub async fn postpone(&self, outcomes: &mut [Outcome]) {
        let waiting = || outcomes.iter().filter(|outcome| outcome.waits_for_pulls());
        let (Some(settings), true) = (&self.settings.wake_up, waiting().next().is_some()) else { return };
        let now = self.now();
        let pulls = waiting().map(|outcome| outcome.price).sum();
        let planned: u32 = outcomes.iter().filter(|outcome| is_queued(outcome)).map(|outcome| outcome.price).sum();
        let spent = outcomes.iter().map(|outcome| outcome.pulls).sum::<u64>().try_into().unwrap_or(u32::MAX);
        let at = match self.budget() {
            // As it was before this run: what has just been spent comes back with what is planned.
            Some(budget) => budget.before(spent).frees_at(pulls, planned.saturating_add(spent), now),
            None => now + SIX_HOURS,
        };
        let wanted = WakeUp::new(at, waiting().map(|outcome| outcome.image.clone()));
        match Box::pin(self.aws.join_wake_up(settings, &wanted, now)).await {
            Ok(at) => {
                for place in outcomes.iter_mut().flat_map(|outcome| &mut outcome.places) {
                    if let Err(error) = &mut place.result
                        && error.waits_for_pulls()
                    {
                        *error = error.clone().until(at);
                    }
                }
            }
            Err(error) => tracing::error!("nothing wakes up for what was put off: {}", error.chain()),
        }
    }

    /// What may be spent, as far as Docker Hub has said.
    pub fn budget(&self) -> Option<Budget> {
        Budget::of(self.quota(), self.settings.reserve)
    }
}

fn is_queued(outcome: &Outcome) -> bool {
    outcome.places.iter().any(|place| matches!(place.result, Ok(Done::Queued)))
}
