//! What a registry demands of those who ask.

use http::header::{HeaderMap, WWW_AUTHENTICATE};
use http_auth::parse_challenges;
use url::Url;

/// The answer to an unauthenticated `GET /v2/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// No credential is needed.
    Open,
    /// A token from this service.
    Bearer(TokenService),
    /// A user and a password.
    Basic,
}

/// A token service, by <https://distribution.github.io/distribution/spec/auth/token/>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenService {
    /// Where tokens come from.
    pub(crate) realm: Url,
    /// For whom they are.
    pub(crate) service: Option<String>,
}

impl TokenService {
    /// Docker Hub's own, which is known without asking.
    pub(crate) fn docker_hub() -> Self {
        let realm = Url::parse("https://auth.docker.io/token")
            .expect("the text is a constant and an address");
        Self {
            realm,
            service: Some("registry.docker.io".to_owned()),
        }
    }
}

impl Challenge {
    /// Reads the headers of an answer. A challenge that cannot be read is none: the request that follows will be refused.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let values = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut is_basic = false;
        for challenge in values.flat_map(|value| parse_challenges(value).unwrap_or_default()) {
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                let parameter = |name: &str| {
                    let found = challenge
                        .params
                        .iter()
                        .find(|(key, _)| key.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.to_unescaped())
                };
                if let Some(realm) = parameter("realm").and_then(|realm| Url::parse(&realm).ok()) {
                    return Self::Bearer(TokenService {
                        realm,
                        service: parameter("service"),
                    });
                }
            }
            is_basic |= challenge.scheme.eq_ignore_ascii_case("basic");
        }
        if is_basic { Self::Basic } else { Self::Open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &'static str) -> Challenge {
        Challenge::read(&HeaderMap::from_iter([(
            WWW_AUTHENTICATE,
            value.parse().unwrap(),
        )]))
    }

    #[test]
    fn docker_hubs_challenge_is_what_we_know_it_to_be() {
        let value = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#;
        assert_eq!(read(value), Challenge::Bearer(TokenService::docker_hub()));
    }

    #[test]
    fn ecr_wants_a_password_and_others_nothing() {
        assert_eq!(
            read(r#"Basic realm="https://x/",service="ecr.amazonaws.com""#),
            Challenge::Basic
        );
        assert_eq!(Challenge::read(&HeaderMap::new()), Challenge::Open);
        assert_eq!(read(r#"Bearer realm="not an address""#), Challenge::Open);
    }
}
