//! Paths of the OCI distribution specification.
//!
//! Repository names contain slashes, so a path is read from its end.

use axum::http::Method;

/// The subject of a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Target {
    /// `/v2/`
    Ping,
    /// `/v2/<name>/manifests/<tag or digest>`
    Manifest(String),
    /// `/v2/<name>/blobs/<digest>`
    Blob(String),
    /// `/v2/<name>/blobs/uploads/`
    Uploads,
    /// `/v2/<name>/blobs/uploads/<session>`
    Upload(String),
    /// `/v2/<name>/tags/list`
    Tags,
}

/// The repository and the subject of a request; the repository of a ping is empty.
#[derive(Debug, PartialEq)]
pub(crate) struct Route {
    pub(crate) repository: String,
    pub(crate) target: Target,
}

impl Route {
    /// Reads a path; `None` if the specification does not define it.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v2")?.trim_start_matches('/');
        if rest.is_empty() {
            return Some(Self {
                repository: String::new(),
                target: Target::Ping,
            });
        }
        if let Some(repository) = rest.strip_suffix("/tags/list") {
            return Some(Self {
                repository: repository.into(),
                target: Target::Tags,
            });
        }
        let (repository, target) = split(rest)?;
        (!repository.is_empty()).then(|| Self {
            repository: repository.into(),
            target,
        })
    }

    /// The kind of the request in [`Counts`](crate::Counts), without the server prefix.
    pub(crate) fn kind(&self, method: &Method) -> String {
        let subject = match self.target {
            Target::Ping => return "ping".into(),
            Target::Tags => return "tags".into(),
            Target::Manifest(_) => "manifest",
            Target::Blob(_) => "blob",
            Target::Uploads | Target::Upload(_) => "upload",
        };
        format!("{subject}.{}", method.as_str().to_ascii_lowercase())
    }
}

fn split(rest: &str) -> Option<(&str, Target)> {
    if let Some((repository, session)) = rest.rsplit_once("/blobs/uploads/") {
        let target = if session.is_empty() {
            Target::Uploads
        } else {
            Target::Upload(session.into())
        };
        return Some((repository, target));
    }
    let (head, reference) = rest.rsplit_once('/')?;
    let manifest = head
        .strip_suffix("/manifests")
        .map(|repository| (repository, Target::Manifest(reference.into())));
    manifest.or_else(|| Some((head.strip_suffix("/blobs")?, Target::Blob(reference.into()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_contain_the_words_of_the_specification() {
        let route = Route::parse("/v2/blobs/manifests/manifests/1.0").unwrap();
        assert_eq!(
            route,
            Route {
                repository: "blobs/manifests".into(),
                target: Target::Manifest("1.0".into())
            }
        );
        assert_eq!(
            Route::parse("/v2/a/b/blobs/uploads/").unwrap().target,
            Target::Uploads
        );
        assert_eq!(Route::parse("/v1/a/tags/list"), None);
    }
}
