//! Pulls that are set aside, and those that are on their way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Meter, State};

/// Pulls that are set aside for one copy. What is not used is given back.
pub(crate) struct Claim<'a> {
    meter: &'a Meter,
    left: Mutex<u32>,
    counted: AtomicU64,
}

impl<'a> Claim<'a> {
    /// A claim of nothing yet.
    pub(crate) fn none(meter: &'a Meter) -> Self {
        Self {
            meter,
            left: Mutex::new(0),
            counted: AtomicU64::new(0),
        }
    }

    /// How many of its pulls were counted, whatever their answers were good for.
    pub(crate) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Makes it `pulls` or more. Says whether that was possible.
    pub(crate) async fn reach(&self, pulls: u32) -> bool {
        let left = *self.left();
        left >= pulls || self.grow(pulls - left).await
    }

    /// Makes it `pulls` from here on: sets more aside, or gives some back. Says whether that was possible.
    pub(crate) async fn settle_on(&self, pulls: u32) -> bool {
        let left = *self.left();
        if pulls > left {
            return self.grow(pulls - left).await;
        }
        *self.left() = pulls;
        self.meter.state().claimed -= left - pulls;
        self.meter.settled.notify_waiters();
        true
    }

    /// Sets `pulls` more aside. Says whether that was possible.
    async fn grow(&self, pulls: u32) -> bool {
        let grow = |state: &mut State| {
            (pulls <= self.meter.free(state)).then(|| {
                state.claimed = state.claimed.saturating_add(pulls);
                *self.left() += pulls;
            })
        };
        self.meter.take(grow).await.is_some()
    }

    /// One of the pulls, which is on its way until the answer drops it; one more than was set aside where it takes that. `None` when
    /// others have spent so much meanwhile that the rest of this claim is no longer covered.
    pub(crate) async fn pull(&self) -> Option<Pull<'_>> {
        let set_out = |state: &mut State| {
            let covered = self
                .meter
                .budget_by(state)
                .map_or(u32::MAX, |budget| budget.available());
            let mut left = self.left();
            // Another pull of this claim may have taken the last one while this one waited.
            if *left == 0 {
                if self.meter.free(state) == 0 {
                    return None;
                }
                state.claimed = state.claimed.saturating_add(1);
                *left = 1;
            }
            (covered >= left.saturating_add(state.on_their_way)).then(|| {
                *left -= 1;
                state.on_their_way += 1;
                Pull { claim: self }
            })
        };
        self.meter.take(set_out).await
    }

    fn left(&self) -> MutexGuard<'_, u32> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.meter.state().claimed -= *self.left();
        self.meter.settled.notify_waiters();
    }
}

/// A pull on its way.
pub(crate) struct Pull<'a> {
    claim: &'a Claim<'a>,
}

impl Pull<'_> {
    /// It is answered: the answer says whether it was counted.
    pub(crate) fn answered(self, is_counted: bool) {
        self.claim
            .counted
            .fetch_add(is_counted.into(), Ordering::Relaxed);
    }
}

impl Drop for Pull<'_> {
    fn drop(&mut self) {
        self.claim.meter.state().land();
        self.claim.meter.settled.notify_waiters();
    }
}
