//! The budget of Docker Hub pulls: how many may be spent, and when spent ones are freed.
//!
//! Pure. [`allot`] decides which copies are made now, and which are deferred.

mod allotment;

use std::time::Duration;

pub use allotment::{Allotment, Candidate, allot};
use jiff::Timestamp;

use crate::plan::price::Price;
use crate::plan::quota::Quota;
use crate::settings::Reserve;

/// The window of a quota that does not state one: Docker Hub's six hours.
const DEFAULT_WINDOW: Duration = Duration::from_hours(6);
/// Lambda's maximum duration, within which the planned pulls are spent.
const MAX_INVOCATION_TIME: Duration = Duration::from_mins(15);
/// The shortest time until a retry.
const MIN_RETRY_DELAY: Duration = Duration::from_mins(5);

/// The pulls that may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Pulls that the quota allows in one window.
    pub limit: u32,
    /// Pulls that remain of the limit.
    pub remaining: u32,
    /// Pulls that are kept for other users of the account or address.
    pub reserve: u32,
    /// The length of the window.
    pub window: Duration,
}

impl Budget {
    /// The budget that `quota` leaves; `None` if pulls are not metered or the quota is unknown.
    pub fn from_quota(quota: Option<Quota>, reserve: Reserve) -> Option<Self> {
        let quota = quota.filter(|quota| quota.metered)?;
        let limit = quota.limit?;
        let window = quota
            .window_seconds
            .map_or(DEFAULT_WINDOW, Duration::from_secs);
        Some(Self {
            limit,
            remaining: quota.remaining?,
            reserve: reserve.pulls_of(limit),
            window,
        })
    }

    /// The budget as it was before `pulls` were spent.
    #[must_use]
    pub fn before_spending(self, pulls: u32) -> Self {
        Self {
            remaining: self.remaining.saturating_add(pulls).min(self.limit),
            ..self
        }
    }

    /// Pulls that may be spent now.
    pub fn available(&self) -> u32 {
        self.remaining.saturating_sub(self.reserve)
    }

    /// Pulls that may be spent in a window in which nobody else pulls. At least 1, so that an image
    /// that costs one pull can always be copied eventually.
    pub fn per_window(&self) -> u32 {
        self.limit.saturating_sub(self.reserve).max(1)
    }

    /// Pulls to reserve for a copy before it begins: its price, but at most those of one window. A
    /// price above 1 is an estimate, which must not exclude a copy forever.
    pub fn pulls_to_reserve(&self, price: &Price) -> u32 {
        price.pulls.min(self.per_window())
    }

    /// Estimates when `pulls` are available after the `planned` ones are spent.
    ///
    /// Docker Hub states how long its window is, but not when it began. The pulls that are spent
    /// already are assumed to be freed evenly over one window. If they are too few, the planned pulls
    /// have to leave the window as well.
    pub fn estimate_retry_at(&self, pulls: u32, planned: u32, now: Timestamp) -> Timestamp {
        let spent = self.limit.saturating_sub(self.remaining);
        let left_after_plan = self.available().saturating_sub(planned);
        let lacking = pulls.saturating_sub(left_after_plan);
        let delay = if lacking <= spent {
            let freed_share = f64::from(lacking) / f64::from(spent.max(1));
            self.window.mul_f64(freed_share)
        } else {
            self.window + MAX_INVOCATION_TIME
        };
        now + delay.max(MIN_RETRY_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn after(seconds: i64) -> Timestamp {
        now() + jiff::SignedDuration::from_secs(seconds)
    }

    fn budget(limit: u32, remaining: u32, reserve: u32) -> Budget {
        Budget {
            limit,
            remaining,
            reserve,
            window: DEFAULT_WINDOW,
        }
    }

    #[test]
    fn spent_pulls_are_freed_evenly_over_the_window() {
        let empty = budget(100, 10, 10);
        let half_of_90_spent = empty.estimate_retry_at(45, 0, now());
        assert_eq!(half_of_90_spent, after(10_800));
        let ten_of_50_spent = budget(100, 50, 10).estimate_retry_at(30, 20, now());
        assert_eq!(ten_of_50_spent, after(4_320));
    }

    #[test]
    fn a_budget_before_spending_is_never_above_its_limit() {
        let budget = budget(100, 80, 0);
        assert_eq!(budget.before_spending(5).remaining, 85);
        assert_eq!(budget.before_spending(30).remaining, 100);
    }

    #[test]
    fn a_retry_is_at_least_five_minutes_away() {
        let empty = budget(100, 10, 10);
        assert_eq!(empty.estimate_retry_at(1, 0, now()), after(300));
    }

    #[test]
    fn planned_pulls_are_freed_a_window_after_the_invocation() {
        let full = budget(30, 30, 3);
        let retry_at = full.estimate_retry_at(20, 27, now());
        assert_eq!(retry_at, after(21_600 + 900));
    }

    #[test]
    fn an_unknown_or_unmetered_quota_gives_no_budget() {
        let reserve = Reserve::default();
        assert_eq!(Budget::from_quota(None, reserve), None);
        assert_eq!(Budget::from_quota(Some(Quota::UNMETERED), reserve), None);
    }

    #[test]
    fn the_budget_is_the_quota_less_the_reserve() {
        let quota = Quota::parse(Some("200;w=3600"), Some("50;w=3600"));
        let budget = Budget::from_quota(Some(quota), Reserve::Percent(10)).unwrap();
        assert_eq!(budget.available(), 30);
        assert_eq!(budget.per_window(), 180);
        assert_eq!(budget.window, Duration::from_hours(1));
    }
}
