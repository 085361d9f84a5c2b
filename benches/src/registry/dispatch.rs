//! Counts each request and passes it to its endpoint.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use super::outgoing::{self, refuse};
use super::reads;
use super::route::{Route, Target};
use super::state::Registry;
use crate::content::Pieces;

/// Counts a request and responds to it.
pub(super) async fn respond(
    State(registry): State<Arc<Registry>>,
    request: Request,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let route = Route::parse(&path);
    let kind = match &route {
        Some(route) => route.kind(request.method()),
        None => "other",
    };
    registry.counters.count_request(kind);
    let timeline = registry.timeline.as_ref();
    let entry = timeline.map(|timeline| timeline.begin(kind, &path));
    let response = match route {
        Some(route) => registry.dispatch(route, request).await,
        None => refuse(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such endpoint"),
    };
    outgoing::stream(response, Arc::clone(&registry.counters), entry)
}

impl Registry {
    async fn dispatch(&self, route: Route, request: Request) -> Response<Pieces> {
        if route.target == Target::Token {
            return outgoing::json(&json!({ "token": "anybody", "expires_in": 3600 }));
        }
        if self.rules.tokens && !request.headers().contains_key(AUTHORIZATION) {
            return self.challenge(&route.repository, request.headers().get(HOST));
        }
        let repository = &route.repository;
        let method = request.method().clone();
        match (route.target, method) {
            (Target::Ping, _) => outgoing::json(&json!({})),
            (Target::Manifest(reference), Method::PUT) => {
                self.put_manifest(repository, &reference, request).await
            }
            (Target::Manifest(reference), Method::GET | Method::HEAD) => {
                self.get_manifest(repository, &reference)
            }
            (Target::Blob(digest), Method::GET | Method::HEAD) => {
                self.get_blob(repository, &digest, request.headers())
            }
            (Target::Upload(None), Method::POST) => self.begin_upload(repository, request).await,
            (Target::Upload(Some(session)), method) => {
                self.continue_upload(repository, session, method, request)
                    .await
            }
            (Target::Tags, Method::GET) => self.list_tags(repository),
            (Target::Referrers, Method::GET) => reads::no_referrers(),
            _ => refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "UNSUPPORTED",
                "the endpoint does not support this method",
            ),
        }
    }

    /// A challenge for a token
    /// (<https://distribution.github.io/distribution/spec/auth/token/>). Its realm has the host of
    /// the request, which may be a proxy's.
    fn challenge(&self, repository: &str, host: Option<&HeaderValue>) -> Response<Pieces> {
        let scheme = self.scheme;
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let challenge = format!(
            "Bearer realm=\"{scheme}://{host}/token\",service=\"benches\",\
             scope=\"repository:{repository}:pull,push\""
        );
        let value = HeaderValue::from_str(&challenge).expect("repository names are ASCII");
        let message = "a token is required";
        let mut response = refuse(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
        response
    }
}
