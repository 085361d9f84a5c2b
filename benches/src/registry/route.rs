//! Paths of the OCI distribution specification, and the kinds of request that are counted.
//!
//! Repository names contain slashes, so a path is read from its end.

use axum::http::Method;

/// The kinds of request in the order in which tables show them; `other` is everything that has no name here.
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

/// What a request is about.
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
    /// `/v2/<name>/blobs/uploads/`, and the number of a session behind it
    Upload(Option<u64>),
    /// `/v2/<name>/tags/list`
    Tags,
    /// `/v2/<name>/referrers/<digest>`
    Referrers,
}

/// A repository, empty where there is none, and what a request wants of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) repository: String,
    pub(super) target: Target,
}

impl Route {
    /// Reads a path; nothing if it is not one of the specification's.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let nowhere = |target| {
            Some(Self {
                repository: String::new(),
                target,
            })
        };
        if path == "/token" {
            return nowhere(Target::Token);
        }
        let rest = path
            .strip_prefix("/v2")?
            .strip_prefix('/')
            .unwrap_or_default();
        if rest.is_empty() {
            return nowhere(Target::Ping);
        }
        let (repository, target) = split(rest)?;
        (!repository.is_empty()).then(|| Self {
            repository: repository.to_owned(),
            target,
        })
    }

    /// One of [`KINDS`].
    pub(super) fn kind(&self, method: &Method) -> &'static str {
        let is = |name: &&&str| {
            let subject = match self.target {
                Target::Ping => return **name == "ping",
                Target::Token => return **name == "token",
                Target::Tags => return **name == "tags",
                Target::Referrers => return **name == "referrers",
                Target::Manifest(_) => "manifest",
                Target::Blob(_) => "blob",
                Target::Upload(_) => "upload",
            };
            name.split_once(' ') == Some((method.as_str(), subject))
        };
        KINDS.iter().find(is).copied().unwrap_or("other")
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
    fn paths_are_read_from_their_end() {
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
