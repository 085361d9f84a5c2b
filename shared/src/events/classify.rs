//! What an error message means: one table of phrases, of every tool that pulls images.
//!
//! A phrase that only registries use counts in any text. A phrase that any program may use, such as
//! `not found`, counts only in a text about a pull. The search is for substrings from a fixed
//! table, so its time is linear in the length of the text.

use super::FailureKind::{self, AbuseLimit, Denied, Network, NotFound, PullLimit};

/// In which texts a phrase counts.
#[derive(Clone, Copy)]
enum In {
    /// In any text.
    Any,
    /// In a text with `TOOMANYREQUESTS`, an error code of the OCI distribution specification.
    Limit,
    /// In a text about a pull: one with any of [`PULL_PHRASES`].
    Pull,
}

/// The phrases in lower case. The first one that counts and occurs decides. `None`: a pull failed,
/// but for a reason that a copy of the image does not resolve.
///
/// Sources: responses of Docker Hub (docker/hub-feedback #1907, #2429, #2464), the error codes of
/// the OCI distribution specification, and the guides of Amazon ECR ("Troubleshooting errors with
/// Docker commands") and Amazon ECS ("`CannotPullContainer` task errors").
const PHRASES: [(In, &str, Option<FailureKind>); 67] = [
    (In::Any, "pull rate limit", Some(PullLimit)),
    (In::Any, "unauthenticated pull", Some(PullLimit)),
    (In::Any, "increase-rate-limit", Some(PullLimit)),
    (In::Limit, "you have reached", Some(PullLimit)),
    (In::Limit, "data limit exceeded", Some(PullLimit)),
    // Amazon ECR throttles. This ends within a second and has nothing to do with Docker Hub.
    (In::Limit, "rate exceeded", Some(Network)),
    (In::Limit, "toomanyrequests: too many", Some(AbuseLimit)),
    (In::Limit, "message\":\"too many", Some(AbuseLimit)),
    (In::Limit, "message\": \"too many", Some(AbuseLimit)),
    (In::Limit, "retry-after", Some(AbuseLimit)),
    (In::Any, "(hap429)", Some(AbuseLimit)),
    (In::Any, "download-rate-limit", Some(AbuseLimit)),
    // The code without its message, which was cut off: assume the more frequent of the two limits.
    (In::Limit, "toomanyrequests", Some(PullLimit)),
    (In::Any, "upstreamtoomanyrequests", Some(PullLimit)),
    (In::Pull, "too many requests - server", Some(PullLimit)),
    // The status without an error code: Docker Hub reports the abuse limit in plain text.
    (In::Pull, "too many requests", Some(AbuseLimit)),
    (In::Pull, " 429", Some(PullLimit)),
    (In::Any, "no matching manifest for", None),
    (
        In::Any,
        "does not contain descriptor matching platform",
        None,
    ),
    (In::Any, "unable to pull secrets or registry auth", None),
    (In::Any, "invalid reference format", None),
    (In::Pull, "no space left on device", None),
    // Docker Hub sends this for missing and for private repositories alike.
    (In::Any, "pull access denied", Some(Denied)),
    (In::Any, "insufficient_scope", Some(Denied)),
    (
        In::Any,
        "denied: requested access to the resource",
        Some(Denied),
    ),
    (In::Any, "denied: your authorization token", Some(Denied)),
    (In::Any, "no basic auth credentials", Some(Denied)),
    (
        In::Any,
        "unauthorized: authentication required",
        Some(Denied),
    ),
    (
        In::Any,
        "unauthorized: incorrect username or password",
        Some(Denied),
    ),
    (In::Any, "upstreamaccessdenied", Some(Denied)),
    (In::Any, "imageinaccessible", Some(Denied)),
    (In::Any, "manifest unknown", Some(NotFound)),
    (In::Any, "manifest_unknown", Some(NotFound)),
    (In::Any, "no such manifest", Some(NotFound)),
    (In::Any, "name unknown", Some(NotFound)),
    (In::Any, "name_unknown", Some(NotFound)),
    (In::Any, "requested image not found", Some(NotFound)),
    (In::Any, "repositorynotfoundexception", Some(NotFound)),
    (In::Any, "imagenotfound", Some(NotFound)),
    (In::Any, "upstreamunavailable", Some(Network)),
    (
        In::Any,
        "error response from daemon: net/http:",
        Some(Network),
    ),
    (In::Pull, "i/o timeout", Some(Network)),
    (In::Pull, "handshake timeout", Some(Network)),
    (In::Pull, "timed out", Some(Network)),
    (In::Pull, "client.timeout", Some(Network)),
    (In::Pull, "deadline exceeded", Some(Network)),
    (In::Pull, "request canceled", Some(Network)),
    (In::Pull, "context canceled", Some(Network)),
    (In::Pull, "connection re", Some(Network)), // refused, reset
    (In::Pull, "no such host", Some(Network)),
    (In::Pull, "name resolution", Some(Network)),
    (In::Pull, "server misbehaving", Some(Network)),
    (In::Pull, "network is unreachable", Some(Network)),
    (In::Pull, "dial tcp", Some(Network)),
    (In::Pull, "unexpected eof", Some(Network)),
    (In::Pull, ": eof", Some(Network)),
    (In::Pull, " 500 internal server error", Some(Network)),
    (In::Pull, " 502 bad gateway", Some(Network)),
    (In::Pull, " 503 service", Some(Network)),
    (In::Pull, " 504 gateway", Some(Network)),
    (In::Pull, "not found", Some(NotFound)),
    (In::Pull, "unauthorized", Some(Denied)),
    (In::Pull, "forbidden", Some(Denied)),
    (In::Pull, "denied", Some(Denied)),
    (In::Pull, "authorization failed", Some(Denied)),
    // Amazon ECS cuts long messages: these phrases begin a message whose end is missing.
    (In::Pull, "unexpected status code", Some(Network)),
    (In::Pull, "has been retried", Some(Network)),
];

/// A text with any of these phrases is about a pull. They are in lower case.
const PULL_PHRASES: [&str; 29] = [
    "cannotpull",
    "unable to pull",
    "failed to pull",
    "errimagepull",
    "imagepullbackoff",
    "error pulling image",
    "pulling from host",
    "retrieving image",
    "pull image manifest",
    "ref pull has been",
    "inspect image has been",
    "failed to resolve ref",
    "failed to resolve source metadata",
    "failed to fetch anonymous token",
    "failed to fetch oauth token",
    "failed to do request",
    "httpread",
    "manifest for ",
    "reading manifest",
    "initializing source",
    "pinging container registry",
    "/manifests/",
    "docker.io",
    ".dkr.ecr",
    "public.ecr.aws",
    "error response from daemon: get ",
    "error response from daemon: head ",
    "error response from daemon: too many",
    "received unexpected http status",
];

/// Codes of errors about images that could not be pulled, in lower case.
const PULL_ERROR_CODES: [&str; 4] = [
    "cannotpull",
    "unable_to_pull_image",
    "errimagepull",
    "imagepullbackoff",
];

/// Why a pull failed, if `text` reports a failed pull and a copy of the image would resolve it.
///
/// `text` may be cut off.
pub fn classify(text: &str) -> Option<FailureKind> {
    let text = text.to_ascii_lowercase();
    let has_limit = text.contains("toomanyrequests");
    let is_about_pull = is_about_pull(&text);
    for (condition, phrase, kind) in PHRASES {
        let counts = match condition {
            In::Any => true,
            In::Limit => has_limit,
            In::Pull => is_about_pull,
        };
        if counts && text.contains(phrase) {
            return kind;
        }
    }
    None
}

/// Whether `text`, in lower case, is about a pull.
fn is_about_pull(text: &str) -> bool {
    // The whole response of Docker Hub about its abuse limit.
    let is_abuse_limit = text.trim_start().starts_with("too many requests");
    is_abuse_limit || PULL_PHRASES.iter().any(|phrase| text.contains(phrase))
}

/// Whether `text` has an error code of a failed pull, whatever the reason.
pub(super) fn is_pull_error(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    PULL_ERROR_CODES.iter().any(|code| text.contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Option<FailureKind>, texts: &[&str]) {
        for text in texts {
            assert_eq!(classify(text), kind, "{text}");
            assert_eq!(classify(&text.to_uppercase()), kind, "{text}");
        }
    }

    #[test]
    fn the_pull_limit_is_recognized_in_each_wording() {
        check(
            Some(PullLimit),
            &[
                "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limits",
                "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
                r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit. You may increase the limit"}]}"#,
                "Error response from daemon: toomanyrequests: You have reached your pull rate limit.",
                "failed to resolve source metadata for docker.io/library/node:24-alpine: 429 Too Many Requests toomanyrequests: You have reached your unauthenticated pull rate limit.",
                "ERROR: failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/rust/manifests/sha256:00: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.",
                "Error: initializing source docker://node:21: reading manifest 21 in docker.io/library/node: toomanyrequests: You have reached your pull rate limit.",
                "GET https://index.docker.io/v2/library/node/manifests/21: TOOMANYREQUESTS: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
                "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull customer's container image. CannotPullContainerError: Error response from daemon: toomanyrequests: You have reached your pull rate limit.",
                "ERROR: toomanyrequests: Too Many Requests or You have reached your pull rate limit.",
                "toomanyrequests: Data limit exceeded",
            ],
        );
    }

    #[test]
    fn a_message_about_the_pull_limit_is_recognized_when_cut_off() {
        check(
            Some(PullLimit),
            &[
                "unexpected status code https://registry-1.docker.io/v2/library/rust/manifests/sha256:00: 429 Too Many Requests - Server message: toomanyrequests: You ha",
                "unexpected status code https://registry-1.docker.io/v2/library/rust/manifests/sha256:00: 429 Too Many Requests - Server mes",
                "unexpected status code https://registry-1.docker.io/v2/library/rust/manifests/sha256:00: 429 Too Ma",
                "CannotPullContainerError: Error response from daemon: toomanyrequests:",
                "CannotPullContainerError: toomanyrequests: You have reached your unauthen",
            ],
        );
    }

    #[test]
    fn the_abuse_limit_is_distinguished_from_the_pull_limit() {
        check(
            Some(AbuseLimit),
            &[
                "Too Many Requests",
                "Too Many Requests (HAP429).",
                "Error response from daemon: Too Many Requests (HAP429).",
                "toomanyrequests: Too Many Requests. Please see https://docs.docker.com/docker-hub/download-rate-limit/",
                "CannotPullContainerError: error pulling image configuration: toomanyrequests: Too Many Requests. Please see",
                r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"Too Many Requests"}]}"#,
                "failed open: unexpected status code https://registry-1.docker.io/v2/library/rust/manifests/sha256:00: 429 Too Many Requests",
                "toomanyrequests: retry-after: 1.2ms, allowed: 44000/minute",
            ],
        );
    }

    #[test]
    fn a_missing_image_is_recognized_in_each_wording() {
        check(
            Some(NotFound),
            &[
                "manifest for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/r:t not found: manifest unknown: Requested image not found",
                "repository 111122223333.dkr.ecr.eu-west-1.amazonaws.com/r not found: name unknown: The repository with name 'r' does not exist in the registry with id '111122223333'",
                "Error response from daemon: manifest for node:99 not found: manifest unknown: manifest unknown",
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
                r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#,
                "ERROR: failed to solve: node:99: failed to resolve source metadata for docker.io/library/node:99: docker.io/library/node:99: not found",
                "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref public.ecr.aws/datadog/agent:7: public.ecr.aws/datadog/agent:7: not found",
                "Error: initializing source docker://node:99: reading manifest 99 in docker.io/library/node: manifest unknown",
                "RepositoryNotFoundException",
                "no such manifest: docker.io/library/node:99",
                "unexpected status code 404 Not Found: https://registry-1.docker.io/v2/library/node/manifests/99: 404 Not Found",
            ],
        );
    }

    #[test]
    fn a_refusal_is_recognized_in_each_wording() {
        check(
            Some(Denied),
            &[
                "Error response from daemon: pull access denied for foo/bar, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                "inspect image has been retried 1 time(s): failed to resolve ref \"docker.io/foo/bar:1\": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
                "denied: Your authorization token has expired. Reauthenticate and try again.",
                "no basic auth credentials",
                "pulling from host 111122223333.dkr.ecr.eu-west-1.amazonaws.com failed with status code [manifests 2023]: 403 Forbidden",
                "unauthorized: authentication required",
                "GET https://index.docker.io/v2/foo/bar/manifests/1: UNAUTHORIZED: authentication required",
                "unauthorized: incorrect username or password",
            ],
        );
    }

    #[test]
    fn an_unreachable_registry_is_a_network_failure() {
        check(
            Some(Network),
            &[
                "inspect image has been retried 5 time(s): failed to resolve ref \"docker.io/library/nginx:latest\": failed to do request: Head https://registry-1.docker.io/v2/library/nginx/manifests/latest: dial tcp 3.216.34.172:443: i/o timeout",
                "Error response from daemon: Get \"https://registry-1.docker.io/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
                "Error response from daemon: net/http: TLS handshake timeout",
                "dial tcp: lookup registry-1.docker.io on 10.0.0.2:53: no such host",
                "failed to authorize: failed to fetch anonymous token: Get \"https://auth.docker.io/token\": EOF",
                "received unexpected HTTP status: 503 Service Unavailable",
                "TOOMANYREQUESTS: Rate exceeded",
                "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReaderSeeker: failed open: unexpected status code",
                "CannotPullContainerError: context canceled",
            ],
        );
    }

    #[test]
    fn a_failure_that_a_copy_does_not_resolve_has_no_kind() {
        check(
            None,
            &[
                "CannotPullContainerError: no matching manifest for linux/arm64/v8 in the manifest list entries",
                "CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not contain descriptor matching platform 'linux/amd64'",
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: dial tcp: i/o timeout",
                "CannotPullContainerError: failed to register layer: write /usr/lib/x: no space left on device",
            ],
        );
    }

    #[test]
    fn messages_of_other_programs_have_no_kind() {
        check(
            None,
            &[
                "",
                "sh: docker-compose: not found",
                "npm ERR! 429 Too Many Requests - GET https://registry.npmjs.org/left-pad",
                "npm ERR! 403 Forbidden - GET https://registry.npmjs.org/@acme/x",
                "/bin/sh: ./run.sh: Permission denied",
                "psycopg2.OperationalError: connection refused",
                "ThrottlingException: Rate exceeded",
                "Error response from daemon: network app_default not found",
                "exec: \"x\": executable file not found in $PATH",
                "COMMAND_EXECUTION_ERROR: Error while executing command: docker build -t app . Reason: exit status 1",
            ],
        );
    }
}
