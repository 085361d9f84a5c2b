//! The data plane: routes a request to its handler.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Registry;
use super::route::{Route, Target};
use crate::caller::{Action, Caller};
use crate::error_response::ErrorResponse;
use crate::planned_errors;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// The result of a handler.
pub(crate) type HandlerResult = Result<Response, ErrorResponse>;

/// An authenticated request.
pub(super) struct Admitted {
    pub(super) caller: Caller,
    /// The repository name in the path, which response URLs repeat.
    pub(super) name: String,
    /// The name under which it is stored.
    pub(super) repository: String,
    pub(super) request: Request,
}

/// Serves `/v2/` of a registry.
pub(crate) fn router(registry: Registry) -> Router {
    Router::new().fallback(answer).with_state(registry)
}

async fn answer(State(registry): State<Registry>, request: Request) -> Response {
    registry.respond(request).await
}

impl Registry {
    /// Answers a request to `/v2/`.
    pub(crate) async fn respond(&self, request: Request) -> Response {
        let mut response = self
            .answer(request)
            .await
            .unwrap_or_else(IntoResponse::into_response);
        response
            .headers_mut()
            .insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        response
    }

    async fn answer(&self, request: Request) -> HandlerResult {
        let unknown = || ErrorResponse::text(StatusCode::NOT_FOUND, "404 page not found");
        let route = Route::parse(request.uri().path()).ok_or_else(unknown)?;
        let kind = route.kind(request.method());
        self.count(&kind);
        planned_errors::check(self.faults(), &kind)?;
        let action = action(request.method());
        let caller =
            self.config()
                .authentication
                .admit(request.headers(), &route.repository, action)?;
        if route.target == Target::Ping {
            return Ok(([(CONTENT_TYPE, "application/json")], "{}").into_response());
        }
        if caller.user.is_none() && self.config().authentication.knows_the_anonymous() {
            self.count("anonymous");
        }
        let repository = self.open(&route, &caller, action)?;
        let Route {
            repository: name,
            target,
        } = route;
        self.dispatch(
            target,
            Admitted {
                caller,
                name,
                repository,
                request,
            },
        )
        .await
    }

    async fn dispatch(&self, target: Target, admitted: Admitted) -> HandlerResult {
        match (admitted.request.method().clone(), target) {
            (Method::HEAD, Target::Manifest(reference)) => {
                self.head_manifest(&admitted, &reference)
            }
            (Method::GET, Target::Manifest(reference)) => self.get_manifest(&admitted, &reference),
            (Method::PUT, Target::Manifest(reference)) => {
                self.put_manifest(admitted, &reference).await
            }
            (Method::HEAD, Target::Blob(digest)) => self.head_blob(&admitted, &digest),
            (Method::GET, Target::Blob(digest)) => self.get_blob(&admitted, &digest),
            (Method::POST, Target::Uploads) => self.start_upload(&admitted),
            (Method::GET, Target::Upload(session)) => self.upload_status(&admitted, &session),
            (Method::PATCH, Target::Upload(session)) => self.append(admitted, &session).await,
            (Method::PUT, Target::Upload(session)) => self.finish_upload(admitted, &session).await,
            (Method::GET, Target::Tags) => self.list_tags(&admitted),
            _ => Err(unsupported()),
        }
    }
}

fn action(method: &Method) -> Action {
    if matches!(*method, Method::GET | Method::HEAD) {
        Action::Pull
    } else {
        Action::Push
    }
}

fn unsupported() -> ErrorResponse {
    ErrorResponse::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "UNSUPPORTED",
        "The operation is unsupported.",
    )
}
