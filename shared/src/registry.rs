//! Registries over HTTP, by the
//! [OCI distribution specification](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md).
//!
//! [`Source`] reads and [`Destination`] writes one repository.
//!
//! `oci-client` supplies only the structs and media types of manifests. Its transport is not used. It
//! hides what this project decides by: the quota headers, `Retry-After`, and the kind of a refusal.
//! It turns a HEAD that fails into a metered GET. ECR refuses its chunked uploads, and ECR's response
//! to a manifest PUT by digest makes it panic.
//!
//! * `source`, `destination`: the verbs;
//! * `keychain`: the port through which credentials come;
//! * `auth`: which `Authorization` header a request carries, and where a credential may go;
//! * `blob`: reading a blob, with further requests for the rest (`reader`), verifying its bytes
//!   (`verify`), and blobs that a registry can mount (`mounts`);
//! * `limits`: Docker Hub's pulls (`meter`), and the pace of requests (`pace`);
//! * `transport`: requests and redirects, connections (`connector`, `prewarm`, `tls`), retries
//!   (`retry`), and the table from responses to causes (`refusal`).

mod auth;
mod blob;
mod destination;
mod keychain;
mod limits;
mod source;
mod transport;

use std::sync::Arc;

use http::Method;
use http::header::AUTHORIZATION;
use url::Url;

pub use blob::BlobStream;
pub use blob::verify::{Fault, verified};
pub use destination::Destination;
pub(crate) use keychain::authorization_header;
pub use keychain::{Access, Credential, CredentialResult, Keychain};
pub use source::Source;

use crate::error::{Cause, Error, Side};
use crate::image::endpoints::Endpoints;
use crate::image::host::Host;
use crate::image::reference::{DOCKER_HUB, RepositoryRef};
use crate::plan::quota::Quota;
use crate::settings::{Hashing, Settings};
use auth::{Authorization, Authorizer};
use blob::mounts::Mounts;
pub(crate) use limits::meter::{Claim, Meter};
use limits::pace::{Api, Pace};
use transport::refusal::{Asked, Refusal};
pub(crate) use transport::retry::{MAX_RETRIES, with_retries};
use transport::{Failure, Request, Response, Transport};

/// All registries, with their connections and tokens. Clones share these.
#[derive(Clone)]
pub struct Registries(Arc<Shared>);

/// What all repositories share.
struct Shared {
    transport: Transport,
    endpoints: Endpoints,
    authorizer: Authorizer,
    meter: Meter,
    pace: Pace,
    mounts: Mounts,
    hashing: Hashing,
}

impl Registries {
    /// Registries with the credentials of `keychain`. This sends nothing.
    pub fn new(settings: &Settings, keychain: Arc<dyn Keychain>) -> Result<Self, Error> {
        let transport = Transport::new().map_err(|error| {
            Error::new(Side::Configuration, Cause::Invalid, "set up TLS").because(error)
        })?;
        Ok(Self(Arc::new(Shared {
            authorizer: Authorizer::new(transport.clone(), settings.endpoints.clone(), keychain),
            transport,
            endpoints: settings.endpoints.clone(),
            meter: Meter::new(settings.reserve),
            pace: Pace::default(),
            mounts: Mounts::default(),
            hashing: settings.hashing,
        })))
    }

    /// The source that reads `repository`.
    pub fn source(&self, repository: &RepositoryRef) -> Source {
        Source::new(self.remote(repository, Access::Pull))
    }

    /// The destination that writes `repository`.
    pub fn destination(&self, repository: &RepositoryRef) -> Destination {
        Destination::new(self.remote(repository, Access::Push))
    }

    /// The meter of Docker Hub's pulls.
    pub(crate) fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// Who checks the digests of blobs.
    pub(crate) fn hashing(&self) -> Hashing {
        self.0.hashing
    }

    fn remote(&self, repository: &RepositoryRef, access: Access) -> Remote {
        Remote {
            registries: Arc::clone(&self.0),
            repository: repository.clone(),
            access,
        }
    }
}

/// One repository, with the access of its side of a copy.
#[derive(Clone)]
struct Remote {
    registries: Arc<Shared>,
    repository: RepositoryRef,
    access: Access,
}

impl Remote {
    /// The address of `tail` in this repository, such as `manifests/latest`.
    fn url(&self, tail: &str) -> Result<Url, Error> {
        let invalid = |problem: String| {
            let action = format!("form the address of {}", self.repository);
            self.error(Cause::Invalid, &action).because(problem)
        };
        let base = self.registries.endpoints.base(&self.repository.registry);
        let path = format!("/v2/{}/{tail}", self.repository.path);
        let url = base.map_err(invalid)?.join(&path);
        url.map_err(|error| invalid(error.to_string()))
    }

    /// A request for `tail`.
    fn request(&self, method: Method, tail: &str) -> Result<Request, Error> {
        Ok(Request::new(method, self.url(tail)?))
    }

    /// As [`Remote::send`], with retries.
    async fn send_with_retries(&self, action: &str, request: &Request) -> Result<Response, Error> {
        with_retries(|| self.send(action, request)).await
    }

    /// Sends one request, and once more if a fresh authorization may help. A response that is no
    /// success is an error.
    async fn send(&self, action: &str, request: &Request) -> Result<Response, Error> {
        let failed = match self.send_once(action, request.clone(), None).await {
            Ok(response) => return Ok(response),
            Err(failed) => failed,
        };
        let Some(refused) = &failed.refused_authorization else {
            return Err(failed.error);
        };
        self.discard(refused).await;
        let response = self.send_once(action, request.clone(), None).await;
        response.map_err(|failed| failed.error)
    }

    /// Sends exactly one request. `body` is streamed if it is there.
    async fn send_once(
        &self,
        action: &str,
        mut request: Request,
        body: Option<BlobStream>,
    ) -> Result<Response, SendError> {
        let Shared {
            pace, transport, ..
        } = &*self.registries;
        let registry = &self.repository.registry;
        let api = Api::from_request(&request.method, request.url.path());
        // No token is fetched while the registry limits requests.
        pace.wait_for_pause(registry, api).await;
        let authorization = self.authorize(&request).await?;
        if let Some(authorization) = &authorization {
            request = request.header(AUTHORIZATION, authorization.header.clone());
        }
        pace.wait_for_turn(registry, api).await;
        let response = match body {
            Some(body) => transport.stream(request, body).await,
            None => transport.send(request).await,
        };
        let response = response.map_err(|failure| self.unanswered(action, failure))?;
        self.note_quota(&response);
        tracing::debug!(
            action,
            repository = %self.repository,
            status = response.status().as_u16(),
            "response"
        );
        if response.status().is_success() {
            pace.note_success(registry, api);
            return Ok(response);
        }
        let host = Host::parse(registry);
        let asked = Asked {
            side: self.access.side(),
            host: &host,
            api,
        };
        let refusal = Refusal::read(asked, action, response).await;
        pace.note_refusal(registry, api, &refusal.error);
        Err(SendError {
            error: refusal.error,
            refused_authorization: authorization.filter(|_| refusal.is_expired_credential),
        })
    }

    /// The authorization of `request`. A registry may name any address for an upload, but a
    /// credential is sent to the registry's own origin only.
    async fn authorize(&self, request: &Request) -> Result<Option<Authorization>, Error> {
        let registry = &self.repository.registry;
        let own_base = self.registries.endpoints.base(registry);
        let is_own_origin = own_base.is_ok_and(|base| base.origin() == request.url.origin());
        if !is_own_origin {
            return Ok(None);
        }
        let authorizer = &self.registries.authorizer;
        let authorization = authorizer.authorize(&self.repository, self.access).await;
        authorization.inspect_err(|error| {
            self.registries.pace.note_token_refusal(registry, error);
        })
    }

    /// Discards an authorization that was refused: the next request gets a fresh one.
    async fn discard(&self, refused: &Authorization) {
        let authorizer = &self.registries.authorizer;
        authorizer
            .discard(&self.repository, self.access, refused)
            .await;
    }

    /// Records the quota of Docker Hub's response to a request for a manifest.
    fn note_quota(&self, response: &Response) {
        let is_manifest = response.url().path().contains("/manifests/");
        if self.repository.registry != DOCKER_HUB || !is_manifest {
            return;
        }
        let limit = response.header("ratelimit-limit");
        let remaining = response.header("ratelimit-remaining");
        let quota = Quota::parse(limit, remaining);
        let meter = &self.registries.meter;
        meter.note(quota, response.status().is_success());
    }

    fn error(&self, cause: Cause, action: &str) -> Error {
        Error::new(self.access.side(), cause, action)
    }

    fn unanswered(&self, action: &str, failure: Failure) -> Error {
        failure.into_error(self.access.side(), action)
    }
}

/// Why a request had no success.
struct SendError {
    error: Error,
    /// The authorization that the registry refused, if a fresh one may help.
    refused_authorization: Option<Authorization>,
}

impl From<Error> for SendError {
    fn from(error: Error) -> Self {
        Self {
            error,
            refused_authorization: None,
        }
    }
}
