//! The one address of ECR Public: tokens, the account's registry and the gallery.

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::ALIAS;
use crate::ecr::{Authorization, EcrTokens};
use crate::refusal::Refusal;
use crate::registry::{Registry, basic};
use crate::{Counts, throttle};

const SERVICE: &str = "public.ecr.aws";

/// What is behind the address.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) registry: Registry,
    pub(super) gallery: Registry,
    pub(super) tokens: EcrTokens,
    pub(super) counts: Counts,
}

/// Serves the address.
pub(super) fn router(front: Front) -> Router {
    Router::new()
        .route("/token/", get(sell))
        .fallback(answer)
        .with_state(front)
}

/// A token is good for every repository, whatever scope is asked for: challenges name the scope `aws`.
async fn sell(
    State(front): State<Front>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    front.counts.hit("public.token");
    throttle::check(front.registry.faults(), "token")?;
    let service = query
        .iter()
        .find(|(key, _)| key == "service")
        .map(|(_, service)| service.as_str());
    if service != Some(SERVICE) {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "UNSUPPORTED",
            format!("the service is {SERVICE}"),
        ));
    }
    let body = json!({ "token": front.authorize(&headers)?.token }).to_string();
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

async fn answer(State(front): State<Front>, request: Request) -> Response {
    front
        .registry_of(request.uri().path())
        .respond(request)
        .await
}

impl Front {
    /// A token for the account to those who bring its password, and one for anybody to those who bring nothing.
    fn authorize(&self, headers: &HeaderMap) -> Result<Authorization, Refusal> {
        if !headers.contains_key(AUTHORIZATION) {
            return Ok(self.tokens.issue_anonymous());
        }
        let password = basic(headers)
            .filter(|(user, _)| user == "AWS")
            .map(|(_, password)| password);
        self.tokens.check_public(&password.unwrap_or_default())?;
        Ok(self.tokens.issue_public())
    }

    /// Whose repository a path names; a path that names none is the account's.
    fn registry_of(&self, path: &str) -> &Registry {
        let name = path.strip_prefix("/v2/").unwrap_or_default();
        let ours = name.is_empty()
            || name
                .strip_prefix(ALIAS)
                .is_some_and(|rest| rest.starts_with('/'));
        if ours { &self.registry } else { &self.gallery }
    }
}
