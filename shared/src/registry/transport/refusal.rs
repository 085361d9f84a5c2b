//! Responses that are no success, and the one table that maps them to causes.

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

impl Refusal {
    /// Reads `response` to a request of the kind `asked` (registry and API). `action` completes the
    /// error's "cannot …".
    pub(crate) async fn read(
        side: Side,
        action: &str,
        asked: (&Host, Api),
        mut response: Response,
    ) -> Self {
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
        let cause = cause(side, asked, status, &message, retry_after);
        let is_expired_credential = status == StatusCode::UNAUTHORIZED
            || cause == Cause::BadCredential
            || may_be_expired_token(asked.0, status, &message);
        let detail = if message.is_empty() {
            status.to_string()
        } else {
            format!("{status}: {message}")
        };
        Self {
            error: Error::new(side, cause, action).because(detail),
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
    let value = response.headers().get(RETRY_AFTER)?;
    let seconds = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The codes and messages of the body, or its text: one line of limited length. HTML is dropped.
fn message(body: &[u8]) -> String {
    let parsed: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let text = match parsed.errors.as_slice() {
        [] if body.first() == Some(&b'<') => String::new(),
        [] => String::from_utf8_lossy(body).into_owned(),
        errors => {
            let entries = errors.iter();
            let entries = entries.map(|entry| format!("{}: {}", entry.code, entry.message));
            entries.collect::<Vec<_>>().join("; ")
        }
    };
    let one_line = text.replace(char::is_control, " ");
    one_line.chars().take(MAX_MESSAGE_CHARACTERS).collect()
}

/// The cause that a response means. Codes are those of the distribution specification, texts those of
/// Docker Hub and Amazon ECR, which use one code for several causes.
fn cause(
    side: Side,
    asked: (&Host, Api),
    status: StatusCode,
    message: &str,
    retry_after: Option<Duration>,
) -> Cause {
    let (host, _) = asked;
    let lower = message.to_lowercase();
    let has = |part: &str| lower.contains(part);
    match status {
        StatusCode::TOO_MANY_REQUESTS => limit(asked, &lower, retry_after),
        _ if has("toomanyrequests") || has("rate exceeded") => limit(asked, &lower, retry_after),
        _ if has("is immutable") || has("as immutable") => Cause::Immutable,
        _ if has("blob_upload_unknown") => Cause::Interrupted,
        StatusCode::RANGE_NOT_SATISFIABLE if side == Side::Destination => Cause::Interrupted,
        _ if is_missing_content(&lower) && side == Side::Destination => Cause::MissingContent,
        _ if has("digest_invalid") || has("layer digests match") => Cause::Mismatch,
        StatusCode::UNAUTHORIZED if matches!(host, Host::Ecr { .. } | Host::EcrPublic) => {
            Cause::BadCredential
        }
        _ if has("token has expired") || has("authorization token is invalid") => {
            Cause::BadCredential
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Cause::Denied,
        StatusCode::NOT_FOUND => Cause::NotFound,
        StatusCode::REQUEST_TIMEOUT => Cause::Interrupted,
        _ if status.is_server_error() => Cause::Unavailable,
        _ => Cause::Unexpected,
    }
}

/// The limit that was met. Each of the four is handled in its own way, so they must not be confused.
///
/// Docker Hub's response to a HEAD has no body. Its abuse limit has a `Retry-After`. Without one, the
/// response to a request for a manifest means the pull limit.
fn limit((host, api): (&Host, Api), lower: &str, retry_after: Option<Duration>) -> Cause {
    let is_pull_limit = lower.contains("pull rate limit")
        || (api == Api::GetManifest && lower.is_empty() && retry_after.is_none());
    match host {
        Host::Ecr { .. } | Host::EcrPublic => Cause::Throttled { retry_after },
        Host::DockerHub if is_pull_limit => Cause::PullLimit,
        _ if api == Api::ListTags => Cause::ListingLimit { retry_after },
        Host::DockerHub => Cause::AbuseLimit { retry_after },
        Host::Other => Cause::Throttled { retry_after },
    }
}

/// Whether a manifest was refused because a blob, layer or child that it names is missing.
fn is_missing_content(lower: &str) -> bool {
    [
        "manifest_blob_unknown",
        "blob_unknown",
        "layersnotfound",
        "layers with digest",
        "referencedimagesnotfound",
        "referencing an image",
    ]
    .iter()
    .any(|part| lower.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &Host, status: u16, body: &str, expected: &Cause) {
        let status = StatusCode::from_u16(status).unwrap();
        let found = cause(
            Side::Destination,
            (host, Api::GetManifest),
            status,
            &message(body.as_bytes()),
            None,
        );
        assert_eq!(found, *expected, "{status} {body}");
    }

    fn envelope(code: &str, message: &str) -> String {
        format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#)
    }

    #[test]
    fn the_four_limits_are_distinguished() {
        let pulls = "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading";
        let anonymous = "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
        for text in [pulls, anonymous] {
            check(
                &Host::DockerHub,
                429,
                &envelope("TOOMANYREQUESTS", text),
                &Cause::PullLimit,
            );
        }
        check(&Host::DockerHub, 429, "", &Cause::PullLimit);
        check(
            &Host::DockerHub,
            429,
            "Too Many Requests",
            &Cause::AbuseLimit { retry_after: None },
        );
        check(
            &Host::EcrPublic,
            429,
            "",
            &Cause::Throttled { retry_after: None },
        );
        check(
            &Host::Other,
            429,
            &envelope("TOOMANYREQUESTS", "Rate exceeded"),
            &Cause::Throttled { retry_after: None },
        );
        let found = |api, text, retry_after| {
            cause(
                Side::Source,
                (&Host::DockerHub, api),
                StatusCode::TOO_MANY_REQUESTS,
                text,
                retry_after,
            )
        };
        let minute = Some(Duration::from_mins(1));
        assert_eq!(
            found(Api::ListTags, "Too Many Requests", minute),
            Cause::ListingLimit {
                retry_after: minute
            }
        );
        assert_eq!(
            found(Api::ListTags, "", None),
            Cause::ListingLimit { retry_after: None }
        );
        assert_eq!(
            found(Api::Rest, "", None),
            Cause::AbuseLimit { retry_after: None },
            "blobs are not metered"
        );
        assert_eq!(
            found(Api::GetManifest, "", minute),
            Cause::AbuseLimit {
                retry_after: minute
            }
        );
    }

    #[test]
    fn content_missing_at_the_source_is_not_found_and_at_the_destination_is_sent_again() {
        let text = message(envelope("BLOB_UNKNOWN", "blob unknown to registry").as_bytes());
        let found = |side| {
            cause(
                side,
                (&Host::Other, Api::Rest),
                StatusCode::NOT_FOUND,
                &text,
                None,
            )
        };
        assert_eq!(found(Side::Source), Cause::NotFound);
        assert_eq!(found(Side::Destination), Cause::MissingContent);
    }

    #[test]
    fn a_lost_upload_session_is_an_interruption() {
        check(
            &Host::Other,
            404,
            &envelope("BLOB_UPLOAD_UNKNOWN", "blob upload unknown"),
            &Cause::Interrupted,
        );
        check(&Host::Other, 416, "", &Cause::Interrupted);
    }

    #[test]
    fn the_texts_of_ecr_distinguish_causes_of_one_code() {
        let ecr = Host::Ecr {
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let immutable = "The image tag 'T' already exists in the 'R' repository and cannot be overwritten because the tag is immutable.";
        check(
            &ecr,
            400,
            &envelope("TAG_INVALID", immutable),
            &Cause::Immutable,
        );
        check(
            &ecr,
            403,
            "Your authorization token has expired. Reauthenticate and try again.",
            &Cause::BadCredential,
        );
        check(
            &ecr,
            403,
            &envelope(
                "DENIED",
                "User is not authorized to perform ecr:InitiateLayerUpload",
            ),
            &Cause::Denied,
        );
        check(
            &ecr,
            400,
            &envelope("TOOMANYREQUESTS", "Rate exceeded"),
            &Cause::Throttled { retry_after: None },
        );
        check(
            &ecr,
            400,
            &envelope(
                "BLOB_UPLOAD_INVALID",
                "None of the provided layer digests match the calculated layer digest",
            ),
            &Cause::Mismatch,
        );
    }

    #[test]
    fn other_responses_follow_the_specification() {
        check(
            &Host::Other,
            404,
            &envelope("MANIFEST_UNKNOWN", "manifest unknown"),
            &Cause::NotFound,
        );
        check(
            &Host::Other,
            404,
            &envelope("MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"),
            &Cause::MissingContent,
        );
        check(
            &Host::DockerHub,
            401,
            &envelope("UNAUTHORIZED", "authentication required"),
            &Cause::Denied,
        );
        check(&Host::Other, 503, "<html>", &Cause::Unavailable);
        check(&Host::Other, 418, "", &Cause::Unexpected);
    }
}
