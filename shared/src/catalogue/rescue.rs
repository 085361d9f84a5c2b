//! The images that an event may have copied. Names in events are untrusted: an image that this list
//! does not allow is refused, whatever the event.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::image::reference::{DOCKER_HUB, RepositoryRef, is_docker_hub, looks_like_host};

/// The repositories that `rescue.allow` lists.
#[derive(Clone, Debug)]
pub struct RescueAllowList(GlobSet);

impl Default for RescueAllowList {
    /// An empty list.
    fn default() -> Self {
        Self(GlobSet::empty())
    }
}

impl RescueAllowList {
    /// Parses patterns such as `library/*`. As in a reference, a pattern without a host is for Docker
    /// Hub, and a pattern of one segment is for an official image. `*` stays within a path segment.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a String>) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let pattern = expand(pattern)?;
            let mut glob = GlobBuilder::new(&pattern);
            glob.literal_separator(true);
            let glob = glob.build().map_err(|error| error.to_string())?;
            set.add(glob);
        }
        match set.build() {
            Ok(set) => Ok(Self(set)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether the list allows `repository`.
    pub fn matches(&self, repository: &RepositoryRef) -> bool {
        self.0.is_match(repository.to_string())
    }
}

/// `pattern` with the parts that a reference may omit, because it is matched against full names.
fn expand(pattern: &str) -> Result<String, String> {
    let (host, path) = match pattern.split_once('/') {
        Some((host, path)) if looks_like_host(host) => (host, path),
        _ => (DOCKER_HUB, pattern),
    };
    let is_host_only = !pattern.contains('/') && pattern.contains('.');
    if path.contains([':', '@']) || is_host_only {
        return Err(format!(
            "{pattern:?} has to be a repository: without a tag, and with a path behind its registry"
        ));
    }
    if !is_docker_hub(host) {
        return Ok(format!("{host}/{path}"));
    }
    let is_official = !path.contains('/') && path != "**";
    let namespace = if is_official { "library/" } else { "" };
    Ok(format!("{DOCKER_HUB}/{namespace}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pattern: &str) -> Result<RescueAllowList, String> {
        let pattern = pattern.to_owned();
        RescueAllowList::new(std::iter::once(&pattern))
    }

    fn matches(pattern: &str, image: &str) -> bool {
        let parsed = crate::image::reference::parse(image).unwrap();
        list(pattern).unwrap().matches(&parsed.repository)
    }

    #[test]
    fn a_pattern_without_a_host_is_for_docker_hub() {
        assert!(matches("library/*", "node:1"));
        assert!(matches("grafana/*", "grafana/grafana:1"));
        assert!(!matches("library/*", "evil/node:1"));
        assert!(!matches("library/*", "quay.io/library/node:1"));
        assert!(matches("quay.io/team/*", "quay.io/team/tool:1"));
    }

    #[test]
    fn a_pattern_may_omit_what_a_reference_may_omit() {
        assert!(matches("python", "python:3"));
        assert!(matches("registry-1.docker.io/library/php", "php:8"));
        assert!(matches("docker.io/ruby", "ruby:3"));
        assert!(matches("*", "node:1"));
        assert!(!matches("*", "evil/node:1"));
        assert!(matches("**", "grafana/grafana:1"));
        assert!(!matches("**", "quay.io/a/b:1"));
    }

    #[test]
    fn a_pattern_that_is_not_a_repository_is_an_error() {
        for pattern in ["library/httpd:*", "node@sha256:0", "quay.io"] {
            let problem = list(pattern).unwrap_err();
            assert!(problem.contains("has to be a repository"), "{problem}");
        }
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        assert!(!matches("quay.io/*", "quay.io/a/b:1"));
        assert!(matches("quay.io/**", "quay.io/a/b:1"));
        assert!(list("[").is_err());
    }
}
