//! Reserved pulls, and pulls in flight.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::{Meter, State};
use crate::sync::lock;

/// Pulls that are reserved for one copy. Unused ones are released when it is dropped.
pub(crate) struct Claim<'a> {
    meter: &'a Meter,
    /// Reserved pulls that were not sent yet.
    left: Mutex<u32>,
    counted: AtomicU64,
}

impl<'a> Claim<'a> {
    /// A claim without reserved pulls.
    pub(crate) fn new(meter: &'a Meter) -> Self {
        Self {
            meter,
            left: Mutex::new(0),
            counted: AtomicU64::new(0),
        }
    }

    /// How many of its pulls Docker Hub counted, whether or not their content was used.
    pub(crate) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Raises the reserved pulls to at least `pulls`. Returns whether the quota covers them.
    pub(crate) async fn reach(&self, pulls: u32) -> bool {
        let left = *self.left();
        left >= pulls || self.reserve(pulls - left).await
    }

    /// Sets the reserved pulls to exactly `pulls`: reserves more, or releases some. Returns whether
    /// the quota covers them.
    pub(crate) async fn settle_on(&self, pulls: u32) -> bool {
        let left = *self.left();
        if pulls > left {
            return self.reserve(pulls - left).await;
        }
        *self.left() = pulls;
        self.meter.state().reserved -= left - pulls;
        self.meter.changed.notify_waiters();
        true
    }

    /// Reserves `pulls` more. Returns whether the quota covers them.
    async fn reserve(&self, pulls: u32) -> bool {
        let reserve = |state: &mut State| {
            if pulls > self.meter.unreserved_in(state) {
                return None;
            }
            state.reserved = state.reserved.saturating_add(pulls);
            *self.left() += pulls;
            Some(())
        };
        self.meter.take(reserve).await.is_some()
    }

    /// Takes one reserved pull, which is in flight until it is dropped. Reserves one more if none is
    /// left. `None` if the quota no longer covers the rest of this claim, because others have spent
    /// pulls meanwhile.
    pub(crate) async fn pull(&self) -> Option<Pull<'_>> {
        let start = |state: &mut State| {
            let budget = self.meter.budget_in(state);
            let available = budget.map_or(u32::MAX, |budget| budget.available());
            let mut left = self.left();
            // Another pull of this claim may have taken the last one while this one waited.
            if *left == 0 {
                if self.meter.unreserved_in(state) == 0 {
                    return None;
                }
                state.reserved = state.reserved.saturating_add(1);
                *left = 1;
            }
            if available < left.saturating_add(state.in_flight) {
                return None;
            }
            *left -= 1;
            state.in_flight += 1;
            Some(Pull { claim: self })
        };
        self.meter.take(start).await
    }

    fn left(&self) -> MutexGuard<'_, u32> {
        lock(&self.left)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.meter.state().reserved -= *self.left();
        self.meter.changed.notify_waiters();
    }
}

/// A pull in flight.
pub(crate) struct Pull<'a> {
    claim: &'a Claim<'a>,
}

impl Pull<'_> {
    /// Ends the pull with its response, and whether Docker Hub counted it.
    pub(crate) fn answered(self, is_counted: bool) {
        self.claim
            .counted
            .fetch_add(is_counted.into(), Ordering::Relaxed);
    }
}

impl Drop for Pull<'_> {
    fn drop(&mut self) {
        self.claim.meter.state().finish_pull();
        self.claim.meter.changed.notify_waiters();
    }
}
