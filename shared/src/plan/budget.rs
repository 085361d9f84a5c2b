//! Docker Hub's quota planned like a budget: what is copied now, and when the rest.
//!
//! Pure: prices and the quota come in, an allotment for each copy goes out. Copies are taken by priority, then by how long they have
//! been waiting, then by price; what does not fit is put off, and what comes after it may still fit. Nothing is begun that the
//! budget cannot finish, as far as its price was judged right.

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
const DEFAULT_WINDOW_SECONDS: u64 = 6 * 3600;
/// What is planned now is spent within an invocation's longest time.
const MAX_INVOCATION_TIME: Duration = Duration::from_mins(15);
/// No sooner is anything tried again.
const MIN_RETRY_DELAY: Duration = Duration::from_mins(5);

/// A copy that costs pulls.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The upstream tag.
    pub image: &'a ImageRef,
    /// What is fetched: tags that share it pay once for the same platforms.
    pub digest: &'a Digest,
    /// Which of its platforms.
    pub platforms: &'a Platforms,
    /// Higher goes first.
    pub priority: i32,
    /// Since when upstream is known to have it; `None` when that is news.
    pub deferred_since: Option<Timestamp>,
    /// What it costs.
    pub price: &'a Price,
}

/// What may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Pulls of the quota.
    pub limit: u32,
    /// Pulls that are left of it.
    pub remaining: u32,
    /// Pulls of those that are left for others.
    pub reserve: u32,
    /// The length of the window.
    pub window: Duration,
}

/// What becomes of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allotment {
    /// It fits.
    Take,
    /// It does not fit now.
    Defer,
}

impl Budget {
    /// The budget that `quota` leaves; `None` where nothing is counted, or nothing is known.
    pub fn from_quota(quota: Option<Quota>, reserve: Reserve) -> Option<Self> {
        let quota = quota.filter(|quota| quota.metered)?;
        let (limit, remaining) = (quota.limit?, quota.remaining?);
        let window = Duration::from_secs(quota.window_seconds.unwrap_or(DEFAULT_WINDOW_SECONDS));
        Some(Self {
            limit,
            remaining,
            reserve: reserve.pulls_of(limit),
            window,
        })
    }

    /// What it was before `pulls` of it were spent.
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

    /// Pulls that may be spent in a window that nobody else spends from. One pull is never too much for good.
    pub fn per_window(&self) -> u32 {
        self.limit.saturating_sub(self.reserve).max(1)
    }

    /// What is to be set aside for a copy before it begins. More than one pull is only judged, which never keeps one out for good.
    pub fn pulls_to_reserve(&self, price: &Price) -> u32 {
        price.pulls.min(self.per_window())
    }

    /// When the window is likely to have freed `pulls` more than are left after the ones that are `planned`.
    ///
    /// Docker Hub says how long its window is and not when it began. What others have spent in it comes back bit by bit: it is taken
    /// for evenly spread. What is not enough comes back when what is planned now leaves the window.
    pub fn estimate_retry_at(&self, pulls: u32, planned: u32, now: Timestamp) -> Timestamp {
        let spent = self.limit.saturating_sub(self.remaining);
        let lacking = pulls.saturating_sub(self.available().saturating_sub(planned));
        let wait = if lacking <= spent {
            self.window
                .mul_f64(f64::from(lacking) / f64::from(spent.max(1)))
        } else {
            self.window + MAX_INVOCATION_TIME
        };
        now + wait.max(MIN_RETRY_DELAY)
    }
}

/// Decides about `candidates`, in their order, for what `budget` allows; the order they come in does not matter.
///
/// A copy that has waited for a window or longer and does not fit is saved up for: nothing that ranks below it is taken meanwhile. Not so
/// one that needs a whole window: while anybody else pulls, that would be for ever.
pub fn allot(candidates: &[Candidate<'_>], budget: &Budget, now: Timestamp) -> Vec<Allotment> {
    let mut ranked: Vec<usize> = (0..candidates.len()).collect();
    ranked.sort_by_key(|&index| rank(&candidates[index]));
    let mut allotments = vec![Allotment::Defer; candidates.len()];
    let mut left = budget.available();
    let mut paid: BTreeSet<(&RepositoryRef, &Digest, String)> = BTreeSet::new();
    for index in ranked {
        let candidate = &candidates[index];
        let content = (
            candidate.image.repository(),
            candidate.digest,
            candidate.platforms.to_string(),
        );
        let needs = if paid.contains(&content) {
            0
        } else {
            budget.pulls_to_reserve(candidate.price)
        };
        if needs <= left {
            left -= needs;
            paid.insert(content);
            allotments[index] = Allotment::Take;
        } else if needs < budget.per_window() && is_overdue(candidate, budget, now) {
            left = 0;
        }
    }
    allotments
}

/// By priority, then by how long it waits, then by price; the name makes the order one.
fn rank<'a>(candidate: &Candidate<'a>) -> impl Ord + use<'a> {
    let deferred_since = candidate
        .deferred_since
        .map_or((true, Timestamp::MAX), |since| (false, since));
    (
        std::cmp::Reverse(candidate.priority),
        deferred_since,
        candidate.price.pulls,
        candidate.image,
    )
}

fn is_overdue(candidate: &Candidate<'_>, budget: &Budget, now: Timestamp) -> bool {
    let waited = candidate
        .deferred_since
        .and_then(|since| Duration::try_from(now.duration_since(since)).ok());
    waited.is_some_and(|waited| waited >= budget.window)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    static ALL: Platforms = Platforms::ALL;

    /// Priority, hours of waiting, and pulls.
    type Wish = (i32, Option<i64>, u32);

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn budget(limit: u32, remaining: u32, reserve: u32) -> Budget {
        Budget {
            limit,
            remaining,
            reserve,
            window: Duration::from_secs(DEFAULT_WINDOW_SECONDS),
        }
    }

    fn exact(pulls: u32) -> Price {
        Price {
            pulls,
            is_exact: true,
            alone: BTreeMap::new(),
        }
    }

    fn decide(wishes: &[Wish], budget: &Budget) -> Vec<Allotment> {
        let images: Vec<ImageRef> = (0..wishes.len())
            .map(|n| format!("app{n:03}:1").parse().unwrap())
            .collect();
        let digests: Vec<Digest> = (0..wishes.len())
            .map(|n| Digest::from_content(n.to_string().as_bytes()))
            .collect();
        let prices: Vec<Price> = wishes.iter().map(|(_, _, pulls)| exact(*pulls)).collect();
        let since = |hours: i64| now() - jiff::SignedDuration::from_hours(hours);
        let candidates: Vec<Candidate<'_>> = wishes
            .iter()
            .enumerate()
            .map(|(n, (priority, hours, _))| Candidate {
                image: &images[n],
                digest: &digests[n],
                platforms: &ALL,
                priority: *priority,
                deferred_since: hours.map(since),
                price: &prices[n],
            })
            .collect();
        allot(&candidates, budget, now())
    }

    fn taken(wishes: &[Wish], budget: &Budget) -> Vec<usize> {
        let allotments = decide(wishes, budget);
        (0..wishes.len())
            .filter(|&n| allotments[n] == Allotment::Take)
            .collect()
    }

    #[test]
    fn priority_goes_first_then_who_waits_longest_then_who_costs_least() {
        let wishes = [
            (0, None, 1),
            (0, Some(2), 3),
            (0, Some(5), 3),
            (9, None, 4),
            (0, None, 2),
        ];
        assert_eq!(taken(&wishes, &budget(100, 4, 0)), [3]);
        assert_eq!(taken(&wishes, &budget(100, 7, 0)), [2, 3]);
        assert_eq!(taken(&wishes, &budget(100, 11, 0)), [0, 1, 2, 3]);
    }

    #[test]
    fn what_comes_after_something_too_dear_may_still_fit() {
        assert_eq!(
            taken(&[(9, None, 6), (0, None, 2)], &budget(100, 5, 0)),
            [1]
        );
    }

    #[test]
    fn who_waited_for_a_window_is_saved_up_for() {
        assert_eq!(
            taken(
                &[(9, Some(7), 6), (0, None, 2), (10, None, 1)],
                &budget(100, 5, 0)
            ),
            [2]
        );
    }

    #[test]
    fn the_reserve_is_not_for_spending() {
        assert_eq!(
            taken(&[(0, None, 3)], &budget(100, 12, 10)),
            [] as [usize; 0]
        );
        assert_eq!(taken(&[(0, None, 2)], &budget(100, 12, 10)), [0]);
        assert_eq!(
            taken(&[(0, None, 0)], &budget(100, 3, 10)),
            [0],
            "what costs nothing always fits"
        );
    }

    #[test]
    fn a_price_that_was_judged_above_any_window_waits_for_a_whole_one() {
        assert_eq!(
            decide(&[(0, None, 91)], &budget(100, 100, 10)),
            [Allotment::Take]
        );
        let wishes = [(9, Some(20), 91), (0, None, 1)];
        assert_eq!(
            decide(&wishes, &budget(100, 99, 10)),
            [Allotment::Defer, Allotment::Take],
            "and keeps nobody waiting"
        );
    }

    #[test]
    fn two_tags_of_one_digest_pay_once() {
        let (image, other) = ("a:1".parse().unwrap(), "a:latest".parse().unwrap());
        let (digest, price) = (Digest::from_content(b"a"), exact(5));
        let platforms = &ALL;
        let candidate = |image| Candidate {
            image,
            digest: &digest,
            platforms,
            priority: 0,
            deferred_since: None,
            price: &price,
        };
        let allotments = allot(
            &[candidate(&image), candidate(&other)],
            &budget(100, 5, 0),
            now(),
        );
        assert_eq!(allotments, [Allotment::Take, Allotment::Take]);
        let amd64 = Platforms::from(vec!["linux/amd64".parse().unwrap()]);
        let part = Candidate {
            platforms: &amd64,
            ..candidate(&other)
        };
        let decide = |left| {
            allot(
                &[candidate(&image), part.clone()],
                &budget(100, left, 0),
                now(),
            )
        };
        assert_eq!(
            (decide(9), decide(10)),
            (
                vec![Allotment::Take, Allotment::Defer],
                vec![Allotment::Take; 2]
            )
        );
    }

    #[test]
    fn others_pulls_come_back_bit_by_bit_and_our_own_after_a_window() {
        let after = |seconds: i64| now() + jiff::SignedDuration::from_secs(seconds);
        assert_eq!(
            budget(100, 10, 10).estimate_retry_at(45, 0, now()),
            after(10_800),
            "half of the 90 that others have spent"
        );
        assert_eq!(
            budget(100, 10, 10).estimate_retry_at(1, 0, now()),
            after(300)
        );
        assert_eq!(
            budget(30, 30, 3).estimate_retry_at(20, 27, now()),
            after(21_600 + 900)
        );
        assert_eq!(
            budget(100, 50, 10).estimate_retry_at(30, 20, now()),
            after(4_320),
            "20 of the 30 are left"
        );
    }

    #[test]
    fn nothing_known_and_nothing_counted_is_no_budget() {
        let quota = |remaining: &str| Some(Quota::parse(Some("200;w=21600"), Some(remaining)));
        assert_eq!(Budget::from_quota(None, Reserve::default()), None);
        assert_eq!(
            Budget::from_quota(Some(Quota::UNMETERED), Reserve::default()),
            None
        );
        let budget = Budget::from_quota(quota("50;w=21600"), Reserve::Percent(10)).unwrap();
        assert_eq!((budget.available(), budget.per_window()), (30, 180));
    }

    fn wishes() -> impl Strategy<Value = Vec<Wish>> {
        prop::collection::vec((-2..3i32, prop::option::of(0..20i64), 0..30u32), 0..60)
    }

    proptest! {
        #[test]
        fn the_budget_is_never_exceeded(wishes in wishes(), remaining in 0..200u32, reserve in 0..50u32) {
            let budget = budget(200, remaining, reserve);
            let spent: u32 = taken(&wishes, &budget).into_iter().map(|n| wishes[n].2).sum();
            prop_assert!(spent <= budget.available());
        }

        #[test]
        fn nothing_is_put_off_for_the_sake_of_what_ranks_below_it(wishes in wishes(), remaining in 0..200u32) {
            let budget = budget(200, remaining, 0);
            let allotments = decide(&wishes, &budget);
            let rank = |n: usize| (std::cmp::Reverse(wishes[n].0), wishes[n].1.map_or(1, |hours| -hours), wishes[n].2, n);
            let is_saved_up_for = |n: usize| {
                allotments[n] == Allotment::Defer && wishes[n].1.is_some_and(|hours| hours >= 6)
            };
            for n in (0..wishes.len()).filter(|&n| allotments[n] == Allotment::Defer) {
                let above = |m: &usize| rank(*m) < rank(n);
                let spent_above: u32 =
                    (0..wishes.len()).filter(above).filter(|&m| allotments[m] == Allotment::Take).map(|m| wishes[m].2).sum();
                let is_behind = (0..wishes.len()).filter(above).any(is_saved_up_for);
                prop_assert!(spent_above + wishes[n].2 > remaining || is_behind, "{n} of {wishes:?}");
            }
        }

        #[test]
        fn the_order_of_the_wishes_does_not_matter(wishes in wishes(), remaining in 0..200u32) {
            let (images, digests): (Vec<ImageRef>, Vec<Digest>) = (0..wishes.len())
                .map(|n| (format!("app{n:03}:1").parse().unwrap(), Digest::from_content(n.to_string().as_bytes())))
                .unzip();
            let prices: Vec<Price> = wishes.iter().map(|(_, _, pulls)| exact(*pulls)).collect();
            let mut candidates: Vec<Candidate<'_>> = (0..wishes.len())
                .map(|n| Candidate {
                    image: &images[n], digest: &digests[n], platforms: &ALL, priority: wishes[n].0, deferred_since: None, price: &prices[n],
                })
                .collect();
            let allotments = allot(&candidates, &budget(200, remaining, 0), now());
            candidates.reverse();
            let mut reversed = allot(&candidates, &budget(200, remaining, 0), now());
            reversed.reverse();
            prop_assert_eq!(allotments, reversed);
        }

        #[test]
        fn a_budget_for_everything_puts_nothing_off(wishes in wishes()) {
            let total: u32 = wishes.iter().map(|wish| wish.2).sum();
            let allotments = decide(&wishes, &budget(total + 10, total + 10, 10));
            prop_assert!(allotments.iter().all(|allotment| *allotment == Allotment::Take));
        }
    }
}
