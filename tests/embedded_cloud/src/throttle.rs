//! Refusals on demand that come before everything else.

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;

use crate::Faults;
use crate::refusal::Refusal;

/// Refuses a request of `kind` if a fault is planned for it, or if nobody is there any more.
pub(crate) fn check(faults: &Faults, kind: &str) -> Result<(), Refusal> {
    if !faults.admit() {
        return Err(Refusal::Cut);
    }
    if let Some(seconds) = faults.take_abuse(kind) {
        let refusal = Refusal::text(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
        return Err(refusal.with(RETRY_AFTER, seconds.to_string()));
    }
    match faults.take_status(kind) {
        None => Ok(()),
        Some(StatusCode::TOO_MANY_REQUESTS) => Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TOOMANYREQUESTS",
            "Rate exceeded",
        )),
        Some(status) => Err(Refusal::text(
            status,
            status.canonical_reason().unwrap_or("fault on demand"),
        )),
    }
}
