//! Credentials: Docker Hub's from Secrets Manager, the registries' own from ECR. No type here shows a secret in its `Debug`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{HeaderValue, InvalidHeaderValue};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::time::Instant;

use super::{Aws, error};
use crate::cache::PerKey;
use crate::cache::Renewable;
use crate::error::{Cause, Error, Side};

/// A registry token lives for 12 hours; it is renewed half an hour earlier.
const TOKEN_LIFE: Duration = Duration::from_mins(12 * 60 - 30);
const EARLY: Duration = Duration::from_mins(30);

/// Who we are at Docker Hub.
pub struct Login {
    /// The user, or the organisation of an organisation access token.
    pub user: String,
    /// The access token, or a password.
    pub password: SecretString,
}

/// The token of an ECR registry.
pub struct RegistryToken {
    /// The value of the Authorization header.
    pub header: HeaderValue,
    /// The registry's host, where the API tells it.
    pub host: Option<String>,
    renew_at: Instant,
}

/// Every credential, each read when it is first needed.
pub struct Keyring {
    aws: Arc<Aws>,
    secret: Option<String>,
    /// `None` where no secret is configured.
    login: Renewable<Option<Arc<Login>>>,
    /// By region.
    ecr: PerKey<String, Renewable<Arc<RegistryToken>>>,
    ecr_public: Renewable<Arc<RegistryToken>>,
}

/// The two forms of the secret: with `password`, and with `accessToken` as ECR's pull-through cache wants it.
#[derive(Deserialize)]
struct SecretJson {
    username: String,
    #[serde(rename = "accessToken")]
    access_token: Option<SecretString>,
    password: Option<SecretString>,
}

impl Keyring {
    /// A keyring whose Docker Hub credential is in the secret with this name or ARN.
    pub fn new(aws: Arc<Aws>, secret: Option<String>) -> Self {
        Self {
            aws,
            secret,
            login: Renewable::default(),
            ecr: PerKey::default(),
            ecr_public: Renewable::default(),
        }
    }

    /// Docker Hub's credential; `None` when no secret is configured. A secret that cannot be read is an error, never anonymous.
    pub async fn docker_hub(&self) -> Result<Option<Arc<Login>>, Error> {
        self.login.get(|_| true, || self.read()).await
    }

    /// Reads the secret again, unless somebody did so since `refused` was read.
    pub async fn reread_docker_hub(
        &self,
        refused: &Arc<Login>,
    ) -> Result<Option<Arc<Login>>, Error> {
        self.login
            .forget(|known| {
                known
                    .as_ref()
                    .is_some_and(|known| Arc::ptr_eq(known, refused))
            })
            .await;
        self.docker_hub().await
    }

    async fn read(&self) -> Result<Option<Arc<Login>>, Error> {
        let Some(secret) = &self.secret else {
            tracing::warn!(
                "Docker Hub is asked anonymously: set REPLICATOR_DOCKER_HUB_SECRET; the quota is shared with strangers"
            );
            return Ok(None);
        };
        let action = format!("read secret {secret}");
        let client = aws_sdk_secretsmanager::Client::new(self.aws.config().await);
        let answer = client.get_secret_value().secret_id(secret).send().await;
        let answer = answer.map_err(|failure| error(Side::Credentials, &action, &failure))?;
        let login = login(answer.secret_string().unwrap_or_default());
        let login = login
            .map_err(|why| Error::new(Side::Credentials, Cause::Invalid, action).because(why))?;
        if login.user.contains('@') {
            tracing::warn!(
                "the secret's username is an e-mail address; Docker Hub wants the Docker ID and refuses e-mail addresses"
            );
        }
        Ok(Some(Arc::new(login)))
    }

    /// The token for private ECR in `region`.
    pub async fn ecr(&self, region: &str) -> Result<Arc<RegistryToken>, Error> {
        let get = || async {
            let action = format!("get the ECR token for {region}");
            let answer = self
                .aws
                .ecr(region)
                .await
                .get_authorization_token()
                .send()
                .await;
            let answer = answer.map_err(|failure| error(Side::Destination, &action, &failure))?;
            let data = answer.authorization_data().first();
            let host = data
                .and_then(|data| data.proxy_endpoint())
                .map(|url| url.trim_start_matches("https://").to_owned());
            let value = data.and_then(|data| data.authorization_token());
            let expires = data
                .and_then(|data| data.expires_at())
                .and_then(|at| SystemTime::try_from(*at).ok());
            registry_token("Basic", value, host, expires, &action).map(Arc::new)
        };
        self.ecr_of(region).get(|token| token.is_good(), get).await
    }

    /// The token for ECR Public.
    pub async fn ecr_public(&self) -> Result<Arc<RegistryToken>, Error> {
        let get = || async {
            let action = "get the ECR Public token";
            let answer = self
                .aws
                .ecr_public()
                .await
                .get_authorization_token()
                .send()
                .await;
            let answer = answer.map_err(|failure| error(Side::Destination, action, &failure))?;
            let data = answer.authorization_data();
            let expires = data
                .and_then(|data| data.expires_at())
                .and_then(|at| SystemTime::try_from(*at).ok());
            let value = data.and_then(|data| data.authorization_token());
            registry_token("Bearer", value, None, expires, action).map(Arc::new)
        };
        self.ecr_public.get(|token| token.is_good(), get).await
    }

    /// Forgets the token of `region` if it is still the one that was refused.
    pub async fn forget_ecr(&self, region: &str, refused: &HeaderValue) {
        self.ecr_of(region)
            .forget(|token| token.header == refused)
            .await;
    }

    /// Forgets ECR Public's token if it is still the one that was refused.
    pub async fn forget_ecr_public(&self, refused: &HeaderValue) {
        self.ecr_public
            .forget(|token| token.header == refused)
            .await;
    }

    fn ecr_of(&self, region: &str) -> Arc<Renewable<Arc<RegistryToken>>> {
        self.ecr.get(region.to_owned(), Renewable::default)
    }
}

impl RegistryToken {
    fn is_good(&self) -> bool {
        Instant::now() < self.renew_at
    }
}

/// The parser's own message could quote the secret: only what was wanted is said.
fn login(text: &str) -> Result<Login, &'static str> {
    const WANTED: &str = r#"it is not JSON of the form {"username":"…","password":"…"} or {"username":"…","accessToken":"…"}"#;
    let SecretJson {
        username,
        access_token,
        password,
    } = serde_json::from_str(text).map_err(|_| WANTED)?;
    if username.trim().is_empty() {
        return Err("its username is empty");
    }
    Ok(Login {
        user: username,
        password: access_token.or(password).ok_or(WANTED)?,
    })
}

/// The value of an Authorization header, which no `Debug` shows.
pub(crate) fn authorization(
    scheme: &str,
    credential: &str,
) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut header = HeaderValue::try_from(format!("{scheme} {credential}"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// An expiry in the past, as moto states it, says nothing: the token was just made.
fn registry_token(
    scheme: &str,
    value: Option<&str>,
    host: Option<String>,
    expires: Option<SystemTime>,
    action: &str,
) -> Result<RegistryToken, Error> {
    let unusable = || {
        Error::new(Side::Destination, Cause::Unexpected, action)
            .because("the answer holds no usable token")
    };
    let header = authorization(scheme, value.ok_or_else(unusable)?).map_err(|_| unusable())?;
    let left = expires.and_then(|at| at.duration_since(now()).ok());
    let stated = left.map(|left| left.saturating_sub(EARLY).max(left / 2));
    let life = stated.unwrap_or(TOKEN_LIFE).min(TOKEN_LIFE);
    Ok(RegistryToken {
        header,
        host,
        renew_at: Instant::now() + life,
    })
}

fn now() -> SystemTime {
    jiff::Timestamp::now().into()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn both_forms_of_the_secret_are_read() {
        for text in [
            r#"{"username":"ci","password":"dckr_pat_x"}"#,
            r#"{"username":"ci","password":"of the person","accessToken":"dckr_pat_x"}"#,
            r#"{"username":"ci","accessToken":"dckr_pat_x","note":"kept for pull-through cache"}"#,
        ] {
            let login = login(text).unwrap();
            assert_eq!(
                (login.user.as_str(), login.password.expose_secret()),
                ("ci", "dckr_pat_x")
            );
        }
    }

    #[test]
    fn a_bad_secret_is_described_and_never_quoted() {
        for text in [
            "dckr_pat_x",
            r#"{"username":"ci","pass":"dckr_pat_x"}"#,
            r#"{"username":" ","password":"dckr_pat_x"}"#,
        ] {
            let why = login(text).err().unwrap();
            assert!(!why.contains("dckr_pat_x"), "{why}");
        }
    }

    #[test]
    fn an_expiry_in_the_past_does_not_make_a_token_be_fetched_for_ever() {
        let past = SystemTime::UNIX_EPOCH;
        let token = registry_token("Basic", Some("x"), None, Some(past), "get").unwrap();
        assert!(token.renew_at > Instant::now() + Duration::from_hours(1));
        assert!(!format!("{:?}", token.header).contains('x'));
        let soon = now() + Duration::from_mins(20);
        let token = registry_token("Basic", Some("x"), None, Some(soon), "get").unwrap();
        assert!(
            token.renew_at < Instant::now() + Duration::from_mins(11),
            "it is renewed before it expires"
        );
    }
}
