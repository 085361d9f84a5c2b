//! One registry: its contents, as tests build and inspect them, and its data plane.
//!
//! Docker Hub, ECR, ECR Public and OCI registries share this data plane. They differ in their
//! [`RegistryKind`], which decides behaviour, and in their [`Authentication`].

use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;

use crate::Faults;
use crate::blob_server::BlobServer;
use crate::downloads::Downloads;
use crate::pull_meter::Meter;
use crate::shared_state::SharedState;
use crate::sync::lock;

mod access;
mod authentication;
mod blobs;
mod ecr_messages;
mod kind;
mod manifest_put;
mod manifest_store;
mod manifests;
mod negotiation;
mod repository;
mod route;
mod serve;
mod session;
mod tag_list;
mod test_api;
mod upload_rules;
mod uploads;

pub(crate) use authentication::Authentication;
pub(crate) use ecr_messages::{
    digest_differs, immutable, no_such_repository, not_authorized, required,
};
pub(crate) use kind::RegistryKind;
pub(crate) use manifest_store::{NewManifest, PutError};
pub(crate) use repository::{Contents, Mutability, Repository, Stored};
pub(crate) use serve::router;

use session::Sessions;

/// A registry of the embedded cloud; clones share its contents.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    config: RegistryConfig,
    contents: Mutex<Contents>,
    sessions: Mutex<Sessions>,
}

/// The configuration of a registry.
pub(crate) struct RegistryConfig {
    /// The prefix of its counters in [`Counts`].
    pub(crate) name: &'static str,
    /// The host that the registry has in image references.
    pub(crate) host: String,
    /// The URL that it listens on.
    pub(crate) endpoint: String,
    pub(crate) kind: RegistryKind,
    pub(crate) authentication: Authentication,
    /// The server that blob downloads are redirected to. Without it, the registry sends blobs
    /// itself.
    pub(crate) downloads: Option<Downloads>,
    pub(crate) meter: Option<Meter>,
    pub(crate) faults: Faults,
    pub(crate) shared: SharedState,
}

impl RegistryConfig {
    /// The registry as a server that sends blobs itself.
    fn blob_server(&self) -> BlobServer<'_> {
        BlobServer {
            name: self.name,
            counts: &self.shared.counts,
            faults: &self.faults,
        }
    }
}

impl Registry {
    pub(crate) fn new(config: RegistryConfig) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                contents: Mutex::default(),
                sessions: Mutex::default(),
            }),
        }
    }

    /// The host of this registry in image references: `docker.io`,
    /// `111122223333.dkr.ecr.us-east-1.amazonaws.com`.
    pub fn host(&self) -> &str {
        &self.config().host
    }

    /// The URL that the registry listens on: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.config().endpoint
    }

    /// The address without the scheme: `127.0.0.1:PORT`. Usable as a host in image references,
    /// without a configured endpoint.
    pub fn address(&self) -> &str {
        self.endpoint().trim_start_matches("http://")
    }

    /// The faults of this registry.
    pub fn faults(&self) -> &Faults {
        &self.config().faults
    }

    pub(crate) fn config(&self) -> &RegistryConfig {
        &self.inner.config
    }

    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        lock(&self.inner.contents)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.inner.sessions)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.config().shared.clock.now()
    }

    /// Counts one request of `kind`.
    fn count(&self, kind: &str) {
        self.config()
            .shared
            .counts
            .hit(&format!("{}.{kind}", self.config().name));
    }
}
