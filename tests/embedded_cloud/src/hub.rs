//! Docker Hub: a registry that is read, its token service, and its CDN, on three ports.

use std::time::Duration;

use crate::downloads::{self, Downloads};
use crate::image::Image;
use crate::listener::{Listener, Server};
use crate::registry::{self, Dialect, Gate, Parts, Registry, Surroundings};
use crate::tokens::{self, Terms, TokenService};
use crate::{Clock, Faults};

mod meter;

pub(crate) use meter::Meter;

/// How long a token of Docker Hub lives; observed since 2020.
const TOKEN_LIFETIME: Duration = Duration::from_mins(5);

/// Docker Hub; clones share its contents.
///
/// Manifests are metered: `HEAD` is free, and `GET` costs a pull of the user, or of the address for the anonymous. The quota
/// is 100 in six hours until [`Hub::set_quota`] changes it.
#[derive(Clone)]
pub struct Hub {
    registry: Registry,
    tokens: TokenService,
    meter: Meter,
}

impl Hub {
    pub(crate) async fn start(surroundings: &Surroundings, servers: &mut Vec<Server>) -> Self {
        let [front, auth, cdn] = [
            Listener::bind().await,
            Listener::bind().await,
            Listener::bind().await,
        ];
        let faults = Faults::default();
        let tokens = TokenService::new(terms(&auth, surroundings, &faults));
        let meter = Meter::new(surroundings.clock.clone());
        let downloads = Downloads {
            name: "cdn",
            endpoint: cdn.url(),
            faults: faults.clone(),
            surroundings: surroundings.clone(),
        };
        let registry = Registry::new(Parts {
            name: "hub",
            host: "docker.io".into(),
            endpoint: front.url(),
            dialect: Dialect::DockerHub,
            gate: Gate::Tokens(tokens.clone()),
            downloads: Some(downloads.clone()),
            meter: Some(meter.clone()),
            faults,
            surroundings: surroundings.clone(),
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

    /// Where the registry listens: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        self.registry.endpoint()
    }

    /// What is in Docker Hub.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What goes wrong at the registry, its token service and its CDN (whose requests are of the kind `cdn.blob.get`).
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

    /// Hides a repository from all but the user whose name is its namespace.
    pub fn make_private(&self, repository: &str) {
        self.registry.make_private(repository);
    }

    /// Adds a user; the password may be an access token.
    pub fn add_user(&self, name: &str, password: &str) {
        self.tokens.user(name, password);
    }

    /// Sets the quota of every metered user and address: `limit` pulls in any `window_seconds`.
    pub fn set_quota(&self, limit: u32, window_seconds: u32) {
        self.meter.quota(limit, window_seconds);
    }

    /// Lifts the quota of a user, as for a paid subscription: no `ratelimit-*` header is sent to it.
    pub fn remove_quota(&self, name: &str) {
        self.meter.unmetered(name);
    }

    /// Makes a repository sponsored open source: nobody's pulls of it count, and no `ratelimit-*` header is sent.
    pub fn sponsor(&self, repository: &str) {
        self.meter.sponsored(repository);
    }

    /// Somebody else who shares the account pulls that often, now: the quota is spent, and [`Counts`](crate::Counts) see nothing.
    ///
    /// `user` is what `docker-ratelimit-source` names: a user, or `127.0.0.1` for the anonymous.
    pub fn spend_pulls(&self, user: &str, pulls: u32) {
        self.meter.spend(user, pulls);
    }

    /// Refuses the next `pulls` with the words of the pull limit, although the quota's headers still say that there are some.
    pub fn refuse_pulls(&self, pulls: u32) {
        self.meter.refuse(pulls);
    }

    /// How many requests were answered with the 429 of the pull limit so far.
    pub fn refused_pulls(&self) -> u64 {
        self.meter.refused()
    }

    /// The pulls that are left to whoever has the fewest.
    pub fn remaining(&self) -> u32 {
        self.meter.remaining()
    }

    /// Answers the next `requests`, whatever they are, with the plain 429 that is meant for abusers.
    pub fn limit_requests(&self, requests: u32, retry_after_seconds: u32) {
        self.faults().abuse(None, retry_after_seconds, requests);
    }

    /// Answers the next `requests` for a list of tags with the same 429, and leaves all other requests alone.
    pub fn limit_tag_lists(&self, requests: u32, retry_after_seconds: u32) {
        self.faults()
            .abuse(Some("tags"), retry_after_seconds, requests);
    }
}

fn terms(auth: &Listener, surroundings: &Surroundings, faults: &Faults) -> Terms {
    Terms {
        name: "hub",
        service: "registry.docker.io",
        realm: format!("{}/token", auth.url()),
        lifetime: TOKEN_LIFETIME,
        announces_lifetime: true,
        clock: Clock::clone(&surroundings.clock),
        counts: surroundings.counts.clone(),
        faults: faults.clone(),
    }
}
