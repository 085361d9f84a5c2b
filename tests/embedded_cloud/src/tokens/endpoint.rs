//! `GET /token`.

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::{Scope, TokenService};
use crate::credentials::basic;
use crate::error_response::ErrorResponse;
use crate::planned_errors;

/// Serves the token endpoint.
pub(crate) fn router(service: TokenService) -> Router {
    Router::new()
        .route("/token", get(issue_token))
        .with_state(service)
}

async fn issue_token(
    State(service): State<TokenService>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, ErrorResponse> {
    let config = &service.config;
    config.counts.hit(&format!("{}.token", config.name));
    planned_errors::check(&config.faults, "token")?;
    let user = service.authenticate(&headers)?;
    let scopes = query
        .iter()
        .filter(|(key, _)| key == "scope")
        .filter_map(|(_, scope)| Scope::parse(scope));
    let token = service.mint(user, scopes.collect());
    Ok((
        [(CONTENT_TYPE, "application/json")],
        service.response(&token),
    )
        .into_response())
}

impl TokenService {
    /// The user of a request. A wrong password is an error, never an anonymous user.
    fn authenticate(&self, headers: &HeaderMap) -> Result<Option<String>, ErrorResponse> {
        if !headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        match basic(headers) {
            Some((user, password)) if self.knows(&user, &password) => Ok(Some(user)),
            _ => Err(ErrorResponse::json(
                StatusCode::UNAUTHORIZED,
                &json!({ "details": "incorrect username or password" }),
            )),
        }
    }

    fn response(&self, token: &str) -> String {
        let mut response = json!({ "token": token, "access_token": token });
        if self.config.announces_lifetime {
            response["expires_in"] = self.config.lifetime.as_secs().into();
            response["issued_at"] = self.config.clock.now().to_string().into();
        }
        response.to_string()
    }
}
