//! The content of test images.

use std::io::Write as _;
use std::process::{Command, Stdio};

use embedded_cloud::{Image, ImageIndex};
use serde_json::{Value, json};

use crate::bytes;

#[test]
fn a_layer_is_an_archive_that_tar_can_read() {
    let image = Image::docker(1, &[100_000]);
    let (_, layer) = image
        .blobs()
        .into_iter()
        .find(|(digest, _)| *digest == image.layers()[0])
        .unwrap();
    let mut tar = Command::new("tar")
        .arg("-tzv")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    tar.stdin.take().unwrap().write_all(&bytes(&layer)).unwrap();
    let output = tar.wait_with_output().unwrap();
    let listing = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && listing.contains("layer-"),
        "{listing}"
    );
}

#[test]
fn a_large_layer_is_not_held_in_memory() {
    let image = Image::oci(1, &[10_000_000]);
    let layer = image
        .blobs()
        .into_iter()
        .find(|(digest, _)| *digest == image.layers()[0])
        .unwrap()
        .1;
    assert!(matches!(
        layer,
        embedded_cloud::Blob::Generated {
            size: 10_000_000,
            ..
        }
    ));
}

#[test]
fn manifests_are_listed_in_an_order_in_which_they_can_be_pushed() {
    let image = Image::list(1, &["linux/amd64", "linux/arm64/v8"], &[3_000]);
    let digests: Vec<_> = image
        .manifests()
        .into_iter()
        .map(|manifest| manifest.digest)
        .collect();
    assert_eq!(
        digests,
        [
            image.children()[0].digest(),
            image.children()[1].digest(),
            image.digest()
        ]
    );
}

const EVERYWHERE: [&str; 6] = [
    "linux/amd64",
    "linux/arm/v5",
    "linux/arm/v6",
    "linux/arm/v7",
    "windows(10.0.20348.2700)/amd64",
    "windows(10.0.17763.6532)/amd64",
];

fn document(image: &Image) -> Value {
    serde_json::from_slice(image.manifest()).expect("a manifest is JSON")
}

/// The configuration of a single-platform image.
fn configuration(image: &Image) -> Value {
    let digest = document(image)["config"]["digest"]
        .as_str()
        .expect("a manifest has a configuration")
        .to_owned();
    let (_, blob) = image
        .blobs()
        .into_iter()
        .find(|(found, _)| *found == digest)
        .expect("the image has its blobs");
    serde_json::from_slice(&bytes(&blob)).expect("a configuration is JSON")
}

#[test]
fn the_same_seed_gives_the_same_image() {
    let image = |seed| Image::index(seed, &EVERYWHERE, &[3_000, 5_000], true).digest();
    assert_eq!(image(1), image(1));
    assert_ne!(image(1), image(2));
}

#[test]
fn a_shared_base_is_one_blob() {
    let image =
        Image::index_with_shared_base(1, &["linux/amd64", "linux/arm64/v8"], &[3_000, 5_000]);
    assert_eq!(
        image.blobs().len(),
        5,
        "two configurations, one base, two layers"
    );
    assert_eq!(
        image.children()[0].layers()[0],
        image.children()[1].layers()[0]
    );
}

#[test]
fn an_index_and_the_configurations_below_it_state_the_same_platforms() {
    let image = ImageIndex::new(1, &EVERYWHERE, &[3_000]).attested().build();
    assert_eq!(image.platforms(), EVERYWHERE);
    let index = document(&image);
    assert_eq!(
        index["manifests"][3]["platform"],
        json!({ "os": "linux", "architecture": "arm", "variant": "v7" })
    );
    let windows =
        json!({ "os": "windows", "architecture": "amd64", "os.version": "10.0.17763.6532" });
    assert_eq!(index["manifests"][5]["platform"], windows);
    for (child, listed) in image
        .children()
        .iter()
        .zip(index["manifests"].as_array().unwrap())
    {
        let config = configuration(child);
        for key in ["os", "architecture", "variant", "os.version"] {
            assert_eq!(config[key], listed["platform"][key], "{key} of {listed}");
        }
    }
}

#[test]
fn children_and_attestations_are_found_by_platform() {
    let image = ImageIndex::new(1, &EVERYWHERE, &[3_000]).attested().build();
    let (old, new) = (
        image.child("windows(10.0.17763.6532)/amd64"),
        image.child("windows(10.0.20348.2700)/amd64"),
    );
    assert_eq!(old.digest(), image.children()[5].digest());
    assert_eq!(new.digest(), image.children()[4].digest());
    assert_eq!(
        image.attestation("linux/amd64").digest(),
        image.children()[6].digest()
    );
    let attached = &document(&image)["manifests"][6];
    assert_eq!(
        attached["platform"],
        json!({ "architecture": "unknown", "os": "unknown" })
    );
    assert_eq!(
        attached["annotations"]["vnd.docker.reference.digest"],
        json!(image.child("linux/amd64").digest())
    );
    assert_eq!(
        attached["digest"],
        json!(image.attestation("linux/amd64").digest())
    );
}

#[test]
fn annotations_are_on_the_index_and_on_its_descriptors() {
    let (arch, version) = (
        "com.docker.official-images.bashbrew.arch",
        "org.opencontainers.image.version",
    );
    let index = ImageIndex::new(1, &["linux/amd64"], &[3_000])
        .annotation(version, "22.1")
        .child_annotation(arch, "amd64");
    let image = index.attested().build();
    let index = document(&image);
    assert_eq!(index["annotations"], json!({ version: "22.1" }));
    assert_eq!(
        index["manifests"][0]["annotations"],
        json!({ arch: "amd64" })
    );
    assert_eq!(index["manifests"][1]["annotations"][arch], Value::Null);
}

#[test]
fn pretty_manifests_have_the_same_content_on_many_lines() {
    for index in [
        ImageIndex::new(1, &EVERYWHERE, &[3_000]).attested(),
        ImageIndex::new(1, &EVERYWHERE, &[3_000]).docker(),
    ] {
        let (compact, pretty) = (index.clone().build(), index.pretty().build());
        assert!(
            pretty.manifest().starts_with(b"{\n  \""),
            "{:?}",
            pretty.manifest()
        );
        assert!(pretty.children()[0].manifest().starts_with(b"{\n  \""));
        assert_eq!(
            document(&pretty.children()[0]),
            document(&compact.children()[0])
        );
        assert_eq!(pretty.media_type(), compact.media_type());
        assert_eq!(pretty.platforms(), compact.platforms());
        assert_ne!(pretty.digest(), compact.digest());
    }
}

#[test]
fn a_manifest_list_has_the_types_of_docker_everywhere() {
    let image = ImageIndex::new(1, &EVERYWHERE, &[3_000])
        .docker()
        .pretty()
        .build();
    assert_eq!(
        image.media_type(),
        "application/vnd.docker.distribution.manifest.list.v2+json"
    );
    let index = document(&image);
    assert_eq!(
        index["manifests"][4]["mediaType"],
        "application/vnd.docker.distribution.manifest.v2+json"
    );
    assert_eq!(
        index["manifests"][4]["platform"]["os.version"],
        "10.0.20348.2700"
    );
}

#[test]
fn a_single_image_states_its_platform() {
    for (image, platform) in [
        (Image::docker(1, &[3_000]), "linux/amd64"),
        (Image::oci(1, &[3_000]), "linux/amd64"),
        (Image::docker_for(1, "linux/arm64", &[3_000]), "linux/arm64"),
        (Image::oci_for(1, "linux/arm64", &[3_000]), "linux/arm64"),
    ] {
        let config = configuration(&image);
        assert_eq!(
            format!(
                "{}/{}",
                config["os"].as_str().unwrap(),
                config["architecture"].as_str().unwrap()
            ),
            platform
        );
        assert_eq!(image.platforms(), [platform]);
    }
}
