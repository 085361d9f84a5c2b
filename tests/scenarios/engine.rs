//! The copy engine moves every byte once where it can, whatever the connections do, and never commits a wrong one.

use embedded_cloud::Image;
use tests::world::{World, reason, statuses};

/// A world with node:21 upstream, of one layer of 500 kB.
async fn world() -> (World, Image, String) {
    let world = World::start().await;
    let image = Image::oci(1, &[500_000]);
    world.cloud.hub.push("library/node", "21", &image);
    let layer = image.layers().swap_remove(0);
    (world, image, layer)
}

fn mirrored(world: &World) -> Option<String> {
    world
        .cloud
        .ecr
        .region("us-east-1")
        .image("docker-hub/library/node", "21")
}

/// Refreshes node:21: it is copied, and the mirror has `image`.
async fn copied(world: &World, image: &Image) {
    assert_eq!(
        statuses(&world.refresh_images(&["node:21"]).await),
        ["copied docker.io/library/node:21"]
    );
    assert_eq!(mirrored(world), Some(image.digest()));
}

/// The same, by so many answers of the layer and one of the configuration, and in an upload for each that stays open.
async fn copied_by(answers: u64, world: &World, image: &Image) {
    copied(world, image).await;
    let counts = &world.cloud.counts;
    assert_eq!(
        (counts.get("hub.blob.get"), counts.get("ecr.upload.post")),
        (1 + answers, 2),
        "{:?}",
        counts.all()
    );
}

#[tokio::test]
async fn a_source_that_cuts_every_answer_delivers_the_layer_in_one_upload_and_reads_no_byte_twice()
{
    let (world, image, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 150_000, 3);
    copied_by(4, &world, &image).await;
    let read = world.cloud.counts.get("cdn.bytes");
    assert!(
        (500_000..=505_000).contains(&read),
        "{read} bytes were read"
    );
}

#[tokio::test]
async fn a_gibibyte_in_pieces_of_three_megabytes_costs_at_most_a_hundredth_more_than_its_size() {
    let world = World::start().await;
    let size = 1 << 30;
    let image = Image::oci(1, &[size]);
    world.cloud.hub.push("library/node", "21", &image);
    world
        .cloud
        .hub
        .faults()
        .cut_blob(&image.layers()[0], 3_000_000, 1000);
    copied(&world, &image).await;
    let read = world.cloud.counts.get("cdn.bytes");
    assert!(
        (size..=size + size / 100).contains(&read),
        "{read} bytes were read"
    );
    assert_eq!(
        world.cloud.counts.get("ecr.upload.post"),
        2,
        "the upload stays open"
    );
}

#[tokio::test]
async fn a_source_that_knows_no_ranges_sends_everything_again_and_the_upload_stays_open() {
    let (world, image, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 150_000, 1);
    world.cloud.hub.faults().ignore_range(&layer, 1);
    copied_by(2, &world, &image).await;
    let read = world.cloud.counts.get("cdn.bytes");
    assert!(
        (650_000..=655_000).contains(&read),
        "{read} bytes were read"
    );
}

#[tokio::test]
async fn a_source_that_sends_another_range_than_was_asked_for_is_asked_for_everything() {
    let (world, image, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 150_000, 1);
    world.cloud.hub.faults().send_wrong_range(&layer, 2);
    copied_by(3, &world, &image).await;
}

#[tokio::test]
async fn a_source_that_refuses_to_send_a_range_is_asked_for_everything() {
    let (world, image, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 150_000, 1);
    world.cloud.hub.faults().refuse_range(&layer, 100);
    copied_by(3, &world, &image).await;
}

#[tokio::test]
async fn a_source_that_goes_on_with_wrong_bytes_is_found_out_and_nothing_is_committed() {
    let (world, image, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 150_000, 1);
    world.cloud.hub.faults().corrupt_blob(&layer, 1);
    let report = world.refresh_images(&["node:21"]).await;
    assert_eq!(statuses(&report), ["failed docker.io/library/node:21"]);
    assert!(
        reason(&report).contains("the bytes do not match their digest"),
        "{}",
        reason(&report)
    );
    assert!(
        !world
            .cloud
            .ecr
            .region("us-east-1")
            .blobs("docker-hub/library/node")
            .contains(&layer)
    );
    assert_eq!(mirrored(&world), None);
    copied(&world, &image).await;
}

#[tokio::test]
async fn where_the_destination_hashes_wrong_bytes_are_refused_by_it_and_the_source_is_blamed() {
    let (mut world, image, layer) = world().await;
    world.set("REPLICATOR_HASHING", "destination");
    world.cloud.hub.faults().corrupt_blob(&layer, 2);
    let report = world.refresh_images(&["node:21"]).await;
    assert_eq!(statuses(&report), ["failed docker.io/library/node:21"]);
    assert!(
        reason(&report).starts_with("source: cannot get blob"),
        "{}",
        reason(&report)
    );
    assert_eq!(mirrored(&world), None);
    world.cloud.counts.reset();
    copied(&world, &image).await;
    assert_eq!(
        world.cloud.counts.get("hub.blob.get"),
        1,
        "nothing is read twice: {:?}",
        world.cloud.counts.all()
    );
}

#[tokio::test]
async fn where_the_destination_hashes_bytes_that_are_right_at_the_second_look_are_its_own_fault() {
    let (mut world, _, layer) = world().await;
    world.set("REPLICATOR_HASHING", "destination");
    world.cloud.hub.faults().corrupt_blob(&layer, 1);
    let report = world.refresh_images(&["node:21"]).await;
    assert!(
        reason(&report).starts_with("destination: cannot put blob"),
        "{}",
        reason(&report)
    );
    assert_eq!(mirrored(&world), None);
}

#[tokio::test]
async fn a_source_that_never_gets_further_is_given_up_after_six_answers() {
    let (world, _, layer) = world().await;
    world.cloud.hub.faults().cut_blob(&layer, 0, 100);
    let report = world.refresh_images(&["node:21"]).await;
    assert_eq!(statuses(&report), ["failed docker.io/library/node:21"]);
    assert!(
        reason(&report).contains("the connection was interrupted"),
        "{}",
        reason(&report)
    );
    assert_eq!(
        world.cloud.counts.get("hub.blob.get"),
        1 + 6,
        "{:?}",
        world.cloud.counts.all()
    );
    assert_eq!(mirrored(&world), None);
}

#[tokio::test]
async fn an_upload_whose_credential_is_refused_starts_over_with_a_fresh_one_and_only_once() {
    let (world, image, _) = world().await;
    world.cloud.ecr.faults().status("upload.put", 401, 2);
    copied(&world, &image).await;
    assert_eq!(
        world.cloud.counts.get("ecr.upload.put"),
        4,
        "{:?}",
        world.cloud.counts.all()
    );

    let (world, ..) = self::world().await;
    world.cloud.ecr.faults().status("upload.put", 401, 100);
    let report = world.refresh_images(&["node:21"]).await;
    assert_eq!(statuses(&report), ["failed docker.io/library/node:21"]);
    let uploads = world.cloud.counts.get("ecr.upload.put");
    assert!(
        (2..=4).contains(&uploads),
        "each of two blobs is sent twice at the most: {:?}",
        world.cloud.counts.all()
    );
}
