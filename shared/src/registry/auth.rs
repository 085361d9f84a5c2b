//! Which Authorization header a request carries, and where a credential may go.
//!
//! * Docker Hub: a token for each repository, bought at Docker Hub's own token service with the secret, or anonymously where
//!   none is configured.
//! * Amazon ECR: the registry's token of 12 hours, as Basic; ECR Public the same as Bearer. Where the role does not allow that, ECR
//!   Public is read anonymously.
//! * Every other registry: an anonymous token where the registry asks for one.
//!
//! One request at a time buys a token; the others wait for it, and share what comes of that.

pub(crate) mod challenge;
mod docker_hub;
pub(crate) mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::HeaderValue;
use http::{Method, StatusCode};
use tokio::time::Instant;

use docker_hub::Verdict;

use super::transport::refusal;
use super::unanswered;
use crate::aws::{Keyring, RegistryToken};
use crate::cache::PerKey;
use crate::cache::Renewable;
use crate::error::{Cause, Error, Side};
use crate::image::host::{Endpoints, Host};
use crate::image::reference::{DOCKER_HUB, RepositoryRef};
use crate::registry::auth::challenge::{Challenge, TokenService};
use crate::registry::auth::token::Token;
use crate::registry::limits::pace::Api;
use crate::registry::transport::{Request, Transport};

/// For so long a token of our own that could not be had is done without: each request would else wait for it.
const A_WHILE: Duration = Duration::from_mins(1);
/// The same where the role may have none.
const A_DAY: Duration = Duration::from_hours(24);

/// What a request does with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    Pull,
    Push,
}

/// Finds the header for each request.
pub(crate) struct Authorizer {
    transport: Transport,
    endpoints: Endpoints,
    keyring: Arc<Keyring>,
    challenges: PerKey<String, Renewable<Challenge>>,
    tokens: PerKey<(RepositoryRef, Access), Renewable<Token>>,
    verdict: tokio::sync::Mutex<Verdict>,
    /// Until when ECR Public is read without our own token.
    anonymous_until: Mutex<Option<Instant>>,
}

impl Authorizer {
    pub(crate) fn new(transport: Transport, endpoints: Endpoints, keyring: Arc<Keyring>) -> Self {
        Self {
            transport,
            endpoints,
            keyring,
            challenges: PerKey::default(),
            tokens: PerKey::default(),
            verdict: tokio::sync::Mutex::new(Verdict::Unknown),
            anonymous_until: Mutex::default(),
        }
    }

    /// The header for a request to `repository`; `None` where none is needed.
    pub(crate) async fn header(
        &self,
        repository: &RepositoryRef,
        access: Access,
        side: Side,
    ) -> Result<Option<HeaderValue>, Error> {
        match (Host::parse(&repository.registry), access) {
            (Host::Ecr { region, .. }, _) => header(self.keyring.ecr(&region).await, side),
            (Host::EcrPublic, Access::Push) => header(self.keyring.ecr_public().await, side),
            (Host::EcrPublic, Access::Pull) => match self.our_own_at_ecr_public().await {
                Some(header) => Ok(Some(header)),
                None => self.token(repository, access, side).await,
            },
            (Host::DockerHub | Host::Other, _) => self.token(repository, access, side).await,
        }
    }

    /// Our own token for reading ECR Public, which allows ten times as much as none; `None` where the role does not allow it, and for a
    /// while after it could not be had.
    async fn our_own_at_ecr_public(&self) -> Option<HeaderValue> {
        if self
            .anonymous_until()
            .is_some_and(|until| Instant::now() < until)
        {
            return None;
        }
        match self.keyring.ecr_public().await {
            Ok(token) => Some(token.header.clone()),
            Err(error) => {
                tracing::info!("ECR Public is read anonymously: {}", error.chain());
                let time = if error.is_transient() { A_WHILE } else { A_DAY };
                *self.anonymous_until() = Some(Instant::now() + time);
                None
            }
        }
    }

    fn anonymous_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.anonymous_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the credential that was just refused. Says whether asking once more makes sense.
    pub(crate) async fn renew(
        &self,
        repository: &RepositoryRef,
        access: Access,
        refused: Option<&HeaderValue>,
    ) -> bool {
        let Some(refused) = refused else { return false };
        match Host::parse(&repository.registry) {
            Host::Ecr { region, .. } => self.keyring.forget_ecr(&region, refused).await,
            host => {
                // Either of two it may have been.
                if host == Host::EcrPublic {
                    self.keyring.forget_ecr_public(refused).await;
                }
                let slot = self
                    .tokens
                    .get((repository.clone(), access), Renewable::default);
                slot.forget(|token| token.header.as_ref() == Some(refused))
                    .await;
            }
        }
        true
    }

    async fn token(
        &self,
        repository: &RepositoryRef,
        access: Access,
        side: Side,
    ) -> Result<Option<HeaderValue>, Error> {
        let slot = self
            .tokens
            .get((repository.clone(), access), Renewable::default);
        let get = || async {
            let challenge = self.challenge(&repository.registry, side).await;
            match challenge.map_err(|error| error.with_side(side))? {
                Challenge::Bearer(service) => self.buy(&service, repository, access, side).await,
                // Without a credential for it, a Basic challenge cannot be met; the answer to the request itself will say so.
                Challenge::Open | Challenge::Basic => Ok(Token {
                    header: None,
                    renew_at: Instant::now() + Duration::from_hours(1),
                }),
            }
        };
        Ok(slot
            .get(|token| Instant::now() < token.renew_at, get)
            .await?
            .header)
    }

    async fn challenge(&self, registry: &str, side: Side) -> Result<Challenge, Error> {
        if registry == DOCKER_HUB && self.endpoints.override_of(registry).is_none() {
            return Ok(Challenge::Bearer(TokenService::docker_hub()));
        }
        let slot = self.challenges.get(registry.to_owned(), Renewable::default);
        slot.get(|_| true, || self.ask_for_challenge(registry, side))
            .await
    }

    async fn ask_for_challenge(&self, registry: &str, side: Side) -> Result<Challenge, Error> {
        let action = format!("reach {registry}");
        let invalid =
            |problem: String| Error::new(side, Cause::Invalid, action.clone()).because(problem);
        let url = self
            .endpoints
            .base(registry)
            .map_err(invalid)?
            .join("/v2/")
            .map_err(|error| invalid(error.to_string()))?;
        let answer = self.transport.send(Request::new(Method::GET, url)).await;
        let answer = answer.map_err(|failure| unanswered(side, &action, failure))?;
        if answer.status().is_success() || answer.status() == StatusCode::UNAUTHORIZED {
            return Ok(Challenge::read(answer.headers()));
        }
        Err(refusal::Refusal::read(
            side,
            &action,
            (&Host::parse(registry), Api::Rest),
            None,
            answer,
        )
        .await
        .error)
    }
}

/// The header of a registry's own `token`; that there is none is the fault of the side that wanted it.
fn header(
    token: Result<Arc<RegistryToken>, Error>,
    side: Side,
) -> Result<Option<HeaderValue>, Error> {
    token
        .map(|token| Some(token.header.clone()))
        .map_err(|error| error.with_side(side))
}
