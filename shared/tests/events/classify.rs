//! What the error messages of tools and registries mean.

use image_replicator::events::FailureKind::{
    self, AbuseLimit, Denied, Network, NotFound, PullLimit,
};
use image_replicator::events::classify::classify;

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
            "You have reached your pull rate limit. \
             You may increase the limit by authenticating and upgrading: \
             https://www.docker.com/increase-rate-limits",
            "You have reached your unauthenticated pull rate limit. \
             https://www.docker.com/increase-rate-limit",
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit. You may increase the limit"}]}"#,
            "Error response from daemon: toomanyrequests: You have reached your pull rate limit.",
            "failed to resolve source metadata for docker.io/library/node:24-alpine: \
             429 Too Many Requests toomanyrequests: \
             You have reached your unauthenticated pull rate limit.",
            "ERROR: failed to copy: httpReadSeeker: failed open: \
             unexpected status code \
             https://registry-1.docker.io/v2/library/rust/manifests/sha256:00: \
             429 Too Many Requests - Server message: toomanyrequests: \
             You have reached your pull rate limit.",
            "Error: initializing source docker://node:21: \
             reading manifest 21 in docker.io/library/node: toomanyrequests: \
             You have reached your pull rate limit.",
            "GET https://index.docker.io/v2/library/node/manifests/21: \
             TOOMANYREQUESTS: You have reached your unauthenticated pull rate limit. \
             https://www.docker.com/increase-rate-limit",
            "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: \
             Unable to pull customer's container image. CannotPullContainerError: \
             Error response from daemon: toomanyrequests: You have reached your pull rate limit.",
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
            "unexpected status code \
             https://registry-1.docker.io/v2/library/rust/manifests/sha256:00: \
             429 Too Many Requests - Server message: toomanyrequests: \
             You ha",
            "unexpected status code \
             https://registry-1.docker.io/v2/library/rust/manifests/sha256:00: \
             429 Too Many Requests - Server mes",
            "unexpected status code \
             https://registry-1.docker.io/v2/library/rust/manifests/sha256:00: \
             429 Too Ma",
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
            "toomanyrequests: Too Many Requests. \
             Please see https://docs.docker.com/docker-hub/download-rate-limit/",
            "CannotPullContainerError: error pulling image configuration: toomanyrequests: \
             Too Many Requests. Please see",
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"Too Many Requests"}]}"#,
            "failed open: unexpected status code \
             https://registry-1.docker.io/v2/library/rust/manifests/sha256:00: \
             429 Too Many Requests",
            "toomanyrequests: retry-after: 1.2ms, allowed: 44000/minute",
        ],
    );
}

#[test]
fn a_missing_image_is_recognized_in_each_wording() {
    check(
        Some(NotFound),
        &[
            "manifest for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/r:t not found: \
             manifest unknown: Requested image not found",
            "repository 111122223333.dkr.ecr.eu-west-1.amazonaws.com/r not found: \
             name unknown: The repository with name 'r' does not exist in the registry with \
             id '111122223333'",
            "Error response from daemon: manifest for node:99 not found: \
             manifest unknown: manifest unknown",
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#,
            "ERROR: failed to solve: node:99: \
             failed to resolve source metadata for docker.io/library/node:99: \
             docker.io/library/node:99: not found",
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): \
             failed to resolve ref public.ecr.aws/datadog/agent:7: \
             public.ecr.aws/datadog/agent:7: not found",
            "Error: initializing source docker://node:99: \
             reading manifest 99 in docker.io/library/node: manifest unknown",
            "RepositoryNotFoundException",
            "no such manifest: docker.io/library/node:99",
            "unexpected status code 404 Not Found: \
             https://registry-1.docker.io/v2/library/node/manifests/99: \
             404 Not Found",
        ],
    );
}

#[test]
fn a_refusal_is_recognized_in_each_wording() {
    check(
        Some(Denied),
        &[
            "Error response from daemon: pull access denied for foo/bar, \
             repository does not exist or may require 'docker login': denied: \
             requested access to the resource is denied",
            "inspect image has been retried 1 time(s): \
             failed to resolve ref \"docker.io/foo/bar:1\": pull access denied, \
             repository does not exist or may require authorization: server message: \
             insufficient_scope: authorization failed",
            "denied: Your authorization token has expired. Reauthenticate and try again.",
            "no basic auth credentials",
            "pulling from host 111122223333.dkr.ecr.eu-west-1.amazonaws.com failed with \
             status code [manifests 2023]: 403 Forbidden",
            "unauthorized: authentication required",
            "GET https://index.docker.io/v2/foo/bar/manifests/1: \
             UNAUTHORIZED: authentication required",
            "unauthorized: incorrect username or password",
        ],
    );
}

#[test]
fn an_unreachable_registry_is_a_network_failure() {
    check(
        Some(Network),
        &[
            "inspect image has been retried 5 time(s): \
             failed to resolve ref \"docker.io/library/nginx:latest\": \
             failed to do request: \
             Head https://registry-1.docker.io/v2/library/nginx/manifests/latest: \
             dial tcp 3.216.34.172:443: i/o timeout",
            "Error response from daemon: Get \"https://registry-1.docker.io/v2/\": \
             net/http: request canceled while waiting for connection \
             (Client.Timeout exceeded while awaiting headers)",
            "Error response from daemon: net/http: TLS handshake timeout",
            "dial tcp: lookup registry-1.docker.io on 10.0.0.2:53: no such host",
            "failed to authorize: failed to fetch anonymous token: \
             Get \"https://auth.docker.io/token\": EOF",
            "received unexpected HTTP status: 503 Service Unavailable",
            "TOOMANYREQUESTS: Rate exceeded",
            "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: \
             httpReaderSeeker: failed open: unexpected status code",
            "CannotPullContainerError: context canceled",
        ],
    );
}

#[test]
fn a_failure_that_a_copy_does_not_resolve_has_no_kind() {
    check(
        None,
        &[
            "CannotPullContainerError: no matching manifest for linux/arm64/v8 in the \
             manifest list entries",
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): \
             image Manifest does not contain descriptor matching platform 'linux/amd64'",
            "ResourceInitializationError: unable to pull secrets or registry auth: \
             execution resource retrieval failed: dial tcp: i/o timeout",
            "CannotPullContainerError: failed to register layer: write /usr/lib/x: \
             no space left on device",
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
            "COMMAND_EXECUTION_ERROR: Error while executing command: docker build -t app . \
             Reason: exit status 1",
        ],
    );
}
