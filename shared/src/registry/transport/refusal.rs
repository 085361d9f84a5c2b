//! Responses that are no success. The table in `cause` maps them to causes.

mod cause;

use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;

use super::Response;
use crate::error::{Cause, Error, Side};
use crate::image::host::Host;
use crate::registry::limits::pace::Api;

/// How much of a response's body is read for its message.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How much of a message is shown.
const MAX_MESSAGE_CHARACTERS: usize = 300;

/// The kind of a request: what decides the meaning of a refusal.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The side of the copy that sent the request.
    pub(crate) side: Side,
    /// The kind of the registry.
    pub(crate) host: &'a Host,
    /// The API that was called.
    pub(crate) api: Api,
}

/// What a response that is no success means.
pub(crate) struct Refusal {
    /// The error of the request.
    pub(crate) error: Error,
    /// Whether a fresh credential may help.
    pub(crate) is_expired_credential: bool,
}

/// The error body of the distribution specification. Some servers send plain text instead.
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    errors: Vec<ErrorEntry>,
}

#[derive(Debug, Default, Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl ErrorEntry {
    fn text(&self) -> String {
        format!("{}: {}", self.code, self.message)
    }
}

impl Refusal {
    /// Reads `response` to a request of the kind `asked`. `action` completes the error's "cannot …".
    pub(crate) async fn read(asked: Asked<'_>, action: &str, mut response: Response) -> Self {
        let status = response.status();
        let retry_after = retry_after(&response);
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= MAX_BODY_BYTES {
                break;
            }
        }
        let message = message(&body);
        let cause = cause::find(asked, status, &message, retry_after);
        let is_expired_credential = status == StatusCode::UNAUTHORIZED
            || cause == Cause::BadCredential
            || may_be_expired_token(asked.host, status, &message);
        let detail = if message.is_empty() {
            status.to_string()
        } else {
            format!("{status}: {message}")
        };
        Self {
            error: Error::new(asked.side, cause, action).because(detail),
            is_expired_credential,
        }
    }
}

/// The response to a HEAD has no body. With 403 ECR, and with 400 ECR Public, may mean that the token
/// has expired.
fn may_be_expired_token(host: &Host, status: StatusCode, message: &str) -> bool {
    let is_expiry_status = match host {
        Host::Ecr { .. } => status == StatusCode::FORBIDDEN,
        Host::EcrPublic => status == StatusCode::BAD_REQUEST,
        Host::DockerHub | Host::Other => false,
    };
    is_expiry_status && message.is_empty()
}

/// `Retry-After` in seconds. A date is ignored: waits are at most one minute.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.header(RETRY_AFTER)?;
    let seconds = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The codes and messages of the body, or its text: one line of limited length. HTML is dropped.
fn message(body: &[u8]) -> String {
    let parsed: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let text = if !parsed.errors.is_empty() {
        let entries: Vec<String> = parsed.errors.iter().map(ErrorEntry::text).collect();
        entries.join("; ")
    } else if body.starts_with(b"<") {
        String::new()
    } else {
        String::from_utf8_lossy(body).into_owned()
    };
    let one_line = text.replace(char::is_control, " ");
    one_line.chars().take(MAX_MESSAGE_CHARACTERS).collect()
}
