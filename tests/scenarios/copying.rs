//! A layer is transferred once where that is possible, whatever the connections do, and wrong bytes are never committed.

use embedded_cloud::Image;
use tests::world::{World, assert_reason, assert_statuses, reason};

/// A world with node:21 upstream, of one layer of 500 kB.
async fn world() -> (World, Image, String) {
    let world = World::start().await;
    let image = Image::oci(1, &[500_000]);
    world.publish("library/node", "21", &image);
    let layer = image.layers().swap_remove(0);
    (world, image, layer)
}

/// A refresh copies node:21, and the mirror has `image`.
async fn assert_copied(world: &World, image: &Image) {
    assert_eq!(world.refresh_status("node:21").await, "copied");
    assert_eq!(world.mirrored("library/node", "21"), Some(image.digest()));
}

/// A refresh copies `image` with this many responses for the layer and one for the configuration, each in one upload.
async fn assert_copied_by(layer_responses: u64, world: &World, image: &Image) {
    assert_copied(world, image).await;
    let counts = &world.cloud.counts;
    assert_eq!(
        counts.get("hub.blob.get"),
        1 + layer_responses,
        "{:?}",
        counts.all()
    );
    assert_eq!(counts.get("ecr.upload.post"), 2, "{:?}", counts.all());
}

#[tokio::test]
async fn a_layer_that_is_cut_three_times_arrives_in_one_upload_and_no_byte_is_read_twice() {
    let (world, image, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 150_000, 3);
    assert_copied_by(4, &world, &image).await;
    let read = world.count("cdn.bytes");
    assert!(
        (500_000..=505_000).contains(&read),
        "{read} bytes were read"
    );
}

#[tokio::test]
async fn a_gibibyte_that_is_cut_every_three_megabytes_costs_at_most_one_percent_more_than_its_size()
{
    let world = World::start().await;
    let size = 1 << 30;
    let image = Image::oci(1, &[size]);
    world.publish("library/node", "21", &image);
    world
        .cloud
        .hub
        .faults()
        .cut_blob(&image.layers()[0], 3_000_000, 1000);
    assert_copied(&world, &image).await;
    let read = world.count("cdn.bytes");
    assert!(
        (size..=size + size / 100).contains(&read),
        "{read} bytes were read"
    );
    assert_eq!(world.count("ecr.upload.post"), 2, "the upload stays open");
}

#[tokio::test]
async fn a_source_without_range_support_sends_the_whole_layer_again_and_the_upload_stays_open() {
    let (world, image, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 150_000, 1);
    world.cloud.hub.faults().ignore_range(&layer, 1);
    assert_copied_by(2, &world, &image).await;
    let read = world.count("cdn.bytes");
    assert!(
        (650_000..=655_000).contains(&read),
        "{read} bytes were read"
    );
}

#[tokio::test]
async fn a_source_that_sends_the_wrong_range_is_asked_for_the_whole_layer() {
    let (world, image, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 150_000, 1);
    world.cloud.hub.faults().send_wrong_range(&layer, 2);
    assert_copied_by(3, &world, &image).await;
}

#[tokio::test]
async fn a_source_that_refuses_ranges_is_asked_for_the_whole_layer() {
    let (world, image, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 150_000, 1);
    world.cloud.hub.faults().refuse_range(&layer, 100);
    assert_copied_by(3, &world, &image).await;
}

#[tokio::test]
async fn wrong_bytes_after_an_interruption_fail_the_image_and_nothing_is_committed() {
    let (world, image, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 150_000, 1);
    world.cloud.hub.faults().corrupt_blob(&layer, 1);
    let report = world.refresh_images(&["node:21"]).await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    assert_reason(&report, "the bytes do not match their digest");
    assert!(
        !world
            .ecr()
            .blobs("docker-hub/library/node")
            .contains(&layer)
    );
    assert_eq!(world.mirrored("library/node", "21"), None);
    assert_copied(&world, &image).await;
}

#[tokio::test]
async fn a_destination_that_hashes_refuses_wrong_bytes_and_the_error_names_the_source() {
    let (mut world, image, layer) = world().await;
    world.set("REPLICATOR_HASHING", "destination");
    world.cloud.hub.faults().corrupt_blob(&layer, 2);
    let report = world.refresh_images(&["node:21"]).await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    assert!(
        reason(&report).starts_with("source: cannot get blob"),
        "{}",
        reason(&report)
    );
    assert_eq!(world.mirrored("library/node", "21"), None);
    world.cloud.counts.reset();
    assert_copied(&world, &image).await;
    assert_eq!(
        world.count("hub.blob.get"),
        1,
        "nothing is read twice: {:?}",
        world.cloud.counts.all()
    );
}

#[tokio::test]
async fn a_refused_digest_is_the_destinations_error_when_the_source_sends_the_right_bytes_again() {
    let (mut world, _, layer) = world().await;
    world.set("REPLICATOR_HASHING", "destination");
    world.cloud.hub.faults().corrupt_blob(&layer, 1);
    let report = world.refresh_images(&["node:21"]).await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    assert!(
        reason(&report).starts_with("destination: cannot put blob"),
        "{}",
        reason(&report)
    );
    assert_eq!(world.mirrored("library/node", "21"), None);
}

#[tokio::test]
async fn a_source_without_progress_is_given_up_after_six_responses() {
    let (world, _, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 0, 100);
    let report = world.refresh_images(&["node:21"]).await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    assert_reason(&report, "the connection was interrupted");
    assert_eq!(
        world.count("hub.blob.get"),
        1 + 6,
        "{:?}",
        world.cloud.counts.all()
    );
    assert_eq!(world.mirrored("library/node", "21"), None);
}

#[tokio::test]
async fn an_upload_whose_credential_is_refused_starts_over_once_with_a_fresh_credential() {
    let (world, image, _) = world().await;
    world.cloud.ecr.faults().status("upload.put", 401, 2);
    assert_copied(&world, &image).await;
    assert_eq!(
        world.count("ecr.upload.put"),
        4,
        "{:?}",
        world.cloud.counts.all()
    );

    let (world, ..) = self::world().await;
    world.cloud.ecr.faults().status("upload.put", 401, 100);
    let report = world.refresh_images(&["node:21"]).await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    let uploads = world.count("ecr.upload.put");
    assert!(
        (2..=4).contains(&uploads),
        "each of two blobs is sent twice at the most: {:?}",
        world.cloud.counts.all()
    );
}
