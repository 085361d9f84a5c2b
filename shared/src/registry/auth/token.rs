//! Buying a token at a token service, by <https://distribution.github.io/distribution/spec/auth/token/>.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::time::Instant;

use crate::aws::{Login, authorization};
use crate::error::{Cause, Error, Side};
use crate::image::host::Host;
use crate::image::reference::RepositoryRef;
use crate::registry::auth::Access;
use crate::registry::auth::challenge::TokenService;
use crate::registry::limits::pace::Api;
use crate::registry::transport::refusal;
use crate::registry::transport::{Request, Transport};
use crate::registry::unanswered;

/// A token is renewed this long before it expires, or after half its life if that is shorter.
const SKEW: Duration = Duration::from_secs(30);
/// The life, in seconds, of a token that does not state it (the specification's rule).
const DEFAULT_LIFE: u64 = 60;
/// A token is believed for a day at most, whatever its service says.
const LONGEST_LIFE: u64 = 24 * 3600;
/// The largest answer of a token service, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// What a request shows to the registry.
#[derive(Clone)]
pub(crate) struct Token {
    /// The Authorization header; `None` where none is needed.
    pub(crate) header: Option<HeaderValue>,
    /// When to buy another.
    pub(crate) renew_at: Instant,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Buys a token for `repository` at `service`, with `login` or anonymously.
pub(crate) async fn buy(
    transport: &Transport,
    service: &TokenService,
    repository: &RepositoryRef,
    access: Access,
    side: Side,
    login: Option<&Login>,
) -> Result<Token, Error> {
    let action = format!("buy a token for {repository}");
    let actions = if access == Access::Push {
        "pull,push"
    } else {
        "pull"
    };
    let scope = format!("repository:{}:{actions}", repository.path);
    let mut url = service.realm.clone();
    url.query_pairs_mut()
        .append_pair("scope", &scope)
        .extend_pairs(service.service.iter().map(|name| ("service", name)));
    let mut request = Request::new(Method::GET, url);
    if let Some(login) = login {
        request = request.header(AUTHORIZATION, basic(login));
    }
    let mut response = transport
        .send(request)
        .await
        .map_err(|failure| unanswered(side, &action, failure))?;
    if response.status() == StatusCode::UNAUTHORIZED && login.is_some() {
        return Err(Error::new(Side::Credentials, Cause::BadCredential, action)
            .because("Docker Hub refuses the user name or the access token of the secret"));
    }
    if !response.status().is_success() {
        let host = Host::parse(&repository.registry);
        return Err(
            refusal::Refusal::read(side, &action, (&host, Api::Rest), None, response)
                .await
                .error,
        );
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| unanswered(side, &action, error))?
    {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Err(
                Error::new(side, Cause::Unexpected, action).because("the answer is no token's")
            );
        }
    }
    token(&body).ok_or_else(|| {
        Error::new(side, Cause::Unexpected, action).because("the answer holds no token")
    })
}

/// The header for `login`, by RFC 7617.
fn basic(login: &Login) -> HeaderValue {
    let text = BASE64_STANDARD.encode(format!("{}:{}", login.user, login.password.expose_secret()));
    authorization("Basic", &text).expect("base64 is plain ASCII")
}

fn token(body: &[u8]) -> Option<Token> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let value = answer.token.or(answer.access_token)?;
    let header = authorization("Bearer", &value).ok()?;
    let life = Duration::from_secs(answer.expires_in.unwrap_or(DEFAULT_LIFE).min(LONGEST_LIFE));
    let usable = life.saturating_sub(SKEW).max(life / 2);
    Some(Token {
        header: Some(header),
        renew_at: Instant::now() + usable,
    })
}
