//! Blobs that a registry can take over from another of its repositories, so that nobody sends them.
//!
//! Amazon ECR does so where the account's setting `BLOB_MOUNTING` allows it, and only with blobs that a manifest of the other
//! repository names (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html>). So a blob is known here once a
//! manifest that names it was put. A registry that refuses is not asked again.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::image::digest::Digest;
use crate::image::reference::RepositoryRef;

/// Blobs that are remembered at once: a few megabytes at the most.
const BLOBS: usize = 10_000;

/// Which repository has what, at every registry.
#[derive(Default)]
pub(crate) struct Mounts(Mutex<Known>);

#[derive(Default)]
struct Known {
    refused: HashSet<String>,
    /// Paths of repositories, by registry and blob.
    holders: HashMap<(String, Digest), String>,
}

impl Mounts {
    /// The path of another repository than `to`, at the same registry, that has `digest`.
    pub(crate) fn holder(&self, to: &RepositoryRef, digest: &Digest) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = known.holders.get(&(to.registry.clone(), digest.clone()))?;
        (*holder != to.path && !known.refused.contains(&to.registry)).then(|| holder.clone())
    }

    /// Takes note that a manifest of `repository` names `digest`, which is there.
    pub(crate) fn note(&self, repository: &RepositoryRef, digest: &Digest) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.holders.len() >= BLOBS {
            known.holders.clear();
        }
        known.holders.insert(
            (repository.registry.clone(), digest.clone()),
            repository.path.clone(),
        );
    }

    /// Takes note that `registry` does not do it.
    pub(crate) fn refused(&self, registry: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .refused
            .insert(registry.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_comes_from_another_repository_of_the_same_registry_until_that_is_refused() {
        let at = |registry: &str, path: &str| RepositoryRef {
            registry: registry.to_owned(),
            path: path.to_owned(),
        };
        let (mounts, digest) = (Mounts::default(), Digest::from_content(b"layer"));
        mounts.note(&at("ecr", "a"), &digest);
        assert_eq!(
            mounts.holder(&at("ecr", "b"), &digest).as_deref(),
            Some("a")
        );
        assert_eq!(mounts.holder(&at("ecr", "a"), &digest), None);
        assert_eq!(mounts.holder(&at("other", "b"), &digest), None);
        mounts.refused("ecr");
        assert_eq!(mounts.holder(&at("ecr", "b"), &digest), None);
    }
}
