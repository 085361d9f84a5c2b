//! Manifests: bytes that are the truth, and a view of what they name.
//!
//! Nothing here writes a manifest: what was fetched is pushed byte for byte, so that a digest stays what it was. The one manifest
//! that is written is an index cut down to some platforms ([`crate::image::subset`]).

use bytes::Bytes;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, ImageIndexEntry,
    OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageIndex,
    OciImageManifest,
};
use serde::Deserialize;

use crate::image::digest::{Digest, InvalidDigest};
use crate::image::platform::Platform;

/// The largest manifest, in bytes, that Amazon ECR takes (`ImageManifest` in its API model) and that we read.
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// The four kinds of manifest that are copied. A registry that is not told all of them may answer with another
/// representation of the image, under another digest.
pub const ACCEPT: [&str; 4] = [
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
];

/// A manifest as it was fetched.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The digest of `bytes`.
    pub digest: Digest,
    /// What to say it is when it is pushed.
    pub media_type: String,
    /// The manifest itself.
    pub bytes: Bytes,
    /// What it names.
    pub content: Content,
}

/// What a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One image: its configuration first, then its layers, in the manifest's order, each once.
    Image(Vec<Blob>),
    /// An index or manifest list: its manifests, in order, each once.
    Index(Vec<Child>),
}

/// A manifest that an index names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The digest of the manifest.
    pub digest: Digest,
    /// What it runs on, where the index says so.
    pub platform: Option<Platform>,
    /// The manifest that this one attests something of (provenance, SBOM), as
    /// [BuildKit](https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md) writes it.
    pub attests: Option<Digest>,
}

/// A blob that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Blob {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size_bytes: u64,
}

/// Why bytes are not a manifest that can be copied.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// They are not the JSON of a manifest.
    #[error("not a manifest")]
    Json(#[from] serde_json::Error),
    /// It names something by what is not a digest.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    /// It claims a negative size for a blob.
    #[error("blob {0} has a negative size")]
    Size(Digest),
    /// It is of a kind that is not copied, such as Docker's schema 1, which Docker Hub no longer serves.
    #[error("manifest kind {0:?} is not supported")]
    Kind(String),
}

impl Manifest {
    /// Reads `bytes`, which a registry served with the `Content-Type` `served_as`.
    pub fn parse(bytes: Bytes, served_as: Option<&str>) -> Result<Self, InvalidManifest> {
        let kind = Kind::of(&bytes, served_as)?;
        let content = if kind.is_index {
            index(&bytes)?
        } else {
            image(&bytes)?
        };
        Ok(Self {
            digest: Digest::from_content(&bytes),
            media_type: kind.media_type,
            bytes,
            content,
        })
    }

    /// Whether it names manifests rather than blobs.
    pub fn is_index(&self) -> bool {
        matches!(self.content, Content::Index(_))
    }

    /// The blobs that it names itself, none for an index.
    pub fn blobs(&self) -> &[Blob] {
        if let Content::Image(blobs) = &self.content {
            blobs
        } else {
            &[]
        }
    }

    /// The manifests that it names, none for an image.
    pub fn children(&self) -> &[Child] {
        if let Content::Index(children) = &self.content {
            children
        } else {
            &[]
        }
    }
}

/// Whether a media type is an index's; `None` for one that is none of a manifest.
pub fn is_index(media_type: &str) -> Option<bool> {
    match media_type.split(';').next().unwrap_or_default().trim() {
        OCI_IMAGE_INDEX_MEDIA_TYPE | IMAGE_MANIFEST_LIST_MEDIA_TYPE => Some(true),
        OCI_IMAGE_MEDIA_TYPE | IMAGE_MANIFEST_MEDIA_TYPE => Some(false),
        _ => None,
    }
}

/// The media type, and which of the two shapes it stands for.
struct Kind {
    media_type: String,
    is_index: bool,
}

impl Kind {
    /// The body's own `mediaType` counts first: a `Content-Type` is only what a server believes. OCI leaves the field optional.
    fn of(bytes: &[u8], served_as: Option<&str>) -> Result<Self, InvalidManifest> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Probe {
            media_type: Option<String>,
            manifests: Option<serde::de::IgnoredAny>,
        }
        let probe: Probe = serde_json::from_slice(bytes)?;
        let served_as =
            served_as.map(|value| value.split(';').next().unwrap_or(value).trim().to_owned());
        let unnamed = if probe.manifests.is_some() {
            OCI_IMAGE_INDEX_MEDIA_TYPE
        } else {
            OCI_IMAGE_MEDIA_TYPE
        };
        let media_type = probe
            .media_type
            .or(served_as.filter(|served| ACCEPT.contains(&served.as_str())))
            .unwrap_or_else(|| unnamed.to_owned());
        match is_index(&media_type) {
            Some(is_index) => Ok(Self {
                media_type,
                is_index,
            }),
            None => Err(InvalidManifest::Kind(media_type)),
        }
    }
}

fn index(bytes: &[u8]) -> Result<Content, InvalidManifest> {
    let index: OciImageIndex = serde_json::from_slice(bytes)?;
    let mut children: Vec<Child> = Vec::with_capacity(index.manifests.len());
    for entry in index.manifests {
        let child = child(entry)?;
        if children.iter().all(|known| known.digest != child.digest) {
            children.push(child);
        }
    }
    Ok(Content::Index(children))
}

/// The reference type and digest are `BuildKit`'s annotations; the platform of what attests is `unknown/unknown`.
fn child(entry: ImageIndexEntry) -> Result<Child, InvalidManifest> {
    let annotation = |name: &str| {
        entry
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.get(name))
    };
    let is_attestation =
        annotation("vnd.docker.reference.type").is_some_and(|kind| kind == "attestation-manifest");
    let subject = annotation("vnd.docker.reference.digest").filter(|_| is_attestation);
    let attests = subject.map(|digest| digest.parse()).transpose()?;
    let platform = entry.platform.filter(|_| !is_attestation).map(|stated| {
        let (os, architecture) = (stated.os.to_string(), stated.architecture.to_string());
        Platform::new(
            &os,
            stated.os_version.as_deref(),
            &architecture,
            stated.variant.as_deref(),
        )
    });
    Ok(Child {
        digest: entry.digest.parse()?,
        platform,
        attests,
    })
}

fn image(bytes: &[u8]) -> Result<Content, InvalidManifest> {
    let manifest: OciImageManifest = serde_json::from_slice(bytes)?;
    let mut blobs: Vec<Blob> = Vec::with_capacity(manifest.layers.len() + 1);
    for descriptor in std::iter::once(manifest.config)
        .chain(manifest.layers)
        .filter(is_distributable)
    {
        let digest: Digest = descriptor.digest.parse()?;
        let size_bytes =
            u64::try_from(descriptor.size).map_err(|_| InvalidManifest::Size(digest.clone()))?;
        let blob = Blob { digest, size_bytes };
        if !blobs.contains(&blob) {
            blobs.push(blob);
        }
    }
    Ok(Content::Image(blobs))
}

/// Foreign layers (old Windows base images) are fetched by clients from the vendor's own URL, never from a registry.
fn is_distributable(descriptor: &OciDescriptor) -> bool {
    !descriptor.media_type.contains(".foreign.")
        && !descriptor.media_type.contains(".nondistributable.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(character: char) -> Digest {
        format!("sha256:{}", character.to_string().repeat(64))
            .parse()
            .unwrap()
    }

    fn parse(json: &str, served_as: Option<&str>) -> Result<Manifest, InvalidManifest> {
        Manifest::parse(Bytes::copy_from_slice(json.as_bytes()), served_as)
    }

    fn image_json(layer_type: &str) -> String {
        format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"x","digest":"{c}","size":3}},
                "layers":[{{"mediaType":"{layer_type}","digest":"{l}","size":5}},{{"mediaType":"{layer_type}","digest":"{l}","size":5}}]}}"#,
            c = digest('c'),
            l = digest('1')
        )
    }

    #[test]
    fn an_image_names_its_configuration_and_each_layer_once() {
        let manifest = parse(&image_json("layer"), None).unwrap();
        let blobs = [('c', 3), ('1', 5)].map(|(name, size_bytes)| Blob {
            digest: digest(name),
            size_bytes,
        });
        assert_eq!(manifest.content, Content::Image(blobs.to_vec()));
        assert_eq!(manifest.media_type, OCI_IMAGE_MEDIA_TYPE);
    }

    #[test]
    fn a_foreign_layer_is_left_to_its_vendor() {
        let manifest = parse(
            &image_json("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
            None,
        )
        .unwrap();
        assert_eq!(
            manifest.content,
            Content::Image(vec![Blob {
                digest: digest('c'),
                size_bytes: 3
            }])
        );
    }

    #[test]
    fn an_index_without_media_type_is_an_oci_index_whatever_the_server_calls_json() {
        let json = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"x","digest":"{a}","size":1}},{{"mediaType":"x","digest":"{a}","size":1}}]}}"#,
            a = digest('a')
        );
        let manifest = parse(&json, Some("application/json")).unwrap();
        assert_eq!(manifest.media_type, OCI_IMAGE_INDEX_MEDIA_TYPE);
        assert_eq!(
            manifest.content,
            Content::Index(vec![Child {
                digest: digest('a'),
                platform: None,
                attests: None
            }])
        );
        let served = parse(
            &json,
            Some(&format!("{IMAGE_MANIFEST_LIST_MEDIA_TYPE}; charset=utf-8")),
        )
        .unwrap();
        assert_eq!(served.media_type, IMAGE_MANIFEST_LIST_MEDIA_TYPE);
    }

    #[test]
    fn an_index_tells_platforms_and_what_attests_them() {
        let json = format!(
            r#"{{"schemaVersion":2,"manifests":[
                {{"mediaType":"x","digest":"{a}","size":1,"platform":{{"os":"linux","architecture":"arm","variant":"v7"}}}},
                {{"mediaType":"x","digest":"{b}","size":1,"platform":{{"os":"windows","architecture":"amd64","os.version":"10.0.17763.1"}}}},
                {{"mediaType":"x","digest":"{c}","size":1,"platform":{{"os":"unknown","architecture":"unknown"}},
                  "annotations":{{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"{a}"}}}}]}}"#,
            a = digest('a'),
            b = digest('b'),
            c = digest('c')
        );
        let Content::Index(children) = parse(&json, None).unwrap().content else {
            panic!("no index")
        };
        let shown: Vec<_> = children
            .iter()
            .map(|child| child.platform.as_ref().map(ToString::to_string))
            .collect();
        assert_eq!(
            shown,
            [
                Some("linux/arm".to_owned()),
                Some("windows(10.0.17763.1)/amd64".to_owned()),
                None
            ]
        );
        assert_eq!(
            children
                .iter()
                .map(|child| child.attests.clone())
                .collect::<Vec<_>>(),
            [None, None, Some(digest('a'))]
        );
    }

    #[test]
    fn what_cannot_be_copied_is_said() {
        let schema1 = r#"{"schemaVersion":1,"mediaType":"application/vnd.docker.distribution.manifest.v1+prettyjws"}"#;
        assert!(
            parse(schema1, None)
                .unwrap_err()
                .to_string()
                .contains("v1+prettyjws")
        );
        assert!(parse("<html>", None).is_err());
        assert!(parse(&image_json("layer").replace("sha256:c", "sha256:/"), None).is_err());
        assert!(
            parse(
                &image_json("layer").replace("\"size\":5", "\"size\":-5"),
                None
            )
            .is_err()
        );
    }
}
