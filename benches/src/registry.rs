//! A registry that counts, fast enough not to be what is measured. It runs as a process of its own, so that its work is not the
//! client's.
//!
//! Blobs are made while they are served and thrown away when they arrive; their sizes are always compared with what is known, their
//! digests when that is switched on. A manifest is taken only when everything that it names is there.
//!
//! * `route`: what a request is about, and its kind,
//! * `store`: what is held,
//! * `reads`, `uploads`: the verbs,
//! * `outgoing`: bodies on their way out, counted,
//! * `counts`, `timeline`: what was asked, and when,
//! * `listener`: TCP and TLS,
//! * `control`: the other port, through which the harness resets and reads all of that.

mod control;
mod counts;
mod listener;
mod options;
mod outgoing;
mod reads;
mod route;
mod store;
mod timeline;
mod uploads;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use tokio::net::TcpListener;

pub(crate) use counts::Counts;
pub(crate) use options::{Addresses, Options, Rules};
pub(crate) use route::KINDS;
pub(crate) use store::KnownContent;

use crate::content::{Content, Pieces};
use crate::item::Tagged;
use crate::output;
use counts::Counters;
use outgoing::refuse;
use route::{Route, Target};
use store::{Library, Store};
use timeline::Timeline;
use uploads::Sessions;

/// The repository with a blob of 128 MiB, by which the network is measured.
pub(crate) const CHECK: &str = "check";
/// What that blob is made of.
const CHECK_BLOB: Content = Content::Generated {
    seed: 0,
    size_bytes: 128 << 20,
};

struct Registry {
    rules: Rules,
    scheme: &'static str,
    verifies: AtomicBool,
    library: Library,
    seeded: Store,
    moved: Vec<Tagged>,
    store: Mutex<Store>,
    sessions: Sessions,
    counters: Arc<Counters>,
    timeline: Option<Timeline>,
}

/// Serves until the standard input ends, which is when whoever started this does.
pub(crate) fn run(options: Options) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), String> {
    let (listen, identity) = (options.listen, options.identity.clone());
    let registry = Arc::new(Registry::new(options)?);
    let tcp = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let control = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(|error| error.to_string())?;
    let address = |listener: &TcpListener| listener.local_addr().map_err(|error| error.to_string());
    let addresses = Addresses {
        registry: address(&tcp)?,
        control: address(&control)?,
    };
    let router = Router::new()
        .fallback(answer)
        .with_state(Arc::clone(&registry));
    let door = listener::serve(
        tcp,
        identity.as_deref(),
        Arc::clone(&registry.counters),
        router,
    )?;
    let control =
        tokio::spawn(async move { axum::serve(control, control::router(registry)).await });
    output::line(serde_json::to_string(&addresses).expect("addresses are JSON"));
    let parent = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        _ = parent => Ok(()),
        ended = door => Err(format!("the registry ended: {ended:?}")),
        ended = control => Err(format!("the control port ended: {ended:?}")),
    }
}

async fn answer(
    State(registry): State<Arc<Registry>>,
    request: Request,
) -> Response<axum::body::Body> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = Route::parse(&path);
    let kind = route.as_ref().map_or("other", |route| route.kind(&method));
    registry.counters.request(kind);
    let entry = registry
        .timeline
        .as_ref()
        .map(|timeline| timeline.begin(kind, &path));
    let response = match route {
        Some(route) => registry.respond(route, method, request).await,
        None => refuse(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such address"),
    };
    outgoing::stream(response, Arc::clone(&registry.counters), entry)
}

impl Registry {
    fn new(options: Options) -> Result<Self, String> {
        let images: Vec<Tagged> = options.item.iter().flat_map(|item| item.images()).collect();
        let moved: Vec<Tagged> = options
            .item
            .iter()
            .filter_map(|item| item.changed())
            .collect();
        let blobs = images
            .iter()
            .chain(&moved)
            .flat_map(|tagged| tagged.image.all_blobs());
        let mut library: Library = blobs
            .map(|blob| (blob.digest.clone(), blob.content.clone()))
            .collect();
        let check = CHECK_BLOB.digest();
        library.insert(check.clone(), CHECK_BLOB);
        let mut seeded = Store::default();
        if options.role == "source" {
            seeded.put_blob(CHECK, &check, CHECK_BLOB.size_bytes());
            for tagged in &images {
                seeded.seed(tagged);
            }
        }
        let timeline = options
            .timeline
            .map(|path| Timeline::open(&path, options.role))
            .transpose()?;
        Ok(Self {
            rules: options.rules,
            scheme: if options.identity.is_some() {
                "https"
            } else {
                "http"
            },
            verifies: AtomicBool::new(options.rules.verify_uploads),
            library,
            store: Mutex::new(seeded.clone()),
            seeded,
            moved,
            sessions: Sessions::default(),
            counters: Arc::default(),
            timeline,
        })
    }

    async fn respond(&self, route: Route, method: Method, request: Request) -> Response<Pieces> {
        if route.target == Target::Token {
            return outgoing::json(&serde_json::json!({ "token": "anybody", "expires_in": 3600 }));
        }
        if self.rules.tokens && !request.headers().contains_key(AUTHORIZATION) {
            return self.challenge(&route, request.headers().get(HOST));
        }
        let repository = route.repository;
        match (route.target, method) {
            (Target::Ping, _) => outgoing::json(&serde_json::json!({})),
            (Target::Manifest(reference), Method::PUT) => {
                self.put_manifest(&repository, &reference, request).await
            }
            (Target::Manifest(reference), Method::GET | Method::HEAD) => {
                self.manifest(&repository, &reference)
            }
            (Target::Blob(digest), Method::GET | Method::HEAD) => {
                self.blob(&repository, &digest, request.headers())
            }
            (Target::Upload(None), Method::POST) => self.begin(&repository, request).await,
            (Target::Upload(Some(session)), method) => {
                self.upload(&repository, session, method, request).await
            }
            (Target::Tags, Method::GET) => self.tags(&repository),
            (Target::Referrers, Method::GET) => reads::referrers(),
            _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "not here"),
        }
    }

    /// Where a token can be had (<https://distribution.github.io/distribution/spec/auth/token/>): at the address that was asked, which may be a
    /// proxy's.
    fn challenge(&self, route: &Route, host: Option<&HeaderValue>) -> Response<Pieces> {
        let (scheme, host) = (
            self.scheme,
            host.and_then(|host| host.to_str().ok()).unwrap_or_default(),
        );
        let scope = format!("repository:{}:pull,push", route.repository);
        let challenge = format!(
            "Bearer realm=\"{scheme}://{host}/token\",service=\"benches\",scope=\"{scope}\""
        );
        let mut response = refuse(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "a token is needed",
        );
        let value =
            HeaderValue::from_str(&challenge).expect("names of repositories are plain ASCII");
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
        response
    }

    fn verifies(&self) -> bool {
        self.verifies.load(Ordering::Relaxed)
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was pushed is gone, and what has moved is back.
    fn reset(&self) {
        *self.store() = self.seeded.clone();
        self.counters.reset();
    }

    /// Moves the tags that move.
    fn change(&self) {
        let mut store = self.store();
        self.moved.iter().for_each(|tagged| store.seed(tagged));
    }

    fn note(&self, text: &str) {
        if let Some(timeline) = &self.timeline {
            timeline.note(text);
        }
    }

    fn known_content(&self) -> BTreeMap<String, KnownContent> {
        self.store().known_content()
    }
}
