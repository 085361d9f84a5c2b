//! Answers that are no success, and the one table that says what they mean.

use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;

use crate::error::{Cause, Error, Side};
use crate::image::host::Host;
use crate::registry::limits::pace::Api;
use crate::registry::transport::Response;

/// How much of a body is read for its message, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// How much of a message is shown, in characters.
const MAX_MESSAGE: usize = 300;

/// An answer that is no success.
pub(crate) struct Refusal {
    /// What it means.
    pub(crate) error: Error,
    /// Whether another credential may help.
    pub(crate) is_expired_credential: bool,
}

/// An error in the shape of the distribution specification, or the plain text that some servers send instead.
#[derive(Debug, Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    errors: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Refusal {
    /// Reads what `response` says.
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
            if body.len() >= MAX_BODY {
                break;
            }
        }
        let said = message(&body);
        let (host, _) = asked;
        let cause = cause(side, asked, status, &said, retry_after);
        // A HEAD is answered without a word: at ECR the token may have expired, which it says with 403.
        let is_silent_403 =
            status == StatusCode::FORBIDDEN && said.is_empty() && matches!(host, Host::Ecr { .. });
        // ECR Public says it with 400, of which a HEAD has nothing but the number.
        let is_silent_400 =
            status == StatusCode::BAD_REQUEST && said.is_empty() && *host == Host::EcrPublic;
        let is_expired_credential = status == StatusCode::UNAUTHORIZED
            || cause == Cause::BadCredential
            || is_silent_403
            || is_silent_400;
        let detail = if said.is_empty() {
            status.to_string()
        } else {
            format!("{status}: {said}")
        };
        Self {
            error: Error::new(side, cause, action).because(detail),
            is_expired_credential,
        }
    }
}

/// Seconds, or nothing: a date is as good as no answer for waits of a minute at most.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

/// The body's codes and messages, or its text, on one line and bounded.
fn message(body: &[u8]) -> String {
    let envelope: Envelope = serde_json::from_slice(body).unwrap_or_default();
    let text = match envelope.errors.as_slice() {
        [] if body.first() == Some(&b'<') => String::new(),
        [] => String::from_utf8_lossy(body).into_owned(),
        errors => errors
            .iter()
            .map(|entry| format!("{}: {}", entry.code, entry.message))
            .collect::<Vec<_>>()
            .join("; "),
    };
    text.chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .take(MAX_MESSAGE)
        .collect()
}

/// What the answer means. Codes are those of the distribution specification; the texts are those of Docker Hub and Amazon ECR,
/// which use one code for several things.
fn cause(
    side: Side,
    asked: (&Host, Api),
    status: StatusCode,
    said: &str,
    retry_after: Option<Duration>,
) -> Cause {
    let (host, _) = asked;
    let lower = said.to_lowercase();
    let says = |part: &str| lower.contains(part);
    match status {
        StatusCode::TOO_MANY_REQUESTS => limit(asked, &lower, retry_after),
        _ if says("toomanyrequests") || says("rate exceeded") => limit(asked, &lower, retry_after),
        _ if says("is immutable") || says("as immutable") => Cause::Immutable,
        _ if says("blob_upload_unknown") => Cause::Interrupted,
        StatusCode::RANGE_NOT_SATISFIABLE if side == Side::Destination => Cause::Interrupted,
        _ if is_missing_content(&lower) && side == Side::Destination => Cause::MissingContent,
        _ if says("digest_invalid") || says("layer digests match") => Cause::Mismatch,
        StatusCode::UNAUTHORIZED if matches!(host, Host::Ecr { .. } | Host::EcrPublic) => {
            Cause::BadCredential
        }
        _ if says("token has expired") || says("authorization token is invalid") => {
            Cause::BadCredential
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Cause::Denied,
        StatusCode::NOT_FOUND => Cause::NotFound,
        StatusCode::REQUEST_TIMEOUT => Cause::Interrupted,
        _ if status.is_server_error() => Cause::Unavailable,
        _ => Cause::Unexpected,
    }
}

/// Which of the four limits it is. Each is answered in its own way, so that none may be taken for another.
///
/// To a HEAD Docker Hub says nothing: its abuse limit names a time to wait, and what names none, where manifests are asked for, is
/// the pull limit.
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

/// A manifest was refused for what it names: a blob, a layer, or a child of an index.
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
    fn each_of_the_four_limits_is_told_from_the_others() {
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
        let found = |api, said, retry_after| {
            cause(
                Side::Source,
                (&Host::DockerHub, api),
                StatusCode::TOO_MANY_REQUESTS,
                said,
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
    fn what_the_source_lacks_is_gone_and_what_the_destination_lacks_is_sent_again() {
        let said = message(envelope("BLOB_UNKNOWN", "blob unknown to registry").as_bytes());
        let found = |side| {
            cause(
                side,
                (&Host::Other, Api::Rest),
                StatusCode::NOT_FOUND,
                &said,
                None,
            )
        };
        assert_eq!(found(Side::Source), Cause::NotFound);
        assert_eq!(found(Side::Destination), Cause::MissingContent);
    }

    #[test]
    fn a_lost_upload_session_is_worth_another() {
        check(
            &Host::Other,
            404,
            &envelope("BLOB_UPLOAD_UNKNOWN", "blob upload unknown"),
            &Cause::Interrupted,
        );
        check(&Host::Other, 416, "", &Cause::Interrupted);
    }

    #[test]
    fn ecr_says_many_things_with_few_codes() {
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
    fn the_rest_follows_the_specification() {
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
