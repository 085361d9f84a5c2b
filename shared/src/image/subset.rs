//! An index cut down to some platforms: the one manifest that is written here.
//!
//! Amazon ECR refuses an index whose manifests are not all there, so that fewer platforms need an index of their own. Its entries
//! are upstream's to the byte, in upstream's order; an attestation goes with what it attests. Annotations say of which index it is a
//! part and which platforms were chosen, so that a mirror without any record can still be compared with upstream. The same index
//! and the same choice give the same bytes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::image::digest::Digest;
use crate::image::manifest::{Child, Content, Manifest};
use crate::image::platform::{Platform, Platforms};

/// The annotation with the digest of the index that this one is a part of.
pub const UPSTREAM: &str = "image-replicator.upstream-digest";
/// The annotation with the platforms that were chosen.
pub const PLATFORMS: &str = "image-replicator.platforms";

/// Platforms that are wanted, and that upstream does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "upstream has no {missing}; it has {there}; name the platforms that it has, or write `platforms: all`"
)]
pub struct MissingPlatforms {
    missing: String,
    there: String,
}

/// What an index in the mirror stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubsetOf {
    /// The index upstream.
    pub upstream: Digest,
    /// The [fingerprint](Platforms::fingerprint) of the platforms that were chosen.
    pub choice: String,
}

/// The part of `index` for `platforms`; `index` itself where nothing is left out, and where it is no index.
pub fn subset(index: &Manifest, platforms: &Platforms) -> Result<Manifest, MissingPlatforms> {
    let Content::Index(children) = &index.content else {
        return Ok(index.clone());
    };
    let kept = select_children(children, platforms)?;
    if kept.len() == children.len() {
        return Ok(index.clone());
    }
    let bytes = cut(index, &kept, platforms).expect("what was read as an index is one");
    let media_type = index.media_type.clone();
    Ok(Manifest {
        digest: Digest::from_content(&bytes),
        media_type,
        bytes: bytes.into(),
        content: Content::Index(kept),
    })
}

/// The children for `platforms`, in the index's order, and what attests something of them.
pub fn select_children(
    children: &[Child],
    platforms: &Platforms,
) -> Result<Vec<Child>, MissingPlatforms> {
    if platforms.is_all() {
        return Ok(children.to_vec());
    }
    let there = || children.iter().filter_map(|child| child.platform.as_ref());
    check_available(platforms, there)?;
    let is_wanted = |child: &Child| {
        child
            .platform
            .as_ref()
            .is_some_and(|platform| platforms.iter().any(|wanted| platform.matches(wanted)))
    };
    let wanted: Vec<&Digest> = children
        .iter()
        .filter(|child| is_wanted(child))
        .map(|child| &child.digest)
        .collect();
    let is_kept = |child: &&Child| {
        wanted.contains(&&child.digest)
            || child
                .attests
                .as_ref()
                .is_some_and(|subject| wanted.contains(&subject))
    };
    Ok(children.iter().filter(is_kept).cloned().collect())
}

/// Makes sure that each of `platforms` is among those `there`.
pub fn check_available<'a, I>(
    platforms: &Platforms,
    there: impl Fn() -> I,
) -> Result<(), MissingPlatforms>
where
    I: Iterator<Item = &'a Platform>,
{
    let missing = platforms
        .iter()
        .filter(|wanted| !there().any(|platform| platform.matches(wanted)));
    let missing: Vec<String> = missing.map(ToString::to_string).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut there: Vec<String> = there().map(ToString::to_string).collect();
    there.dedup();
    Err(MissingPlatforms {
        missing: missing.join(" and no "),
        there: there.join(", "),
    })
}

/// Writes the index again with the entries `kept`, each as it stood.
fn cut(index: &Manifest, kept: &[Child], platforms: &Platforms) -> serde_json::Result<Vec<u8>> {
    let mut fields: BTreeMap<&str, &RawValue> = serde_json::from_slice(&index.bytes)?;
    let entries: Vec<&RawValue> = fields
        .get("manifests")
        .map_or(Ok(Vec::new()), |raw| serde_json::from_str(raw.get()))?;
    let mut left: Vec<&Digest> = kept.iter().map(|child| &child.digest).collect();
    let mut kept_entries = Vec::with_capacity(kept.len());
    for entry in entries {
        let digest = digest_of(entry)?;
        if let Some(at) = left.iter().position(|wanted| wanted.as_str() == digest) {
            left.remove(at);
            kept_entries.push(entry);
        }
    }
    let mut annotations = fields
        .get("annotations")
        .map_or(Ok(BTreeMap::new()), |raw| annotations(raw))?;
    annotations.insert(UPSTREAM.to_owned(), index.digest.to_string());
    annotations.insert(PLATFORMS.to_owned(), platforms.to_string());
    let (entries, annotations) = (raw(&kept_entries)?, raw(&annotations)?);
    fields.insert("manifests", &entries);
    fields.insert("annotations", &annotations);
    serde_json::to_vec(&fields)
}

fn raw(value: &impl serde::Serialize) -> serde_json::Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value)
}

fn digest_of(entry: &RawValue) -> serde_json::Result<String> {
    #[derive(Deserialize)]
    struct Entry {
        digest: String,
    }
    serde_json::from_str::<Entry>(entry.get()).map(|entry| entry.digest)
}

/// `null` is what some tools write for none.
fn annotations(raw: &RawValue) -> serde_json::Result<BTreeMap<String, String>> {
    serde_json::from_str::<Option<BTreeMap<String, String>>>(raw.get())
        .map(Option::unwrap_or_default)
}

impl SubsetOf {
    /// For `platforms` of the index `upstream`.
    pub fn new(upstream: Digest, platforms: &Platforms) -> Self {
        Self {
            upstream,
            choice: platforms.fingerprint(),
        }
    }

    /// What `manifest`, which is in the mirror, stands for: by its annotations, or because `platforms` leave nothing of it out.
    pub fn from_manifest(manifest: &Manifest, platforms: &Platforms) -> Option<Self> {
        let is_whole = || {
            matches!(&manifest.content, Content::Index(children)
                if select_children(children, platforms).is_ok_and(|kept| kept.len() == children.len()))
        };
        Self::from_annotations(manifest)
            .or_else(|| is_whole().then(|| Self::new(manifest.digest.clone(), platforms)))
    }

    /// What `manifest` is a part of, by its annotations; `None` where it is not one that was cut here.
    pub fn from_annotations(manifest: &Manifest) -> Option<Self> {
        #[derive(Deserialize)]
        struct Probe {
            annotations: Option<BTreeMap<String, String>>,
        }
        let probe: Probe = serde_json::from_slice(&manifest.bytes).ok()?;
        let annotations = probe.annotations.unwrap_or_default();
        let upstream = annotations.get(UPSTREAM)?.parse().ok()?;
        let names = annotations
            .get(PLATFORMS)?
            .split(',')
            .map(str::parse)
            .collect::<Result<Vec<Platform>, _>>();
        Some(Self::new(upstream, &names.ok()?.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(character: char) -> Digest {
        format!("sha256:{}", character.to_string().repeat(64))
            .parse()
            .unwrap()
    }

    fn platforms(names: &[&str]) -> Platforms {
        names
            .iter()
            .map(|name| name.parse().unwrap())
            .collect::<Vec<Platform>>()
            .into()
    }

    const AMD64: &str = r#"{ "mediaType": "m", "digest": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",   "size": 1, "platform": {"os":"linux","architecture":"amd64"} }"#;
    const ARM64: &str = r#"{"mediaType":"m","digest":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":2,"platform":{"os":"linux","architecture":"arm64","variant":"v8"},"odd":1e0}"#;
    const ATTESTS_AMD64: &str = r#"{"mediaType":"m","digest":"sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc","size":3,"platform":{"os":"unknown","architecture":"unknown"},"annotations":{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}"#;

    fn index() -> Manifest {
        let json = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{AMD64},{ATTESTS_AMD64},{ARM64}],"annotations":{{"team":"base"}}}}"#
        );
        Manifest::parse(json.into_bytes().into(), None).unwrap()
    }

    #[test]
    fn entries_are_kept_to_the_byte_and_an_attestation_goes_with_what_it_attests() {
        let index = index();
        let part = subset(&index, &platforms(&["linux/amd64"])).unwrap();
        assert_eq!(
            std::str::from_utf8(&part.bytes).unwrap(),
            format!(
                r#"{{"annotations":{{"image-replicator.platforms":"linux/amd64","image-replicator.upstream-digest":"{}","team":"base"}},"manifests":[{AMD64},{ATTESTS_AMD64}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}}"#,
                index.digest
            )
        );
        assert_eq!(part.digest, Digest::from_content(&part.bytes));
        let read = Manifest::parse(part.bytes.clone(), None).unwrap();
        assert_eq!(
            (read.content, read.media_type),
            (part.content, part.media_type)
        );
    }

    #[test]
    fn the_same_choice_gives_the_same_bytes_and_says_what_it_stands_for() {
        let part = subset(&index(), &platforms(&["linux/arm64/v8"])).unwrap();
        assert_eq!(
            part.digest,
            subset(&index(), &platforms(&["linux/arm64", "linux/aarch64"]))
                .unwrap()
                .digest
        );
        let choice = platforms(&["linux/arm64"]).fingerprint();
        assert_eq!(
            SubsetOf::from_manifest(&part, &Platforms::ALL),
            Some(SubsetOf {
                upstream: index().digest,
                choice
            })
        );
    }

    #[test]
    fn an_index_of_which_nothing_is_left_out_stays_what_it_is() {
        let both = platforms(&["linux/amd64", "linux/arm64"]);
        assert_eq!(subset(&index(), &both).unwrap().digest, index().digest);
        assert_eq!(
            subset(&index(), &Platforms::ALL).unwrap().digest,
            index().digest
        );
        let subset_of = SubsetOf {
            upstream: index().digest,
            choice: both.fingerprint(),
        };
        assert_eq!(SubsetOf::from_manifest(&index(), &both), Some(subset_of));
        assert_eq!(
            SubsetOf::from_manifest(&index(), &platforms(&["linux/amd64"])),
            None
        );
    }

    #[test]
    fn a_platform_that_upstream_lacks_is_said_with_those_it_has() {
        let missing = subset(
            &index(),
            &platforms(&["linux/amd64", "linux/s390x", "windows/amd64"]),
        )
        .unwrap_err();
        assert_eq!(
            missing.to_string(),
            "upstream has no linux/s390x and no windows/amd64; it has linux/amd64, linux/arm64; name the platforms that it has, or write `platforms: all`"
        );
    }

    #[test]
    fn children_are_told_apart_by_digest() {
        let Content::Index(children) = index().content else {
            panic!("no index")
        };
        let kept = select_children(&children, &platforms(&["linux/arm64"])).unwrap();
        assert_eq!(
            kept.iter()
                .map(|child| child.digest.clone())
                .collect::<Vec<_>>(),
            [digest('b')]
        );
    }
}
