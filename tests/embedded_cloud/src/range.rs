//! Single byte ranges (RFC 9110, section 14).

use std::ops::Range;

use axum::http::header::RANGE;
use axum::http::{HeaderMap, StatusCode};

use crate::error_response::ErrorResponse;

/// The part of `size` bytes that a request asks for; `None` for the whole.
pub(crate) fn requested(
    headers: &HeaderMap,
    size: u64,
) -> Result<Option<Range<u64>>, ErrorResponse> {
    let Some(value) = headers.get(RANGE) else {
        return Ok(None);
    };
    let range = value.to_str().ok().and_then(|text| parse(text, size));
    range.map(Some).ok_or_else(not_satisfiable)
}

pub(crate) fn not_satisfiable() -> ErrorResponse {
    ErrorResponse::text(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "requested range not satisfiable",
    )
}

/// `bytes=FIRST-` and `bytes=FIRST-LAST`.
fn parse(text: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let first: u64 = first.parse().ok()?;
    let end = if last.is_empty() {
        size
    } else {
        last.parse::<u64>().ok()?.checked_add(1)?.min(size)
    };
    (first < end).then_some(first..end)
}

/// `bytes FIRST-LAST/SIZE`.
pub(crate) fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end - 1)
}
