//! A server that no registry should send anybody to: it writes down who came, and with what.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::blob::Blob;
use crate::listener::{Listener, Server};
use crate::outlet::Outlet;
use crate::refusal::Refusal;
use crate::registry::Surroundings;
use crate::sync::lock;
use crate::{Counts, Faults};

/// What forged bytes follow from.
const SEED: u64 = 0x5712_a46e;

/// A server outside of every registry; clones are the same server.
///
/// It answers a request that ends in a digest with bytes of the right length that have another digest, or knows nothing.
#[derive(Clone)]
pub struct UntrustedServer {
    url: String,
    surroundings: Surroundings,
    book: Arc<Mutex<Book>>,
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
struct Book {
    requests: Vec<RecordedRequest>,
    answers_not_found: bool,
}

impl UntrustedServer {
    pub(crate) async fn start(surroundings: &Surroundings, servers: &mut Vec<Server>) -> Self {
        let listener = Listener::bind().await;
        let server = Self {
            url: listener.url(),
            surroundings: surroundings.clone(),
            book: Arc::default(),
        };
        servers.push(listener.serve(Router::new().fallback(answer).with_state(server.clone())));
        server
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.book().requests.clone()
    }

    /// Answers 404 to everything from now on.
    pub fn answer_not_found(&self) {
        self.book().answers_not_found = true;
    }

    /// Answers with forged bytes again.
    pub fn answer_forged_bytes(&self) {
        self.book().answers_not_found = false;
    }

    /// The forged content of the blob that the path ends in.
    fn forgery(&self, path: &str) -> Option<Blob> {
        let real = self.surroundings.pool.get(path.rsplit('/').next()?)?;
        (!self.book().answers_not_found).then(|| Blob::Generated {
            seed: SEED,
            size: real.size(),
        })
    }

    fn counts(&self) -> &Counts {
        &self.surroundings.counts
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }
}

impl RecordedRequest {
    /// The value of a header, whose name is given in lower case.
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
) -> Result<Response, Refusal> {
    server.book().requests.push(RecordedRequest::of(&request));
    let unknown = || Refusal::text(StatusCode::NOT_FOUND, "404 page not found");
    let blob = server.forgery(request.uri().path()).ok_or_else(unknown)?;
    let outlet = Outlet {
        name: "untrusted_server",
        counts: server.counts(),
        faults: &Faults::default(),
    };
    outlet.send("", &blob, request.headers())
}
