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
        let key = (to.registry.clone(), digest.clone());
        let holder = known.holders.get(&key)?;
        let is_another = *holder != to.path;
        is_another.then(|| holder.clone())
    }

    /// Records that `repository` has `digest`, and a manifest that names it.
    pub(crate) fn note_blob(&self, repository: &RepositoryRef, digest: &Digest) {
        let mut known = lock(&self.0);
        if known.holders.len() >= MAX_BLOBS {
            known.holders.clear();
        }
        let key = (repository.registry.clone(), digest.clone());
        known.holders.insert(key, repository.path.clone());
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
        let mounts = Mounts::default();
        let digest = Digest::from_content(b"layer");
        let holder = at("ecr", "a");
        let other = at("ecr", "b");
        let elsewhere = at("other", "b");
        let find_for = |to| mounts.find_holder(to, &digest);

        mounts.note_blob(&holder, &digest);
        assert_eq!(find_for(&other).as_deref(), Some("a"));
        assert_eq!(find_for(&holder), None);
        assert_eq!(find_for(&elsewhere), None);
        mounts.note_refusal("ecr");
        assert_eq!(find_for(&other), None);
    }
}
