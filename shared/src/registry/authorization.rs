//! Which Authorization header a request carries, and where a credential may go.
//!
//! * Docker Hub: a token for each repository, bought at Docker Hub's own token service with the secret, or anonymously where
//!   none is configured.
//! * Amazon ECR: the registry's token of 12 hours, as Basic; ECR Public the same as Bearer. Where the role does not allow that, ECR
//!   Public is read anonymously.
//! * Every other registry: an anonymous token where the registry asks for one.
//!
//! One request at a time buys a token; the others wait for it.

use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderValue;
use http::{Method, StatusCode};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::Instant;

use super::challenge::{Challenge, TokenService};
use super::pace::Api;
use super::token::{self, Token};
use super::transport::{Request, Transport};
use super::{refusal, unanswered};
use crate::aws::{Keyring, Login};
use crate::error::{Cause, Error, Side};
use crate::host::{Endpoints, Host, is_loopback};
use crate::reference::{DOCKER_HUB, RepositoryRef};
use crate::slots::Slots;

/// For so long a refused login is not tried again: registries lock accounts out.
const LOCK_OUT: Duration = Duration::from_mins(1);

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
    /// Whoever makes one holds the lock while the others wait.
    challenges: Slots<String, Mutex<Option<Challenge>>>,
    tokens: Slots<(RepositoryRef, Access), Mutex<Option<Token>>>,
    verdict: Mutex<Verdict>,
    has_ecr_public: OnceCell<bool>,
}

/// What is known of Docker Hub's login: whoever tries it first finds out for all.
enum Verdict {
    Unknown,
    Good(Arc<Login>),
    Refused(Arc<Login>, Error, Instant),
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
            has_ecr_public: OnceCell::new(),
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
    /// is asked once.
    async fn our_own_at_ecr_public(&self) -> Option<HeaderValue> {
        let is_ours = async || match self.keyring.ecr_public().await {
            Ok(_) => true,
            Err(error) => {
                tracing::info!("ECR Public is read anonymously: {}", error.chain());
                false
            }
        };
        if !*self.has_ecr_public.get_or_init(is_ours).await {
            return None;
        }
        self.keyring.ecr_public().await.ok().map(|token| token.header.clone())
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
                let slot = self.tokens.get((repository.clone(), access), Mutex::default);
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
        let slot = self.tokens.get((repository.clone(), access), Mutex::default);
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
        let slot = self.challenges.get(registry.to_owned(), Mutex::default);
        let mut held = slot.lock().await;
        if let Some(challenge) = &*held {
            return Ok(challenge.clone());
        }
        let action = format!("reach {registry}");
        let invalid = |problem: String| Error::new(side, Cause::Invalid, action.clone()).because(problem);
        let url =
            self.endpoints.base(registry).map_err(invalid)?.join("/v2/").map_err(|error| invalid(error.to_string()))?;
        let answer = self.transport.send(Request::new(Method::GET, url)).await;
        let answer = answer.map_err(|failure| unanswered(side, &action, failure))?;
        if answer.status().is_success() || answer.status() == StatusCode::UNAUTHORIZED {
            return Ok(held.insert(Challenge::read(answer.headers())).clone());
        }
        Err(refusal::Refusal::read(side, &action, (&Host::of(registry), Api::Rest), None, answer).await.error)
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
        let (mut login, mut first) = self.login(service, repository).await?;
        let mut is_reread = false;
        loop {
            let sold = token::buy(&self.transport, service, repository, access, side, login.as_deref()).await;
            let refused = match sold {
                Err(error) if *error.cause() == Cause::BadCredential => error,
                other => {
                    if let (Some(verdict), Some(login), Ok(_)) = (&mut first, login, &other) {
                        **verdict = Verdict::Good(login);
                    }
                    return other;
                }
            };
            login = match login {
                Some(used) if !is_reread => self.keyring.reread_docker_hub(&used).await?,
                Some(used) => {
                    let until = Instant::now() + LOCK_OUT;
                    let mut verdict = match first {
                        Some(verdict) => verdict,
                        None => self.verdict.lock().await,
                    };
                    *verdict = Verdict::Refused(used, refused.clone(), until);
                    return Err(refused);
                }
                None => return Err(refused),
            };
            is_reread = true;
        }
    }

    /// The credential for `repository`, where it has one and `service` may see it.
    ///
    /// Whoever tries a login first holds the verdict on it until it is known: a catalogue full of images is one bad login, not
    /// hundreds. There is no verdict to hold when the login is known to be good, or there is none.
    async fn login(
        &self,
        service: &TokenService,
        repository: &RepositoryRef,
    ) -> Result<(Option<Arc<Login>>, Option<MutexGuard<'_, Verdict>>), Error> {
        if repository.registry != DOCKER_HUB {
            return Ok((None, None));
        }
        let verdict = self.verdict.lock().await;
        let Some(login) = self.keyring.docker_hub().await? else { return Ok((None, None)) };
        if !self.is_docker_hubs_own(service) {
            let host = service.realm.host_str().unwrap_or_default();
            let why = format!("Docker Hub's credential goes to its own token service over TLS, not to {host}");
            return Err(Error::new(Side::Credentials, Cause::Invalid, "buy a token").because(why));
        }
        match &*verdict {
            Verdict::Good(known) if Arc::ptr_eq(known, &login) => Ok((Some(login), None)),
            Verdict::Refused(known, error, until) if Arc::ptr_eq(known, &login) && Instant::now() < *until => {
                Err(error.clone())
            }
            _ => Ok((Some(login), Some(verdict))),
        }
    }

    /// With an endpoint override the token service may be on this machine, or, over TLS, the overriding registry's own.
    fn is_docker_hubs_own(&self, service: &TokenService) -> bool {
        let host = service.realm.host_str().unwrap_or_default();
        match self.endpoints.override_of(DOCKER_HUB) {
            None => service.realm == TokenService::docker_hub().realm,
            Some(url) => is_loopback(host) || (url.scheme() == "https" && url.origin() == service.realm.origin()),
        }
    }
}
