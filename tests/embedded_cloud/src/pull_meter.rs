//! The pull quota of Docker Hub: a sliding window per user, or per address for anonymous callers.
//!
//! <https://docs.docker.com/docker-hub/usage/pulls/>: `GET` of a manifest is a pull, `HEAD` is not,
//! blobs are not.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use axum::http::header::HeaderName;
use axum::http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};

use crate::Clock;
use crate::caller::Caller;
use crate::error_response::{ErrorResponse, header_map};
use crate::sync::lock;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const SOURCE: HeaderName = HeaderName::from_static("docker-ratelimit-source");

/// The error text of Docker Hub.
const SPENT: &str = "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: \
                     https://www.docker.com/increase-rate-limits";

/// The pulls of every user and address; clones share them.
#[derive(Clone)]
pub(crate) struct Meter {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

struct State {
    limit: u32,
    window_seconds: u32,
    unmetered: HashSet<String>,
    /// Repositories whose pulls count against no quota.
    sponsored: HashSet<String>,
    pulls: HashMap<String, VecDeque<Timestamp>>,
    refused: u64,
    /// How many more pulls are refused, whatever the quota.
    to_refuse: u32,
}

/// The content of the quota headers.
#[derive(Debug)]
pub(crate) struct Reading {
    limit: u32,
    remaining: u32,
    window_seconds: u32,
    source: String,
}

impl Meter {
    pub(crate) fn new(clock: Clock) -> Self {
        let (unmetered, sponsored, pulls) = Default::default();
        let state = State {
            limit: 100,
            window_seconds: 21_600,
            unmetered,
            sponsored,
            pulls,
            refused: 0,
            to_refuse: 0,
        };
        Self {
            clock,
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(crate) fn quota(&self, limit: u32, window_seconds: u32) {
        let mut state = lock(&self.state);
        (state.limit, state.window_seconds) = (limit, window_seconds);
    }

    pub(crate) fn unmetered(&self, user: &str) {
        lock(&self.state).unmetered.insert(user.into());
    }

    pub(crate) fn sponsored(&self, repository: &str) {
        lock(&self.state).sponsored.insert(repository.into());
    }

    /// Adds pulls by another client to a source, which may exceed its quota.
    pub(crate) fn spend(&self, source: &str, pulls: u32) {
        let now = self.clock.now();
        let spent = std::iter::repeat_n(
            now,
            usize::try_from(pulls).expect("a quota fits into memory"),
        );
        lock(&self.state)
            .pulls
            .entry(source.into())
            .or_default()
            .extend(spent);
    }

    /// Refuses the next `pulls`, without quota headers.
    pub(crate) fn refuse(&self, pulls: u32) {
        lock(&self.state).to_refuse = pulls;
    }

    /// How many pulls were refused.
    pub(crate) fn refused(&self) -> u64 {
        lock(&self.state).refused
    }

    pub(crate) fn remaining(&self) -> u32 {
        let mut state = lock(&self.state);
        let sources: Vec<String> = state.pulls.keys().cloned().collect();
        let now = self.clock.now();
        sources
            .into_iter()
            .map(|source| state.read(source, now).remaining)
            .min()
            .unwrap_or(state.limit)
    }

    /// Reads the quota of a caller; `None` for unmetered callers and sponsored repositories.
    pub(crate) fn read(&self, caller: &Caller, repository: &str) -> Option<Reading> {
        let mut state = lock(&self.state);
        let source = state.source(caller, repository)?;
        Some(state.read(source, self.clock.now()))
    }

    /// Counts one pull of a caller.
    pub(crate) fn pull(
        &self,
        caller: &Caller,
        repository: &str,
    ) -> Result<Option<Reading>, ErrorResponse> {
        let mut state = lock(&self.state);
        let Some(source) = state.source(caller, repository) else {
            return Ok(None);
        };
        if state.to_refuse > 0 {
            state.to_refuse -= 1;
            state.refused += 1;
            return Err(spent());
        }
        let now = self.clock.now();
        let reading = state.read(source.clone(), now);
        if reading.remaining == 0 {
            state.refused += 1;
            return Err(reading.refusal());
        }
        state
            .pulls
            .entry(source.clone())
            .or_default()
            .push_back(now);
        Ok(Some(state.read(source, now)))
    }
}

impl State {
    /// The source that a request counts against. All requests come from loopback, so anonymous
    /// callers share one address.
    fn source(&self, caller: &Caller, repository: &str) -> Option<String> {
        match &caller.user {
            _ if self.sponsored.contains(repository) => None,
            None => Some("127.0.0.1".into()),
            Some(user) => (!self.unmetered.contains(user)).then(|| user.clone()),
        }
    }

    fn read(&mut self, source: String, now: Timestamp) -> Reading {
        let horizon = now - SignedDuration::from_secs(self.window_seconds.into());
        let pulls = self.pulls.entry(source.clone()).or_default();
        pulls.retain(|pulled_at| *pulled_at > horizon);
        let used = u32::try_from(pulls.len()).unwrap_or(u32::MAX);
        let remaining = self.limit.saturating_sub(used);
        Reading {
            limit: self.limit,
            remaining,
            window_seconds: self.window_seconds,
            source,
        }
    }
}

impl Reading {
    /// The headers `ratelimit-limit: 100;w=21600`, `ratelimit-remaining` and
    /// `docker-ratelimit-source`.
    pub(crate) fn headers(&self) -> HeaderMap {
        header_map(self.pairs())
    }

    fn pairs(&self) -> [(HeaderName, String); 3] {
        let Self {
            limit,
            remaining,
            window_seconds,
            source,
        } = self;
        [
            (LIMIT, format!("{limit};w={window_seconds}")),
            (REMAINING, format!("{remaining};w={window_seconds}")),
            (SOURCE, source.clone()),
        ]
    }

    fn refusal(&self) -> ErrorResponse {
        self.pairs()
            .into_iter()
            .fold(spent(), |refusal, (name, value)| refusal.with(name, value))
    }
}

fn spent() -> ErrorResponse {
    ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", SPENT)
}
