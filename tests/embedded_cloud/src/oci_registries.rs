//! Registries that follow the OCI distribution specification without deviations.

use std::time::Duration;

use axum::Router;

use crate::Faults;
use crate::listener::{Listener, Server};
use crate::registry::{self, Authentication, Registry, RegistryConfig, RegistryKind};
use crate::shared_state::SharedState;
use crate::tokens::{self, TokenService, TokenServiceConfig};

/// Token lifetime of a service that does not state it: the minimum of the specification.
const TOKEN_LIFETIME: Duration = Duration::from_mins(1);

/// A registry that everyone may read and write.
pub(crate) async fn start_open(shared: &SharedState, servers: &mut Vec<Server>) -> Registry {
    let listener = Listener::bind().await;
    serve(
        config("open", "registry.example", &listener, shared),
        listener,
        servers,
    )
}

/// A pull-through cache like mirror.gcr.io: everyone may read copies of Docker Hub's images, and no
/// one may write.
pub(crate) async fn start_hub_cache(shared: &SharedState, servers: &mut Vec<Server>) -> Registry {
    let listener = Listener::bind().await;
    let mut config = config("hub_cache", "mirror.gcr.io", &listener, shared);
    config.kind = RegistryKind::PullThroughCache;
    serve(config, listener, servers)
}

/// A registry like quay.io: everyone may read and write, but only with a token.
pub(crate) async fn start_with_tokens(shared: &SharedState, servers: &mut Vec<Server>) -> Registry {
    let listener = Listener::bind().await;
    let mut config = config("quay", "quay.io", &listener, shared);
    let service = TokenService::new(terms(&listener, shared, &config.faults));
    config.authentication = Authentication::Tokens(service.clone());
    let registry = Registry::new(config);
    let router: Router = tokens::router(service).merge(registry::router(registry.clone()));
    servers.push(listener.serve(router));
    registry
}

fn serve(config: RegistryConfig, listener: Listener, servers: &mut Vec<Server>) -> Registry {
    let registry = Registry::new(config);
    servers.push(listener.serve(registry::router(registry.clone())));
    registry
}

fn config(
    name: &'static str,
    host: &str,
    listener: &Listener,
    shared: &SharedState,
) -> RegistryConfig {
    RegistryConfig {
        name,
        host: host.into(),
        endpoint: listener.url(),
        kind: RegistryKind::Distribution,
        authentication: Authentication::Open,
        downloads: None,
        meter: None,
        faults: Faults::default(),
        shared: shared.clone(),
    }
}

fn terms(listener: &Listener, shared: &SharedState, faults: &Faults) -> TokenServiceConfig {
    TokenServiceConfig {
        name: "quay",
        service: "quay.io",
        realm: format!("{}/token", listener.url()),
        lifetime: TOKEN_LIFETIME,
        announces_lifetime: false,
        clock: shared.clock.clone(),
        counts: shared.counts.clone(),
        faults: faults.clone(),
    }
}
