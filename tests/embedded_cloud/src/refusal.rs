//! How requests are refused: with the error document of the OCI distribution specification, in plain text, or not at all.

use axum::Extension;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::wire::Unsent;

/// A request that is not granted.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// An answer with a status that says no.
    Answer {
        status: StatusCode,
        body: String,
        headers: Vec<(HeaderName, String)>,
    },
    /// The connection is closed without an answer.
    Cut,
}

impl Refusal {
    /// `{"errors":[{"code":…,"message":…}]}` (OCI distribution spec, "Error Codes").
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self::json(
            status,
            &json!({ "errors": [{ "code": code, "message": message.into() }] }),
        )
    }

    /// Any JSON document.
    pub(crate) fn json(status: StatusCode, document: &Value) -> Self {
        let headers = vec![(CONTENT_TYPE, "application/json".into())];
        Self::Answer {
            status,
            body: document.to_string(),
            headers,
        }
    }

    /// Plain text.
    pub(crate) fn text(status: StatusCode, text: &str) -> Self {
        Self::Answer {
            status,
            body: text.into(),
            headers: vec![(CONTENT_TYPE, "text/plain; charset=utf-8".into())],
        }
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Answer {
                status,
                body,
                headers,
            } => (status, header_map(headers), body).into_response(),
            Self::Cut => Extension(Unsent).into_response(),
        }
    }
}

/// Headers from names and texts of our own.
pub(crate) fn header_map(headers: impl IntoIterator<Item = (HeaderName, String)>) -> HeaderMap {
    let value =
        |text: String| HeaderValue::try_from(text).expect("headers of the cloud are visible ASCII");
    headers
        .into_iter()
        .map(|(name, text)| (name, value(text)))
        .collect()
}
