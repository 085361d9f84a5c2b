//! What tests set up and inspect in a registry, without HTTP.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::repository::Stored;
use super::{Mutability, Registry, Repository};
use crate::image::Image;

impl Registry {
    /// Puts an image with all its blobs and children into a repository, and points `tag` at it.
    /// Creates the repository if missing.
    pub fn push(&self, repository: &str, tag: &str, image: &Image) {
        let blobs = image.blobs();
        let now = self.now();
        let mut contents = self.contents();
        let home = contents
            .repositories
            .entry(repository.to_owned())
            .or_insert_with(|| Repository::new(now));
        for (digest, blob) in blobs {
            self.config().shared.pool.add(&digest, blob);
            home.blobs.insert(digest);
        }
        for manifest in image.manifests() {
            home.manifests.insert(
                manifest.digest,
                Stored::new(&manifest.media_type, manifest.bytes, now),
            );
        }
        home.tags.insert(tag.to_owned(), image.digest());
    }

    /// Creates an empty repository with mutable or immutable tags.
    pub fn create_repository(&self, name: &str, immutable: bool) {
        let mut repository = Repository::new(self.now());
        repository.mutability = if immutable {
            Mutability::immutable()
        } else {
            Mutability::default()
        };
        self.contents()
            .repositories
            .insert(name.to_owned(), repository);
    }

    /// Removes a tag; the manifest stays.
    pub fn delete_tag(&self, repository: &str, tag: &str) {
        self.change(repository, |repository| repository.tags.remove(tag));
    }

    /// Deletes a blob; manifests that refer to it stay.
    pub fn delete_blob(&self, repository: &str, digest: &str) {
        self.change(repository, |repository| repository.blobs.remove(digest));
    }

    /// Allows blob mounts between repositories, as the account setting `BLOB_MOUNTING` does.
    pub fn allow_mounts(&self) {
        self.contents().mounting = true;
    }

    /// Sends `Docker-Content-Digest` with manifests from now on, whatever the registry kind.
    pub fn send_content_digest(&self) {
        self.contents().names_digests = Some(true);
    }

    /// Omits `Docker-Content-Digest` from now on, whatever the registry kind.
    pub fn omit_content_digest(&self) {
        self.contents().names_digests = Some(false);
    }

    /// Denies every access to a repository, on the data plane and on the control plane.
    pub fn deny(&self, repository: &str) {
        self.change(repository, |repository| repository.denied = true);
    }

    /// Makes a repository private: only the user with the name of its namespace sees it.
    pub fn make_private(&self, repository: &str) {
        self.change(repository, |repository| repository.private = true);
    }

    /// Replaces the resource tags of a repository.
    pub fn set_resource_tags(&self, repository: &str, tags: &[(&str, &str)]) {
        let tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        self.change(repository, |repository| repository.resource_tags = tags);
    }

    /// The resource tags of a repository; empty if it does not exist.
    pub fn resource_tags(&self, repository: &str) -> BTreeMap<String, String> {
        self.read(repository, |repository| repository.resource_tags.clone())
            .unwrap_or_default()
    }

    /// The names of all repositories.
    pub fn repositories(&self) -> Vec<String> {
        self.contents().repositories.keys().cloned().collect()
    }

    /// The digest that an image tag points at.
    pub fn image(&self, repository: &str, tag: &str) -> Option<String> {
        self.read(repository, |repository| repository.tags.get(tag).cloned())
            .flatten()
    }

    /// Every image tag of a repository with its digest.
    pub fn images(&self, repository: &str) -> BTreeMap<String, String> {
        self.read(repository, |repository| repository.tags.clone())
            .unwrap_or_default()
    }

    /// The bytes of a manifest.
    pub fn manifest(&self, repository: &str, digest: &str) -> Option<Bytes> {
        self.read(repository, |repository| {
            Some(repository.manifests.get(digest)?.bytes.clone())
        })
        .flatten()
    }

    /// The digests of all manifests of a repository, tagged or not.
    pub fn manifests(&self, repository: &str) -> BTreeSet<String> {
        self.read(repository, |repository| {
            repository.manifests.keys().cloned().collect()
        })
        .unwrap_or_default()
    }

    /// The digests of all blobs of a repository.
    pub fn blobs(&self, repository: &str) -> BTreeSet<String> {
        self.read(repository, |repository| repository.blobs.clone())
            .unwrap_or_default()
    }

    fn read<T>(&self, repository: &str, read: impl FnOnce(&Repository) -> T) -> Option<T> {
        self.contents().repositories.get(repository).map(read)
    }

    /// Changes an existing repository. Panics on a misspelled name, so that the test fails there.
    fn change<T>(&self, repository: &str, change: impl FnOnce(&mut Repository) -> T) {
        let mut contents = self.contents();
        let known = contents.repositories.get_mut(repository);
        change(
            known.unwrap_or_else(|| panic!("{}: no repository {repository}", self.config().host)),
        );
    }
}
