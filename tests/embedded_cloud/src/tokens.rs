//! A token service: it issues short-lived Bearer tokens for repositories.
//!
//! Like Docker Hub, it grants a token for any scope. The registry then refuses what it does not
//! allow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::json;

use crate::caller::{Action, Caller};
use crate::credentials::bearer;
use crate::error_response::ErrorResponse;
use crate::sync::lock;
use crate::{Clock, Counts, Faults};

mod endpoint;
mod scope;

pub(crate) use endpoint::router;
use scope::Scope;

/// A token service; clones share users and tokens.
#[derive(Clone)]
pub(crate) struct TokenService {
    config: Arc<TokenServiceConfig>,
    state: Arc<Mutex<State>>,
}

/// The configuration of a token service.
pub(crate) struct TokenServiceConfig {
    /// The prefix of its counters in [`Counts`].
    pub(crate) name: &'static str,
    /// The name in challenges: `registry.docker.io`.
    pub(crate) service: &'static str,
    /// The URL of the service: `http://127.0.0.1:PORT/token`.
    pub(crate) realm: String,
    pub(crate) lifetime: Duration,
    /// Whether responses state the lifetime. If they do not, clients must assume 60 seconds.
    pub(crate) announces_lifetime: bool,
    pub(crate) clock: Clock,
    pub(crate) counts: Counts,
    pub(crate) faults: Faults,
}

#[derive(Default)]
struct State {
    passwords: HashMap<String, String>,
    grants: HashMap<String, Grant>,
}

/// An issued token.
struct Grant {
    user: Option<String>,
    scopes: Vec<Scope>,
    expires_at: Timestamp,
}

impl TokenService {
    pub(crate) fn new(config: TokenServiceConfig) -> Self {
        Self {
            config: Arc::new(config),
            state: Arc::default(),
        }
    }

    /// Adds a user.
    pub(crate) fn user(&self, name: &str, password: &str) {
        lock(&self.state)
            .passwords
            .insert(name.into(), password.into());
    }

    fn knows(&self, user: &str, password: &str) -> bool {
        lock(&self.state)
            .passwords
            .get(user)
            .is_some_and(|known| known == password)
    }

    /// Issues a token with the three parts of a JSON Web Token, as at Docker Hub, because clients
    /// read them.
    fn mint(&self, user: Option<String>, scopes: Vec<Scope>) -> String {
        let expires_at = self.config.clock.now() + self.config.lifetime;
        let claims = json!({ "exp": expires_at.as_second(), "access": scopes, "sub": user });
        let mut state = lock(&self.state);
        let parts = [
            json!({ "alg": "none" }).to_string(),
            claims.to_string(),
            format!("token {}", state.grants.len()),
        ];
        let token = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        state.grants.insert(
            token.clone(),
            Grant {
                user,
                scopes,
                expires_at,
            },
        );
        token
    }

    /// Accepts a request whose token is valid for the repository.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        repository: &str,
        action: Action,
    ) -> Result<Caller, ErrorResponse> {
        let state = lock(&self.state);
        let Some(token) = bearer(headers) else {
            return Err(self.challenge(repository, action, None));
        };
        match state.grants.get(token) {
            Some(grant) if grant.expires_at <= self.config.clock.now() => {
                Err(self.challenge(repository, action, Some("invalid_token")))
            }
            None => Err(self.challenge(repository, action, Some("invalid_token"))),
            Some(grant) if !repository.is_empty() && !grant.covers(repository, action) => {
                Err(self.insufficient_scope(repository, action))
            }
            Some(grant) => Ok(Caller {
                user: grant.user.clone(),
            }),
        }
    }

    /// The error for a token that does not allow the action, and for any caller if a repository is
    /// missing or private.
    pub(crate) fn insufficient_scope(&self, repository: &str, action: Action) -> ErrorResponse {
        self.challenge(repository, action, Some("insufficient_scope"))
    }

    fn challenge(&self, repository: &str, action: Action, error: Option<&str>) -> ErrorResponse {
        let TokenServiceConfig { realm, service, .. } = &*self.config;
        let actions = if action == Action::Push {
            "pull,push"
        } else {
            "pull"
        };
        let scope = (!repository.is_empty())
            .then(|| format!(r#",scope="repository:{repository}:{actions}""#));
        let error = error.map(|error| format!(r#",error="{error}""#));
        let challenge = [
            Some(format!(r#"Bearer realm="{realm}",service="{service}""#)),
            scope,
            error,
        ];
        ErrorResponse::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "authentication required",
        )
        .with(
            WWW_AUTHENTICATE,
            challenge.into_iter().flatten().collect::<String>(),
        )
    }
}

impl Grant {
    fn covers(&self, repository: &str, action: Action) -> bool {
        self.scopes.iter().any(|scope| {
            scope.name == repository && scope.actions.iter().any(|word| word == action.word())
        })
    }
}
