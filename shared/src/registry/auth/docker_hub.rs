//! Docker Hub's login: a token is bought with it, and a bad one is tried once for all images.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::time::Instant;

use super::{Access, Authorizer};
use crate::aws::Login;
use crate::error::{Cause, Error, Side};
use crate::image::host::is_loopback;
use crate::image::reference::{DOCKER_HUB, RepositoryRef};
use crate::registry::auth::challenge::TokenService;
use crate::registry::auth::token::{self, Token};

/// For so long a refused login is not tried again: registries lock accounts out.
const LOCK_OUT: Duration = Duration::from_mins(1);

/// What is known of Docker Hub's login: whoever tries it first finds out for all.
pub(crate) enum Verdict {
    Unknown,
    Good(Arc<Login>),
    Refused(Arc<Login>, Error, Instant),
    /// It could not be tried, and since when that is known: whoever waited for it need not wait as long again.
    Untried(Error, Instant),
}

impl Authorizer {
    /// Buys a token. A secret that is refused is read again once: it may have been rotated. It is never dropped for an
    /// anonymous token, which would spend somebody else's quota and hide the fault.
    pub(crate) async fn buy(
        &self,
        service: &TokenService,
        repository: &RepositoryRef,
        access: Access,
        side: Side,
    ) -> Result<Token, Error> {
        let (mut login, mut first) = self.login(service, repository).await?;
        let mut is_reread = false;
        loop {
            let sold = token::buy(
                &self.transport,
                service,
                repository,
                access,
                side,
                login.as_deref(),
            )
            .await;
            let refused = match sold {
                Err(error) if *error.cause() == Cause::BadCredential => error,
                other => {
                    match (&mut first, login, &other) {
                        (Some(verdict), Some(login), Ok(_)) => **verdict = Verdict::Good(login),
                        (Some(verdict), _, Err(error)) if error.is_transient() => {
                            **verdict = Verdict::Untried(error.clone(), Instant::now());
                        }
                        _ => {}
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
        let asked = Instant::now();
        let mut verdict = self.verdict.lock().await;
        let is_its_own = self.is_docker_hubs_own(service);
        if is_its_own && matches!(*verdict, Verdict::Unknown) {
            self.prewarm(service);
        }
        if let Verdict::Untried(error, known) = &*verdict
            && *known > asked
        {
            return Err(error.clone());
        }
        let login = self.keyring.docker_hub().await;
        let login = login
            .inspect_err(|error| *verdict = Verdict::Untried(error.clone(), Instant::now()))?;
        let Some(login) = login else {
            return Ok((None, None));
        };
        if !is_its_own {
            let host = service.realm.host_str().unwrap_or_default();
            let why = format!(
                "Docker Hub's credential goes to its own token service over TLS, not to {host}"
            );
            return Err(Error::new(Side::Credentials, Cause::Invalid, "buy a token").because(why));
        }
        match &*verdict {
            Verdict::Good(known) if Arc::ptr_eq(known, &login) => Ok((Some(login), None)),
            Verdict::Refused(known, error, until)
                if Arc::ptr_eq(known, &login) && Instant::now() < *until =>
            {
                Err(error.clone())
            }
            _ => Ok((Some(login), Some(verdict))),
        }
    }

    /// Connects to the token service and to Docker Hub while the secret is read.
    fn prewarm(&self, service: &TokenService) {
        for url in
            std::iter::once(service.realm.clone()).chain(self.endpoints.base(DOCKER_HUB).ok())
        {
            self.transport.prewarm(&url, 1);
        }
    }

    /// With an endpoint override the token service may be on this machine, or, over TLS, the overriding registry's own.
    fn is_docker_hubs_own(&self, service: &TokenService) -> bool {
        let host = service.realm.host_str().unwrap_or_default();
        match self.endpoints.override_of(DOCKER_HUB) {
            None => service.realm == TokenService::docker_hub().realm,
            Some(url) => {
                is_loopback(host)
                    || (url.scheme() == "https" && url.origin() == service.realm.origin())
            }
        }
    }
}
