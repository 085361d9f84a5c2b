//! Tokens that are fetched with a login: where the login may go, and how often it is tried.
//!
//! The first request that uses a login finds out for all others whether the token service accepts
//! it. So a catalogue full of images tries a bad login once, not hundreds of times.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::challenge::TokenService;
use super::token::{Token, TokenRequest};
use crate::cache::PerKey;
use crate::error::{Cause, Error, Side};
use crate::image::endpoints::{Endpoints, is_loopback};
use crate::image::reference::DOCKER_HUB;
use crate::registry::keychain::{Credential, Keychain};
use crate::registry::transport::Transport;

/// How long a refused login is not tried again: registries lock accounts after repeated failures.
const REFUSED_LOGIN_PAUSE: Duration = Duration::from_mins(1);

/// Fetches tokens with logins.
pub(crate) struct Logins {
    transport: Transport,
    endpoints: Endpoints,
    keychain: Arc<dyn Keychain>,
    /// By registry. The lock is held while a login is tried.
    trials: PerKey<String, Mutex<Trial>>,
}

/// What is known about the login of a registry.
#[derive(Default)]
enum Trial {
    #[default]
    Unknown,
    Accepted(Arc<Credential>),
    Refused {
        login: Arc<Credential>,
        error: Error,
        until: Instant,
    },
    /// The login could not be tried. Requests that waited for this share the error.
    Failed {
        error: Error,
        at: Instant,
    },
}

impl Logins {
    pub(crate) fn new(
        transport: Transport,
        endpoints: Endpoints,
        keychain: Arc<dyn Keychain>,
    ) -> Self {
        Self {
            transport,
            endpoints,
            keychain,
            trials: PerKey::default(),
        }
    }

    /// Fetches a token with the login of the registry.
    ///
    /// A refused login is read again once, because its secret may have been rotated. It is never
    /// dropped for an anonymous token, which would spend somebody else's quota and hide the fault.
    pub(crate) async fn fetch_token(&self, request: &TokenRequest<'_>) -> Result<Token, Error> {
        self.check_destination(request)?;
        let registry = &request.repository.registry;
        let trial_slot = self.trials.get(registry.clone(), Mutex::default);
        let asked_at = Instant::now();
        let mut trial = trial_slot.lock().await;
        if let Trial::Failed { error, at } = &*trial
            && *at > asked_at
        {
            return Err(error.clone());
        }
        // Read under the lock: the request before may have replaced it.
        let login = self.current_login(request).await.inspect_err(|error| {
            *trial = Trial::failed(error);
        })?;
        if trial.has_accepted(&login) {
            drop(trial);
            let (used, result) = self.send(request, login).await;
            if let Err(error) = &result
                && *error.cause() == Cause::BadCredential
            {
                *trial_slot.lock().await = Trial::refused(used, error);
            }
            return result;
        }
        if let Some(error) = trial.current_refusal_of(&login) {
            return Err(error);
        }
        let (used, result) = self.send(request, login).await;
        match &result {
            Ok(_) => *trial = Trial::Accepted(used),
            Err(error) if *error.cause() == Cause::BadCredential => {
                *trial = Trial::refused(used, error);
            }
            Err(error) if error.is_transient() => *trial = Trial::failed(error),
            Err(_) => {}
        }
        result
    }

    /// Sends `request` with `login`, and once more with a fresh one if the service refuses it.
    /// Returns the login that was used last.
    async fn send(
        &self,
        request: &TokenRequest<'_>,
        login: Arc<Credential>,
    ) -> (Arc<Credential>, Result<Token, Error>) {
        let result = request.send(&self.transport, Some(&login)).await;
        let is_refused = matches!(&result, Err(error) if *error.cause() == Cause::BadCredential);
        if !is_refused {
            return (login, result);
        }
        let registry = &request.repository.registry;
        self.keychain.discard(registry, &login).await;
        match self.current_login(request).await {
            Ok(fresh) => {
                let result = request.send(&self.transport, Some(&fresh)).await;
                (fresh, result)
            }
            Err(error) => (login, Err(error)),
        }
    }

    async fn current_login(&self, request: &TokenRequest<'_>) -> Result<Arc<Credential>, Error> {
        let registry = &request.repository.registry;
        let login = self.keychain.credential(registry, request.access).await?;
        login.ok_or_else(|| {
            let action = format!("get a token for {}", request.repository);
            Error::new(Side::Credentials, Cause::BadCredential, action)
                .because("the refused credential is no longer configured")
        })
    }

    /// A login is only sent to the registry's own token service.
    fn check_destination(&self, request: &TokenRequest<'_>) -> Result<(), Error> {
        let registry = &request.repository.registry;
        if self.is_own_service(registry, request.service) {
            return Ok(());
        }
        let host = request.service.realm.host_str().unwrap_or_default();
        let why = format!(
            "the credential of {registry} is only sent to its own token service over TLS, not to {host}"
        );
        let action = format!("get a token for {}", request.repository);
        Err(Error::new(Side::Credentials, Cause::Invalid, action).because(why))
    }

    /// Docker Hub's service is known. Of another registry, or with an endpoint override, it is a
    /// service at the same https origin, or on this machine if the registry is overridden.
    fn is_own_service(&self, registry: &str, service: &TokenService) -> bool {
        let override_url = self.endpoints.override_of(registry);
        if registry == DOCKER_HUB && override_url.is_none() {
            return service.realm == TokenService::docker_hub().realm;
        }
        let is_on_this_machine = is_loopback(service.realm.host_str().unwrap_or_default());
        if is_on_this_machine && override_url.is_some() {
            return true;
        }
        let base = self.endpoints.base(registry);
        base.is_ok_and(|base| base.scheme() == "https" && base.origin() == service.realm.origin())
    }
}

impl Trial {
    fn refused(login: Arc<Credential>, error: &Error) -> Self {
        Self::Refused {
            login,
            error: error.clone(),
            until: Instant::now() + REFUSED_LOGIN_PAUSE,
        }
    }

    fn failed(error: &Error) -> Self {
        Self::Failed {
            error: error.clone(),
            at: Instant::now(),
        }
    }

    fn has_accepted(&self, login: &Arc<Credential>) -> bool {
        matches!(self, Self::Accepted(accepted) if Arc::ptr_eq(accepted, login))
    }

    /// Why `login` must not be tried yet.
    fn current_refusal_of(&self, login: &Arc<Credential>) -> Option<Error> {
        match self {
            Self::Refused {
                login: refused,
                error,
                until,
            } if Arc::ptr_eq(refused, login) && Instant::now() < *until => Some(error.clone()),
            _ => None,
        }
    }
}
