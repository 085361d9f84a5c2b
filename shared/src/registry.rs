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
//! * `tls`: certificates are read when they are first needed,
//! * `verify`: bytes in flight are held back until they are known to be right.

mod authorization;
mod challenge;
mod destination;
mod meter;
mod mounts;
mod pace;
mod patience;
mod reader;
mod refusal;
mod source;
mod tls;
mod token;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};

pub use destination::Destination;
pub use source::{BlobStream, Source};
pub use verify::{Fault, verified};

use crate::aws::Keyring;
use crate::error::{Cause, Error, Side};
use crate::host::{Endpoints, Host};
use crate::quota::Quota;
use crate::reference::{DOCKER_HUB, RepositoryRef};
use crate::settings::{Hashing, Settings};
use authorization::{Access, Authorizer};
pub(crate) use meter::{Claim, Meter};
use mounts::Mounts;
use pace::{Api, Pace};
pub(crate) use patience::{TRIES, persistently};

/// How long a request without a body of its own may take.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// Every registry, with one pool of connections and one store of tokens. Clones share them.
#[derive(Clone)]
pub struct Registries(Arc<Shared>);

/// What all views of all repositories share.
struct Shared {
    http: reqwest::Client,
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
        let invalid = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(Side::Configuration, Cause::Invalid, "set up TLS").because(error)
        };
        let http = reqwest::Client::builder()
            .user_agent(concat!("image-replicator/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .redirect(Policy::custom(follow))
            .tls_backend_preconfigured(tls::configuration().map_err(|error| invalid(error.into()))?)
            .build()
            .map_err(|error| invalid(error.into()))?;
        Ok(Self(Arc::new(Shared {
            authorizer: Authorizer::new(http.clone(), settings.endpoints.clone(), keyring),
            http,
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
        Remote { registries: Arc::clone(&self.0), repository: repository.clone(), side, access }
    }
}

/// Blobs are served from other hosts, to which `reqwest` forwards no Authorization header. TLS, once begun, is kept.
fn follow(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    let began_with_tls = attempt.previous().first().is_some_and(|url| url.scheme() == "https");
    if attempt.previous().len() > 5 {
        attempt.error("too many redirects")
    } else if began_with_tls && attempt.url().scheme() != "https" {
        attempt.error("a redirect leads from TLS to plain HTTP")
    } else {
        attempt.follow()
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
            base.join(&format!("/v2/{}/{tail}", self.repository.path)).map_err(|error| error.to_string())
        })
        .map_err(|problem| self.error(Cause::Invalid, "make an address").because(problem))
    }

    /// Asks, again and again as far as that is worth it, and gives an answer of success.
    async fn ask(
        &self,
        action: &str,
        method: Method,
        tail: &str,
        shape: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Error> {
        let url = self.url(tail)?;
        let once = || self.send(action, &url, |http| shape(http.request(method.clone(), url.clone()).timeout(ANSWER)));
        persistently(once).await
    }

    /// Sends one request, with a fresh credential after a 401, and gives an answer of success.
    async fn send(
        &self,
        action: &str,
        url: &Url,
        build: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Response, Error> {
        let response = self.send_once(action, url, build(&self.registries.http)).await?;
        let expired = match response {
            Ok(response) => return Ok(response),
            Err(refusal) if refusal.is_expired_credential() => refusal,
            Err(refusal) => return Err(refusal.into_error()),
        };
        if !self.registries.authorizer.renew(&self.repository, self.access, expired.authorization()).await {
            return Err(expired.into_error());
        }
        self.send_once(action, url, build(&self.registries.http)).await?.map_err(refusal::Refusal::into_error)
    }

    /// Sends exactly one request. The outer error is that there was no answer, the inner that it was no success.
    async fn send_once(
        &self,
        action: &str,
        url: &Url,
        request: RequestBuilder,
    ) -> Result<Result<Response, refusal::Refusal>, Error> {
        let authorization = if self.is_at_home(url) {
            // Boxed: the AWS SDK's futures below are large, and every request would carry them.
            Box::pin(self.registries.authorizer.header(&self.repository, self.access, self.side)).await?
        } else {
            None
        };
        let mut headers = HeaderMap::new();
        if let Some(value) = &authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        let request = request.headers(headers).build().map_err(|error| self.unanswered(action, error))?;
        let (registry, pace) = (&self.repository.registry, &self.registries.pace);
        let api = Api::of(request.method(), url.path());
        pace.turn(registry, api).await;
        let response = self.registries.http.execute(request).await.map_err(|error| self.unanswered(action, error))?;
        self.note_quota(&response);
        tracing::debug!(action, repository = %self.repository, status = response.status().as_u16(), "answered");
        if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            pace.well(registry, api);
            return Ok(Ok(response));
        }
        let refusal =
            refusal::Refusal::read(self.side, action, (&Host::of(registry), api), authorization, response).await;
        pace.note(registry, api, refusal.error());
        Ok(Err(refusal))
    }

    /// A registry may name any address for an upload; a credential goes to the registry's own only.
    fn is_at_home(&self, url: &Url) -> bool {
        let home = self.registries.endpoints.base(&self.repository.registry);
        home.is_ok_and(|home| home.origin() == url.origin())
    }

    fn note_quota(&self, response: &Response) {
        if self.repository.registry == DOCKER_HUB && response.url().path().contains("/manifests/") {
            let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
            let quota = Quota::parse(header("ratelimit-limit"), header("ratelimit-remaining"));
            self.registries.meter.note(quota, response.status().is_success());
        }
    }

    fn error(&self, cause: Cause, action: &str) -> Error {
        Error::new(self.side, cause, action)
    }

    fn unanswered(&self, action: &str, error: reqwest::Error) -> Error {
        unanswered(self.side, action, error)
    }
}

/// Why there was no whole answer. Addresses can carry signatures: none goes into an error.
fn unanswered(side: Side, action: &str, error: reqwest::Error) -> Error {
    let is_final = error.is_redirect() || error.is_builder() || tls::is_distrusted(&error);
    let cause = if is_final { Cause::Invalid } else { Cause::Interrupted };
    Error::new(side, cause, action).because(error.without_url())
}
