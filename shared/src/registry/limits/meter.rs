//! Docker Hub's quota as this process knows it: what the answers said, what is set aside, and what is on its way.
//!
//! Whoever is going to pull sets its pulls aside first ([`Claim::reach`]), so that copies side by side cannot each count on the same
//! ones. Answers come in any order: until the last of the pulls that were on their way together has landed, the lowest counts, and
//! one that comes alone counts as it is, because the window moves on. Processes share nothing but the answers: each looks at the last one before every pull, and stops
//! when it no longer covers what it has left to do.

mod claim;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::plan::budget::Budget;
use crate::plan::quota::Quota;
use crate::settings::Reserve;
pub(crate) use claim::{Claim, Pull};

/// The quota of the one account that this process pulls with.
#[derive(Default)]
pub(crate) struct Meter {
    reserve: Reserve,
    state: Mutex<State>,
    settled: Notify,
}

#[derive(Default)]
struct State {
    quota: Option<Quota>,
    /// Pulls that are set aside, those on their way included.
    claimed: u32,
    on_their_way: u32,
    /// Whether an answer came since the first of those set out.
    is_answered: bool,
}

impl State {
    /// One of those on their way is answered.
    fn land(&mut self) {
        self.on_their_way -= 1;
        self.claimed -= 1;
        self.is_answered &= self.on_their_way > 0;
    }
}

impl Meter {
    /// A meter that leaves `reserve` to others.
    pub(crate) fn new(reserve: Reserve) -> Self {
        Self {
            reserve,
            ..Self::default()
        }
    }

    /// What the last answers said; `None` when nobody was asked.
    pub(crate) fn quota(&self) -> Option<Quota> {
        self.state().quota
    }

    /// Forgets what earlier answers said: a new run reports what it sees itself.
    pub(crate) fn forget(&self) {
        self.state().quota = None;
    }

    /// Takes note of an answer. What is not metered (an image that is sponsored, a refusal) says nothing of the account.
    pub(crate) fn note(&self, seen: Quota, is_success: bool) {
        let mut state = self.state();
        let is_higher = state.quota.and_then(|quota| quota.remaining) < seen.remaining;
        let is_late = state.is_answered && is_higher;
        if (seen.metered && !is_late) || (state.quota.is_none() && is_success) {
            state.quota = Some(seen);
            state.is_answered = seen.metered && state.on_their_way > 0;
        }
    }

    /// A claim of nothing yet.
    pub(crate) fn claim(&self) -> Claim<'_> {
        Claim::none(self)
    }

    /// What may be spent; `None` where nothing is counted, or nothing is known.
    pub(crate) fn budget(&self) -> Option<Budget> {
        self.budget_by(&self.state())
    }

    fn budget_by(&self, state: &State) -> Option<Budget> {
        Budget::from_quota(state.quota, self.reserve)
    }

    /// What `take` takes, tried again with each pull that is answered; `None` when none is on its way and it takes nothing.
    async fn take<T>(&self, mut take: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        loop {
            let settled = self.settled.notified();
            {
                let mut state = self.state();
                let taken = take(&mut state);
                if taken.is_some() || state.on_their_way == 0 {
                    return taken;
                }
            }
            settled.await;
        }
    }

    /// Pulls that nobody has set aside; all there can be where nothing is counted.
    fn free(&self, state: &State) -> u32 {
        self.budget_by(state).map_or(u32::MAX, |budget| {
            budget.available().saturating_sub(state.claimed)
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(remaining: u32) -> Quota {
        Quota::parse(Some("100;w=21600"), Some(&format!("{remaining};w=21600")))
    }

    async fn claim(meter: &Meter, pulls: u32) -> Option<Claim<'_>> {
        let claim = meter.claim();
        claim.reach(pulls).await.then_some(claim)
    }

    fn meter(remaining: u32) -> Meter {
        let meter = Meter::new(Reserve::Pulls(10));
        meter.note(quota(remaining), true);
        meter
    }

    #[tokio::test]
    async fn copies_side_by_side_never_count_on_the_same_pulls() {
        let meter = meter(20);
        let six = claim(&meter, 6).await.unwrap();
        assert!(claim(&meter, 5).await.is_none());
        let four = claim(&meter, 4).await.unwrap();
        drop(six);
        assert!(four.settle_on(10).await);
        assert!(!four.settle_on(11).await);
        assert!(four.settle_on(1).await);
        assert!(claim(&meter, 9).await.is_some());
    }

    #[tokio::test]
    async fn a_pull_counts_once_before_and_after_its_answer() {
        let meter = meter(13);
        let claim = claim(&meter, 3).await.unwrap();
        for remaining in [12, 11, 10] {
            let pull = claim.pull().await.unwrap();
            meter.note(quota(remaining), true);
            drop(pull);
        }
        assert!(claim.pull().await.is_none(), "the reserve is reached");
    }

    #[tokio::test]
    async fn answers_out_of_order_count_as_the_lowest() {
        let meter = meter(20);
        let claim = claim(&meter, 2).await.unwrap();
        let (first, second) = (claim.pull().await.unwrap(), claim.pull().await.unwrap());
        meter.note(quota(18), true);
        second.answered(true);
        meter.note(quota(19), true);
        first.answered(false);
        assert_eq!(
            (meter.quota().unwrap().remaining, claim.counted()),
            (Some(18), 1)
        );
        meter.note(quota(60), true);
        assert_eq!(
            meter.quota().unwrap().remaining,
            Some(60),
            "the window has moved on"
        );
    }

    #[tokio::test]
    async fn who_cannot_be_finished_any_more_is_stopped_at_the_next_pull() {
        let meter = meter(20);
        let claim = claim(&meter, 6).await.unwrap();
        let pull = claim.pull().await.unwrap();
        meter.note(quota(13), true);
        drop(pull);
        assert!(
            claim.pull().await.is_none(),
            "five are left to do, and three are left above the reserve"
        );
    }

    #[tokio::test]
    async fn a_claim_waits_for_what_is_on_its_way() {
        let meter = meter(12);
        let first = claim(&meter, 1).await.unwrap();
        let pull = first.pull().await.unwrap();
        meter.note(quota(11), true);
        let (second, ()) = tokio::join!(claim(&meter, 1), async { drop(pull) });
        assert!(second.is_some());
    }

    #[tokio::test]
    async fn nothing_counted_is_nothing_refused() {
        let meter = Meter::new(Reserve::default());
        meter.note(Quota::UNMETERED, true);
        assert!(claim(&meter, 1000).await.is_some());
        meter.note(quota(10), true);
        meter.note(Quota::UNMETERED, true);
        assert_eq!(
            meter.quota(),
            Some(quota(10)),
            "a sponsored image says nothing of the account"
        );
    }
}
