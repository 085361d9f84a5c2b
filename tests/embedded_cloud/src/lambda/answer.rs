//! Responses of the Runtime API to reports, with its own error texts.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a report is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReportError {
    /// It names another invocation than the running one.
    UnknownRequest,
    /// The call does not fit the state: an invocation is running, or none is.
    InvalidState,
    /// The response exceeds this number of bytes.
    TooLarge(usize),
}

pub(super) fn accepted() -> Response {
    respond(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

pub(super) fn refused(error: ReportError) -> Response {
    let (status, error_type, message) = match error {
        ReportError::UnknownRequest => (
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "Invalid request ID".to_owned(),
        ),
        ReportError::InvalidState => (
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "State transition is not allowed".to_owned(),
        ),
        ReportError::TooLarge(limit) => (
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
