//! What a registry holds. A blob is stored as its size only; its bytes are generated on demand.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::image::Manifest;
use crate::item::Tagged;

/// Every blob that can be generated, by its digest.
pub(super) type Library = HashMap<String, Content>;

/// Repositories by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    repositories: BTreeMap<String, Repository>,
}

#[derive(Clone, Debug, Default)]
struct Repository {
    /// Digests by tag.
    tags: BTreeMap<String, String>,
    /// Manifests by digest.
    manifests: BTreeMap<String, Manifest>,
    /// Sizes in bytes by digest.
    blobs: BTreeMap<String, u64>,
}

/// What a repository holds, in the form that the harness reads and compares: digests by tag,
/// digests of manifests, and sizes of blobs in bytes by digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RepositoryContent {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) manifests: Vec<String>,
    pub(crate) blobs: BTreeMap<String, u64>,
}

/// The descriptors in a manifest or an index.
#[derive(Deserialize)]
struct View {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

impl Store {
    /// Adds an image with its children and blobs, and puts its tag on it.
    pub(super) fn put_image(&mut self, tagged: &Tagged) {
        let Tagged {
            repository,
            tag,
            image,
        } = tagged;
        let repository = self.repository_mut(repository);
        for blob in image.all_blobs() {
            let size_bytes = blob.content.size_bytes();
            repository.blobs.insert(blob.digest.clone(), size_bytes);
        }
        for manifest in image.manifests() {
            repository.put_manifest(manifest.clone());
        }
        repository.put_tag(tag, &image.manifest.digest);
    }

    /// The manifest with the tag or digest `reference`.
    pub(super) fn manifest(&self, repository: &str, reference: &str) -> Option<&Manifest> {
        let repository = self.repositories.get(repository)?;
        let digest = match repository.tags.get(reference) {
            Some(digest) => digest,
            None => reference,
        };
        repository.manifests.get(digest)
    }

    pub(super) fn has_blob(&self, repository: &str, digest: &str) -> bool {
        match self.repositories.get(repository) {
            Some(repository) => repository.blobs.contains_key(digest),
            None => false,
        }
    }

    /// The tags of a repository, sorted. `None` if there is no such repository.
    pub(super) fn tags(&self, repository: &str) -> Option<Vec<&str>> {
        let repository = self.repositories.get(repository)?;
        Some(repository.tags.keys().map(String::as_str).collect())
    }

    pub(super) fn put_blob(&mut self, repository: &str, digest: &str, size_bytes: u64) {
        let repository = self.repository_mut(repository);
        repository.blobs.insert(digest.to_owned(), size_bytes);
    }

    /// Adds a manifest under the tag or digest `reference`. It is an error if the manifest has
    /// another digest, or lists content that the repository does not have.
    pub(super) fn put_manifest(
        &mut self,
        repository: &str,
        reference: &str,
        manifest: Manifest,
    ) -> Result<(), String> {
        let is_tag = !reference.starts_with("sha256:");
        if !is_tag && reference != manifest.digest {
            return Err(format!("the bytes have digest {}", manifest.digest));
        }
        let listed = parse_digests(&manifest.bytes).ok_or("the manifest is not a JSON object")?;
        let repository = self.repository_mut(repository);
        for digest in listed {
            if !repository.has(&digest) {
                return Err(format!("the repository does not have {digest}"));
            }
        }
        if is_tag {
            repository.put_tag(reference, &manifest.digest);
        }
        repository.put_manifest(manifest);
        Ok(())
    }

    /// What each repository holds.
    pub(super) fn content(&self) -> BTreeMap<String, RepositoryContent> {
        let mut content = BTreeMap::new();
        for (name, repository) in &self.repositories {
            content.insert(name.clone(), repository.content());
        }
        content
    }

    fn repository_mut(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_default()
    }
}

impl Repository {
    fn has(&self, digest: &str) -> bool {
        self.blobs.contains_key(digest) || self.manifests.contains_key(digest)
    }

    fn put_tag(&mut self, tag: &str, digest: &str) {
        self.tags.insert(tag.to_owned(), digest.to_owned());
    }

    fn put_manifest(&mut self, manifest: Manifest) {
        self.manifests.insert(manifest.digest.clone(), manifest);
    }

    fn content(&self) -> RepositoryContent {
        RepositoryContent {
            tags: self.tags.clone(),
            manifests: self.manifests.keys().cloned().collect(),
            blobs: self.blobs.clone(),
        }
    }
}

/// The digests that a manifest or an index lists. `None` if it is not a JSON object.
fn parse_digests(bytes: &[u8]) -> Option<Vec<String>> {
    let view: View = serde_json::from_slice(bytes).ok()?;
    let config = view.config.into_iter();
    let descriptors = config.chain(view.layers).chain(view.manifests);
    Some(descriptors.map(|descriptor| descriptor.digest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Image, Layer};

    fn tagged() -> Tagged {
        let layer = Layer {
            seed: 1,
            size_bytes: 100,
        };
        Tagged {
            repository: "a".to_owned(),
            tag: "v1".to_owned(),
            image: Image::index(&["linux/amd64"], |_| vec![layer]),
        }
    }

    #[test]
    fn a_manifest_is_refused_until_all_its_content_is_present() {
        let image = tagged().image;
        let mut store = Store::default();
        let refused = store.put_manifest("a", "v1", image.manifest.clone());
        let child = &image.children[0].manifest.digest;
        let message = format!("the repository does not have {child}");
        assert_eq!(refused, Err(message));

        for blob in image.all_blobs() {
            store.put_blob("a", &blob.digest, blob.content.size_bytes());
        }
        for manifest in image.manifests() {
            let accepted = store.put_manifest("a", &manifest.digest, manifest.clone());
            assert_eq!(accepted, Ok(()));
        }
        let accepted = store.put_manifest("a", "v1", image.manifest.clone());
        assert_eq!(accepted, Ok(()));

        let mut expected = Store::default();
        expected.put_image(&tagged());
        assert_eq!(store.content(), expected.content());
        assert_eq!(store.manifest("a", "v1"), Some(&image.manifest));
        let by_digest = store.manifest("a", &image.manifest.digest);
        assert_eq!(by_digest, Some(&image.manifest));
    }

    #[test]
    fn a_manifest_is_refused_under_another_digest() {
        let mut store = Store::default();
        store.put_image(&tagged());
        let manifest = tagged().image.manifest;
        let message = format!("the bytes have digest {}", manifest.digest);
        let other = format!("sha256:{}", "0".repeat(64));
        let refused = store.put_manifest("a", &other, manifest);
        assert_eq!(refused, Err(message));
    }
}
