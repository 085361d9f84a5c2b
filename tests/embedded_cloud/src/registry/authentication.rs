//! Authentication of requests to a registry.

use axum::http::{HeaderMap, StatusCode};

use crate::caller::{Action, Caller};
use crate::ecr_tokens::EcrTokens;
use crate::error_response::ErrorResponse;
use crate::tokens::TokenService;

/// How a registry authenticates its callers.
#[derive(Clone)]
pub(crate) enum Authentication {
    /// No authentication: everyone may read and write.
    Open,
    /// Bearer tokens of a token service (distribution spec, "Token Authentication").
    Tokens(TokenService),
    /// `Basic AWS:<password>` on every request, with a password of the registry's region.
    EcrBasic {
        tokens: EcrTokens,
        region: &'static str,
        host: String,
    },
    /// Bearer tokens of ECR Public: the authorization token of the account, or an anonymous token,
    /// which may only read.
    EcrBearer { tokens: EcrTokens, realm: String },
}

impl Authentication {
    /// Authenticates a request, or returns the challenge. A ping has no repository.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        repository: &str,
        action: Action,
    ) -> Result<Caller, ErrorResponse> {
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

    /// Whether anonymous callers are accepted alongside the account, so that they are counted
    /// separately.
    pub(super) fn knows_the_anonymous(&self) -> bool {
        matches!(self, Self::EcrBearer { .. })
    }

    /// The error for a caller without permission, if the registry does not disclose more.
    pub(crate) fn insufficient_scope(
        &self,
        repository: &str,
        action: Action,
    ) -> Option<ErrorResponse> {
        match self {
            Self::Tokens(service) => Some(service.insufficient_scope(repository, action)),
            _ => None,
        }
    }
}

fn read_only() -> ErrorResponse {
    ErrorResponse::new(
        StatusCode::FORBIDDEN,
        "DENIED",
        "requested access to the resource is denied",
    )
}
