//! Docker Hub's quota as this process knows it: the quota of the last responses, the reserved
//! pulls, and the pulls in flight.
//!
//! A copy reserves its pulls first ([`Claim::reach`]), so that concurrent copies cannot count on the
//! same ones. Responses arrive in any order. While pulls are in flight, the lowest remaining count
//! seen is used. A single response counts as it is, because the window moves on. Processes share
//! nothing but the responses: each checks the last one before every pull, and stops when it no
//! longer covers the pulls that it has left to do.

mod claim;

use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::plan::budget::Budget;
use crate::plan::quota::Quota;
use crate::settings::Reserve;
use crate::sync::lock;
pub(crate) use claim::{Claim, Pull};

/// The quota of the one account that this process pulls with.
#[derive(Default)]
pub(crate) struct Meter {
    reserve: Reserve,
    state: Mutex<State>,
    /// Wakes those that wait for pulls in flight or for reserved ones.
    changed: Notify,
}

#[derive(Default)]
struct State {
    quota: Option<Quota>,
    /// Reserved pulls, including those in flight.
    reserved: u32,
    in_flight: u32,
    /// Whether a response arrived since pulls were last sent while none was in flight.
    has_response: bool,
}

impl State {
    /// Ends a pull in flight.
    fn finish_pull(&mut self) {
        self.in_flight -= 1;
        self.reserved -= 1;
        if self.in_flight == 0 {
            self.has_response = false;
        }
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

    /// The quota of the last responses; `None` if there was none.
    pub(crate) fn quota(&self) -> Option<Quota> {
        self.state().quota
    }

    /// Forgets earlier responses: a new run reports the quota that it sees itself.
    pub(crate) fn forget(&self) {
        self.state().quota = None;
    }

    /// Records the quota of a response. An unmetered response (a sponsored image, a refusal) does
    /// not replace the account's quota.
    pub(crate) fn note(&self, seen: Quota, is_success: bool) {
        let mut state = self.state();
        let known_remaining = state.quota.and_then(|quota| quota.remaining);
        let is_out_of_order = state.has_response && known_remaining < seen.remaining;
        let is_news = seen.metered && !is_out_of_order;
        let is_first = state.quota.is_none() && is_success;
        if is_news || is_first {
            state.quota = Some(seen);
            state.has_response = seen.metered && state.in_flight > 0;
        }
    }

    /// A claim without reserved pulls.
    pub(crate) fn claim(&self) -> Claim<'_> {
        Claim::new(self)
    }

    /// The pulls that may be spent; `None` if nothing is metered, or nothing is known.
    pub(crate) fn budget(&self) -> Option<Budget> {
        self.budget_in(&self.state())
    }

    fn budget_in(&self, state: &State) -> Option<Budget> {
        Budget::from_quota(state.quota, self.reserve)
    }

    /// Calls `take` until it takes something, again after each change. `None` if it takes nothing
    /// and no pull is in flight whose response could change that.
    async fn take<T>(&self, mut take: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                let taken = take(&mut state);
                if taken.is_some() || state.in_flight == 0 {
                    return taken;
                }
            }
            changed.await;
        }
    }

    /// Pulls that may be spent and are not reserved; `u32::MAX` if nothing is metered.
    fn unreserved_in(&self, state: &State) -> u32 {
        match self.budget_in(state) {
            Some(budget) => budget.available().saturating_sub(state.reserved),
            None => u32::MAX,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(remaining: u32) -> Quota {
        let remaining = format!("{remaining};w=21600");
        Quota::parse(Some("100;w=21600"), Some(&remaining))
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
    async fn concurrent_copies_never_reserve_the_same_pulls() {
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
    async fn a_pull_counts_once_before_and_after_its_response() {
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
    async fn of_responses_out_of_order_the_lowest_remaining_count_is_used() {
        let meter = meter(20);
        let claim = claim(&meter, 2).await.unwrap();
        let first = claim.pull().await.unwrap();
        let second = claim.pull().await.unwrap();
        meter.note(quota(18), true);
        second.answered(true);
        meter.note(quota(19), true);
        first.answered(false);
        assert_eq!(meter.quota(), Some(quota(18)));
        assert_eq!(claim.counted(), 1);
        meter.note(quota(60), true);
        assert_eq!(meter.quota(), Some(quota(60)), "the window has moved on");
    }

    #[tokio::test]
    async fn a_copy_that_the_quota_no_longer_covers_stops_at_its_next_pull() {
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
    async fn a_claim_waits_for_pulls_in_flight() {
        let meter = meter(12);
        let first = claim(&meter, 1).await.unwrap();
        let pull = first.pull().await.unwrap();
        meter.note(quota(11), true);
        let finish_pull = async { drop(pull) };
        let (second, ()) = tokio::join!(claim(&meter, 1), finish_pull);
        assert!(second.is_some());
    }

    #[tokio::test]
    async fn without_a_metered_response_every_claim_is_granted() {
        let meter = Meter::new(Reserve::default());
        meter.note(Quota::UNMETERED, true);
        assert!(claim(&meter, 1000).await.is_some());
        meter.note(quota(10), true);
        meter.note(Quota::UNMETERED, true);
        assert_eq!(
            meter.quota(),
            Some(quota(10)),
            "a sponsored image does not replace the quota of the account"
        );
    }
}
