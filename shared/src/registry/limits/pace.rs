//! The pace of requests: how far apart they are, and how long a limit stops them.
//!
//! A limit applies to all requests of its kind. So it stops them all here, instead of letting each
//! request meet it and make things worse. [`Api`] is the scope of a limit. Docker Hub's abuse limit
//! applies to all requests to that host, the limit of tag lists to tag lists, and each limit of
//! Amazon ECR to one API.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use crate::error::{Cause, Error};
use crate::image::host::Host;
use crate::registry::transport::retry::MAX_RETRY_AFTER;
use crate::sync::lock;

/// Kinds of requests that have limits of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Api {
    /// GET and HEAD of manifests.
    GetManifest,
    /// PUT of manifests: ECR's `PutImage`.
    PutManifest,
    /// Tag lists.
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

/// The usual time between two `PutImage`: ECR allows 10 a second, in every region and at ECR Public
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>).
const PUT_IMAGE_INTERVAL: Duration = Duration::from_millis(100);
/// How many requests may follow each other without an interval after a pause.
const MAX_BURST: u32 = 10;
/// The longest interval that throttling leads to.
const MAX_INTERVAL: Duration = Duration::from_secs(1);
/// How long a limit without `Retry-After` stops requests.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);

/// The pace at every registry.
#[derive(Default)]
pub(crate) struct Pace {
    lanes: Mutex<HashMap<(String, Api), Lane>>,
}

/// Requests of one kind to one registry.
struct Lane {
    /// When the next request may be sent.
    next_turn: Instant,
    /// The time between two requests.
    interval: Duration,
    /// When the pause ends that a limit asked for.
    paused_until: Instant,
}

impl Lane {
    fn new(interval: Duration, now: Instant) -> Self {
        Self {
            next_turn: now,
            interval,
            paused_until: now,
        }
    }
}

impl Pace {
    /// Waits until no limit stops requests of this kind to `registry`.
    pub(crate) async fn wait_for_pause(&self, registry: &str, api: Api) {
        while let Some(until) = self.paused_until(registry, api)
            && Instant::now() < until
        {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Waits for the turn of a request of this kind to `registry`.
    pub(crate) async fn wait_for_turn(&self, registry: &str, api: Api) {
        while let Some(turn) = self.take_turn(registry, api, Instant::now()) {
            tokio::time::sleep_until(turn).await;
            // Another request may have met a limit meanwhile.
            let paused_until = self.paused_until(registry, api);
            if paused_until.is_none_or(|until| until <= turn) {
                return;
            }
        }
    }

    fn paused_until(&self, registry: &str, api: Api) -> Option<Instant> {
        let lanes = lock(&self.lanes);
        let lane = lanes.get(&(registry.to_owned(), api))?;
        Some(lane.paused_until)
    }

    /// Takes the next turn; `None` if nothing limits requests of this kind.
    fn take_turn(&self, registry: &str, api: Api, now: Instant) -> Option<Instant> {
        let mut lanes = lock(&self.lanes);
        let key = (registry.to_owned(), api);
        let usual = usual_interval(registry, api);
        if usual.is_zero() && !lanes.contains_key(&key) {
            return None;
        }
        let lane = lanes.entry(key).or_insert_with(|| Lane::new(usual, now));
        // Turns that nobody took are kept for a burst.
        let burst_start = now.checked_sub(lane.interval * MAX_BURST).unwrap_or(now);
        let turn = lane.next_turn.max(burst_start);
        lane.next_turn = turn + lane.interval;
        Some(turn)
    }

    /// Adapts the pace to `error`, with which `registry` refused a request of this kind.
    pub(crate) fn note_refusal(&self, registry: &str, api: Api, error: &Error) {
        let pause = error.retry_after().unwrap_or(DEFAULT_PAUSE);
        let pause = pause.min(MAX_RETRY_AFTER);
        match error.cause() {
            Cause::AbuseLimit { .. } => {
                for api in Api::ALL {
                    self.pause(registry, api, pause);
                }
            }
            Cause::ListingLimit { .. } => self.pause(registry, api, pause),
            Cause::Throttled { .. } => {
                self.pause(registry, api, pause);
                self.slow_down(registry, api);
            }
            // The usual response to a HEAD for new content is no sign of overload.
            Cause::NotFound => self.note_success(registry, api),
            _ => {}
        }
    }

    /// Adapts the pace to `error`, with which a token service refused a token for `registry`. Of
    /// the registry's own limits, only the abuse limit includes its token service.
    pub(crate) fn note_token_refusal(&self, registry: &str, error: &Error) {
        if matches!(error.cause(), Cause::AbuseLimit { .. }) {
            self.note_refusal(registry, Api::Rest, error);
        }
    }

    /// Stops requests of this kind for `pause`.
    fn pause(&self, registry: &str, api: Api, pause: Duration) {
        let now = Instant::now();
        let mut lanes = lock(&self.lanes);
        let lane = lanes
            .entry((registry.to_owned(), api))
            .or_insert_with(|| Lane::new(usual_interval(registry, api), now));
        lane.paused_until = lane.paused_until.max(now + pause);
        lane.next_turn = lane.next_turn.max(lane.paused_until);
    }

    /// Doubles the interval of this kind of request.
    fn slow_down(&self, registry: &str, api: Api) {
        let key = (registry.to_owned(), api);
        if let Some(lane) = lock(&self.lanes).get_mut(&key) {
            let doubled = lane.interval * 2;
            lane.interval = doubled.clamp(PUT_IMAGE_INTERVAL, MAX_INTERVAL);
        }
    }

    /// Shortens the interval by a tenth, down to the usual one, after a request was accepted.
    pub(crate) fn note_success(&self, registry: &str, api: Api) {
        let mut lanes = lock(&self.lanes);
        let key = (registry.to_owned(), api);
        let Some(lane) = lanes.get_mut(&key) else {
            return;
        };
        let usual = usual_interval(registry, api);
        lane.interval = (lane.interval * 9 / 10).max(usual);
        let has_recovered = usual.is_zero() && lane.interval < PUT_IMAGE_INTERVAL / 2;
        if has_recovered && lane.next_turn <= Instant::now() {
            lanes.remove(&key);
        }
    }
}

/// The time between two requests of a kind while nothing is throttled.
fn usual_interval(registry: &str, api: Api) -> Duration {
    match (Host::parse(registry), api) {
        (Host::Ecr { .. } | Host::EcrPublic, Api::PutManifest) => PUT_IMAGE_INTERVAL,
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Side;

    const HUB: &str = "docker.io";
    const ECR: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com";

    /// How long `requests` of a kind take from now on.
    async fn time(pace: &Pace, registry: &str, api: Api, requests: u32) -> Duration {
        let start = Instant::now();
        for _ in 0..requests {
            pace.wait_for_turn(registry, api).await;
        }
        start.elapsed()
    }

    fn refusal(cause: Cause) -> Error {
        Error::new(Side::Destination, cause, "put manifest")
    }

    #[tokio::test(start_paused = true)]
    async fn manifests_are_put_at_the_rate_of_ecr_and_elsewhere_without_a_limit() {
        let pace = Pace::default();
        tokio::time::advance(Duration::from_secs(10)).await;
        let puts = time(&pace, ECR, Api::PutManifest, 31).await;
        assert!(puts >= Duration::from_secs(2), "{puts:?}");
        let gets = time(&pace, ECR, Api::GetManifest, 100).await;
        assert_eq!(gets, Duration::ZERO);
        let elsewhere = time(&pace, "registry.example", Api::PutManifest, 100).await;
        assert_eq!(elsewhere, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_slows_down_that_api_alone_until_it_recovers() {
        let pace = Pace::default();
        let throttled = refusal(Cause::Throttled { retry_after: None });
        pace.note_refusal(ECR, Api::Rest, &throttled);
        let others = time(&pace, ECR, Api::GetManifest, 9).await;
        assert_eq!(others, Duration::ZERO);
        let slowed = time(&pace, ECR, Api::Rest, 11).await;
        assert!(slowed >= Duration::from_secs(2), "{slowed:?}");
        for _ in 0..50 {
            pace.wait_for_turn(ECR, Api::Rest).await;
            pace.note_success(ECR, Api::Rest);
        }
        tokio::time::advance(Duration::from_secs(5)).await;
        pace.note_success(ECR, Api::Rest);
        let recovered = time(&pace, ECR, Api::Rest, 100).await;
        assert_eq!(recovered, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_was_taken_before_a_limit_was_met_is_taken_again() {
        let pace = Pace::default();
        let put = || time(&pace, ECR, Api::PutManifest, 1);
        assert!(put().await < PUT_IMAGE_INTERVAL);
        let refuse = async {
            let retry_after = Some(Duration::from_secs(20));
            let throttled = refusal(Cause::Throttled { retry_after });
            pace.note_refusal(ECR, Api::PutManifest, &throttled);
        };
        let (waited, ()) = tokio::join!(put(), refuse);
        assert!(waited >= Duration::from_secs(20), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn of_the_limits_of_a_token_service_only_the_abuse_limit_stops_requests() {
        let pace = Pace::default();
        let begun = Instant::now();
        let retry_after = Some(Duration::from_secs(9));
        let throttled = refusal(Cause::Throttled { retry_after });
        pace.note_token_refusal(HUB, &throttled);
        pace.wait_for_pause(HUB, Api::Rest).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);

        let abuse = refusal(Cause::AbuseLimit { retry_after });
        pace.note_token_refusal(HUB, &abuse);
        pace.wait_for_pause(HUB, Api::GetManifest).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn the_abuse_limit_stops_all_requests_to_the_host_and_the_listing_limit_only_lists() {
        let pace = Pace::default();
        let pause = Duration::from_secs(30);
        let retry_after = Some(pause);
        let listing = refusal(Cause::ListingLimit { retry_after });
        pace.note_refusal(HUB, Api::ListTags, &listing);
        let manifest = time(&pace, HUB, Api::GetManifest, 1).await;
        assert_eq!(manifest, Duration::ZERO);
        let list = time(&pace, HUB, Api::ListTags, 1).await;
        assert!(list >= pause, "{list:?}");

        let abuse = refusal(Cause::AbuseLimit { retry_after });
        pace.note_refusal(HUB, Api::GetManifest, &abuse);
        let elsewhere = time(&pace, "quay.io", Api::GetManifest, 1).await;
        assert_eq!(elsewhere, Duration::ZERO);
        let blob = time(&pace, HUB, Api::Rest, 1).await;
        assert!(blob >= pause, "{blob:?}");
    }
}
