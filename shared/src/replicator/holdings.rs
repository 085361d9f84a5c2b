//! What the destinations are known to hold and to lack, within one run: nothing is asked for twice.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::digest::Digest;
use crate::reference::RepositoryRef;

/// What is known of each repository.
#[derive(Default)]
pub(super) struct Holdings(Mutex<HashMap<RepositoryRef, Known>>);

/// What is known of one repository.
#[derive(Default)]
struct Known {
    /// Made in this run: it holds what was noted, and nothing else.
    is_new: bool,
    content: HashMap<Digest, bool>,
}

impl Holdings {
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
    use crate::reference::ImageRef;

    #[test]
    fn a_new_repository_lacks_what_was_not_put_there_and_of_another_nothing_is_known() {
        let repository = |name: &str| name.parse::<ImageRef>().unwrap().repository().clone();
        let (new, old, digest) = (repository("new:1"), repository("old:1"), Digest::of(b"abc"));
        let holdings = Holdings::default();
        holdings.made(&new);
        assert_eq!(
            (holdings.has(&new, &digest), holdings.has(&old, &digest)),
            (Some(false), None)
        );
        holdings.note(&new, &digest, true);
        holdings.note(&old, &digest, false);
        assert_eq!(
            (holdings.has(&new, &digest), holdings.has(&old, &digest)),
            (Some(true), Some(false))
        );
        holdings.distrust(&new);
        assert_eq!(holdings.has(&new, &digest), None);
    }
}
