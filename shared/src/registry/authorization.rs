//! Which Authorization header a request carries, and where a credential may go.
//!
//! * Docker Hub: a token for each repository, bought at Docker Hub's own token service with the secret, or anonymously where
//!   none is configured.
//! * Amazon ECR: the registry's token of 12 hours, as Basic; ECR Public the same as Bearer when it is written.
//! * Every other registry: an anonymous token where the registry asks for one.
//!
//! One request at a time buys a token; the others wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::time::Instant;

use super::challenge::{Challenge, TokenService};
use super::{ANSWER, refusal};
use crate::aws::{Keyring, Login};
use crate::error::{Cause, Error, Side};
use crate::host::{Endpoints, Host, is_loopback};
use crate::reference::{DOCKER_HUB, RepositoryRef};

/// A token is renewed this long before it expires, or after half its life if that is shorter.
const SKEW: Duration = Duration::from_secs(30);
/// The life of a token that does not state it (distribution, token authentication specification).
const DEFAULT_LIFE: u64 = 60;

/// What a request does with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Access {
    Pull,
    Push,
}

/// Finds the header for each request.
pub(super) struct Authorizer {
    http: reqwest::Client,
    endpoints: Endpoints,
    keyring: Arc<Keyring>,
    challenges: Slots<String, Challenge>,
    tokens: Slots<(RepositoryRef, Access), Token>,
}

/// Values that are made once, by whoever comes first, while the others wait.
type Slots<K, V> = Mutex<HashMap<K, Arc<tokio::sync::Mutex<Option<V>>>>>;

struct Token {
    header: Option<HeaderValue>,
    renew_at: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Authorizer {
    pub(super) fn new(http: reqwest::Client, endpoints: Endpoints, keyring: Arc<Keyring>) -> Self {
        Self { http, endpoints, keyring, challenges: Mutex::default(), tokens: Mutex::default() }
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
            (Host::DockerHub | Host::EcrPublic | Host::Other, _) => self.token(repository, access, side).await,
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
            _ => {
                let slot = slot(&self.tokens, (repository.clone(), access));
                let mut token = slot.lock().await;
                if token.as_ref().is_some_and(|token| token.header.as_ref() == Some(refused)) {
                    *token = None;
                }
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
        let slot = slot(&self.tokens, (repository.clone(), access));
        let mut held = slot.lock().await;
        if let Some(token) = held.as_ref().filter(|token| Instant::now() < token.renew_at) {
            return Ok(token.header.clone());
        }
        let token = match self.challenge(&repository.registry, side).await? {
            Challenge::Bearer(service) => self.buy(&service, repository, access, side).await?,
            // Without a credential for it, a Basic challenge cannot be met; the answer to the request itself will say so.
            Challenge::Open | Challenge::Basic => {
                Token { header: None, renew_at: Instant::now() + Duration::from_hours(1) }
            }
        };
        Ok(held.insert(token).header.clone())
    }

    async fn challenge(&self, registry: &str, side: Side) -> Result<Challenge, Error> {
        if registry == DOCKER_HUB && self.endpoints.override_of(registry).is_none() {
            return Ok(Challenge::Bearer(TokenService::docker_hub()));
        }
        let slot = slot(&self.challenges, registry.to_owned());
        let mut held = slot.lock().await;
        if let Some(challenge) = &*held {
            return Ok(challenge.clone());
        }
        let action = format!("reach {registry}");
        let invalid = |problem: String| Error::new(side, Cause::Invalid, action.clone()).because(problem);
        let url =
            self.endpoints.base(registry).map_err(invalid)?.join("/v2/").map_err(|error| invalid(error.to_string()))?;
        let answer = self.http.get(url).timeout(ANSWER).send().await;
        let answer = answer
            .map_err(|error| Error::new(side, Cause::Interrupted, action.clone()).because(error.without_url()))?;
        if answer.status().is_success() || answer.status() == StatusCode::UNAUTHORIZED {
            return Ok(held.insert(Challenge::read(answer.headers())).clone());
        }
        Err(refusal::Refusal::read(side, &action, &Host::of(registry), None, answer).await.into_error())
    }

    /// Buys a token. A secret that is refused is read again once: it may have been rotated. It is never dropped for an
    /// anonymous token, which would spend somebody else's quota and hide the fault.
    async fn buy(
        &self,
        service: &TokenService,
        repository: &RepositoryRef,
        access: Access,
        side: Side,
    ) -> Result<Token, Error> {
        let mut login = self.login(service, repository).await?;
        let mut is_reread = false;
        loop {
            let refused = match self.exchange(service, repository, access, side, login.as_deref()).await {
                Err(error) if *error.cause() == Cause::BadCredential => error,
                other => return other,
            };
            login = match login {
                Some(used) if !is_reread => self.keyring.reread_docker_hub(&used).await?,
                _ => return Err(refused),
            };
            is_reread = true;
        }
    }

    /// The credential for `repository`, where it has one and `service` may see it.
    async fn login(&self, service: &TokenService, repository: &RepositoryRef) -> Result<Option<Arc<Login>>, Error> {
        if repository.registry != DOCKER_HUB {
            return Ok(None);
        }
        let login = self.keyring.docker_hub().await?;
        if login.is_some() && !self.is_docker_hubs_own(service) {
            let host = service.realm.host_str().unwrap_or_default();
            let why = format!("Docker Hub's credential goes to its own token service over TLS, not to {host}");
            return Err(Error::new(Side::Credentials, Cause::Invalid, "buy a token").because(why));
        }
        Ok(login)
    }

    /// With an endpoint override, a test's, the token service may be on the same host or on this machine.
    fn is_docker_hubs_own(&self, service: &TokenService) -> bool {
        let host = service.realm.host_str().unwrap_or_default();
        match self.endpoints.override_of(DOCKER_HUB) {
            None => service.realm == TokenService::docker_hub().realm,
            Some(url) => url.host_str() == Some(host) || is_loopback(host),
        }
    }

    async fn exchange(
        &self,
        service: &TokenService,
        repository: &RepositoryRef,
        access: Access,
        side: Side,
        login: Option<&Login>,
    ) -> Result<Token, Error> {
        let action = format!("buy a token for {repository}");
        let actions = if access == Access::Push { "pull,push" } else { "pull" };
        let scope = format!("repository:{}:{actions}", repository.path);
        let mut request = self.http.get(service.realm.clone()).timeout(ANSWER).query(&[("scope", scope)]);
        if let Some(name) = &service.service {
            request = request.query(&[("service", name)]);
        }
        if let Some(login) = login {
            request = request.basic_auth(&login.user, Some(login.password.expose_secret()));
        }
        let interrupted =
            |error: reqwest::Error| Error::new(side, Cause::Interrupted, action.clone()).because(error.without_url());
        let response = request.send().await.map_err(interrupted)?;
        if response.status() == StatusCode::UNAUTHORIZED && login.is_some() {
            return Err(Error::new(Side::Credentials, Cause::BadCredential, action)
                .because("Docker Hub refuses the user name or the access token of the secret"));
        }
        if !response.status().is_success() {
            let host = Host::of(&repository.registry);
            return Err(refusal::Refusal::read(side, &action, &host, None, response).await.into_error());
        }
        let body = response.bytes().await.map_err(interrupted)?;
        token(&body).ok_or_else(|| Error::new(side, Cause::Unexpected, action).because("the answer holds no token"))
    }
}

fn token(body: &[u8]) -> Option<Token> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let value = answer.token.or(answer.access_token)?;
    let mut header = HeaderValue::from_str(&format!("Bearer {value}")).ok()?;
    header.set_sensitive(true);
    let life = Duration::from_secs(answer.expires_in.unwrap_or(DEFAULT_LIFE));
    let usable = life.saturating_sub(SKEW).max(life / 2);
    Some(Token { header: Some(header), renew_at: Instant::now() + usable })
}

fn slot<K: std::hash::Hash + Eq, V>(slots: &Slots<K, V>, key: K) -> Arc<tokio::sync::Mutex<Option<V>>> {
    let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(slots.entry(key).or_default())
}
