//! Tokens of a token service
//! (<https://distribution.github.io/distribution/spec/auth/token/>).

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::challenge::TokenService;
use crate::error::{Cause, Error, Side};
use crate::image::host::Host;
use crate::image::reference::RepositoryRef;
use crate::registry::keychain::{Access, Credential, authorization_header};
use crate::registry::limits::pace::Api;
use crate::registry::transport::refusal::{Asked, Refusal};
use crate::registry::transport::{Request, Transport};

/// A token is renewed this long before it expires, or after half its lifetime if that is shorter.
const RENEWAL_LEAD: Duration = Duration::from_secs(30);
/// The lifetime, in seconds, of a token that does not state it (the specification's rule).
const DEFAULT_LIFETIME_SECONDS: u64 = 60;
/// The longest lifetime, in seconds, that a token service is trusted to state: one day.
const MAX_LIFETIME_SECONDS: u64 = 24 * 3600;
/// The largest response of a token service that is read.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// The `Authorization` header of a request, and the credential that it was made of.
#[derive(Clone)]
pub(crate) struct Authorization {
    /// The header.
    pub(crate) header: HeaderValue,
    /// The keychain's credential if the registry sees it; `None` for a token.
    pub(crate) credential: Option<Arc<Credential>>,
}

impl From<Arc<Credential>> for Authorization {
    fn from(credential: Arc<Credential>) -> Self {
        Self {
            header: credential.header(),
            credential: Some(credential),
        }
    }
}

/// The authorization of requests to one repository, and how long it is used.
#[derive(Clone)]
pub(crate) struct Token {
    /// `None` if the registry needs none.
    pub(crate) authorization: Option<Authorization>,
    /// When to fetch another one.
    pub(crate) renew_at: Instant,
}

impl Token {
    /// A token that the next request does not use again.
    pub(crate) fn for_one_request(authorization: Authorization) -> Self {
        Self {
            authorization: Some(authorization),
            renew_at: Instant::now(),
        }
    }

    /// An authorization that states no lifetime.
    pub(crate) fn for_an_hour(authorization: Option<Authorization>) -> Self {
        Self {
            authorization,
            renew_at: Instant::now() + Duration::from_hours(1),
        }
    }

    /// Whether the token may be used; otherwise it is renewed.
    pub(crate) fn is_fresh(&self) -> bool {
        Instant::now() < self.renew_at
    }
}

/// What a token is for, and where it comes from.
pub(crate) struct TokenRequest<'a> {
    pub(crate) service: &'a TokenService,
    pub(crate) repository: &'a RepositoryRef,
    pub(crate) access: Access,
}

#[derive(Deserialize)]
struct ResponseJson {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl TokenRequest<'_> {
    /// Fetches the token with `login`, or anonymously.
    pub(crate) async fn send(
        &self,
        transport: &Transport,
        login: Option<&Credential>,
    ) -> Result<Token, Error> {
        let side = self.access.side();
        let action = format!("get a token for {}", self.repository);
        let mut request = Request::new(Method::GET, self.url());
        if let Some(login) = login {
            request = request.header(AUTHORIZATION, login.header());
        }
        let mut response = transport
            .send(request)
            .await
            .map_err(|failure| failure.into_error(side, &action))?;
        if response.status() == StatusCode::UNAUTHORIZED && login.is_some() {
            let why = format!(
                "the token service of {} refused the user name or the password; check the secret",
                self.repository.registry
            );
            return Err(Error::new(Side::Credentials, Cause::BadCredential, action).because(why));
        }
        if !response.status().is_success() {
            let host = Host::parse(&self.repository.registry);
            let asked = Asked {
                side,
                host: &host,
                api: Api::Rest,
            };
            let refusal = Refusal::read(asked, &action, response).await;
            return Err(refusal.error);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|failure| failure.into_error(side, &action))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_RESPONSE_BYTES {
                let why = format!("the response has more than {MAX_RESPONSE_BYTES} bytes");
                return Err(Error::new(side, Cause::Unexpected, action).because(why));
            }
        }
        parse(&body).ok_or_else(|| {
            Error::new(side, Cause::Unexpected, action).because("the response has no usable token")
        })
    }

    fn url(&self) -> Url {
        let actions = match self.access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        let scope = format!("repository:{}:{actions}", self.repository.path);
        let mut url = self.service.realm.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("scope", &scope);
        if let Some(service) = &self.service.service {
            query.append_pair("service", service);
        }
        drop(query);
        url
    }
}

fn parse(body: &[u8]) -> Option<Token> {
    let response: ResponseJson = serde_json::from_slice(body).ok()?;
    let value = response.token.or(response.access_token)?;
    let header = authorization_header("Bearer", &value).ok()?;
    let seconds = response.expires_in.unwrap_or(DEFAULT_LIFETIME_SECONDS);
    let lifetime = Duration::from_secs(seconds.min(MAX_LIFETIME_SECONDS));
    let usable = lifetime.saturating_sub(RENEWAL_LEAD).max(lifetime / 2);
    Some(Token {
        authorization: Some(Authorization {
            header,
            credential: None,
        }),
        renew_at: Instant::now() + usable,
    })
}
