//! Credentials of registries: Docker Hub's secret from Secrets Manager, tokens of Amazon ECR.
//!
//! To add credentials of one more registry: a setting that names its secret, a field here, and an
//! arm in [`AwsKeychain::find`] and in [`AwsKeychain::forget`].

mod registry_token;
mod secret;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{Aws, error};
use crate::cache::{PerKey, Renewable};
use crate::error::{Cause, Error, Side};
use crate::image::host::Host;
use crate::registry::{Access, Credential, CredentialResult, Keychain};
use crate::sync::lock;
use registry_token::RegistryToken;

/// How long ECR Public is read anonymously after a transient failure to get a token for it. Each
/// request would otherwise wait for the failure.
const TRANSIENT_FALLBACK: Duration = Duration::from_mins(1);
/// The same if the role is not allowed to get a token.
const DENIED_FALLBACK: Duration = Duration::from_hours(24);

type TokenCache = Renewable<Arc<RegistryToken>>;

/// The credentials of all registries. Each is fetched when it is first needed.
pub struct AwsKeychain {
    aws: Arc<Aws>,
    docker_hub_secret: Option<String>,
    docker_hub: Renewable<Option<Arc<Credential>>>,
    /// By region.
    ecr: PerKey<String, TokenCache>,
    ecr_public: TokenCache,
    /// Until when ECR Public is read without a token of this account.
    ecr_public_anonymous_until: Mutex<Option<Instant>>,
}

impl Keychain for AwsKeychain {
    fn credential<'a>(
        &'a self,
        registry: &'a str,
        access: Access,
    ) -> BoxFuture<'a, CredentialResult> {
        Box::pin(self.find(registry, access))
    }

    fn discard<'a>(&'a self, registry: &'a str, refused: &'a Arc<Credential>) -> BoxFuture<'a, ()> {
        Box::pin(self.forget(registry, refused))
    }
}

impl AwsKeychain {
    /// A keychain whose Docker Hub login is in the secret with the given name or ARN; without a
    /// secret, Docker Hub is read anonymously.
    pub fn new(aws: Arc<Aws>, docker_hub_secret: Option<String>) -> Self {
        Self {
            aws,
            docker_hub_secret,
            docker_hub: Renewable::default(),
            ecr: PerKey::default(),
            ecr_public: Renewable::default(),
            ecr_public_anonymous_until: Mutex::default(),
        }
    }

    /// The host of this account's own ECR registry in `region`; `None` if the API does not name it.
    ///
    /// It is part of the response that carries the token, which is needed anyway.
    pub async fn own_ecr_host(&self, region: &str) -> Result<Option<String>, Error> {
        let token = self.ecr_token(region).await?;
        Ok(token.host.clone())
    }

    async fn find(&self, registry: &str, access: Access) -> CredentialResult {
        let token = match (Host::parse(registry), access) {
            (Host::DockerHub, _) => return self.docker_hub_login().await,
            (Host::Ecr { region, .. }, _) => self.ecr_token(&region).await,
            (Host::EcrPublic, Access::Push) => self.ecr_public_token().await,
            (Host::EcrPublic, Access::Pull) => return Ok(self.ecr_public_token_if_allowed().await),
            (Host::Other, _) => return Ok(None),
        };
        let token = token.map_err(|error| error.with_side(access.side()))?;
        Ok(Some(Arc::clone(&token.credential)))
    }

    async fn forget(&self, registry: &str, refused: &Arc<Credential>) {
        let is_refused = |token: &Arc<RegistryToken>| Arc::ptr_eq(&token.credential, refused);
        match Host::parse(registry) {
            Host::DockerHub => {
                let is_refused = |login: &Option<Arc<Credential>>| match login {
                    Some(login) => Arc::ptr_eq(login, refused),
                    None => false,
                };
                self.docker_hub.forget(is_refused).await;
            }
            Host::Ecr { region, .. } => {
                let token = self.ecr_in(&region);
                token.forget(is_refused).await;
            }
            Host::EcrPublic => self.ecr_public.forget(is_refused).await,
            Host::Other => {}
        }
    }

    /// Docker Hub's login; `None` if no secret is configured.
    async fn docker_hub_login(&self) -> CredentialResult {
        self.docker_hub
            .get(|_| true, || self.read_docker_hub_secret())
            .await
    }

    async fn read_docker_hub_secret(&self) -> CredentialResult {
        let Some(secret) = &self.docker_hub_secret else {
            tracing::warn!(
                "Docker Hub is used anonymously, and its quota is shared with others: \
                 set REPLICATOR_DOCKER_HUB_SECRET"
            );
            return Ok(None);
        };
        let action = format!("read secret {secret}");
        let client = aws_sdk_secretsmanager::Client::new(self.aws.config().await);
        let response = client.get_secret_value().secret_id(secret).send().await;
        let value = response.map_err(|failure| error(Side::Credentials, &action, &failure))?;
        let text = value.secret_string().unwrap_or_default();
        let login = secret::parse(text).map_err(|why| {
            let invalid = Error::new(Side::Credentials, Cause::Invalid, action);
            invalid.because(why)
        })?;
        Ok(Some(Arc::new(login)))
    }

    async fn ecr_token(&self, region: &str) -> Result<Arc<RegistryToken>, Error> {
        let fetch = || async {
            let client = self.aws.ecr(region).await;
            let token = registry_token::fetch_ecr(&client, region).await?;
            Ok(Arc::new(token))
        };
        let cache = self.ecr_in(region);
        cache.get(|token| token.is_fresh(), fetch).await
    }

    async fn ecr_public_token(&self) -> Result<Arc<RegistryToken>, Error> {
        let fetch = || async {
            let client = self.aws.ecr_public().await;
            let token = registry_token::fetch_ecr_public(&client).await?;
            Ok(Arc::new(token))
        };
        self.ecr_public.get(|token| token.is_fresh(), fetch).await
    }

    /// The token for reading ECR Public, which allows ten times as many requests as anonymous
    /// access. `None` if the role may not get it, or if it could not be had lately.
    async fn ecr_public_token_if_allowed(&self) -> Option<Arc<Credential>> {
        let anonymous_until = *lock(&self.ecr_public_anonymous_until);
        if anonymous_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let error = match self.ecr_public_token().await {
            Ok(token) => return Some(Arc::clone(&token.credential)),
            Err(error) => error,
        };
        tracing::info!("ECR Public is read anonymously: {}", error.chain());
        let fallback = if error.is_transient() {
            TRANSIENT_FALLBACK
        } else {
            DENIED_FALLBACK
        };
        let until = Instant::now() + fallback;
        *lock(&self.ecr_public_anonymous_until) = Some(until);
        None
    }

    fn ecr_in(&self, region: &str) -> Arc<TokenCache> {
        self.ecr.get(region.to_owned(), Renewable::default)
    }
}
