//! Paths of the OCI distribution specification, and the kinds of request that are counted.
//!
//! Repository names contain slashes, so a path is parsed from its end.

use axum::http::Method;

/// The kinds of request, in the order of the tables. `other` is every other request.
pub(crate) const KINDS: [&str; 13] = [
    "ping",
    "token",
    "HEAD manifest",
    "GET manifest",
    "PUT manifest",
    "HEAD blob",
    "GET blob",
    "POST upload",
    "PATCH upload",
    "PUT upload",
    "tags",
    "referrers",
    "other",
];

/// The endpoint of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `/v2/`
    Ping,
    /// `/token`
    Token,
    /// `/v2/<name>/manifests/<tag or digest>`
    Manifest(String),
    /// `/v2/<name>/blobs/<digest>`
    Blob(String),
    /// `/v2/<name>/blobs/uploads/`, with the number of a session, if any
    Upload(Option<u64>),
    /// `/v2/<name>/tags/list`
    Tags,
    /// `/v2/<name>/referrers/<digest>`
    Referrers,
}

/// The endpoint of a request, and its repository, which is empty if the endpoint has none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) repository: String,
    pub(super) target: Target,
}

impl Route {
    /// Parses a path. Returns `None` if the specification does not define it.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let without_repository = |target| {
            Some(Self {
                repository: String::new(),
                target,
            })
        };
        if path == "/token" {
            return without_repository(Target::Token);
        }
        let rest = path
            .strip_prefix("/v2")?
            .strip_prefix('/')
            .unwrap_or_default();
        if rest.is_empty() {
            return without_repository(Target::Ping);
        }
        let (repository, target) = split(rest)?;
        if repository.is_empty() {
            return None;
        }
        Some(Self {
            repository: repository.to_owned(),
            target,
        })
    }

    /// One of [`KINDS`].
    pub(super) fn kind(&self, method: &Method) -> &'static str {
        match (&self.target, method.as_str()) {
            (Target::Ping, _) => "ping",
            (Target::Token, _) => "token",
            (Target::Tags, _) => "tags",
            (Target::Referrers, _) => "referrers",
            (Target::Manifest(_), "HEAD") => "HEAD manifest",
            (Target::Manifest(_), "GET") => "GET manifest",
            (Target::Manifest(_), "PUT") => "PUT manifest",
            (Target::Blob(_), "HEAD") => "HEAD blob",
            (Target::Blob(_), "GET") => "GET blob",
            (Target::Upload(_), "POST") => "POST upload",
            (Target::Upload(_), "PATCH") => "PATCH upload",
            (Target::Upload(_), "PUT") => "PUT upload",
            _ => "other",
        }
    }
}

fn split(rest: &str) -> Option<(&str, Target)> {
    if let Some(repository) = rest.strip_suffix("/tags/list") {
        return Some((repository, Target::Tags));
    }
    if let Some((repository, session)) = rest.rsplit_once("/blobs/uploads/") {
        let session = if session.is_empty() {
            None
        } else {
            Some(session.parse().ok()?)
        };
        return Some((repository, Target::Upload(session)));
    }
    let (head, reference) = rest.rsplit_once('/')?;
    let (repository, subject) = head.rsplit_once('/')?;
    match subject {
        "manifests" => Some((repository, Target::Manifest(reference.to_owned()))),
        "blobs" if reference == "uploads" => Some((repository, Target::Upload(None))),
        "blobs" => Some((repository, Target::Blob(reference.to_owned()))),
        "referrers" => Some((repository, Target::Referrers)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &Method, path: &str) -> String {
        Route::parse(path).map_or("none".to_owned(), |route| {
            format!("{} of {:?}", route.kind(method), route.repository)
        })
    }

    #[test]
    fn paths_are_parsed_from_their_end() {
        assert_eq!(check(&Method::GET, "/v2/"), "ping of \"\"");
        assert_eq!(check(&Method::GET, "/v2"), "ping of \"\"");
        assert_eq!(
            check(&Method::HEAD, "/v2/blobs/manifests/manifests/1.0"),
            "HEAD manifest of \"blobs/manifests\""
        );
        assert_eq!(
            check(&Method::POST, "/v2/a/b/blobs/uploads/"),
            "POST upload of \"a/b\""
        );
        assert_eq!(
            check(&Method::PATCH, "/v2/a/b/blobs/uploads/17"),
            "PATCH upload of \"a/b\""
        );
        assert_eq!(
            check(&Method::DELETE, "/v2/a/b/blobs/uploads/17"),
            "other of \"a/b\""
        );
        assert_eq!(check(&Method::GET, "/v2/a/tags/list"), "tags of \"a\"");
        assert_eq!(check(&Method::GET, "/v1/a/tags/list"), "none");
    }
}
