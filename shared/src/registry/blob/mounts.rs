//! Blobs that a registry can mount from another of its repositories, so that they are not sent.
//!
//! Amazon ECR mounts if the account's setting `BLOB_MOUNTING` allows it, and only blobs that a
//! manifest of the other repository names
//! (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html>). So a blob is
//! recorded here once a manifest that names it was put. After a refusal, the registry gets no more
//! mount requests.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use crate::image::digest::Digest;
use crate::image::reference::RepositoryRef;
use crate::sync::lock;

/// The most blobs that are recorded: a few megabytes of memory.
const MAX_BLOBS: usize = 10_000;

/// Which repository has which blob, at every registry.
#[derive(Default)]
pub(crate) struct Mounts(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Registries that refused to mount.
    refusing: HashSet<String>,
    /// The path of a repository, by registry and blob.
    holders: HashMap<(String, Digest), String>,
}

impl Mounts {
    /// The path of a repository that has `digest`: another one than `to`, at the same registry.
    pub(crate) fn find_holder(&self, to: &RepositoryRef, digest: &Digest) -> Option<String> {
        let known = lock(&self.0);
        if known.refusing.contains(&to.registry) {
            return None;
        }
        let holder = known.holders.get(&(to.registry.clone(), digest.clone()))?;
        (*holder != to.path).then(|| holder.clone())
    }

    /// Records that `repository` has `digest`, and a manifest that names it.
    pub(crate) fn note_blob(&self, repository: &RepositoryRef, digest: &Digest) {
        let mut known = lock(&self.0);
        if known.holders.len() >= MAX_BLOBS {
            known.holders.clear();
        }
        known.holders.insert(
            (repository.registry.clone(), digest.clone()),
            repository.path.clone(),
        );
    }

    /// Records that `registry` refused to mount a blob.
    pub(crate) fn note_refusal(&self, registry: &str) {
        lock(&self.0).refusing.insert(registry.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_mounted_from_another_repository_of_the_registry_until_it_refuses() {
        let at = |registry: &str, path: &str| RepositoryRef {
            registry: registry.to_owned(),
            path: path.to_owned(),
        };
        let (mounts, digest) = (Mounts::default(), Digest::from_content(b"layer"));
        mounts.note_blob(&at("ecr", "a"), &digest);
        assert_eq!(
            mounts.find_holder(&at("ecr", "b"), &digest).as_deref(),
            Some("a")
        );
        assert_eq!(mounts.find_holder(&at("ecr", "a"), &digest), None);
        assert_eq!(mounts.find_holder(&at("other", "b"), &digest), None);
        mounts.note_refusal("ecr");
        assert_eq!(mounts.find_holder(&at("ecr", "b"), &digest), None);
    }
}
