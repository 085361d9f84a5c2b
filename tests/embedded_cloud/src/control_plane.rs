//! The control plane: every AWS API of the embedded cloud at one address, as `AWS_ENDPOINT_URL`
//! expects.
//!
//! Most services use an awsJson protocol: a request is `POST /`, and its `X-Amz-Target` header
//! names the service and the action. SNS takes a form that names the action; EventBridge Scheduler
//! has paths. The region is the one that the request was signed for. Signatures are required and
//! their scope is checked. The HMAC itself is not checked, because the cloud issues no keys.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::aws::{ActionResult, unique_id};
use crate::{
    Counts, Ecr, EcrPublic, Events, Failures, Logs, Parameters, Scheduler, Secrets, Sns, Sqs,
};

mod call;
mod query;
mod rest;
mod scope;
mod service;

use call::Call;
use scope::Scope;
use service::Service;

/// The largest request of any service: a manifest of 4 MiB inside JSON, plus its escapes.
const BODY_LIMIT_BYTES: usize = 10 * 1024 * 1024;

/// The services behind the control plane. All are cheap clones of shared state.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) ecr: Ecr,
    pub(crate) ecr_public: EcrPublic,
    pub(crate) secrets: Secrets,
    pub(crate) parameters: Parameters,
    pub(crate) sqs: Sqs,
    pub(crate) events: Events,
    pub(crate) scheduler: Scheduler,
    pub(crate) sns: Sns,
    pub(crate) logs: Logs,
    pub(crate) counts: Counts,
    pub(crate) failures: Failures,
}

/// Routes signed requests to their services.
pub(crate) fn router(services: Services) -> Router {
    Router::new()
        .fallback(serve)
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(services)
}

async fn serve(
    State(services): State<Services>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request_id = unique_id();
    let response = match Call::read(&method, &uri, &headers, &body) {
        Err(error) => error.into_response(),
        Ok(call) => {
            let (service, action) = (call.service, call.action.clone());
            let answer = services.answer(call, &headers).await;
            service.respond(&action, &request_id, answer)
        }
    };
    ([("x-amzn-requestid", request_id)], response).into_response()
}

impl Services {
    /// Checks the scope of a request, counts it, and calls the service.
    async fn answer(
        &self,
        Call {
            service,
            action,
            input,
        }: Call,
        headers: &HeaderMap,
    ) -> ActionResult {
        let scope = Scope::of(headers)?;
        service.admit(&scope, headers)?;
        let kind = format!("{}.{action}", service.counted_as());
        self.counts.hit(&kind);
        self.failures.check(&kind)?;
        let (action, input) = (action.as_str(), &input?);
        match service {
            Service::Ecr => self.ecr.call(&scope.region, action, input),
            Service::EcrPublic => self.ecr_public.call(action, input),
            Service::Secrets => self.secrets.call(&scope.region, action, input),
            Service::Parameters => self.parameters.call(&scope.region, action, input),
            Service::Sqs => self.sqs.call(&scope.region, action, input).await,
            Service::Events => self.events.call(&scope.region, action, input),
            Service::Scheduler => self.scheduler.call(&scope.region, action, input),
            Service::Sns => self.sns.call(&scope.region, action, input),
            Service::Logs => self.logs.call(&scope.region, action, input),
        }
    }
}
