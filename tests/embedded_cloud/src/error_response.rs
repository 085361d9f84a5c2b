//! Error responses: the error document of the OCI distribution specification, plain text, or no
//! response at all.

use axum::Extension;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::connection::Disconnect;

/// The response to a request that is refused.
#[derive(Debug)]
pub(crate) enum ErrorResponse {
    /// A response with an error status.
    Response {
        status: StatusCode,
        body: String,
        headers: Vec<(HeaderName, String)>,
    },
    /// The connection is closed without a response.
    Disconnect,
}

impl ErrorResponse {
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
        Self::Response {
            status,
            body: document.to_string(),
            headers,
        }
    }

    /// Plain text.
    pub(crate) fn text(status: StatusCode, text: &str) -> Self {
        Self::Response {
            status,
            body: text.into(),
            headers: vec![(CONTENT_TYPE, "text/plain; charset=utf-8".into())],
        }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        if let Self::Response { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        match self {
            Self::Response {
                status,
                body,
                headers,
            } => (status, header_map(headers), body).into_response(),
            Self::Disconnect => Extension(Disconnect).into_response(),
        }
    }
}

/// A header map of names and values that the cloud made itself.
pub(crate) fn header_map(headers: impl IntoIterator<Item = (HeaderName, String)>) -> HeaderMap {
    let value =
        |text: String| HeaderValue::try_from(text).expect("headers of the cloud are visible ASCII");
    headers
        .into_iter()
        .map(|(name, text)| (name, value(text)))
        .collect()
}
