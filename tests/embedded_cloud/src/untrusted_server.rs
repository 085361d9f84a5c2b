//! A server that no registry should redirect to. It records every request.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::blob::Blob;
use crate::blob_server::BlobServer;
use crate::error_response::ErrorResponse;
use crate::listener::{Listener, Server};
use crate::shared_state::SharedState;
use crate::sync::lock;
use crate::{Counts, Faults};

/// The seed of forged bytes.
const SEED: u64 = 0x5712_a46e;

/// A server that belongs to no registry; clones are the same server.
///
/// For a path that ends in a digest, it sends bytes of the right length with another digest;
/// otherwise 404.
#[derive(Clone)]
pub struct UntrustedServer {
    url: String,
    shared: SharedState,
    state: Arc<Mutex<Recording>>,
}

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRequest {
    /// `GET`, `HEAD` and so on.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Every header, its name in lower case.
    pub headers: Vec<(String, String)>,
}

#[derive(Default)]
struct Recording {
    requests: Vec<RecordedRequest>,
    answers_not_found: bool,
}

impl UntrustedServer {
    pub(crate) async fn start(shared: &SharedState, servers: &mut Vec<Server>) -> Self {
        let listener = Listener::bind().await;
        let server = Self {
            url: listener.url(),
            shared: shared.clone(),
            state: Arc::default(),
        };
        servers.push(listener.serve(Router::new().fallback(answer).with_state(server.clone())));
        server
    }

    /// The URL that it listens on: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every request so far, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state().requests.clone()
    }

    /// Answers 404 to everything from now on.
    pub fn answer_not_found(&self) {
        self.state().answers_not_found = true;
    }

    /// Answers with forged bytes again.
    pub fn answer_forged_bytes(&self) {
        self.state().answers_not_found = false;
    }

    /// The forged content of the blob that the path ends in.
    fn forgery(&self, path: &str) -> Option<Blob> {
        let real = self.shared.pool.get(path.rsplit('/').next()?)?;
        (!self.state().answers_not_found).then(|| Blob::Generated {
            seed: SEED,
            size: real.size(),
        })
    }

    fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    fn state(&self) -> MutexGuard<'_, Recording> {
        lock(&self.state)
    }
}

impl RecordedRequest {
    /// The value of a header; `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn of(request: &Request) -> Self {
        let headers = request.headers().iter();
        Self {
            method: request.method().to_string(),
            path: request.uri().to_string(),
            headers: headers
                .map(|(name, value)| {
                    (
                        name.to_string(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect(),
        }
    }
}

async fn answer(
    State(server): State<UntrustedServer>,
    request: Request,
) -> Result<Response, ErrorResponse> {
    server.state().requests.push(RecordedRequest::of(&request));
    let unknown = || ErrorResponse::text(StatusCode::NOT_FOUND, "404 page not found");
    let blob = server.forgery(request.uri().path()).ok_or_else(unknown)?;
    let blob_server = BlobServer {
        name: "untrusted_server",
        counts: server.counts(),
        faults: &Faults::default(),
    };
    blob_server.send("", &blob, request.headers())
}
