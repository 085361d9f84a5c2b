//! The port of the harness: counts, known_content, and the way back to the beginning.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};

use super::Registry;

/// `GET /counts` and `/known_content`; `POST /reset` to the beginning, `/counts/reset`, `/change` of the tags that move,
/// `/verify/on` and `/verify/off`, and `/note` of a line for the timeline.
pub(super) fn router(registry: Arc<Registry>) -> Router {
    type Shared = State<Arc<Registry>>;
    Router::new()
        .route(
            "/counts",
            get(|State(registry): Shared| async move { text(&registry.counters.read()) }),
        )
        .route(
            "/known_content",
            get(|State(registry): Shared| async move { text(&registry.known_content()) }),
        )
        .route(
            "/reset",
            post(|State(registry): Shared| async move { registry.reset() }),
        )
        .route(
            "/counts/reset",
            post(|State(registry): Shared| async move { registry.counters.reset() }),
        )
        .route(
            "/change",
            post(|State(registry): Shared| async move { registry.change() }),
        )
        .route(
            "/verify/on",
            post(|State(registry): Shared| async move {
                registry.verifies.store(true, Ordering::Relaxed)
            }),
        )
        .route(
            "/verify/off",
            post(|State(registry): Shared| async move {
                registry.verifies.store(false, Ordering::Relaxed)
            }),
        )
        .route(
            "/note",
            post(|State(registry): Shared, body: String| async move { registry.note(&body) }),
        )
        .with_state(registry)
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("our own types are JSON")
}
