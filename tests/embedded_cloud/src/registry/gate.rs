//! Who may enter a registry.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::ecr::EcrTokens;
use crate::refusal::Refusal;
use crate::tokens::TokenService;

/// How a registry knows its callers.
#[derive(Clone)]
pub(crate) enum Gate {
    /// Everybody may do everything.
    Open,
    /// Bearer tokens of a token service (distribution spec, "Token Authentication").
    Tokens(TokenService),
    /// `Basic AWS:<password>` on every request, with a password of the registry's region.
    EcrBasic {
        tokens: EcrTokens,
        region: &'static str,
        host: String,
    },
    /// Bearer tokens of ECR Public: the account's authorization token, or one for anybody, who may only read.
    EcrBearer { tokens: EcrTokens, realm: String },
}

/// What a request wants of its repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Reading.
    Pull,
    /// Writing.
    Push,
}

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The name of the user; nobody's for anonymous callers and where a registry has no users.
    pub(crate) user: Option<String>,
}

impl Action {
    /// The word of token scopes.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}

impl Gate {
    /// Lets a request in, or tells how to authenticate. A ping has no repository.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        repository: &str,
        action: Action,
    ) -> Result<Caller, Refusal> {
        let nobody = Caller { user: None };
        match self {
            Self::Open => Ok(nobody),
            Self::Tokens(service) => service.admit(headers, repository, action),
            Self::EcrBasic {
                tokens,
                region,
                host,
            } => tokens.check_basic(headers, region, host).map(|()| nobody),
            Self::EcrBearer { tokens, realm } => match tokens.check_bearer(headers, realm)? {
                Caller { user: None } if action == Action::Push => Err(read_only()),
                caller => Ok(caller),
            },
        }
    }

    /// Whether callers with and without an account enter alike, so that it matters who came how.
    pub(super) fn knows_the_anonymous(&self) -> bool {
        matches!(self, Self::EcrBearer { .. })
    }

    /// The answer to a caller who may not do this here, where the registry does not tell more than that.
    pub(crate) fn insufficient_scope(&self, repository: &str, action: Action) -> Option<Refusal> {
        match self {
            Self::Tokens(service) => Some(service.insufficient_scope(repository, action)),
            _ => None,
        }
    }
}

fn read_only() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "DENIED",
        "requested access to the resource is denied",
    )
}

/// User and password of a `Basic` header.
pub(crate) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let decoded = STANDARD.decode(credentials(headers, "Basic")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':')
        .map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// The token of a `Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    credentials(headers, "Bearer")
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (named, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    named.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
