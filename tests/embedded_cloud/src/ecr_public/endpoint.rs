//! The address of ECR Public: token service, the registry of the account, and the ECR Public
//! gallery.

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::ALIAS;
use crate::credentials::basic;
use crate::ecr_tokens::{Authorization, EcrTokens};
use crate::error_response::ErrorResponse;
use crate::registry::Registry;
use crate::{Counts, planned_errors};

const SERVICE: &str = "public.ecr.aws";

/// What the address serves.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) registry: Registry,
    pub(super) gallery: Registry,
    pub(super) tokens: EcrTokens,
    pub(super) counts: Counts,
}

/// Routes requests to the token service and to both registries.
pub(super) fn router(front: Endpoint) -> Router {
    Router::new()
        .route("/token/", get(issue_token))
        .fallback(answer)
        .with_state(front)
}

/// A token is valid for every repository, whatever scope the request names: challenges name the
/// scope `aws`.
async fn issue_token(
    State(front): State<Endpoint>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, ErrorResponse> {
    front.counts.hit("public.token");
    planned_errors::check(front.registry.faults(), "token")?;
    let service = query
        .iter()
        .find(|(key, _)| key == "service")
        .map(|(_, service)| service.as_str());
    if service != Some(SERVICE) {
        return Err(ErrorResponse::new(
            StatusCode::BAD_REQUEST,
            "UNSUPPORTED",
            format!("the service is {SERVICE}"),
        ));
    }
    let body = json!({ "token": front.authorize(&headers)?.token }).to_string();
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

async fn answer(State(front): State<Endpoint>, request: Request) -> Response {
    front
        .registry_of(request.uri().path())
        .respond(request)
        .await
}

impl Endpoint {
    /// A token of the account for its password; an anonymous token without credentials.
    fn authorize(&self, headers: &HeaderMap) -> Result<Authorization, ErrorResponse> {
        if !headers.contains_key(AUTHORIZATION) {
            return Ok(self.tokens.issue_anonymous());
        }
        let password = basic(headers)
            .filter(|(user, _)| user == "AWS")
            .map(|(_, password)| password);
        self.tokens.check_public(&password.unwrap_or_default())?;
        Ok(self.tokens.issue_public())
    }

    /// The registry that a path belongs to. A path without a name belongs to the account.
    fn registry_of(&self, path: &str) -> &Registry {
        let name = path.strip_prefix("/v2/").unwrap_or_default();
        let ours = name.is_empty()
            || name
                .strip_prefix(ALIAS)
                .is_some_and(|rest| rest.starts_with('/'));
        if ours { &self.registry } else { &self.gallery }
    }
}
