//! What an error message means: one table of phrases, of every tool that pulls images.
//!
//! A phrase that only registries use counts in any text. A phrase that any program may use, such as
//! `not found`, counts only in a text about a pull. The search is for substrings from a fixed
//! table, so its time is linear in the length of the text.

use super::FailureKind::{self, AbuseLimit, Denied, Network, NotFound, PullLimit};
use Scope::{Any, Limit, Pull};

/// In which texts a phrase counts.
#[derive(Clone, Copy)]
enum Scope {
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
const PHRASES: [(Scope, &str, Option<FailureKind>); 67] = [
    (Any, "pull rate limit", Some(PullLimit)),
    (Any, "unauthenticated pull", Some(PullLimit)),
    (Any, "increase-rate-limit", Some(PullLimit)),
    (Limit, "you have reached", Some(PullLimit)),
    (Limit, "data limit exceeded", Some(PullLimit)),
    // Amazon ECR throttles. This ends within a second and has nothing to do with Docker Hub.
    (Limit, "rate exceeded", Some(Network)),
    (Limit, "toomanyrequests: too many", Some(AbuseLimit)),
    (Limit, "message\":\"too many", Some(AbuseLimit)),
    (Limit, "message\": \"too many", Some(AbuseLimit)),
    (Limit, "retry-after", Some(AbuseLimit)),
    (Any, "(hap429)", Some(AbuseLimit)),
    (Any, "download-rate-limit", Some(AbuseLimit)),
    // The code without its message, which was cut off: assume the more frequent of the two limits.
    (Limit, "toomanyrequests", Some(PullLimit)),
    (Any, "upstreamtoomanyrequests", Some(PullLimit)),
    (Pull, "too many requests - server", Some(PullLimit)),
    // The status without an error code: Docker Hub reports the abuse limit in plain text.
    (Pull, "too many requests", Some(AbuseLimit)),
    (Pull, " 429", Some(PullLimit)),
    (Any, "no matching manifest for", None),
    (Any, "does not contain descriptor matching platform", None),
    (Any, "unable to pull secrets or registry auth", None),
    (Any, "invalid reference format", None),
    (Pull, "no space left on device", None),
    // Docker Hub sends this for missing and for private repositories alike.
    (Any, "pull access denied", Some(Denied)),
    (Any, "insufficient_scope", Some(Denied)),
    (
        Any,
        "denied: requested access to the resource",
        Some(Denied),
    ),
    (Any, "denied: your authorization token", Some(Denied)),
    (Any, "no basic auth credentials", Some(Denied)),
    (Any, "unauthorized: authentication required", Some(Denied)),
    (
        Any,
        "unauthorized: incorrect username or password",
        Some(Denied),
    ),
    (Any, "upstreamaccessdenied", Some(Denied)),
    (Any, "imageinaccessible", Some(Denied)),
    (Any, "manifest unknown", Some(NotFound)),
    (Any, "manifest_unknown", Some(NotFound)),
    (Any, "no such manifest", Some(NotFound)),
    (Any, "name unknown", Some(NotFound)),
    (Any, "name_unknown", Some(NotFound)),
    (Any, "requested image not found", Some(NotFound)),
    (Any, "repositorynotfoundexception", Some(NotFound)),
    (Any, "imagenotfound", Some(NotFound)),
    (Any, "upstreamunavailable", Some(Network)),
    (Any, "error response from daemon: net/http:", Some(Network)),
    (Pull, "i/o timeout", Some(Network)),
    (Pull, "handshake timeout", Some(Network)),
    (Pull, "timed out", Some(Network)),
    (Pull, "client.timeout", Some(Network)),
    (Pull, "deadline exceeded", Some(Network)),
    (Pull, "request canceled", Some(Network)),
    (Pull, "context canceled", Some(Network)),
    (Pull, "connection re", Some(Network)), // refused, reset
    (Pull, "no such host", Some(Network)),
    (Pull, "name resolution", Some(Network)),
    (Pull, "server misbehaving", Some(Network)),
    (Pull, "network is unreachable", Some(Network)),
    (Pull, "dial tcp", Some(Network)),
    (Pull, "unexpected eof", Some(Network)),
    (Pull, ": eof", Some(Network)),
    (Pull, " 500 internal server error", Some(Network)),
    (Pull, " 502 bad gateway", Some(Network)),
    (Pull, " 503 service", Some(Network)),
    (Pull, " 504 gateway", Some(Network)),
    (Pull, "not found", Some(NotFound)),
    (Pull, "unauthorized", Some(Denied)),
    (Pull, "forbidden", Some(Denied)),
    (Pull, "denied", Some(Denied)),
    (Pull, "authorization failed", Some(Denied)),
    // Amazon ECS cuts long messages: these phrases begin a message whose end is missing.
    (Pull, "unexpected status code", Some(Network)),
    (Pull, "has been retried", Some(Network)),
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
    for (scope, phrase, kind) in PHRASES {
        let counts = match scope {
            Any => true,
            Limit => has_limit,
            Pull => is_about_pull,
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
