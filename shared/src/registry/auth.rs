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

use http::{Method, StatusCode};

use super::keychain::{Access, CredentialResult, Keychain};
use super::limits::pace::Api;
use super::transport::refusal::{Asked, Refusal};
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
        // The keychain has ECR's own token, and renews it.
        if is_ecr(&repository.registry)
            && let Some(credential) = self.credential(repository, access).await?
        {
            return Ok(Some(credential.into()));
        }
        // A token that is still valid is used even if its login can no longer be read.
        let fetch = || self.fetch_token(repository, access);
        let slot = self.token_slot(repository, access);
        let token = slot.get(Token::is_fresh, fetch).await?;
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

    async fn credential(&self, repository: &RepositoryRef, access: Access) -> CredentialResult {
        self.keychain.credential(&repository.registry, access).await
    }

    async fn fetch_token(
        &self,
        repository: &RepositoryRef,
        access: Access,
    ) -> Result<Token, Error> {
        let credential = self.credential(repository, access).await?;
        if let Some(header) = credential
            .as_ref()
            .filter(|credential| credential.is_header())
        {
            return Ok(Token::for_one_request(Arc::clone(header).into()));
        }
        let challenge = self.challenge(&repository.registry, access).await;
        // Without a login, a Basic challenge cannot be met: the registry will refuse the request.
        let service = match challenge.map_err(|error| error.with_side(access.side()))? {
            Challenge::Bearer(service) => service,
            Challenge::Basic => {
                let authorization = credential.map(Authorization::from);
                return Ok(Token::for_an_hour(authorization));
            }
            Challenge::Open => return Ok(Token::for_an_hour(None)),
        };
        let request = TokenRequest {
            service: &service,
            repository,
            access,
        };
        match credential {
            Some(_login) => self.logins.fetch_token(&request).await,
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
        let asked = Asked {
            side,
            host: &host,
            api: Api::Rest,
        };
        let refusal = Refusal::read(asked, &action, response).await;
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

fn is_ecr(registry: &str) -> bool {
    matches!(Host::parse(registry), Host::Ecr { .. } | Host::EcrPublic)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::future::BoxFuture;

    use super::*;
    use crate::error::Side;
    use crate::image::reference::ImageRef;
    use crate::registry::keychain::{Credential, authorization_header};

    /// A keychain whose secret cannot be read.
    #[derive(Default)]
    struct UnreadableKeychain {
        was_asked: AtomicBool,
    }

    impl Keychain for UnreadableKeychain {
        fn credential<'a>(
            &'a self,
            _registry: &'a str,
            _access: Access,
        ) -> BoxFuture<'a, CredentialResult> {
            self.was_asked.store(true, Ordering::Relaxed);
            let error = Error::new(Side::Credentials, Cause::Denied, "read the secret");
            Box::pin(async { Err(error) })
        }

        fn discard<'a>(
            &'a self,
            _registry: &'a str,
            _refused: &'a Arc<Credential>,
        ) -> BoxFuture<'a, ()> {
            Box::pin(async {})
        }
    }

    fn repository(image: &str) -> RepositoryRef {
        let image: ImageRef = image.parse().unwrap();
        image.repository().clone()
    }

    #[tokio::test]
    async fn a_valid_token_is_used_although_the_secret_cannot_be_read() {
        let keychain = Arc::new(UnreadableKeychain::default());
        let authorizer = Authorizer::new(
            Transport::new().unwrap(),
            Endpoints::default(),
            Arc::clone(&keychain) as Arc<dyn Keychain>,
        );
        let known = repository("registry.example/team/known:1");
        let token = Token::for_an_hour(Some(Authorization {
            header: authorization_header("Bearer", "token").unwrap(),
            credential: None,
        }));
        let slot = authorizer.token_slot(&known, Access::Pull);
        let stored = slot.get(Token::is_fresh, || async { Ok(token) }).await;
        stored.unwrap();

        let authorization = authorizer.authorize(&known, Access::Pull).await;
        assert_eq!(authorization.unwrap().unwrap().header, "Bearer token");
        assert!(!keychain.was_asked.load(Ordering::Relaxed));

        let other = repository("registry.example/team/other:1");
        let refused = authorizer.authorize(&other, Access::Pull).await;
        assert_eq!(*refused.err().unwrap().cause(), Cause::Denied);
    }
}
