//! Tokens of ECR registries (`GetAuthorizationToken`).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::error;
use crate::error::{Cause, Error, Side};
use crate::registry::{Credential, authorization_header};

/// A token is renewed this long before it expires, or after half its life if that is shorter.
const RENEWAL_LEAD: Duration = Duration::from_mins(30);
/// A token is valid for 12 hours. This is the longest time that it is used.
const MAX_TOKEN_AGE: Duration = Duration::from_mins(12 * 60 - 30);

/// The token of an ECR registry.
pub(super) struct RegistryToken {
    /// Its header.
    pub(super) credential: Arc<Credential>,
    /// The host of the registry; only private ECR names it.
    pub(super) host: Option<String>,
    renew_at: Instant,
}

/// What the two APIs return.
struct Data<'a> {
    scheme: &'static str,
    token: Option<&'a str>,
    expires_at: Option<SystemTime>,
    host: Option<String>,
}

/// Fetches the token for private ECR in `region`.
pub(super) async fn fetch_ecr(
    client: &aws_sdk_ecr::Client,
    region: &str,
) -> Result<RegistryToken, Error> {
    let action = format!("get the ECR token for {region}");
    let response = client.get_authorization_token().send().await;
    let response = response.map_err(|failure| error(Side::Destination, &action, &failure))?;
    let data = response.authorization_data().first();
    let endpoint = data.and_then(|data| data.proxy_endpoint());
    let expires_at = data.and_then(|data| data.expires_at());
    RegistryToken::from_data(
        Data {
            scheme: "Basic",
            token: data.and_then(|data| data.authorization_token()),
            expires_at: expires_at.and_then(|at| SystemTime::try_from(*at).ok()),
            host: endpoint.map(|url| url.trim_start_matches("https://").to_owned()),
        },
        &action,
    )
}

/// Fetches the token for ECR Public.
pub(super) async fn fetch_ecr_public(
    client: &aws_sdk_ecrpublic::Client,
) -> Result<RegistryToken, Error> {
    let action = "get the ECR Public token";
    let response = client.get_authorization_token().send().await;
    let response = response.map_err(|failure| error(Side::Destination, action, &failure))?;
    let data = response.authorization_data();
    let expires_at = data.and_then(|data| data.expires_at());
    RegistryToken::from_data(
        Data {
            scheme: "Bearer",
            token: data.and_then(|data| data.authorization_token()),
            expires_at: expires_at.and_then(|at| SystemTime::try_from(*at).ok()),
            host: None,
        },
        action,
    )
}

impl RegistryToken {
    fn from_data(data: Data<'_>, action: &str) -> Result<Self, Error> {
        let header = data
            .token
            .and_then(|token| authorization_header(data.scheme, token).ok())
            .ok_or_else(|| {
                Error::new(Side::Destination, Cause::Unexpected, action)
                    .because("the response has no usable token")
            })?;
        Ok(Self {
            credential: Arc::new(Credential::Header(header)),
            host: data.host,
            renew_at: Instant::now() + time_until_renewal(data.expires_at),
        })
    }

    /// Whether the token may be used; otherwise it is renewed.
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.renew_at
    }
}

/// How long a new token is used. An expiry in the past, as the emulator moto returns it, is ignored.
fn time_until_renewal(expires_at: Option<SystemTime>) -> Duration {
    let lifetime = expires_at.and_then(|at| at.duration_since(now()).ok());
    let Some(lifetime) = lifetime else {
        return MAX_TOKEN_AGE;
    };
    let usable = lifetime.saturating_sub(RENEWAL_LEAD).max(lifetime / 2);
    usable.min(MAX_TOKEN_AGE)
}

fn now() -> SystemTime {
    jiff::Timestamp::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_in_the_past_is_ignored() {
        let past = SystemTime::UNIX_EPOCH;
        assert!(time_until_renewal(Some(past)) > Duration::from_hours(1));
    }

    #[test]
    fn a_short_lived_token_is_renewed_before_it_expires() {
        let soon = now() + Duration::from_mins(20);
        let usable = time_until_renewal(Some(soon));
        assert!(usable < Duration::from_mins(11), "{usable:?}");
        assert!(usable > Duration::from_mins(9), "{usable:?}");
    }
}
