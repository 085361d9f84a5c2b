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
fn a_foreign_layer_is_not_a_blob() {
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
fn an_index_without_a_media_type_is_an_oci_index_unless_served_as_another_manifest() {
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
fn an_index_has_platforms_and_attestations() {
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
fn an_invalid_manifest_is_an_error() {
    let schema1 = r#"{"schemaVersion":1,"mediaType":"application/vnd.docker.distribution.manifest.v1+prettyjws"}"#;
    assert!(
        parse(schema1, None)
            .unwrap_err()
            .to_string()
            .contains("v1+prettyjws")
    );
    let error = |json: &str| parse(json, None).unwrap_err();
    assert!(matches!(error("<html>"), InvalidManifest::Json(_)));
    let bad_digest = image_json("layer").replace("sha256:c", "sha256:/");
    assert!(matches!(error(&bad_digest), InvalidManifest::Digest(_)));
    let bad_size = image_json("layer").replace("\"size\":5", "\"size\":-5");
    assert!(matches!(error(&bad_size), InvalidManifest::Size(_)));
}
