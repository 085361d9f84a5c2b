//! What events may have copied. Names in events are untrusted: what is not allowed here is refused, whoever asks.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::reference::{DOCKER_HUB, RepositoryRef};

/// The repositories that `rescue.allow` lists.
#[derive(Clone, Debug)]
pub struct Allowed(GlobSet);

impl Default for Allowed {
    /// None.
    fn default() -> Self {
        Self(GlobSet::empty())
    }
}

impl Allowed {
    /// Reads patterns such as `library/*`; one that begins with no host is Docker Hub's. `*` stays within a path segment.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a String>) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let begins_with_host = pattern.split('/').next().is_some_and(|first| first.contains(['.', ':']));
            let whole = if begins_with_host { pattern.clone() } else { format!("{DOCKER_HUB}/{pattern}") };
            let glob = GlobBuilder::new(&whole).literal_separator(true).build();
            set.add(glob.map_err(|error| error.to_string())?);
        }
        set.build().map(Self).map_err(|error| error.to_string())
    }

    /// Whether `repository` is among them.
    pub fn matches(&self, repository: &RepositoryRef) -> bool {
        self.0.is_match(repository.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, image: &str) -> bool {
        let repository = crate::reference::parse(image).unwrap().repository;
        Allowed::new([pattern.to_owned()].iter()).unwrap().matches(&repository)
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
    fn a_star_stays_within_its_segment() {
        assert!(!matches("quay.io/*", "quay.io/a/b:1"));
        assert!(matches("quay.io/**", "quay.io/a/b:1"));
        assert!(Allowed::new(["[".to_owned()].iter()).is_err());
    }
}
