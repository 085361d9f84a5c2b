//! Registries over HTTP, by the [OCI distribution specification](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md).
//!
//! [`Source`] reads and [`Destination`] writes; both are views of one repository. `oci-client` supplies the types of
//! manifests. Its transport is not used, because it hides what this project decides by: the quota headers, the
//! `Retry-After` and the kind of a refusal; because a HEAD that fails becomes a metered GET there; and because ECR refuses
//! its chunked uploads and panics its manifest PUT by digest.
//!
//! * `authorization`, `challenge`, `token`: which header a request carries, and where a credential may go,
//! * `meter`, `pace`: how much may be asked for, and how fast,
//! * `mounts`: what a registry has already, in another repository,
//! * `patience`: what is tried again, and when,
//! * `reader`: a blob on its way, read on where an answer breaks off,
//! * `refusal`: the one table from answers to causes,
//! * `source`, `destination`: the verbs,
//! * `transport`, `connector`, `ahead`, `tls`: requests and redirects, the connections below them, those made early, and whom all trust,
//! * `verify`: bytes in flight are held back until they are known to be right.

mod auth;
mod blob;
mod destination;
mod limits;
mod source;
mod transport;

use std::sync::Arc;

use http::Method;
use http::header::AUTHORIZATION;
use url::Url;

pub use blob::verify::{Fault, verified};
pub use destination::Destination;
pub use source::{BlobStream, Source};

use crate::aws::Keyring;
use crate::error::{Cause, Error, Side};
use crate::image::host::{Endpoints, Host};
use crate::image::reference::{DOCKER_HUB, RepositoryRef};
use crate::plan::quota::Quota;
use crate::settings::{Hashing, Settings};
use auth::{Access, Authorizer};
use blob::mounts::Mounts;
pub(crate) use limits::meter::{Claim, Meter};
use limits::pace::{Api, Pace};
pub(crate) use transport::retry::{TRIES, persistently};
use transport::{Failure, Request, Response, Transport};

/// Every registry, with the connections and tokens for all of them. Clones share those.
#[derive(Clone)]
pub struct Registries(Arc<Shared>);

/// What all views of all repositories share.
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
    /// Registries with the credentials of `keyring`. Nothing is sent yet.
    pub fn new(settings: &Settings, keyring: Arc<Keyring>) -> Result<Self, Error> {
        let transport = Transport::new().map_err(|error| {
            Error::new(Side::Configuration, Cause::Invalid, "set up TLS").because(error)
        })?;
        Ok(Self(Arc::new(Shared {
            authorizer: Authorizer::new(transport.clone(), settings.endpoints.clone(), keyring),
            transport,
            endpoints: settings.endpoints.clone(),
            meter: Meter::new(settings.reserve),
            pace: Pace::default(),
            mounts: Mounts::default(),
            hashing: settings.hashing,
        })))
    }

    /// `repository`, to be read.
    pub fn source(&self, repository: &RepositoryRef) -> Source {
        Source::new(self.remote(repository, Side::Source, Access::Pull))
    }

    /// `repository`, to be written.
    pub fn destination(&self, repository: &RepositoryRef) -> Destination {
        Destination::new(self.remote(repository, Side::Destination, Access::Push))
    }

    /// Docker Hub's quota.
    pub(crate) fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// Who checks the digests of blobs.
    pub(crate) fn hashing(&self) -> Hashing {
        self.0.hashing
    }

    fn remote(&self, repository: &RepositoryRef, side: Side, access: Access) -> Remote {
        Remote {
            registries: Arc::clone(&self.0),
            repository: repository.clone(),
            side,
            access,
        }
    }
}

/// One repository, seen from one side.
#[derive(Clone)]
struct Remote {
    registries: Arc<Shared>,
    repository: RepositoryRef,
    side: Side,
    access: Access,
}

impl Remote {
    /// The address of `tail` in this repository, such as `manifests/latest`.
    fn url(&self, tail: &str) -> Result<Url, Error> {
        let base = self.registries.endpoints.base(&self.repository.registry);
        base.and_then(|base| {
            base.join(&format!("/v2/{}/{tail}", self.repository.path))
                .map_err(|error| error.to_string())
        })
        .map_err(|problem| {
            self.error(Cause::Invalid, "make an address")
                .because(problem)
        })
    }

    /// A request for `tail`.
    fn request(&self, method: Method, tail: &str) -> Result<Request, Error> {
        Ok(Request::new(method, self.url(tail)?))
    }

    /// Asks, again and again as far as that is worth it, and gives an answer of success.
    async fn ask(&self, action: &str, request: &Request) -> Result<Response, Error> {
        persistently(|| self.send(action, request)).await
    }

    /// Sends one request, with a fresh credential after a 401, and gives an answer of success.
    async fn send(&self, action: &str, request: &Request) -> Result<Response, Error> {
        let response = self.send_once(action, request.clone(), None).await?;
        let expired = match response {
            Ok(response) => return Ok(response),
            Err(refusal) if refusal.is_expired_credential => refusal,
            Err(refusal) => return Err(refusal.error),
        };
        if !self
            .registries
            .authorizer
            .renew(
                &self.repository,
                self.access,
                expired.authorization.as_ref(),
            )
            .await
        {
            return Err(expired.error);
        }
        self.send_once(action, request.clone(), None)
            .await?
            .map_err(|refusal| refusal.error)
    }

    /// Sends exactly one request, with a `body` that streams where there is one. The outer error is that there was no answer, the
    /// inner that it was no success.
    async fn send_once(
        &self,
        action: &str,
        mut request: Request,
        body: Option<BlobStream>,
    ) -> Result<Result<Response, transport::refusal::Refusal>, Error> {
        let (registry, pace, transport) = (
            &self.repository.registry,
            &self.registries.pace,
            &self.registries.transport,
        );
        let api = Api::from_request(&request.method, request.url.path());
        // No token is bought while the registry is left alone.
        pace.calm(registry, api).await;
        let authorization = if self.is_at_home(&request.url) {
            // Boxed: the AWS SDK's futures below are large, and every request would carry them.
            let header = Box::pin(self.registries.authorizer.header(
                &self.repository,
                self.access,
                self.side,
            ))
            .await;
            header.inspect_err(|error| pace.note_at_the_token_service(registry, error))?
        } else {
            None
        };
        if let Some(value) = &authorization {
            request = request.header(AUTHORIZATION, value.clone());
        }
        pace.turn(registry, api).await;
        let response = match body {
            Some(body) => transport.stream(request, body).await,
            None => transport.send(request).await,
        };
        let response = response.map_err(|failure| self.unanswered(action, failure))?;
        self.note_quota(&response);
        tracing::debug!(action, repository = %self.repository, status = response.status().as_u16(), "answered");
        if response.status().is_success() {
            pace.well(registry, api);
            return Ok(Ok(response));
        }
        let refusal = transport::refusal::Refusal::read(
            self.side,
            action,
            (&Host::parse(registry), api),
            authorization,
            response,
        )
        .await;
        pace.note(registry, api, &refusal.error);
        Ok(Err(refusal))
    }

    /// A registry may name any address for an upload; a credential goes to the registry's own only.
    fn is_at_home(&self, url: &Url) -> bool {
        let home = self.registries.endpoints.base(&self.repository.registry);
        home.is_ok_and(|home| home.origin() == url.origin())
    }

    fn note_quota(&self, response: &Response) {
        if self.repository.registry == DOCKER_HUB && response.url().path().contains("/manifests/") {
            let header = |name| {
                response
                    .headers()
                    .get(name)
                    .and_then(|value| value.to_str().ok())
            };
            let quota = Quota::parse(header("ratelimit-limit"), header("ratelimit-remaining"));
            self.registries
                .meter
                .note(quota, response.status().is_success());
        }
    }

    fn error(&self, cause: Cause, action: &str) -> Error {
        Error::new(self.side, cause, action)
    }

    fn unanswered(&self, action: &str, failure: Failure) -> Error {
        unanswered(self.side, action, failure)
    }
}

/// Why there was no whole answer.
fn unanswered(side: Side, action: &str, failure: Failure) -> Error {
    let cause = if failure.is_final() {
        Cause::Invalid
    } else {
        Cause::Interrupted
    };
    Error::new(side, cause, action).because(failure)
}
