//! What events may have copied. Names in events are untrusted: what is not allowed here is refused, whoever asks.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::image::reference::{DOCKER_HUB, RepositoryRef, is_docker_hub, looks_like_host};

/// The repositories that `rescue.allow` lists.
#[derive(Clone, Debug)]
pub struct RescueAllowList(GlobSet);

impl Default for RescueAllowList {
    /// None.
    fn default() -> Self {
        Self(GlobSet::empty())
    }
}

impl RescueAllowList {
    /// Reads patterns such as `library/*`; one that begins with no host is Docker Hub's, and one of a single segment an official image's, as
    /// in a reference. `*` stays within a path segment.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a String>) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let glob = GlobBuilder::new(&spell_out(pattern)?)
                .literal_separator(true)
                .build();
            set.add(glob.map_err(|error| error.to_string())?);
        }
        set.build().map(Self).map_err(|error| error.to_string())
    }

    /// Whether `repository` is among them.
    pub fn matches(&self, repository: &RepositoryRef) -> bool {
        self.0.is_match(repository.to_string())
    }
}

/// `pattern` with what a reference may leave out, so that it is compared with names that are spelled out.
fn spell_out(pattern: &str) -> Result<String, String> {
    let first = pattern.split('/').next().unwrap_or_default();
    let (host, path) = match pattern.split_once('/') {
        Some((host, path)) if looks_like_host(host) => (host, path),
        _ => (DOCKER_HUB, pattern),
    };
    if path.contains([':', '@']) || path == first && first.contains('.') {
        return Err(format!(
            "{pattern:?} has to be a repository: without a tag, and with a path behind its registry"
        ));
    }
    let host = if is_docker_hub(host) {
        DOCKER_HUB
    } else {
        host
    };
    let library = if host == DOCKER_HUB && !path.contains('/') && path != "**" {
        "library/"
    } else {
        ""
    };
    Ok(format!("{host}/{library}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, image: &str) -> bool {
        let repository = crate::image::reference::parse(image).unwrap().repository;
        RescueAllowList::new([pattern.to_owned()].iter())
            .unwrap()
            .matches(&repository)
    }

    #[test]
    fn a_pattern_without_a_host_is_docker_hubs() {
        assert!(matches("library/*", "node:1"));
        assert!(matches("grafana/*", "grafana/grafana:1"));
        assert!(!matches("library/*", "evil/node:1"));
        assert!(!matches("library/*", "quay.io/library/node:1"));
        assert!(matches("quay.io/team/*", "quay.io/team/tool:1"));
    }

    #[test]
    fn a_pattern_is_short_for_what_a_reference_is_short_for() {
        assert!(matches("python", "python:3"));
        assert!(matches("registry-1.docker.io/library/php", "php:8"));
        assert!(matches("docker.io/ruby", "ruby:3"));
        assert!(matches("*", "node:1") && !matches("*", "evil/node:1"));
        assert!(matches("**", "grafana/grafana:1") && !matches("**", "quay.io/a/b:1"));
        for pattern in ["library/httpd:*", "node@sha256:0", "quay.io"] {
            assert!(
                RescueAllowList::new([pattern.to_owned()].iter())
                    .unwrap_err()
                    .contains("has to be a repository"),
                "{pattern}"
            );
        }
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        assert!(!matches("quay.io/*", "quay.io/a/b:1"));
        assert!(matches("quay.io/**", "quay.io/a/b:1"));
        assert!(RescueAllowList::new(["[".to_owned()].iter()).is_err());
    }
}
