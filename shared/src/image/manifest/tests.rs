use serde_json::{Value, json};

use super::*;

fn digest(character: char) -> Digest {
    let hex = character.to_string().repeat(64);
    format!("sha256:{hex}").parse().unwrap()
}

fn parse(json: &str, served_as: Option<&str>) -> Result<Manifest, InvalidManifest> {
    let bytes = Bytes::copy_from_slice(json.as_bytes());
    Manifest::parse(bytes, served_as)
}

fn blob(character: char, size_bytes: u64) -> Blob {
    Blob {
        digest: digest(character),
        size_bytes,
    }
}

/// An image with a configuration `c` and the layer `1`, twice.
fn image_json(layer_type: &str) -> String {
    let layer = json!({
        "mediaType": layer_type,
        "digest": digest('1'),
        "size": 5,
    });
    let config = descriptor('c', 3);
    let image = json!({
        "schemaVersion": 2,
        "config": config,
        "layers": [layer, layer],
    });
    image.to_string()
}

fn descriptor(character: char, size: i64) -> Value {
    json!({
        "mediaType": "x",
        "digest": digest(character),
        "size": size,
    })
}

/// An index without a media type.
fn index_json(manifests: &[Value]) -> String {
    let index = json!({
        "schemaVersion": 2,
        "manifests": manifests,
    });
    index.to_string()
}

#[test]
fn an_image_names_its_configuration_and_each_layer_once() {
    let manifest = parse(&image_json("layer"), None).unwrap();
    let blobs = vec![blob('c', 3), blob('1', 5)];
    assert_eq!(manifest.content, Content::Image(blobs));
    assert_eq!(manifest.media_type, OCI_IMAGE_MEDIA_TYPE);
}

#[test]
fn a_foreign_layer_is_not_a_blob() {
    let json = image_json("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    let manifest = parse(&json, None).unwrap();
    let configuration = blob('c', 3);
    assert_eq!(manifest.content, Content::Image(vec![configuration]));
}

#[test]
fn an_index_without_a_media_type_is_an_oci_index_unless_served_as_another_manifest() {
    let entry = descriptor('a', 1);
    let json = index_json(&[entry.clone(), entry]);
    let manifest = parse(&json, Some("application/json")).unwrap();
    assert_eq!(manifest.media_type, OCI_IMAGE_INDEX_MEDIA_TYPE);
    let child = Child {
        digest: digest('a'),
        platform: None,
        attests: None,
    };
    assert_eq!(manifest.content, Content::Index(vec![child]));
    let content_type = format!("{IMAGE_MANIFEST_LIST_MEDIA_TYPE}; charset=utf-8");
    let served = parse(&json, Some(&content_type)).unwrap();
    assert_eq!(served.media_type, IMAGE_MANIFEST_LIST_MEDIA_TYPE);
}

#[test]
fn an_index_has_platforms_and_attestations() {
    let mut arm = descriptor('a', 1);
    arm["platform"] = json!({
        "os": "linux",
        "architecture": "arm",
        "variant": "v7",
    });
    let mut windows = descriptor('b', 1);
    windows["platform"] = json!({
        "os": "windows",
        "architecture": "amd64",
        "os.version": "10.0.17763.1",
    });
    let mut attestation = descriptor('c', 1);
    attestation["platform"] = json!({
        "os": "unknown",
        "architecture": "unknown",
    });
    attestation["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": digest('a'),
    });
    let json = index_json(&[arm, windows, attestation]);
    let manifest = parse(&json, None).unwrap();
    let [arm, windows, attestation] = manifest.children() else {
        panic!("an index of three manifests");
    };
    assert_eq!(platform_of(arm), "linux/arm");
    assert_eq!(platform_of(windows), "windows(10.0.17763.1)/amd64");
    assert_eq!(attestation.platform, None);
    assert_eq!(arm.attests, None);
    assert_eq!(windows.attests, None);
    assert_eq!(attestation.attests, Some(digest('a')));
}

fn platform_of(child: &Child) -> String {
    let platform = child.platform.as_ref().unwrap();
    platform.to_string()
}

#[test]
fn an_invalid_manifest_is_an_error() {
    let error = |json: &str| parse(json, None).unwrap_err();
    let schema1 = json!({
        "schemaVersion": 1,
        "mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws",
    });
    let refused = error(&schema1.to_string()).to_string();
    assert!(refused.contains("v1+prettyjws"));
    assert!(matches!(error("<html>"), InvalidManifest::Json(_)));
    let bad_digest = image_json("layer").replace("sha256:c", "sha256:/");
    assert!(matches!(error(&bad_digest), InvalidManifest::Digest(_)));
    let bad_size = image_json("layer").replace("\"size\":5", "\"size\":-5");
    assert!(matches!(error(&bad_size), InvalidManifest::Size(_)));
}
