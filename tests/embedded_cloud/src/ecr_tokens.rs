//! Authorization tokens of ECR: valid for twelve hours in one region.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use crate::caller::Caller;
use crate::credentials::{basic, bearer};
use crate::error_response::ErrorResponse;
use crate::sync::lock;
use crate::{ACCOUNT, Clock};

/// Lifetime of an authorization token (`GetAuthorizationToken`: "valid for 12 hours").
const LIFETIME: Duration = Duration::from_hours(12);

/// Lifetime of an anonymous token. ECR Public does not state it; this is the minimum of the token
/// specification.
const ANONYMOUS_LIFETIME: Duration = Duration::from_mins(1);

/// The audiences other than regions.
const PUBLIC: &str = "public";
const ANONYMOUS: &str = "anonymous";

/// The issued tokens; clones share them.
#[derive(Clone)]
pub(crate) struct EcrTokens {
    clock: Clock,
    issued: Arc<Mutex<HashMap<String, Issued>>>,
}

struct Issued {
    /// A region, [`PUBLIC`] or [`ANONYMOUS`].
    audience: String,
    expires_at: Timestamp,
}

/// A new token, as `GetAuthorizationToken` returns it.
pub(crate) struct Authorization {
    /// `AWS:<password>` in base64.
    pub(crate) token: String,
    pub(crate) expires_at: Timestamp,
}

impl EcrTokens {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            issued: Arc::default(),
        }
    }

    /// Issues a token for a region.
    pub(crate) fn issue(&self, region: &str) -> Authorization {
        self.issue_for(region, LIFETIME)
    }

    /// Issues a token of the account for ECR Public.
    pub(crate) fn issue_public(&self) -> Authorization {
        self.issue_for(PUBLIC, LIFETIME)
    }

    /// Issues an anonymous token, which may only read ECR Public.
    pub(crate) fn issue_anonymous(&self) -> Authorization {
        self.issue_for(ANONYMOUS, ANONYMOUS_LIFETIME)
    }

    fn issue_for(&self, audience: &str, lifetime: Duration) -> Authorization {
        let expires_at = self.clock.now() + lifetime;
        let mut issued = lock(&self.issued);
        let password = format!("{audience}-password-{}", issued.len() + 1);
        let token = STANDARD.encode(format!("AWS:{password}"));
        issued.insert(
            password,
            Issued {
                audience: audience.into(),
                expires_at,
            },
        );
        Authorization { token, expires_at }
    }

    /// Checks `Basic AWS:<password>` against the tokens of a region.
    pub(crate) fn check_basic(
        &self,
        headers: &HeaderMap,
        region: &str,
        host: &str,
    ) -> Result<(), ErrorResponse> {
        let challenge = format!(r#"Basic realm="https://{host}/",service="ecr.amazonaws.com""#);
        let unknown = || {
            ErrorResponse::text(StatusCode::UNAUTHORIZED, "Not Authorized\n")
                .with(WWW_AUTHENTICATE, challenge)
        };
        match basic(headers) {
            Some((user, password)) if user == "AWS" => self
                .check(&password, region)
                .unwrap_or_else(|| Err(unknown())),
            _ => Err(unknown()),
        }
    }

    /// Checks `Bearer <authorization token>` for ECR Public, which does not understand `Basic`
    /// (kreuzwerker/terraform-provider-docker#666).
    ///
    /// The caller is the account or anonymous.
    pub(crate) fn check_bearer(
        &self,
        headers: &HeaderMap,
        realm: &str,
    ) -> Result<Caller, ErrorResponse> {
        if basic(headers).is_some() {
            return Err(invalid_token());
        }
        let Some(token) = bearer(headers) else {
            let challenge =
                format!(r#"Bearer realm="{realm}",service="public.ecr.aws",scope="aws""#);
            let refusal =
                ErrorResponse::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "Not Authorized");
            return Err(refusal.with(WWW_AUTHENTICATE, challenge));
        };
        let decoded = STANDARD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let password = decoded
            .as_deref()
            .and_then(|text| text.strip_prefix("AWS:"));
        let password = password.ok_or_else(invalid_token)?;
        let anonymous = lock(&self.issued)
            .get(password)
            .is_some_and(|token| token.audience == ANONYMOUS);
        let audience = if anonymous { ANONYMOUS } else { PUBLIC };
        self.check(password, audience)
            .unwrap_or_else(|| Err(invalid_token()))?;
        Ok(Caller {
            user: (!anonymous).then(|| ACCOUNT.to_owned()),
        })
    }

    /// Checks a password of the account for ECR Public.
    pub(crate) fn check_public(&self, password: &str) -> Result<(), ErrorResponse> {
        self.check(password, PUBLIC)
            .unwrap_or_else(|| Err(invalid_token()))
    }

    /// Whether a password is valid for an audience now; `None` if it was never issued.
    fn check(&self, password: &str, audience: &str) -> Option<Result<(), ErrorResponse>> {
        let issued = lock(&self.issued);
        let token = issued.get(password)?;
        Some(if token.audience != audience {
            Err(denied("Your Authorization Token is invalid."))
        } else if token.expires_at > self.clock.now() {
            Ok(())
        } else if audience == PUBLIC {
            Err(invalid_token())
        } else {
            Err(denied(
                "Your authorization token has expired. Reauthenticate and try again.",
            ))
        })
    }
}

fn denied(message: &str) -> ErrorResponse {
    ErrorResponse::new(StatusCode::FORBIDDEN, "DENIED", message)
}

fn invalid_token() -> ErrorResponse {
    ErrorResponse::new(
        StatusCode::BAD_REQUEST,
        "DENIED",
        "Your Authorization Token is invalid.",
    )
}
