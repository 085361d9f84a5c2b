//! The one table that maps responses to causes.

use std::time::Duration;

use http::StatusCode;

use super::Asked;
use crate::error::{Cause, Side};
use crate::image::host::Host;
use crate::registry::limits::pace::Api;

/// The cause that a response means. Codes are those of the distribution specification, texts those of
/// Docker Hub and Amazon ECR, which use one code for several causes.
pub(super) fn find(
    asked: Asked<'_>,
    status: StatusCode,
    message: &str,
    retry_after: Option<Duration>,
) -> Cause {
    let is_ecr = matches!(asked.host, Host::Ecr { .. } | Host::EcrPublic);
    let is_at_destination = asked.side == Side::Destination;
    let lower = message.to_lowercase();
    let has = |part: &str| lower.contains(part);
    match status {
        StatusCode::TOO_MANY_REQUESTS => limit(asked, &lower, retry_after),
        _ if has("toomanyrequests") || has("rate exceeded") => limit(asked, &lower, retry_after),
        _ if has("is immutable") || has("as immutable") => Cause::Immutable,
        _ if has("blob_upload_unknown") => Cause::Interrupted,
        StatusCode::RANGE_NOT_SATISFIABLE if is_at_destination => Cause::Interrupted,
        _ if is_at_destination && is_missing_content(&lower) => Cause::MissingContent,
        _ if has("digest_invalid") || has("layer digests match") => Cause::Mismatch,
        StatusCode::UNAUTHORIZED if is_ecr => Cause::BadCredential,
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
fn limit(asked: Asked<'_>, lower: &str, retry_after: Option<Duration>) -> Cause {
    let is_bare = lower.is_empty() && retry_after.is_none();
    let is_bare_manifest = asked.api == Api::GetManifest && is_bare;
    let is_pull_limit = is_bare_manifest || lower.contains("pull rate limit");
    match asked.host {
        Host::Ecr { .. } | Host::EcrPublic => Cause::Throttled { retry_after },
        Host::DockerHub if is_pull_limit => Cause::PullLimit,
        _ if asked.api == Api::ListTags => Cause::ListingLimit { retry_after },
        Host::DockerHub => Cause::AbuseLimit { retry_after },
        Host::Other => Cause::Throttled { retry_after },
    }
}

/// Whether a manifest was refused because a blob, layer or child that it names is missing.
fn is_missing_content(lower: &str) -> bool {
    let texts = [
        "manifest_blob_unknown",
        "blob_unknown",
        "layersnotfound",
        "layers with digest",
        "referencedimagesnotfound",
        "referencing an image",
    ];
    texts.iter().any(|text| lower.contains(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::message;
    use super::*;

    /// Checks the cause of a response to a request for a manifest at the destination.
    #[track_caller]
    fn check(host: &Host, status: u16, body: &str, expected: &Cause) {
        let asked = Asked {
            side: Side::Destination,
            host,
            api: Api::GetManifest,
        };
        let status = StatusCode::from_u16(status).unwrap();
        let message = message(body.as_bytes());
        let found = find(asked, status, &message, None);
        assert_eq!(found, *expected, "{status} {body}");
    }

    /// The cause of a limit that Docker Hub reports.
    fn hub_limit(api: Api, text: &str, retry_after: Option<Duration>) -> Cause {
        let asked = Asked {
            side: Side::Source,
            host: &Host::DockerHub,
            api,
        };
        find(asked, StatusCode::TOO_MANY_REQUESTS, text, retry_after)
    }

    fn error_body(code: &str, message: &str) -> String {
        let entry = json!({"code": code, "message": message});
        json!({ "errors": [entry] }).to_string()
    }

    #[test]
    fn the_pull_limit_is_distinguished_from_the_abuse_limit() {
        let texts = [
            "You have reached your pull rate limit. \
             You may increase the limit by authenticating and upgrading",
            "You have reached your unauthenticated pull rate limit. \
             https://www.docker.com/increase-rate-limit",
        ];
        for text in texts {
            let body = error_body("TOOMANYREQUESTS", text);
            check(&Host::DockerHub, 429, &body, &Cause::PullLimit);
        }
        check(&Host::DockerHub, 429, "", &Cause::PullLimit);

        let abuse = Cause::AbuseLimit { retry_after: None };
        check(&Host::DockerHub, 429, "Too Many Requests", &abuse);
        let blob = hub_limit(Api::Rest, "", None);
        assert_eq!(blob, abuse, "blobs are not metered");

        let retry_after = Some(Duration::from_mins(1));
        let manifest = hub_limit(Api::GetManifest, "", retry_after);
        assert_eq!(manifest, Cause::AbuseLimit { retry_after });
    }

    #[test]
    fn a_limit_of_tag_lists_is_distinguished() {
        for retry_after in [None, Some(Duration::from_mins(1))] {
            for text in ["", "Too Many Requests"] {
                let found = hub_limit(Api::ListTags, text, retry_after);
                assert_eq!(found, Cause::ListingLimit { retry_after });
            }
        }
    }

    #[test]
    fn other_registries_throttle() {
        let throttled = Cause::Throttled { retry_after: None };
        let body = error_body("TOOMANYREQUESTS", "Rate exceeded");
        check(&Host::EcrPublic, 429, "", &throttled);
        check(&Host::Other, 429, &body, &throttled);
        check(&ecr(), 400, &body, &throttled);
    }

    #[test]
    fn content_missing_at_the_source_is_not_found_and_at_the_destination_is_sent_again() {
        let body = error_body("BLOB_UNKNOWN", "blob unknown to registry");
        let message = message(body.as_bytes());
        let cause_at = |side| {
            let asked = Asked {
                side,
                host: &Host::Other,
                api: Api::Rest,
            };
            find(asked, StatusCode::NOT_FOUND, &message, None)
        };
        assert_eq!(cause_at(Side::Source), Cause::NotFound);
        assert_eq!(cause_at(Side::Destination), Cause::MissingContent);
    }

    #[test]
    fn a_lost_upload_session_is_an_interruption() {
        let body = error_body("BLOB_UPLOAD_UNKNOWN", "blob upload unknown");
        check(&Host::Other, 404, &body, &Cause::Interrupted);
        check(&Host::Other, 416, "", &Cause::Interrupted);
    }

    fn ecr() -> Host {
        Host::Ecr {
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
        }
    }

    #[test]
    fn the_texts_of_ecr_distinguish_causes_of_one_code() {
        let immutable = error_body(
            "TAG_INVALID",
            "The image tag 'T' already exists in the 'R' repository \
             and cannot be overwritten because the tag is immutable.",
        );
        check(&ecr(), 400, &immutable, &Cause::Immutable);

        let expired = "Your authorization token has expired. Reauthenticate and try again.";
        check(&ecr(), 403, expired, &Cause::BadCredential);

        let denied = error_body(
            "DENIED",
            "User is not authorized to perform ecr:InitiateLayerUpload",
        );
        check(&ecr(), 403, &denied, &Cause::Denied);

        let mismatch = error_body(
            "BLOB_UPLOAD_INVALID",
            "None of the provided layer digests match the calculated layer digest",
        );
        check(&ecr(), 400, &mismatch, &Cause::Mismatch);
    }

    #[test]
    fn other_responses_follow_the_specification() {
        let no_manifest = error_body("MANIFEST_UNKNOWN", "manifest unknown");
        check(&Host::Other, 404, &no_manifest, &Cause::NotFound);

        let no_blob = error_body("MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
        check(&Host::Other, 404, &no_blob, &Cause::MissingContent);

        let unauthorized = error_body("UNAUTHORIZED", "authentication required");
        check(&Host::DockerHub, 401, &unauthorized, &Cause::Denied);

        check(&Host::Other, 503, "<html>", &Cause::Unavailable);
        check(&Host::Other, 418, "", &Cause::Unexpected);
    }
}
