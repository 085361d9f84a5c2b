//! An image that fails gets a status and a reason of its own, leaves no incomplete tag, and does not affect other images.

use embedded_cloud::Image;
use tests::world::{World, assert_reason, assert_statuses, reason, reason_of};

/// A world with node:21 upstream, of one large layer.
pub(crate) async fn world() -> (World, Image) {
    let world = World::start().await;
    let image = Image::oci(1, &[300_000]);
    world.publish("library/node", "21", &image);
    (world, image)
}

#[tokio::test]
async fn a_missing_tag_fails_and_the_others_are_copied() {
    let (world, image) = world().await;
    let report = world.refresh_images(&["node:99", "node:21"]).await;
    assert_statuses(
        &report,
        &[
            "copied docker.io/library/node:21",
            "failed docker.io/library/node:99",
        ],
    );
    let why = reason_of(&report, 1);
    assert!(
        why.starts_with("source: cannot find docker.io/library/node:99: not found"),
        "{why}"
    );
    assert_eq!(report["ok"], false);
    assert_eq!(world.mirrored("library/node", "21"), Some(image.digest()));
    let tags = world.ecr().resource_tags("docker-hub/library/node");
    assert!(
        tags["replicator:tag:99"].starts_with("- failed 20"),
        "{tags:?}"
    );
    assert_eq!(tags["replicator:status"], "partial");
}

#[tokio::test]
async fn a_denied_repository_fails_and_the_others_are_copied() {
    let (world, _) = world().await;
    world.publish("library/redis", "7", &Image::oci(2, &[100]));
    let ecr = world.ecr();
    ecr.create_repository("docker-hub/library/node", false);
    ecr.deny("docker-hub/library/node");
    let report = world.refresh_images(&["node:21", "redis:7"]).await;
    assert_statuses(
        &report,
        &[
            "failed docker.io/library/node:21",
            "copied docker.io/library/redis:7",
        ],
    );
    let why = reason(&report);
    assert!(
        why.starts_with("destination: ") && why.contains("access denied"),
        "{why}"
    );
}

#[tokio::test]
async fn a_moved_tag_that_is_immutable_at_the_destination_fails_without_a_pull() {
    let (world, image) = world().await;
    world
        .ecr()
        .create_repository("docker-hub/library/node", true);
    world.refresh_images(&["node:21"]).await;
    world.publish("library/node", "21", &Image::oci(2, &[100]));
    world.cloud.counts.reset();
    let report = world.refresh_images(&["node:21"]).await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    assert_eq!(
        world.pulls(),
        0,
        "a refusal that is known beforehand costs no pull"
    );
    assert_reason(&report, "the tag is immutable");
    assert_eq!(report["images"][0]["targets"][0]["digest"], image.digest());
    assert_eq!(world.mirrored("library/node", "21"), Some(image.digest()));
}

#[tokio::test]
async fn wrong_bytes_never_complete_an_upload_and_the_error_names_the_source() {
    let (world, image) = world().await;
    let layer = &image.layers()[0];
    world.cloud.hub.faults().corrupt_blob(layer, 1);
    let report = world.refresh_images(&["node:21"]).await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    let why = reason(&report);
    assert!(
        why.starts_with(&format!(
            "source: cannot get blob {layer}: the bytes do not match"
        )),
        "{why}"
    );
    let ecr = world.ecr();
    assert!(!ecr.blobs("docker-hub/library/node").contains(layer));
    assert_eq!(world.mirrored("library/node", "21"), None);
    assert_eq!(world.refresh_status("node:21").await, "copied");
}

#[tokio::test]
async fn a_manifest_with_wrong_bytes_is_refused() {
    let (world, image) = world().await;
    world
        .cloud
        .hub
        .faults()
        .corrupt_manifest(&image.digest(), 1);
    let report = world.refresh_images(&["node:21"]).await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    let why = reason(&report);
    assert!(
        why.starts_with("source: cannot get manifest") && why.contains("the bytes do not match"),
        "{why}"
    );
    assert_eq!(world.mirrored("library/node", "21"), None);
    assert_eq!(world.refresh_status("node:21").await, "copied");
    assert_eq!(world.mirrored("library/node", "21"), Some(image.digest()));
}

#[tokio::test]
async fn a_layer_that_is_always_interrupted_fails_its_image_alone_and_the_next_run_copies_it() {
    let (world, image) = world().await;
    world.publish("library/redis", "7", &Image::oci(2, &[100]));
    world.cloud.hub.faults().cut_blob(&image.layers()[0], 0, 6);
    let report = world.refresh_images(&["node:21", "redis:7"]).await;
    assert_statuses(
        &report,
        &[
            "failed docker.io/library/node:21",
            "copied docker.io/library/redis:7",
        ],
    );
    let why = reason(&report);
    assert!(why.contains("the connection was interrupted"), "{why}");
    assert_eq!(world.mirrored("library/node", "21"), None);
    assert_eq!(world.refresh_status("node:21").await, "copied");
}

#[tokio::test]
async fn an_interrupted_upload_starts_over_in_a_new_session() {
    let (world, image) = world().await;
    world.cloud.ecr.faults().cut_upload(50_000, 1);
    assert_eq!(world.refresh_status("node:21").await, "copied");
    assert_eq!(world.mirrored("library/node", "21"), Some(image.digest()));
    assert_eq!(
        world.count("ecr.upload.post"),
        3,
        "one for the configuration, two for the layer"
    );
}

#[tokio::test]
async fn an_immutable_tag_whose_response_was_lost_counts_as_copied() {
    let (world, image) = world().await;
    let ecr = world.ecr();
    ecr.create_repository("docker-hub/library/node", true);
    ecr.faults().lose_responses(1);
    assert_eq!(world.refresh_status("node:21").await, "copied");
    assert_eq!(world.count("ecr.manifest.put"), 2);
    assert_eq!(world.mirrored("library/node", "21"), Some(image.digest()));
}

#[tokio::test]
async fn content_that_the_registry_lost_is_sent_again() {
    let (world, image) = world().await;
    world.refresh_images(&["node:21"]).await;
    let ecr = world.ecr();
    ecr.delete_tag("docker-hub/library/node", "21");
    ecr.delete_blob("docker-hub/library/node", &image.layers()[0]);
    assert_eq!(world.refresh_status("node:21").await, "copied");
    assert!(
        ecr.blobs("docker-hub/library/node")
            .contains(&image.layers()[0])
    );
}
