//! Which Authorization header a request carries, and where a credential may go.
//!
//! * Docker Hub: a token for each repository, bought at Docker Hub's own token service with the secret, or anonymously where
//!   none is configured.
//! * Amazon ECR: the registry's token of 12 hours, as Basic; ECR Public the same as Bearer. Where the role does not allow that, ECR
//!   Public is read anonymously.
//! * Every other registry: an anonymous token where the registry asks for one.
//!
//! One request at a time buys a token; the others wait for it, and share what comes of that.

mod login;
mod shared;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::HeaderValue;
use http::{Method, StatusCode};
use tokio::sync::Mutex;
use tokio::time::Instant;

use login::Verdict;
use shared::Shared;

use super::challenge::{Challenge, TokenService};
use super::pace::Api;
use super::token::Token;
use super::transport::{Request, Transport};
use super::{refusal, unanswered};
use crate::aws::Keyring;
use crate::error::{Cause, Error, Side};
use crate::host::{Endpoints, Host};
use crate::reference::{DOCKER_HUB, RepositoryRef};
use crate::slots::Slots;

/// What a request does with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Access {
    Pull,
    Push,
}

/// Finds the header for each request.
pub(super) struct Authorizer {
    transport: Transport,
    endpoints: Endpoints,
    keyring: Arc<Keyring>,
    challenges: Slots<String, Shared<Challenge>>,
    tokens: Slots<(RepositoryRef, Access), Shared<Token>>,
    verdict: Mutex<Verdict>,
    has_ecr_public: OnceLock<bool>,
}

impl Authorizer {
    pub(super) fn new(transport: Transport, endpoints: Endpoints, keyring: Arc<Keyring>) -> Self {
        Self {
            transport,
            endpoints,
            keyring,
            challenges: Slots::default(),
            tokens: Slots::default(),
            verdict: Mutex::new(Verdict::Unknown),
            has_ecr_public: OnceLock::new(),
        }
    }

    /// The header for a request to `repository`; `None` where none is needed.
    pub(super) async fn header(
        &self,
        repository: &RepositoryRef,
        access: Access,
        side: Side,
    ) -> Result<Option<HeaderValue>, Error> {
        match (Host::of(&repository.registry), access) {
            (Host::Ecr { region, .. }, _) => Ok(Some(self.keyring.ecr(&region).await?.header.clone())),
            (Host::EcrPublic, Access::Push) => Ok(Some(self.keyring.ecr_public().await?.header.clone())),
            (Host::EcrPublic, Access::Pull) => match self.our_own_at_ecr_public().await {
                Some(header) => Ok(Some(header)),
                None => self.token(repository, access, side).await,
            },
            (Host::DockerHub | Host::Other, _) => self.token(repository, access, side).await,
        }
    }

    /// Our own token for reading ECR Public, which allows ten times as much as none; `None` where the role does not allow it, which
    /// is asked once, and while it cannot be had.
    async fn our_own_at_ecr_public(&self) -> Option<HeaderValue> {
        if self.has_ecr_public.get() == Some(&false) {
            return None;
        }
        match self.keyring.ecr_public().await {
            Ok(token) => {
                let _ = self.has_ecr_public.set(true);
                Some(token.header.clone())
            }
            Err(error) => {
                tracing::info!("ECR Public is read anonymously: {}", error.chain());
                if !error.is_transient() {
                    let _ = self.has_ecr_public.set(false);
                }
                None
            }
        }
    }

    /// Forgets the credential that was just refused. Says whether asking once more makes sense.
    pub(super) async fn renew(
        &self,
        repository: &RepositoryRef,
        access: Access,
        refused: Option<&HeaderValue>,
    ) -> bool {
        let Some(refused) = refused else { return false };
        match (Host::of(&repository.registry), access) {
            (Host::Ecr { region, .. }, _) => self.keyring.forget_ecr(&region, refused).await,
            (Host::EcrPublic, Access::Push) => self.keyring.forget_ecr_public(refused).await,
            (Host::EcrPublic, Access::Pull) if self.has_ecr_public.get() == Some(&true) => {
                self.keyring.forget_ecr_public(refused).await;
            }
            _ => {
                let slot = self.tokens.get((repository.clone(), access), Shared::default);
                slot.forget(|token| token.header.as_ref() == Some(refused)).await;
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
        let slot = self.tokens.get((repository.clone(), access), Shared::default);
        let get = async {
            match self.challenge(&repository.registry, side).await? {
                Challenge::Bearer(service) => self.buy(&service, repository, access, side).await,
                // Without a credential for it, a Basic challenge cannot be met; the answer to the request itself will say so.
                Challenge::Open | Challenge::Basic => {
                    Ok(Token { header: None, renew_at: Instant::now() + Duration::from_hours(1) })
                }
            }
        };
        Ok(slot.get(|token| Instant::now() < token.renew_at, get).await?.header)
    }

    async fn challenge(&self, registry: &str, side: Side) -> Result<Challenge, Error> {
        if registry == DOCKER_HUB && self.endpoints.override_of(registry).is_none() {
            return Ok(Challenge::Bearer(TokenService::docker_hub()));
        }
        let slot = self.challenges.get(registry.to_owned(), Shared::default);
        slot.get(|_| true, self.ask_for_challenge(registry, side)).await
    }

    async fn ask_for_challenge(&self, registry: &str, side: Side) -> Result<Challenge, Error> {
        let action = format!("reach {registry}");
        let invalid = |problem: String| Error::new(side, Cause::Invalid, action.clone()).because(problem);
        let url =
            self.endpoints.base(registry).map_err(invalid)?.join("/v2/").map_err(|error| invalid(error.to_string()))?;
        let answer = self.transport.send(Request::new(Method::GET, url)).await;
        let answer = answer.map_err(|failure| unanswered(side, &action, failure))?;
        if answer.status().is_success() || answer.status() == StatusCode::UNAUTHORIZED {
            return Ok(Challenge::read(answer.headers()));
        }
        Err(refusal::Refusal::read(side, &action, (&Host::of(registry), Api::Rest), None, answer).await.error)
    }
}
