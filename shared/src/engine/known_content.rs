//! Which blobs and manifests the destinations are known to have or to lack, within one session. It
//! saves requests: the same content is checked once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use crate::image::digest::Digest;
use crate::image::reference::RepositoryRef;
use crate::sync::lock;

/// The known content of each repository.
#[derive(Default)]
pub(super) struct KnownContent {
    repositories: Mutex<HashMap<RepositoryRef, RepositoryContent>>,
}

#[derive(Default)]
struct RepositoryContent {
    /// Whether this session created the repository: it lacks every digest that was not noted.
    is_new: bool,
    /// Whether the repository has a digest.
    digests: HashMap<Digest, bool>,
}

impl KnownContent {
    /// Notes that `repository` was created just now.
    pub(super) fn note_creation(&self, repository: &RepositoryRef) {
        let mut repositories = self.lock();
        let content = repositories.entry(repository.clone()).or_default();
        content.is_new = true;
    }

    /// Whether `repository` has `digest`, a blob or a manifest; `None` if that is unknown.
    pub(super) fn has(&self, repository: &RepositoryRef, digest: &Digest) -> Option<bool> {
        let repositories = self.lock();
        let content = repositories.get(repository)?;
        match content.digests.get(digest) {
            Some(is_there) => Some(*is_there),
            None if content.is_new => Some(false),
            None => None,
        }
    }

    /// Notes whether `repository` has `digest`.
    pub(super) fn note(&self, repository: &RepositoryRef, digest: &Digest, is_there: bool) {
        let mut repositories = self.lock();
        let content = repositories.entry(repository.clone()).or_default();
        content.digests.insert(digest.clone(), is_there);
    }

    /// Forgets everything about `repository`.
    pub(super) fn forget(&self, repository: &RepositoryRef) {
        self.lock().remove(repository);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RepositoryRef, RepositoryContent>> {
        lock(&self.repositories)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::reference::ImageRef;

    fn repository() -> RepositoryRef {
        let image: ImageRef = "node:22".parse().unwrap();
        image.repository().clone()
    }

    fn digest() -> Digest {
        Digest::from_content(b"abc")
    }

    #[test]
    fn nothing_is_known_about_an_existing_repository_until_it_is_noted() {
        let repository = repository();
        let digest = digest();
        let known_content = KnownContent::default();
        assert_eq!(known_content.has(&repository, &digest), None);
        known_content.note(&repository, &digest, false);
        assert_eq!(known_content.has(&repository, &digest), Some(false));
        known_content.note(&repository, &digest, true);
        assert_eq!(known_content.has(&repository, &digest), Some(true));
    }

    #[test]
    fn a_new_repository_lacks_what_was_not_noted() {
        let repository = repository();
        let digest = digest();
        let known_content = KnownContent::default();
        known_content.note_creation(&repository);
        assert_eq!(known_content.has(&repository, &digest), Some(false));
        known_content.note(&repository, &digest, true);
        assert_eq!(known_content.has(&repository, &digest), Some(true));
        let other = Digest::from_content(b"other");
        assert_eq!(known_content.has(&repository, &other), Some(false));
    }

    #[test]
    fn a_forgotten_repository_is_unknown() {
        let repository = repository();
        let digest = digest();
        let known_content = KnownContent::default();
        known_content.note_creation(&repository);
        known_content.note(&repository, &digest, true);
        known_content.forget(&repository);
        assert_eq!(known_content.has(&repository, &digest), None);
    }
}
