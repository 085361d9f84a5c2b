//! AWS errors in the awsJson format.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error of an AWS service. SDKs turn its code into a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsError {
    /// The shape name in the service's model, such as `RepositoryNotFoundException`.
    pub(crate) code: &'static str,
    /// The message, as AWS words it.
    pub(crate) message: String,
    /// The HTTP status; SDKs retry on 5xx.
    pub(crate) status: u16,
}

impl AwsError {
    /// A client error: status 400, which awsJson services send for nearly every error.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            status: 400,
        }
    }

    /// The same error under another HTTP status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The service does not know the action, or the request names none.
    pub(crate) fn unknown_operation() -> Self {
        Self::new("UnknownOperationException", "")
    }
}

impl IntoResponse for AwsError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let body = json!({ "__type": self.code, "message": self.message }).to_string();
        (status, [("x-amzn-errortype", self.code)], body).into_response()
    }
}
