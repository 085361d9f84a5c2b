//! What the Runtime API answers to reports, in the words of the real one.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a report is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It names another request than the one that runs.
    UnknownRequest,
    /// Nothing runs, or something does: the call does not fit.
    InvalidState,
    /// The response is larger than so many bytes.
    TooLarge(usize),
}

pub(super) fn accepted() -> Response {
    respond(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

pub(super) fn refused(refusal: Refusal) -> Response {
    let (status, error_type, message) = match refusal {
        Refusal::UnknownRequest => (
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "Invalid request ID".to_owned(),
        ),
        Refusal::InvalidState => (
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "State transition is not allowed".to_owned(),
        ),
        Refusal::TooLarge(limit) => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            format!("Exceeded maximum allowed payload size ({limit} bytes)."),
        ),
    };
    respond(
        status,
        &json!({ "errorMessage": message, "errorType": error_type }),
    )
}

fn respond(status: StatusCode, body: &serde_json::Value) -> Response {
    (
        status,
        [(CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}
