//! Which `Authorization` header a request carries.
//!
//! * A ready header from the keychain is used as it is (Amazon ECR).
//! * A login from the keychain is exchanged for a token of each repository at the registry's token
//!   service (Docker Hub), or sent as Basic authentication if the registry asks for that.
//! * Without a credential, an anonymous token is fetched if the registry asks for one.
//!
//! For each repository and access one token is fetched at a time. Concurrent requests wait for it,
//! and share the token or the failure.

mod challenge;
mod login;
mod token;

use std::sync::{Arc, Once};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;

use super::keychain::{Access, Credential, Keychain};
use super::limits::pace::Api;
use super::transport::refusal::Refusal;
use super::transport::{Request, Transport};
use crate::cache::{PerKey, Renewable};
use crate::error::{Cause, Error};
use crate::image::endpoints::Endpoints;
use crate::image::host::Host;
use crate::image::reference::{DOCKER_HUB, RepositoryRef};
use challenge::{Challenge, TokenService};
use login::Logins;
pub(crate) use token::Authorization;
use token::{Token, TokenRequest};

/// Finds the header of each request.
pub(crate) struct Authorizer {
    transport: Transport,
    endpoints: Endpoints,
    keychain: Arc<dyn Keychain>,
    challenges: PerKey<String, Renewable<Challenge>>,
    tokens: PerKey<(RepositoryRef, Access), Renewable<Token>>,
    logins: Logins,
    docker_hub_prewarm: Once,
}

impl Authorizer {
    pub(crate) fn new(
        transport: Transport,
        endpoints: Endpoints,
        keychain: Arc<dyn Keychain>,
    ) -> Self {
        let logins = Logins::new(transport.clone(), endpoints.clone(), Arc::clone(&keychain));
        Self {
            transport,
            endpoints,
            keychain,
            challenges: PerKey::default(),
            tokens: PerKey::default(),
            logins,
            docker_hub_prewarm: Once::new(),
        }
    }

    /// The authorization of a request to `repository`; `None` if it needs none.
    pub(crate) async fn authorize(
        &self,
        repository: &RepositoryRef,
        access: Access,
    ) -> Result<Option<Authorization>, Error> {
        if repository.registry == DOCKER_HUB {
            self.docker_hub_prewarm
                .call_once(|| self.prewarm_docker_hub());
        }
        let credential = self
            .keychain
            .credential(&repository.registry, access)
            .await?;
        if let Some(credential) = &credential
            && matches!(**credential, Credential::Header(_))
        {
            return Ok(Some(Arc::clone(credential).into()));
        }
        let token = self
            .token_slot(repository, access)
            .get(Token::is_fresh, || {
                self.fetch_token(repository, access, credential)
            })
            .await?;
        Ok(token.authorization)
    }

    /// Discards an authorization that the registry refused: the next request gets a fresh one.
    pub(crate) async fn discard(
        &self,
        repository: &RepositoryRef,
        access: Access,
        refused: &Authorization,
    ) {
        if let Some(credential) = &refused.credential {
            self.keychain
                .discard(&repository.registry, credential)
                .await;
        }
        let is_refused = |token: &Token| {
            let authorization = token.authorization.as_ref();
            authorization.is_some_and(|kept| kept.header == refused.header)
        };
        self.token_slot(repository, access).forget(is_refused).await;
    }

    fn token_slot(&self, repository: &RepositoryRef, access: Access) -> Arc<Renewable<Token>> {
        self.tokens
            .get((repository.clone(), access), Renewable::default)
    }

    async fn fetch_token(
        &self,
        repository: &RepositoryRef,
        access: Access,
        login: Option<Arc<Credential>>,
    ) -> Result<Token, Error> {
        let challenge = self.challenge(&repository.registry, access).await;
        // Without a login, a Basic challenge cannot be met: the registry will refuse the request.
        let service = match challenge.map_err(|error| error.with_side(access.side()))? {
            Challenge::Bearer(service) => service,
            Challenge::Basic => return Ok(kept_for_an_hour(login.map(Authorization::from))),
            Challenge::Open => return Ok(kept_for_an_hour(None)),
        };
        let request = TokenRequest {
            service: &service,
            repository,
            access,
        };
        match login {
            Some(_) => self.logins.fetch_token(&request).await,
            None => request.send(&self.transport, None).await,
        }
    }

    async fn challenge(&self, registry: &str, access: Access) -> Result<Challenge, Error> {
        if registry == DOCKER_HUB && self.endpoints.override_of(registry).is_none() {
            return Ok(Challenge::Bearer(TokenService::docker_hub()));
        }
        let slot = self.challenges.get(registry.to_owned(), Renewable::default);
        slot.get(|_| true, || self.fetch_challenge(registry, access))
            .await
    }

    async fn fetch_challenge(&self, registry: &str, access: Access) -> Result<Challenge, Error> {
        let side = access.side();
        let action = format!("reach {registry}");
        let invalid =
            |problem: String| Error::new(side, Cause::Invalid, action.clone()).because(problem);
        let base = self.endpoints.base(registry).map_err(invalid)?;
        let url = base
            .join("/v2/")
            .map_err(|error| invalid(error.to_string()))?;
        let response = self
            .transport
            .send(Request::new(Method::GET, url))
            .await
            .map_err(|failure| failure.into_error(side, &action))?;
        if response.status().is_success() || response.status() == StatusCode::UNAUTHORIZED {
            return Ok(Challenge::parse(response.headers()));
        }
        let host = Host::parse(registry);
        let refusal = Refusal::read(side, &action, (&host, Api::Rest), response).await;
        Err(refusal.error)
    }

    /// Connects to Docker Hub and its token service while the keychain reads the login.
    fn prewarm_docker_hub(&self) {
        if self.endpoints.override_of(DOCKER_HUB).is_none() {
            self.transport.prewarm(&TokenService::docker_hub().realm, 1);
        }
        if let Ok(base) = self.endpoints.base(DOCKER_HUB) {
            self.transport.prewarm(&base, 1);
        }
    }
}

fn kept_for_an_hour(authorization: Option<Authorization>) -> Token {
    Token {
        authorization,
        renew_at: Instant::now() + Duration::from_hours(1),
    }
}
