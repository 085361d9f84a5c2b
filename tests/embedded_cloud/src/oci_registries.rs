//! Registries of no particular make, for reading and writing.

use std::time::Duration;

use axum::Router;

use crate::Faults;
use crate::listener::{Listener, Server};
use crate::registry::{self, Dialect, Gate, Parts, Registry, Surroundings};
use crate::tokens::{self, Terms, TokenService};

/// What tokens live where the service does not say: the least that the specification allows.
const TOKEN_LIFETIME: Duration = Duration::from_mins(1);

/// A registry that everybody may read and write.
pub(crate) async fn start_open(surroundings: &Surroundings, servers: &mut Vec<Server>) -> Registry {
    let listener = Listener::bind().await;
    serve(
        parts("open", "registry.example", &listener, surroundings),
        listener,
        servers,
    )
}

/// A registry like mirror.gcr.io: everybody may read copies of Docker Hub's images, and nobody may write.
pub(crate) async fn start_hub_cache(
    surroundings: &Surroundings,
    servers: &mut Vec<Server>,
) -> Registry {
    let listener = Listener::bind().await;
    let mut parts = parts("hub_cache", "mirror.gcr.io", &listener, surroundings);
    parts.dialect = Dialect::PullThroughCache;
    serve(parts, listener, servers)
}

/// A registry like quay.io: everybody may read and write, but only with a token.
pub(crate) async fn start_with_tokens(
    surroundings: &Surroundings,
    servers: &mut Vec<Server>,
) -> Registry {
    let listener = Listener::bind().await;
    let mut parts = parts("quay", "quay.io", &listener, surroundings);
    let service = TokenService::new(terms(&listener, surroundings, &parts.faults));
    parts.gate = Gate::Tokens(service.clone());
    let registry = Registry::new(parts);
    let router: Router = tokens::router(service).merge(registry::router(registry.clone()));
    servers.push(listener.serve(router));
    registry
}

fn serve(parts: Parts, listener: Listener, servers: &mut Vec<Server>) -> Registry {
    let registry = Registry::new(parts);
    servers.push(listener.serve(registry::router(registry.clone())));
    registry
}

fn parts(
    name: &'static str,
    host: &str,
    listener: &Listener,
    surroundings: &Surroundings,
) -> Parts {
    Parts {
        name,
        host: host.into(),
        endpoint: listener.url(),
        dialect: Dialect::Distribution,
        gate: Gate::Open,
        downloads: None,
        meter: None,
        faults: Faults::default(),
        surroundings: surroundings.clone(),
    }
}

fn terms(listener: &Listener, surroundings: &Surroundings, faults: &Faults) -> Terms {
    Terms {
        name: "quay",
        service: "quay.io",
        realm: format!("{}/token", listener.url()),
        lifetime: TOKEN_LIFETIME,
        announces_lifetime: false,
        clock: surroundings.clock.clone(),
        counts: surroundings.counts.clone(),
        faults: faults.clone(),
    }
}
