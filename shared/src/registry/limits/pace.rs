//! The pace of requests: who was told to wait waits, and so does whoever asks for the same.
//!
//! A limit is met by all requests of its kind at once. So it holds them all back here, instead of letting each find out for itself
//! and make things worse. [`Api`] says how far a limit reaches: Docker Hub's abuse limit to everything at that host, the limit of
//! tag lists to tag lists, and each of Amazon ECR's to its own API.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use crate::error::{Cause, Error};
use crate::image::host::Host;
use crate::registry::transport::retry::LONGEST_WAIT;

/// Kinds of requests that have limits of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Api {
    /// GET and HEAD of manifests.
    GetManifest,
    /// PUT of manifests: ECR's `PutImage`.
    PutManifest,
    /// Lists of tags.
    ListTags,
    /// Blobs, uploads and tokens.
    Rest,
}

impl Api {
    const ALL: [Self; 4] = [
        Self::GetManifest,
        Self::PutManifest,
        Self::ListTags,
        Self::Rest,
    ];

    /// The kind of a request by its method and path.
    pub(crate) fn from_request(method: &Method, path: &str) -> Self {
        if path.ends_with("/tags/list") {
            Self::ListTags
        } else if !path.contains("/manifests/") {
            Self::Rest
        } else if method == Method::PUT {
            Self::PutManifest
        } else {
            Self::GetManifest
        }
    }
}

/// `PutImage` allows 10 a second, in every region and at ECR Public
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>).
const PUT_IMAGE: Duration = Duration::from_millis(100);
/// So many may come at once after a pause.
const BURST: u32 = 10;
/// The slowest that throttling makes requests of one kind.
const SLOWEST: Duration = Duration::from_secs(1);
/// For so long a limit that names no time holds back.
const A_MOMENT: Duration = Duration::from_secs(1);

/// The pace at every registry.
#[derive(Default)]
pub(crate) struct Pace {
    lanes: Mutex<HashMap<(String, Api), Lane>>,
}

/// Requests of one kind at one registry: the time at which the next has its turn, how far apart they are, and until when none has.
struct Lane {
    next: Instant,
    apart: Duration,
    held_until: Instant,
}

impl Pace {
    /// Waits as long as `registry` wants to be left alone by requests of this kind.
    pub(crate) async fn calm(&self, registry: &str, api: Api) {
        while let Some(until) = self
            .held_until(registry, api)
            .filter(|until| Instant::now() < *until)
        {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Waits until a request of this kind has its turn at `registry`.
    pub(crate) async fn turn(&self, registry: &str, api: Api) {
        while let Some(turn) = self.take_turn(registry, api, Instant::now()) {
            tokio::time::sleep_until(turn).await;
            // Another may have been refused meanwhile.
            if self
                .held_until(registry, api)
                .is_none_or(|until| until <= turn)
            {
                return;
            }
        }
    }

    fn held_until(&self, registry: &str, api: Api) -> Option<Instant> {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes
            .get(&(registry.to_owned(), api))
            .map(|lane| lane.held_until)
    }

    /// Takes the next turn; `None` where nothing holds requests back.
    fn take_turn(&self, registry: &str, api: Api, now: Instant) -> Option<Instant> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (registry.to_owned(), api);
        let usual = usual(registry, api);
        if usual.is_zero() && !lanes.contains_key(&key) {
            return None;
        }
        let lane = lanes.entry(key).or_insert_with(|| Lane {
            next: now,
            apart: usual,
            held_until: now,
        });
        // Turns that nobody took are kept for a burst.
        lane.next = lane
            .next
            .max(now.checked_sub(lane.apart * BURST).unwrap_or(now));
        let turn = lane.next;
        lane.next += lane.apart;
        Some(turn)
    }

    /// Takes note that `registry` refused a request of this kind with `error`.
    pub(crate) fn note(&self, registry: &str, api: Api, error: &Error) {
        let pause = error.retry_after().unwrap_or(A_MOMENT).min(LONGEST_WAIT);
        match error.cause() {
            Cause::AbuseLimit { .. } => Api::ALL
                .into_iter()
                .for_each(|api| self.hold(registry, api, pause, false)),
            Cause::ListingLimit { .. } => self.hold(registry, api, pause, false),
            Cause::Throttled { .. } => self.hold(registry, api, pause, true),
            // The usual answer to who looks for what is new.
            Cause::NotFound => self.well(registry, api),
            _ => {}
        }
    }

    /// The same for what is needed to ask `registry`: of its own limits only that for abusers reaches so far.
    pub(crate) fn note_at_the_token_service(&self, registry: &str, error: &Error) {
        if matches!(error.cause(), Cause::AbuseLimit { .. }) {
            self.note(registry, Api::Rest, error);
        }
    }

    /// Lets nothing pass for `pause`, and afterwards less than before where `slower` says so.
    fn hold(&self, registry: &str, api: Api, pause: Duration, slower: bool) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let apart = usual(registry, api);
        let lane = lanes.entry((registry.to_owned(), api)).or_insert(Lane {
            next: now,
            apart,
            held_until: now,
        });
        lane.held_until = lane.held_until.max(now + pause);
        lane.next = lane.next.max(lane.held_until);
        if slower {
            lane.apart = (lane.apart * 2).clamp(PUT_IMAGE, SLOWEST);
        }
    }

    /// Takes note that a request of this kind was answered: slowly back to the usual pace.
    pub(crate) fn well(&self, registry: &str, api: Api) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (registry.to_owned(), api);
        let usual = usual(registry, api);
        if let Some(lane) = lanes.get_mut(&key) {
            lane.apart = (lane.apart * 9 / 10).max(usual);
            if usual.is_zero() && lane.apart < PUT_IMAGE / 2 && lane.next <= Instant::now() {
                lanes.remove(&key);
            }
        }
    }
}

/// How far apart requests are while nobody complains.
fn usual(registry: &str, api: Api) -> Duration {
    match (Host::parse(registry), api) {
        (Host::Ecr { .. } | Host::EcrPublic, Api::PutManifest) => PUT_IMAGE,
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Side;

    const ECR: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com";

    /// How long `requests` of a kind take from now on.
    async fn time(pace: &Pace, registry: &str, api: Api, requests: u32) -> Duration {
        let start = Instant::now();
        for _ in 0..requests {
            pace.turn(registry, api).await;
        }
        start.elapsed()
    }

    fn refusal(cause: Cause) -> Error {
        Error::new(Side::Destination, cause, "put manifest")
    }

    #[tokio::test(start_paused = true)]
    async fn images_are_put_at_ecrs_pace_and_elsewhere_at_any() {
        let pace = Pace::default();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(time(&pace, ECR, Api::PutManifest, 31).await >= Duration::from_secs(2));
        assert_eq!(
            time(&pace, ECR, Api::GetManifest, 100).await,
            Duration::ZERO
        );
        assert_eq!(
            time(&pace, "registry.example", Api::PutManifest, 100).await,
            Duration::ZERO
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_throttled_slows_down_for_that_api_alone_and_recovers() {
        let pace = Pace::default();
        pace.note(
            ECR,
            Api::Rest,
            &refusal(Cause::Throttled { retry_after: None }),
        );
        assert_eq!(time(&pace, ECR, Api::GetManifest, 9).await, Duration::ZERO);
        assert!(time(&pace, ECR, Api::Rest, 11).await >= Duration::from_secs(2));
        for _ in 0..50 {
            pace.turn(ECR, Api::Rest).await;
            pace.well(ECR, Api::Rest);
        }
        tokio::time::advance(Duration::from_secs(5)).await;
        pace.well(ECR, Api::Rest);
        assert_eq!(time(&pace, ECR, Api::Rest, 100).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_was_given_before_a_limit_was_met_is_given_again() {
        let pace = Pace::default();
        assert!(time(&pace, ECR, Api::PutManifest, 1).await < PUT_IMAGE);
        let put = || time(&pace, ECR, Api::PutManifest, 1);
        let refuse = async {
            let retry_after = Some(Duration::from_secs(20));
            pace.note(
                ECR,
                Api::PutManifest,
                &refusal(Cause::Throttled { retry_after }),
            );
        };
        let (waits, ()) = tokio::join!(put(), refuse);
        assert!(waits >= Duration::from_secs(20), "{waits:?}");
        let begun = Instant::now();
        let retry_after = Some(Duration::from_secs(9));
        pace.note_at_the_token_service("docker.io", &refusal(Cause::Throttled { retry_after }));
        pace.calm("docker.io", Api::Rest).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        pace.note_at_the_token_service("docker.io", &refusal(Cause::AbuseLimit { retry_after }));
        pace.calm("docker.io", Api::GetManifest).await;
        assert_eq!(
            begun.elapsed(),
            Duration::from_secs(9),
            "no token is bought meanwhile"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_abuse_limit_holds_back_everything_there_and_the_limit_of_lists_only_lists() {
        let pace = Pace::default();
        let minute = Some(Duration::from_secs(30));
        pace.note(
            "docker.io",
            Api::ListTags,
            &refusal(Cause::ListingLimit {
                retry_after: minute,
            }),
        );
        assert_eq!(
            time(&pace, "docker.io", Api::GetManifest, 1).await,
            Duration::ZERO
        );
        assert!(time(&pace, "docker.io", Api::ListTags, 1).await >= Duration::from_secs(30));
        pace.note(
            "docker.io",
            Api::GetManifest,
            &refusal(Cause::AbuseLimit {
                retry_after: minute,
            }),
        );
        assert_eq!(
            time(&pace, "quay.io", Api::GetManifest, 1).await,
            Duration::ZERO
        );
        assert!(time(&pace, "docker.io", Api::Rest, 1).await >= Duration::from_secs(30));
    }
}
