//! Pulls that are set aside, and those that are on their way.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Meter, State};
use crate::budget::Budget;

/// Pulls that are set aside for one copy. What is not used is given back.
pub(crate) struct Claim<'a> {
    meter: &'a Meter,
    left: Mutex<u32>,
}

impl<'a> Claim<'a> {
    /// A claim of nothing yet.
    pub(super) fn none(meter: &'a Meter) -> Self {
        Self { meter, left: Mutex::new(0) }
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
    pub(super) async fn grow(&self, pulls: u32) -> bool {
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
    pub(crate) async fn pull(&self) -> Option<Pull<'a>> {
        let set_out = |state: &mut State| {
            let budget = Budget::of(state.quota, self.meter.reserve);
            let covered = budget.map_or(u32::MAX, |budget| budget.available());
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
                Pull { meter: self.meter }
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
    meter: &'a Meter,
}

impl Drop for Pull<'_> {
    fn drop(&mut self) {
        let mut state = self.meter.state();
        state.on_their_way -= 1;
        state.claimed -= 1;
        drop(state);
        self.meter.settled.notify_waiters();
    }
}
