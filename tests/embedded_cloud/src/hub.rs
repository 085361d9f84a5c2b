//! Docker Hub: a read-only registry, its token service and its CDN, on three ports.

use std::time::Duration;

use crate::downloads::{self, Downloads};
use crate::image::Image;
use crate::listener::{Listener, Server};
use crate::pull_meter::Meter;
use crate::registry::{self, Authentication, Registry, RegistryConfig, RegistryKind};
use crate::shared_state::SharedState;
use crate::tokens::{self, TokenService, TokenServiceConfig};
use crate::{Clock, Faults};

/// Lifetime of a token of Docker Hub; observed since 2020.
const TOKEN_LIFETIME: Duration = Duration::from_mins(5);

/// Docker Hub; clones share its contents.
///
/// Manifest requests are metered. `HEAD` is free; `GET` costs a pull of the user, or of the address
/// if anonymous. The quota is 100 pulls in six hours until [`Hub::set_quota`] changes it.
#[derive(Clone)]
pub struct Hub {
    registry: Registry,
    tokens: TokenService,
    meter: Meter,
}

impl Hub {
    pub(crate) async fn start(shared: &SharedState, servers: &mut Vec<Server>) -> Self {
        let [front, auth, cdn] = [
            Listener::bind().await,
            Listener::bind().await,
            Listener::bind().await,
        ];
        let faults = Faults::default();
        let tokens = TokenService::new(terms(&auth, shared, &faults));
        let meter = Meter::new(shared.clock.clone());
        let downloads = Downloads {
            name: "cdn",
            endpoint: cdn.url(),
            faults: faults.clone(),
            shared: shared.clone(),
        };
        let registry = Registry::new(RegistryConfig {
            name: "hub",
            host: "docker.io".into(),
            endpoint: front.url(),
            kind: RegistryKind::DockerHub,
            authentication: Authentication::Tokens(tokens.clone()),
            downloads: Some(downloads.clone()),
            meter: Some(meter.clone()),
            faults,
            shared: shared.clone(),
        });
        servers.push(front.serve(registry::router(registry.clone())));
        servers.push(auth.serve(tokens::router(tokens.clone())));
        servers.push(cdn.serve(downloads::router(downloads)));
        Self {
            registry,
            tokens,
            meter,
        }
    }

    /// The URL of the registry: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        self.registry.endpoint()
    }

    /// The contents of Docker Hub.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The faults of the registry, its token service and its CDN (whose requests have the kind
    /// `cdn.blob.get`).
    pub fn faults(&self) -> &Faults {
        self.registry.faults()
    }

    /// Publishes an image: `hub.push("library/node", "22-alpine", &image)`.
    pub fn push(&self, repository: &str, tag: &str, image: &Image) {
        self.registry.push(repository, tag, image);
    }

    /// Removes a tag.
    pub fn delete_tag(&self, repository: &str, tag: &str) {
        self.registry.delete_tag(repository, tag);
    }

    /// Makes a repository private: only the user with the name of its namespace sees it.
    pub fn make_private(&self, repository: &str) {
        self.registry.make_private(repository);
    }

    /// Adds a user; the password may be an access token.
    pub fn add_user(&self, name: &str, password: &str) {
        self.tokens.user(name, password);
    }

    /// Sets the quota of every metered user and address: `limit` pulls per `window_seconds`.
    pub fn set_quota(&self, limit: u32, window_seconds: u32) {
        self.meter.quota(limit, window_seconds);
    }

    /// Removes the quota of a user, like a paid subscription. Responses then have no `ratelimit-*`
    /// headers.
    pub fn remove_quota(&self, name: &str) {
        self.meter.unmetered(name);
    }

    /// Makes a repository sponsored open source: its pulls count against no quota, and responses
    /// have no `ratelimit-*` headers.
    pub fn sponsor(&self, repository: &str) {
        self.meter.sponsored(repository);
    }

    /// Spends `pulls` of the quota as another client of the account would.
    /// [`Counts`](crate::Counts) does not change.
    ///
    /// `user` is the value of `docker-ratelimit-source`: a user, or `127.0.0.1` for anonymous
    /// callers.
    pub fn spend_pulls(&self, user: &str, pulls: u32) {
        self.meter.spend(user, pulls);
    }

    /// Refuses the next `pulls` with the error of the pull limit, although the quota headers still
    /// report remaining pulls.
    pub fn refuse_pulls(&self, pulls: u32) {
        self.meter.refuse(pulls);
    }

    /// How many requests got the 429 of the pull limit.
    pub fn refused_pulls(&self) -> u64 {
        self.meter.refused()
    }

    /// The lowest number of remaining pulls of any user or address.
    pub fn remaining(&self) -> u32 {
        self.meter.remaining()
    }

    /// Answers the next `requests` of any kind with the plain-text 429 of the abuse limit.
    pub fn limit_requests(&self, requests: u32, retry_after_seconds: u32) {
        self.faults()
            .limit_requests(None, retry_after_seconds, requests);
    }

    /// Answers the next `requests` for tag lists with the 429 of the abuse limit. Other requests
    /// are not affected.
    pub fn limit_tag_lists(&self, requests: u32, retry_after_seconds: u32) {
        self.faults()
            .limit_requests(Some("tags"), retry_after_seconds, requests);
    }
}

fn terms(auth: &Listener, shared: &SharedState, faults: &Faults) -> TokenServiceConfig {
    TokenServiceConfig {
        name: "hub",
        service: "registry.docker.io",
        realm: format!("{}/token", auth.url()),
        lifetime: TOKEN_LIFETIME,
        announces_lifetime: true,
        clock: Clock::clone(&shared.clock),
        counts: shared.counts.clone(),
        faults: faults.clone(),
    }
}
