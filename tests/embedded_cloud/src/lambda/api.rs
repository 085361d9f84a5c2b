//! The four routes of the Runtime API, and their shared state.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use super::FunctionError;
use super::answer::{ReportError, accepted, refused};
use super::invocation::{PendingInvocation, RunningInvocation};
use crate::sync::lock;

/// The largest response: 6 MB and the few bytes that Lambda adds.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024 + 100;

/// The state of the execution environment.
pub(super) struct ExecutionEnvironment {
    started: Instant,
    offers: mpsc::UnboundedSender<PendingInvocation>,
    /// Locked by the function that polls.
    inbox: AsyncMutex<mpsc::UnboundedReceiver<PendingInvocation>>,
    state: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    first_poll: Option<Duration>,
    running: Option<RunningInvocation>,
    init_error: Option<FunctionError>,
}

pub(super) fn router(environment: Arc<ExecutionEnvironment>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route(
            "/2018-06-01/runtime/invocation/{id}/response",
            post(response),
        )
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        // The handlers check the size themselves, because a response that is too large is a result
        // of the invocation.
        .layer(DefaultBodyLimit::disable())
        .with_state(environment)
}

async fn next(State(environment): State<Arc<ExecutionEnvironment>>) -> Response {
    match environment.next().await {
        Some(offer) => {
            let (headers, event) = (offer.headers(), offer.event.to_string());
            lock(&environment.state).running = Some(offer.take());
            (headers, [("content-type", "application/json")], event).into_response()
        }
        None => refused(ReportError::InvalidState),
    }
}

async fn response(
    State(environment): State<Arc<ExecutionEnvironment>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    match environment.finish(&id) {
        Err(refusal) => refused(refusal),
        Ok(running) if body.len() > MAX_RESPONSE_BYTES => {
            running.answer(Err(FunctionError::too_large(MAX_RESPONSE_BYTES)));
            refused(ReportError::TooLarge(MAX_RESPONSE_BYTES))
        }
        Ok(running) => {
            let unreadable = |error| {
                FunctionError::new(
                    "Function.InvalidResponse",
                    format!("the response is no JSON: {error}"),
                )
            };
            running.answer(serde_json::from_slice(&body).map_err(unreadable));
            accepted()
        }
    }
}

async fn error(
    State(environment): State<Arc<ExecutionEnvironment>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match environment.finish(&id) {
        Err(refusal) => refused(refusal),
        Ok(running) => {
            running.answer(Err(FunctionError::reported(&body, error_type(&headers))));
            accepted()
        }
    }
}

async fn init_error(
    State(environment): State<Arc<ExecutionEnvironment>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match environment.fail(FunctionError::reported(&body, error_type(&headers))) {
        Err(refusal) => refused(refusal),
        Ok(()) => accepted(),
    }
}

fn error_type(headers: &HeaderMap) -> Option<&str> {
    headers
        .get("lambda-runtime-function-error-type")
        .and_then(|value| value.to_str().ok())
}

impl ExecutionEnvironment {
    pub(super) fn new() -> Self {
        let (offers, inbox) = mpsc::unbounded_channel();
        Self {
            started: Instant::now(),
            offers,
            inbox: AsyncMutex::new(inbox),
            state: Mutex::default(),
        }
    }

    /// Queues an event, unless the function has already failed to start.
    pub(super) fn offer(&self, offer: PendingInvocation) {
        match &lock(&self.state).init_error {
            Some(error) => offer.refuse(error.clone()),
            None => self
                .offers
                .send(offer)
                .expect("the receiver lives as long as the environment"),
        }
    }

    /// Abandons the running invocation. Later reports about it are refused.
    pub(super) fn abandon(&self) {
        lock(&self.state).running = None;
    }

    pub(super) fn first_poll(&self) -> Option<Duration> {
        lock(&self.state).first_poll
    }

    /// Waits for the next event; `None` if the function has not finished the last one.
    async fn next(&self) -> Option<PendingInvocation> {
        {
            let mut state = lock(&self.state);
            if state.running.is_some() {
                return None;
            }
            state.first_poll.get_or_insert(self.started.elapsed());
            state.init_error = None;
        }
        let mut inbox = self.inbox.lock().await;
        loop {
            let offer = inbox.recv().await?;
            if !offer.is_abandoned() {
                return Some(offer);
            }
        }
    }

    /// Takes the running invocation, which the report must name.
    fn finish(&self, id: &str) -> Result<RunningInvocation, ReportError> {
        let mut state = lock(&self.state);
        match state.running.take_if(|running| running.id == id) {
            Some(running) => Ok(running),
            None if state.running.is_some() => Err(ReportError::UnknownRequest),
            None => Err(ReportError::InvalidState),
        }
    }

    /// Fails pending and future invocations, until a new process polls.
    fn fail(&self, error: FunctionError) -> Result<(), ReportError> {
        let mut state = lock(&self.state);
        if state.running.is_some() {
            return Err(ReportError::InvalidState);
        }
        if let Ok(mut inbox) = self.inbox.try_lock() {
            while let Ok(offer) = inbox.try_recv() {
                offer.refuse(error.clone());
            }
        }
        state.init_error = Some(error);
        Ok(())
    }
}
