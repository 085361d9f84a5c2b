//! One registry: its world as tests build and inspect it, and the data plane that serves it.
//!
//! Docker Hub, ECR, ECR Public and plain registries are this one data plane. They differ in their [`Dialect`], which answers
//! every question about behaviour, and in their [`Gate`], which knows who may enter.

use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;

use crate::downloads::Downloads;
use crate::hub::Meter;
use crate::outlet::Outlet;
use crate::pool::Pool;
use crate::sync::lock;
use crate::{Clock, Counts, Faults};

mod access;
mod blobs;
mod dialect;
mod gate;
mod manifest_put;
mod manifests;
mod negotiation;
mod put;
mod repository;
mod route;
mod serve;
mod session;
mod tag_list;
mod upload_rules;
mod uploads;
mod wording;
mod world;

pub(crate) use dialect::Dialect;
pub(crate) use gate::{Action, Caller, Gate, basic, bearer};
pub(crate) use put::{Deposit, PutError};
pub(crate) use repository::{Contents, Mutability, Repository, Stored};
pub(crate) use serve::router;
pub(crate) use wording::{digest_differs, immutable, no_such_repository, not_authorized, required};

use session::Sessions;

/// A registry of the embedded cloud; clones share its contents.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    contents: Mutex<Contents>,
    sessions: Mutex<Sessions>,
}

/// What a registry is made of.
pub(crate) struct Parts {
    /// The first word of its kinds in [`Counts`].
    pub(crate) name: &'static str,
    /// The host that the registry has in image references.
    pub(crate) host: String,
    /// Where it listens.
    pub(crate) endpoint: String,
    pub(crate) dialect: Dialect,
    pub(crate) gate: Gate,
    /// Where blobs are downloaded from; without it the registry sends them itself.
    pub(crate) downloads: Option<Downloads>,
    pub(crate) meter: Option<Meter>,
    pub(crate) faults: Faults,
    pub(crate) surroundings: Surroundings,
}

/// What all registries of a cloud share.
#[derive(Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) pool: Pool,
    pub(crate) clock: Clock,
    pub(crate) counts: Counts,
}

impl Parts {
    /// The registry as a server that sends blobs itself.
    fn outlet(&self) -> Outlet<'_> {
        Outlet {
            name: self.name,
            counts: &self.surroundings.counts,
            faults: &self.faults,
        }
    }
}

impl Registry {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            inner: Arc::new(Inner {
                parts,
                contents: Mutex::default(),
                sessions: Mutex::default(),
            }),
        }
    }

    /// The host of this registry in image references: `docker.io`, `111122223333.dkr.ecr.us-east-1.amazonaws.com`.
    pub fn host(&self) -> &str {
        &self.parts().host
    }

    /// Where the registry listens: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.parts().endpoint
    }

    /// The same without the scheme, as a host of image references that needs no other endpoint: `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.endpoint().trim_start_matches("http://")
    }

    /// What goes wrong here, on demand.
    pub fn faults(&self) -> &Faults {
        &self.parts().faults
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.inner.parts
    }

    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        lock(&self.inner.contents)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.inner.sessions)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts().surroundings.clock.now()
    }

    /// Counts one request of `kind`.
    fn count(&self, kind: &str) {
        self.parts()
            .surroundings
            .counts
            .hit(&format!("{}.{kind}", self.parts().name));
    }
}
