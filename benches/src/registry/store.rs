//! What a registry holds. Of a blob that is only its size: its bytes are made when somebody reads them.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::image::Manifest;
use crate::item::Tagged;

/// Every blob whose bytes can be made, by its digest.
pub(super) type Library = HashMap<String, Content>;

/// Repositories by their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Store(BTreeMap<String, Repository>);

#[derive(Clone, Debug, Default)]
struct Repository {
    tags: BTreeMap<String, String>,
    manifests: BTreeMap<String, Manifest>,
    blobs: BTreeMap<String, u64>,
}

/// What a repository holds, as it is told and compared: digests under tags, digests of manifests, sizes of blobs in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownContent {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) manifests: Vec<String>,
    pub(crate) blobs: BTreeMap<String, u64>,
}

impl Store {
    /// Adds an image with everything below it, and moves its tag.
    pub(super) fn seed(&mut self, tagged: &Tagged) {
        let repository = self.0.entry(tagged.repository.clone()).or_default();
        for blob in tagged.image.all_blobs() {
            repository
                .blobs
                .insert(blob.digest.clone(), blob.content.size_bytes());
        }
        for manifest in tagged.image.manifests() {
            repository
                .manifests
                .insert(manifest.digest.clone(), manifest.clone());
        }
        repository
            .tags
            .insert(tagged.tag.clone(), tagged.image.manifest.digest.clone());
    }

    /// The manifest that `reference`, a tag or a digest, stands for.
    pub(super) fn manifest(&self, repository: &str, reference: &str) -> Option<&Manifest> {
        let repository = self.0.get(repository)?;
        let digest = repository
            .tags
            .get(reference)
            .map_or(reference, String::as_str);
        repository.manifests.get(digest)
    }

    pub(super) fn has_blob(&self, repository: &str, digest: &str) -> bool {
        self.0
            .get(repository)
            .is_some_and(|repository| repository.blobs.contains_key(digest))
    }

    pub(super) fn tags(&self, repository: &str) -> Option<Vec<&str>> {
        self.0
            .get(repository)
            .map(|repository| repository.tags.keys().map(String::as_str).collect())
    }

    pub(super) fn put_blob(&mut self, repository: &str, digest: &str, size_bytes: u64) {
        self.0
            .entry(repository.to_owned())
            .or_default()
            .blobs
            .insert(digest.to_owned(), size_bytes);
    }

    /// Puts a manifest under `reference`; it has to name nothing that is missing here, and to be what a digest says.
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
        let repository = self.0.entry(repository.to_owned()).or_default();
        let named = named(&manifest.bytes).ok_or("it is no JSON object")?;
        if let Some(missing) = named.iter().find(|digest| !repository.holds(digest)) {
            return Err(format!("it names {missing}, which is not here"));
        }
        if is_tag {
            repository
                .tags
                .insert(reference.to_owned(), manifest.digest.clone());
        }
        repository
            .manifests
            .insert(manifest.digest.clone(), manifest);
        Ok(())
    }

    /// Everything, as it is told.
    pub(super) fn known_content(&self) -> BTreeMap<String, KnownContent> {
        self.0
            .iter()
            .map(|(name, repository)| (name.clone(), repository.known_content()))
            .collect()
    }
}

impl Repository {
    fn holds(&self, digest: &str) -> bool {
        self.blobs.contains_key(digest) || self.manifests.contains_key(digest)
    }

    fn known_content(&self) -> KnownContent {
        let manifests = self.manifests.keys().cloned().collect();
        KnownContent {
            tags: self.tags.clone(),
            manifests,
            blobs: self.blobs.clone(),
        }
    }
}

/// The digests that a manifest or an index names.
fn named(bytes: &[u8]) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Descriptor {
        digest: String,
    }
    #[derive(Deserialize)]
    struct View {
        config: Option<Descriptor>,
        #[serde(default)]
        layers: Vec<Descriptor>,
        #[serde(default)]
        manifests: Vec<Descriptor>,
    }
    let view: View = serde_json::from_slice(bytes).ok()?;
    let all = view
        .config
        .into_iter()
        .chain(view.layers)
        .chain(view.manifests);
    Some(all.map(|descriptor| descriptor.digest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Image, Layer};

    fn tagged() -> Tagged {
        let image = Image::index(&["linux/amd64"], |_| {
            vec![Layer {
                seed: 1,
                size_bytes: 100,
            }]
        });
        Tagged {
            repository: "a".to_owned(),
            tag: "v1".to_owned(),
            image,
        }
    }

    #[test]
    fn a_manifest_is_refused_until_everything_that_it_names_is_there() {
        let (Tagged { image, .. }, mut store, mut seeded) =
            (tagged(), Store::default(), Store::default());
        let mut put = |reference: &str, manifest: &Manifest| {
            store.put_manifest("a", reference, manifest.clone())
        };
        let missing = put("v1", &image.manifest).unwrap_err();
        assert_eq!(
            missing,
            format!(
                "it names {}, which is not here",
                image.children[0].manifest.digest
            )
        );
        for blob in image.all_blobs() {
            store.put_blob("a", &blob.digest, blob.content.size_bytes());
        }
        for manifest in image.manifests() {
            store
                .put_manifest("a", &manifest.digest, manifest.clone())
                .unwrap();
        }
        store
            .put_manifest("a", "v1", image.manifest.clone())
            .unwrap();
        seeded.seed(&tagged());
        assert_eq!(store.known_content(), seeded.known_content());
        assert_eq!(
            store.manifest("a", "v1"),
            store.manifest("a", &image.manifest.digest)
        );
    }

    #[test]
    fn a_manifest_is_refused_under_the_digest_of_another() {
        let mut store = Store::default();
        store.seed(&tagged());
        let other = format!("sha256:{}", "0".repeat(64));
        let refused = store
            .put_manifest("a", &other, tagged().image.manifest)
            .unwrap_err();
        assert_eq!(
            refused,
            format!("the bytes have digest {}", tagged().image.manifest.digest)
        );
    }
}
