//! Responses, and their bodies as they are sent.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::counts::Counters;
use super::timeline::Entry;
use crate::content::{Content, Pieces};

/// Pieces that are counted as they are sent. The entry of the timeline ends after the last one.
struct CountedPieces {
    pieces: Pieces,
    counters: Arc<Counters>,
    _entry: Option<Entry>,
}

impl Iterator for CountedPieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let piece = self.pieces.next()?;
        self.counters.count_served(piece.len());
        Some(piece)
    }
}

/// Streams the body of `response`.
pub(super) fn stream(
    response: Response<Pieces>,
    counters: Arc<Counters>,
    entry: Option<Entry>,
) -> Response<Body> {
    let status = response.status();
    response.map(|pieces| {
        let pieces = CountedPieces {
            pieces,
            counters,
            _entry: entry.map(|entry| entry.begin_response(status)),
        };
        Body::from_stream(stream::iter(pieces).map(Ok::<_, Infallible>))
    })
}

/// A response with a body of known length.
pub(super) fn response(status: StatusCode, media_type: &str, pieces: Pieces) -> Response<Pieces> {
    let length = HeaderValue::from(pieces.left_bytes());
    let mut response = Response::new(pieces);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, length);
    if let Ok(media_type) = HeaderValue::from_str(media_type) {
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    response
}

/// A response without a body.
pub(super) fn empty(status: StatusCode, headers: &[(&'static str, &str)]) -> Response<Pieces> {
    let mut response = response(status, "", body(Bytes::new()));
    add_headers(&mut response, headers);
    response
}

/// Adds headers, without those whose value a header cannot contain.
pub(super) fn add_headers(response: &mut Response<Pieces>, headers: &[(&'static str, &str)]) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(*name, value);
        }
    }
}

pub(super) fn json(value: &Value) -> Response<Pieces> {
    response(StatusCode::OK, "application/json", body(value.to_string()))
}

/// An error response as the OCI distribution specification defines it.
pub(super) fn refuse(status: StatusCode, code: &str, message: &str) -> Response<Pieces> {
    let errors = json!({ "errors": [{ "code": code, "message": message }] });
    response(status, "application/json", body(errors.to_string()))
}

/// A body of `bytes`.
pub(super) fn body(bytes: impl Into<Bytes>) -> Pieces {
    Content::InMemory(bytes.into()).pieces(0..u64::MAX)
}
