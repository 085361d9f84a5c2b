//! Planned error responses, which come before all other checks.

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;

use crate::Faults;
use crate::error_response::ErrorResponse;

/// Refuses a request of `kind` if a fault is planned for it, or if the server has stopped.
pub(crate) fn check(faults: &Faults, kind: &str) -> Result<(), ErrorResponse> {
    if !faults.admit() {
        return Err(ErrorResponse::Disconnect);
    }
    if let Some(seconds) = faults.take_rate_limit(kind) {
        let refusal = ErrorResponse::text(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
        return Err(refusal.with(RETRY_AFTER, seconds.to_string()));
    }
    match faults.take_status(kind) {
        None => Ok(()),
        Some(StatusCode::TOO_MANY_REQUESTS) => Err(ErrorResponse::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TOOMANYREQUESTS",
            "Rate exceeded",
        )),
        Some(status) => Err(ErrorResponse::text(
            status,
            status.canonical_reason().unwrap_or("fault on demand"),
        )),
    }
}
