//! Answers, and their bodies on the way out.

use std::convert::Infallible;
use std::sync::Arc;

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::counts::Counters;
use super::timeline::Entry;
use crate::content::{Content, Pieces};

/// Pieces that are counted as they leave. The entry of the timeline ends when the last has been taken.
struct Outgoing {
    pieces: Pieces,
    counters: Arc<Counters>,
    _entry: Option<Entry>,
}

impl Iterator for Outgoing {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let piece = self.pieces.next()?;
        self.counters.served(piece.len() as u64);
        Some(piece)
    }
}

/// The answer with a body that is made while it is sent.
pub(super) fn stream(
    answer: Response<Pieces>,
    counters: Arc<Counters>,
    entry: Option<Entry>,
) -> Response<axum::body::Body> {
    let status = answer.status();
    answer.map(|pieces| {
        let outgoing = Outgoing {
            pieces,
            counters,
            _entry: entry.map(|entry| entry.answered(status)),
        };
        axum::body::Body::from_stream(stream::iter(outgoing).map(Ok::<_, Infallible>))
    })
}

/// An answer with a body of known length.
pub(super) fn answer(status: StatusCode, media_type: &str, pieces: Pieces) -> Response<Pieces> {
    let length = HeaderValue::from(pieces.left_bytes());
    let mut response = Response::new(pieces);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, length);
    if let Ok(media_type) = HeaderValue::from_str(media_type) {
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    response
}

/// An answer without a body, and with these headers.
pub(super) fn done(status: StatusCode, headers: &[(&'static str, &str)]) -> Response<Pieces> {
    let mut response = answer(status, "", all(Bytes::new()));
    add(&mut response, headers);
    response
}

/// Adds headers; values of ours are plain ASCII, and a client's that are not are left out.
pub(super) fn add(response: &mut Response<Pieces>, headers: &[(&'static str, &str)]) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(*name, value);
        }
    }
}

pub(super) fn json(body: &Value) -> Response<Pieces> {
    answer(StatusCode::OK, "application/json", all(body.to_string()))
}

/// An error as the distribution specification writes it.
pub(super) fn refuse(status: StatusCode, code: &str, message: &str) -> Response<Pieces> {
    let body = json!({ "errors": [{ "code": code, "message": message }] });
    answer(status, "application/json", all(body.to_string()))
}

/// All of `bytes`.
pub(super) fn all(bytes: impl Into<Bytes>) -> Pieces {
    Content::Held(bytes.into()).pieces(0..u64::MAX)
}
