//! The control port: request counts, content, and reset.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Serialize;

use super::state::Registry;

type SharedRegistry = State<Arc<Registry>>;

/// `GET /counts` and `/content`. `POST /reset` to the initial state, `/counts/reset`, `/change` to
/// move the tags, `/verify/on`, `/verify/off`, and `/note` to add a line to the timeline.
pub(super) fn router(registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/counts", get(counts))
        .route("/content", get(content))
        .route("/reset", post(reset))
        .route("/counts/reset", post(reset_counts))
        .route("/change", post(change))
        .route("/verify/on", post(verify_uploads))
        .route("/verify/off", post(trust_uploads))
        .route("/note", post(note))
        .with_state(registry)
}

async fn counts(State(registry): SharedRegistry) -> String {
    json(&registry.counters.read())
}

async fn content(State(registry): SharedRegistry) -> String {
    json(&registry.content())
}

async fn reset(State(registry): SharedRegistry) {
    registry.reset();
}

async fn reset_counts(State(registry): SharedRegistry) {
    registry.counters.reset();
}

async fn change(State(registry): SharedRegistry) {
    registry.move_tags();
}

async fn verify_uploads(State(registry): SharedRegistry) {
    registry.set_verifies_uploads(true);
}

async fn trust_uploads(State(registry): SharedRegistry) {
    registry.set_verifies_uploads(false);
}

async fn note(State(registry): SharedRegistry, text: String) {
    registry.note(&text);
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our own types are JSON")
}
