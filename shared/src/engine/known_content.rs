//! What the destinations are known to hold and to lack, within one run: nothing is asked for twice.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::image::digest::Digest;
use crate::image::reference::RepositoryRef;

/// What is known of each repository.
#[derive(Default)]
pub(super) struct KnownContent(Mutex<HashMap<RepositoryRef, Known>>);

/// What is known of one repository.
#[derive(Default)]
struct Known {
    /// Made in this run: it holds what was noted, and nothing else.
    is_new: bool,
    content: HashMap<Digest, bool>,
}

impl KnownContent {
    /// Takes note that `repository` was made just now.
    pub(super) fn made(&self, repository: &RepositoryRef) {
        self.with(repository, |known| known.is_new = true);
    }

    /// Whether `repository` holds `digest`, a blob or a manifest; `None` where that is not known.
    pub(super) fn has(&self, repository: &RepositoryRef, digest: &Digest) -> Option<bool> {
        self.with(repository, |known| {
            known
                .content
                .get(digest)
                .copied()
                .or(known.is_new.then_some(false))
        })
    }

    /// Takes note of whether `repository` holds `digest`.
    pub(super) fn note(&self, repository: &RepositoryRef, digest: &Digest, is_there: bool) {
        self.with(repository, |known| {
            known.content.insert(digest.clone(), is_there);
        });
    }

    /// Forgets everything about `repository`.
    pub(super) fn distrust(&self, repository: &RepositoryRef) {
        self.with(repository, |known| *known = Known::default());
    }

    fn with<T>(&self, repository: &RepositoryRef, act: impl FnOnce(&mut Known) -> T) -> T {
        let mut repositories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(repositories.entry(repository.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::reference::ImageRef;

    #[test]
    fn a_new_repository_lacks_what_was_not_put_there_and_of_another_nothing_is_known() {
        let repository = |name: &str| name.parse::<ImageRef>().unwrap().repository().clone();
        let (new, old, digest) = (
            repository("new:1"),
            repository("old:1"),
            Digest::from_content(b"abc"),
        );
        let known_content = KnownContent::default();
        known_content.made(&new);
        assert_eq!(
            (
                known_content.has(&new, &digest),
                known_content.has(&old, &digest)
            ),
            (Some(false), None)
        );
        known_content.note(&new, &digest, true);
        known_content.note(&old, &digest, false);
        assert_eq!(
            (
                known_content.has(&new, &digest),
                known_content.has(&old, &digest)
            ),
            (Some(true), Some(false))
        );
        known_content.distrust(&new);
        assert_eq!(known_content.has(&new, &digest), None);
    }
}
