//! The allotment of a budget: which copies are made now, and which are deferred.
//!
//! Copies are taken by priority, then by how long they have been deferred, then by price. A copy that
//! does not fit is deferred, and one that ranks below it may still fit. No copy begins unless the
//! budget covers its estimated price.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::Budget;
use crate::image::digest::Digest;
use crate::image::platform::Platforms;
use crate::image::reference::{ImageRef, RepositoryRef};
use crate::plan::price::Price;

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

/// Whether a copy is made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allotment {
    /// The copy fits into the budget.
    Take,
    /// The copy does not fit now.
    Defer,
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
    let Some(since) = candidate.deferred_since else {
        return false;
    };
    let deferred_for = Duration::try_from(now.duration_since(since));
    deferred_for.is_ok_and(|time| time >= budget.window)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    static ALL: Platforms = Platforms::ALL;

    /// A copy that the tests ask for.
    #[derive(Clone, Copy, Debug)]
    struct CopySpec {
        priority: i32,
        deferred_hours: Option<i64>,
        pulls: u32,
    }

    fn copy(priority: i32, deferred_hours: Option<i64>, pulls: u32) -> CopySpec {
        CopySpec {
            priority,
            deferred_hours,
            pulls,
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn hours_ago(hours: i64) -> Timestamp {
        now() - jiff::SignedDuration::from_hours(hours)
    }

    fn budget(limit: u32, remaining: u32, reserve: u32) -> Budget {
        Budget {
            limit,
            remaining,
            reserve,
            window: Duration::from_hours(6),
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
    fn allot_copies(copies: &[CopySpec], budget: &Budget) -> Vec<Allotment> {
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
            deferred_since: copies[n].deferred_hours.map(hours_ago),
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

    fn taken(copies: &[CopySpec], budget: &Budget) -> Vec<usize> {
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

    fn copies() -> impl Strategy<Value = Vec<CopySpec>> {
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
                let CopySpec { priority, deferred_hours, pulls } = copies[n];
                (-priority, deferred_hours.map_or(1, |hours| -hours), pulls, n)
            });
            let mut spent = 0;
            let mut is_saving = false;
            for n in ranked {
                let CopySpec { deferred_hours, pulls, .. } = copies[n];
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
