//! The budget of Docker Hub pulls: which copies are made now, and which are deferred.
//!
//! Pure: candidates with their prices and the budget come in, an allotment for each candidate goes
//! out. Copies are taken by priority, then by how long they have been deferred, then by price. A copy
//! that does not fit is deferred, and one that ranks below it may still fit. No copy begins unless
//! the budget covers its estimated price.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::image::digest::Digest;
use crate::image::platform::Platforms;
use crate::image::reference::{ImageRef, RepositoryRef};
use crate::plan::price::Price;
use crate::plan::quota::Quota;
use crate::settings::Reserve;

/// The window of a quota that does not state one: Docker Hub's six hours.
const DEFAULT_WINDOW: Duration = Duration::from_hours(6);
/// Lambda's maximum duration, within which the planned pulls are spent.
const MAX_INVOCATION_TIME: Duration = Duration::from_mins(15);
/// The shortest time until a retry.
const MIN_RETRY_DELAY: Duration = Duration::from_mins(5);

/// A copy that costs pulls.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The upstream tag.
    pub image: &'a ImageRef,
    /// The upstream digest. Tags of one repository with the same digest and platforms pay once.
    pub digest: &'a Digest,
    /// The platforms to copy.
    pub platforms: &'a Platforms,
    /// Higher priorities go first.
    pub priority: i32,
    /// Since when the copy has been deferred; `None` if it has not been.
    pub deferred_since: Option<Timestamp>,
    /// The estimated price.
    pub price: &'a Price,
}

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

/// Whether a copy is made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allotment {
    /// The copy fits into the budget.
    Take,
    /// The copy does not fit now.
    Defer,
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

/// Decides which of `candidates` fit into `budget`; the result has their order. The order of
/// `candidates` does not influence the decision.
///
/// If a copy that has been deferred for a window or longer does not fit, pulls are saved for it: no
/// copy that ranks below it may spend any. A copy that needs a whole window is the exception, because
/// while others pull too, it might never fit.
pub fn allot(candidates: &[Candidate<'_>], budget: &Budget, now: Timestamp) -> Vec<Allotment> {
    let mut ranked: Vec<usize> = (0..candidates.len()).collect();
    ranked.sort_by_key(|&index| Rank::new(&candidates[index]));

    let mut allotments = vec![Allotment::Defer; candidates.len()];
    let mut available = budget.available();
    let mut paid = BTreeSet::new();
    for index in ranked {
        let candidate = &candidates[index];
        let content = PaidContent::new(candidate);
        let pulls = if paid.contains(&content) {
            0
        } else {
            budget.pulls_to_reserve(candidate.price)
        };
        if pulls <= available {
            available -= pulls;
            paid.insert(content);
            allotments[index] = Allotment::Take;
        } else if pulls < budget.per_window() && is_overdue(candidate, budget, now) {
            available = 0;
        }
    }
    allotments
}

/// The order in which candidates are considered. Fields are compared from first to last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank<'a> {
    highest_priority_first: Reverse<i32>,
    /// The latest possible time for a copy that has not been deferred.
    deferred_since: Timestamp,
    pulls: u32,
    /// Makes the order independent of the order of the candidates.
    image: &'a ImageRef,
}

impl<'a> Rank<'a> {
    fn new(candidate: &Candidate<'a>) -> Self {
        Self {
            highest_priority_first: Reverse(candidate.priority),
            deferred_since: candidate.deferred_since.unwrap_or(Timestamp::MAX),
            pulls: candidate.price.pulls,
            image: candidate.image,
        }
    }
}

/// Content whose pulls are paid: another tag with the same content costs none.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct PaidContent<'a> {
    repository: &'a RepositoryRef,
    digest: &'a Digest,
    platforms: String,
}

impl<'a> PaidContent<'a> {
    fn new(candidate: &Candidate<'a>) -> Self {
        Self {
            repository: candidate.image.repository(),
            digest: candidate.digest,
            platforms: candidate.platforms.to_string(),
        }
    }
}

/// Whether `candidate` has been deferred for a window or longer.
fn is_overdue(candidate: &Candidate<'_>, budget: &Budget, now: Timestamp) -> bool {
    candidate.deferred_since.is_some_and(|since| {
        Duration::try_from(now.duration_since(since)).is_ok_and(|time| time >= budget.window)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    static ALL: Platforms = Platforms::ALL;

    /// A copy that the tests ask for.
    #[derive(Clone, Copy, Debug)]
    struct Copy {
        priority: i32,
        deferred_hours: Option<i64>,
        pulls: u32,
    }

    fn copy(priority: i32, deferred_hours: Option<i64>, pulls: u32) -> Copy {
        Copy {
            priority,
            deferred_hours,
            pulls,
        }
    }

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

    fn price(pulls: u32) -> Price {
        Price {
            pulls,
            is_exact: true,
            alone: BTreeMap::new(),
        }
    }

    /// Allots `copies`, each of an image of its own; also in reverse order, which gives the same.
    fn allot_copies(copies: &[Copy], budget: &Budget) -> Vec<Allotment> {
        let indexes = 0..copies.len();
        let images: Vec<ImageRef> = indexes
            .clone()
            .map(|n| format!("app{n:03}:1").parse().unwrap())
            .collect();
        let digests: Vec<Digest> = indexes
            .clone()
            .map(|n| Digest::from_content(n.to_string().as_bytes()))
            .collect();
        let prices: Vec<Price> = copies.iter().map(|copy| price(copy.pulls)).collect();
        let candidate = |n: usize| Candidate {
            image: &images[n],
            digest: &digests[n],
            platforms: &ALL,
            priority: copies[n].priority,
            deferred_since: copies[n].deferred_hours.map(|hours| after(-3600 * hours)),
            price: &prices[n],
        };
        let mut candidates: Vec<Candidate<'_>> = indexes.map(candidate).collect();
        let allotments = allot(&candidates, budget, now());
        candidates.reverse();
        let mut reversed = allot(&candidates, budget, now());
        reversed.reverse();
        assert_eq!(allotments, reversed);
        allotments
    }

    fn taken(copies: &[Copy], budget: &Budget) -> Vec<usize> {
        let allotments = allot_copies(copies, budget);
        (0..copies.len())
            .filter(|&n| allotments[n] == Allotment::Take)
            .collect()
    }

    #[test]
    fn priority_comes_first_then_the_longest_deferral_then_the_lowest_price() {
        let copies = [
            copy(0, None, 1),
            copy(0, Some(2), 3),
            copy(0, Some(5), 3),
            copy(9, None, 4),
            copy(0, None, 2),
        ];
        assert_eq!(taken(&copies, &budget(100, 4, 0)), [3]);
        assert_eq!(taken(&copies, &budget(100, 7, 0)), [2, 3]);
        assert_eq!(taken(&copies, &budget(100, 11, 0)), [0, 1, 2, 3]);
    }

    #[test]
    fn a_copy_that_ranks_below_one_that_does_not_fit_may_still_fit() {
        let copies = [copy(9, None, 6), copy(0, None, 2)];
        assert_eq!(taken(&copies, &budget(100, 5, 0)), [1]);
    }

    #[test]
    fn pulls_are_saved_for_a_copy_that_was_deferred_for_a_window() {
        let copies = |hours| [copy(9, Some(hours), 6), copy(0, None, 2), copy(10, None, 1)];
        assert_eq!(taken(&copies(6), &budget(100, 5, 0)), [2]);
        assert_eq!(taken(&copies(5), &budget(100, 5, 0)), [1, 2]);
    }

    #[test]
    fn the_reserve_is_not_spent() {
        let budget = budget(100, 12, 10);
        assert_eq!(taken(&[copy(0, None, 3)], &budget), [] as [usize; 0]);
        assert_eq!(taken(&[copy(0, None, 2)], &budget), [0]);
    }

    #[test]
    fn a_copy_that_costs_nothing_always_fits() {
        assert_eq!(taken(&[copy(0, None, 0)], &budget(100, 3, 10)), [0]);
    }

    #[test]
    fn a_price_above_a_window_is_taken_when_the_window_is_whole() {
        let copies = [copy(0, None, 91)];
        assert_eq!(taken(&copies, &budget(100, 100, 10)), [0]);
    }

    #[test]
    fn no_pulls_are_saved_for_a_copy_that_needs_a_whole_window() {
        let copies = [copy(9, Some(20), 91), copy(0, None, 1)];
        assert_eq!(taken(&copies, &budget(100, 99, 10)), [1]);
    }

    #[test]
    fn tags_with_the_same_digest_and_platforms_pay_once() {
        let version = "a:1".parse().unwrap();
        let latest = "a:latest".parse().unwrap();
        let digest = Digest::from_content(b"a");
        let price = price(5);
        let amd64 = Platforms::from(vec!["linux/amd64".parse().unwrap()]);
        let candidate = |image, platforms| Candidate {
            image,
            digest: &digest,
            platforms,
            priority: 0,
            deferred_since: None,
            price: &price,
        };
        let allot_two = |platforms_of_latest, pulls| {
            let candidates = [
                candidate(&version, &ALL),
                candidate(&latest, platforms_of_latest),
            ];
            allot(&candidates, &budget(100, pulls, 0), now())
        };
        assert_eq!(allot_two(&ALL, 5), [Allotment::Take, Allotment::Take]);
        assert_eq!(allot_two(&amd64, 9), [Allotment::Take, Allotment::Defer]);
        assert_eq!(allot_two(&amd64, 10), [Allotment::Take, Allotment::Take]);
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

    fn copies() -> impl Strategy<Value = Vec<Copy>> {
        let one = (-2..3i32, prop::option::of(0..20i64), 0..30u32);
        let one = one.prop_map(|(priority, hours, pulls)| copy(priority, hours, pulls));
        prop::collection::vec(one, 0..60)
    }

    proptest! {
        #[test]
        fn the_budget_is_never_exceeded(
            copies in copies(),
            remaining in 0..200u32,
            reserve in 0..50u32,
        ) {
            let budget = budget(200, remaining, reserve);
            let spent: u32 = taken(&copies, &budget).iter().map(|&n| copies[n].pulls).sum();
            prop_assert!(spent <= budget.available());
        }

        #[test]
        fn a_copy_is_deferred_only_in_favour_of_copies_that_rank_above_it(
            copies in copies(),
            remaining in 0..200u32,
        ) {
            let allotments = allot_copies(&copies, &budget(200, remaining, 0));
            let mut ranked: Vec<usize> = (0..copies.len()).collect();
            ranked.sort_by_key(|&n| {
                let Copy { priority, deferred_hours, pulls } = copies[n];
                (-priority, deferred_hours.map_or(1, |hours| -hours), pulls, n)
            });
            let mut spent = 0;
            let mut is_saving = false;
            for n in ranked {
                let Copy { deferred_hours, pulls, .. } = copies[n];
                if allotments[n] == Allotment::Take {
                    prop_assert!(!is_saving || pulls == 0, "{n} of {copies:?}");
                    spent += pulls;
                } else {
                    prop_assert!(is_saving || spent + pulls > remaining, "{n} of {copies:?}");
                    is_saving |= deferred_hours.is_some_and(|hours| hours >= 6);
                }
            }
        }

        #[test]
        fn a_budget_for_all_copies_defers_none(copies in copies()) {
            let total: u32 = copies.iter().map(|copy| copy.pulls).sum();
            let taken = taken(&copies, &budget(total + 10, total + 10, 10));
            prop_assert_eq!(taken.len(), copies.len());
        }
    }
}
