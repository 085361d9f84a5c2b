//! How a registry wants requests to be authorized: its `WWW-Authenticate` header.

use http::header::{HeaderMap, WWW_AUTHENTICATE};
use http_auth::{ChallengeRef, parse_challenges};
use url::Url;

/// What the response to an unauthenticated `GET /v2/` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// No credential is needed.
    Open,
    /// A token from this service.
    Bearer(TokenService),
    /// A user and a password.
    Basic,
}

/// A token service (<https://distribution.github.io/distribution/spec/auth/token/>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenService {
    /// Its address.
    pub(crate) realm: Url,
    /// The name of the registry there.
    pub(crate) service: Option<String>,
}

impl TokenService {
    /// Docker Hub's own, which is known without a request.
    pub(crate) fn docker_hub() -> Self {
        let realm = Url::parse("https://auth.docker.io/token")
            .expect("the text is a constant and an address");
        Self {
            realm,
            service: Some("registry.docker.io".to_owned()),
        }
    }

    /// The service that a Bearer challenge names; `None` if its realm is missing or no address.
    fn from_challenge(challenge: &ChallengeRef<'_>) -> Option<Self> {
        let parameter = |name: &str| {
            let mut parameters = challenge.params.iter();
            let found = parameters.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        Some(Self {
            realm: parameter("realm")?.parse().ok()?,
            service: parameter("service"),
        })
    }
}

impl Challenge {
    /// Reads the headers of a response. A challenge that cannot be parsed counts as none: the
    /// registry will refuse the request that follows.
    pub(crate) fn parse(headers: &HeaderMap) -> Self {
        let values = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut is_basic = false;
        for challenge in values.flat_map(|value| parse_challenges(value).unwrap_or_default()) {
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                is_basic = true;
            }
            if challenge.scheme.eq_ignore_ascii_case("bearer")
                && let Some(service) = TokenService::from_challenge(&challenge)
            {
                return Self::Bearer(service);
            }
        }
        if is_basic { Self::Basic } else { Self::Open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &'static str) -> Challenge {
        Challenge::parse(&HeaderMap::from_iter([(
            WWW_AUTHENTICATE,
            value.parse().unwrap(),
        )]))
    }

    #[test]
    fn docker_hubs_challenge_names_the_known_token_service() {
        let value = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#;
        assert_eq!(parse(value), Challenge::Bearer(TokenService::docker_hub()));
    }

    #[test]
    fn ecr_asks_for_basic_authentication_and_open_registries_for_none() {
        assert_eq!(
            parse(r#"Basic realm="https://x/",service="ecr.amazonaws.com""#),
            Challenge::Basic
        );
        assert_eq!(Challenge::parse(&HeaderMap::new()), Challenge::Open);
        assert_eq!(parse(r#"Bearer realm="not an address""#), Challenge::Open);
    }
}
