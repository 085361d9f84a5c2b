//! The function binaries, as they are deployed, in a world of real parts.

use std::collections::BTreeMap;

use embedded_cloud::Image;
use image_replicator::aws::Aws;
use image_replicator::catalogue::Options;
use image_replicator::outcome::retry_schedule::RetrySchedule;
use image_replicator::settings;
use jiff::Timestamp;
use serde_json::{Value, json};
use tests::parts::{Moto, World};

const SCHEDULED: &str = include_str!("../../events/scheduled-event-rule.json");
const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64/v8"];
const CATALOGUE: &str = r#"
destinations:
  private: { ecr: { repository: "docker-hub/{repository}" } }
defaults: { to: [private], platforms: all }
images:
"#;
const MIB: u64 = 1024 * 1024;

fn scheduled() -> Value {
    SCHEDULED.parse().expect("the sample is JSON")
}

fn catalogue(images: &[(&str, &str)]) -> String {
    let lines = images
        .iter()
        .map(|(image, tag)| format!("  - {{ image: {image}, tags: [\"{tag}\"] }}\n"));
    lines.fold(CATALOGUE.to_owned(), |catalogue, line| catalogue + &line)
}

async fn world(images: &[(&str, &str, &Image)]) -> World {
    let world = World::start().await;
    for (name, tag, image) in images {
        world.publish(name, tag, image).await;
    }
    world
        .store_catalogue(&catalogue(
            &images
                .iter()
                .map(|(name, tag, _)| (*name, *tag))
                .collect::<Vec<_>>(),
        ))
        .await;
    world
}

#[tokio::test]
#[ignore = "needs moto, docker-registry, skopeo and the Lambda emulator: .ci/run installs them"]
async fn the_registries_serve_published_images_and_only_after_a_login() {
    let image = Image::index(8, &PLATFORMS, &[3_000], true);
    let world = world(&[("library/node", "21-alpine", &image)]).await;
    assert_eq!(
        world.published("library/node:21-alpine").await,
        image.manifest().as_ref()
    );
    assert_eq!(world.statuses_without_login().await, [401, 401]);
}

#[tokio::test]
#[ignore = "needs moto, docker-registry, skopeo and the Lambda emulator: .ci/run installs them"]
async fn the_nightly_schedule_copies_each_kind_of_image_byte_for_byte() {
    let single = Image::docker(1, &[3_000, 5 * MIB]);
    let index = Image::index(2, &PLATFORMS, &[3_000, 40_000], true);
    let list = Image::list(3, &PLATFORMS, &[3_000]);
    let images = [
        ("library/node", "21-alpine", &single),
        ("grafana/grafana", "11.2.0", &index),
        ("library/redis", "7", &list),
    ];
    let world = world(&images).await;
    world.function("refresh").await.invoke(&scheduled()).await;
    let mut replicate = world.function("replicate").await;
    assert_eq!(world.drain_queue(&mut replicate).await, 3);
    for (repository, tag, image) in images {
        let mirrored = world
            .mirrored(&format!("docker-hub/{repository}:{tag}"))
            .await;
        assert_eq!(
            mirrored,
            world.published(&format!("{repository}:{tag}")).await
        );
        assert_eq!(mirrored, image.manifest().as_ref());
    }
}

#[tokio::test]
#[ignore = "needs moto, docker-registry, skopeo and the Lambda emulator: .ci/run installs them"]
async fn a_copy_is_recorded_in_the_tags_of_the_repository() {
    let image = Image::index(4, &PLATFORMS, &[3_000], false);
    let world = world(&[("library/node", "21-alpine", &image)]).await;
    world.function("refresh").await.invoke(&scheduled()).await;
    world
        .drain_queue(&mut world.function("replicate").await)
        .await;
    let tags: BTreeMap<String, String> =
        world.moto.repository_tags("docker-hub/library/node").await;
    assert_eq!(tags["replicator:upstream"], "docker.io/library/node");
    assert_eq!(tags["replicator:status"], "ok");
    assert!(
        tags["replicator:tag:21-alpine"].starts_with(&image.digest()),
        "{tags:?}"
    );
}

#[tokio::test]
#[ignore = "needs moto, docker-registry, skopeo and the Lambda emulator: .ci/run installs them"]
async fn a_message_that_is_delivered_twice_changes_nothing_the_second_time() {
    let image = Image::index(5, &PLATFORMS, &[3_000], true);
    let world = world(&[("library/node", "21-alpine", &image)]).await;
    world.function("refresh").await.invoke(&scheduled()).await;
    let (message, mut replicate) = (
        world.next_message().await,
        world.function("replicate").await,
    );
    for _ in 0..2 {
        assert_eq!(
            replicate.invoke(&message).await,
            json!({"batchItemFailures": []})
        );
        assert_eq!(
            world.mirrored("docker-hub/library/node:21-alpine").await,
            image.manifest().as_ref()
        );
    }
}

#[tokio::test]
#[ignore = "needs moto, docker-registry, skopeo and the Lambda emulator: .ci/run installs them"]
async fn a_build_gets_a_uri_that_it_can_pull() {
    let image = Image::index(6, &PLATFORMS, &[3_000, 40_000], true);
    let world = world(&[("library/node", "21-alpine", &image)]).await;
    let request = json!({"images": ["node:21-alpine"], "wait_seconds": 300, "allow_stale": true});
    let answer = world.function("ensure").await.invoke(&request).await;
    assert_eq!(
        (&answer["ok"], &answer["images"][0]["status"]),
        (&json!(true), &json!("copied")),
        "{answer}"
    );
    let target = &answer["images"][0]["targets"][0];
    let repository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/docker-hub/library/node";
    assert_eq!(target["uri"], format!("{repository}:21-alpine"));
    assert_eq!(target["pinned"], format!("{repository}@{}", image.digest()));
    let parts = image.blobs().len() + image.children().len();
    assert_eq!(world.pull(target["uri"].as_str().unwrap()).await, parts);
}

#[tokio::test]
#[ignore = "needs moto, docker-registry, skopeo and the Lambda emulator: .ci/run installs them"]
async fn a_subset_of_platforms_can_be_pulled_with_its_attestations() {
    let image = Image::index(
        9,
        &["linux/amd64", "linux/s390x", "linux/arm64"],
        &[3_000, 500],
        true,
    );
    let world = World::start().await;
    world.publish("library/node", "21-alpine", &image).await;
    let choice = CATALOGUE.replace("platforms: all", "platforms: [linux/amd64, linux/arm64]");
    world
        .store_catalogue(&format!(
            "{choice}  - {{ image: node, tags: [21-alpine] }}\n"
        ))
        .await;
    let (mut refresh, mut replicate) = (
        world.function("refresh").await,
        world.function("replicate").await,
    );
    refresh.invoke(&scheduled()).await;
    assert_eq!(world.drain_queue(&mut replicate).await, 1);

    let raw = world.mirrored("docker-hub/library/node:21-alpine").await;
    let index: Value = serde_json::from_slice(&raw).expect("an index is JSON");
    let children = index["manifests"]
        .as_array()
        .expect("an index has children");
    let architectures: Vec<&Value> = children
        .iter()
        .map(|child| &child["platform"]["architecture"])
        .collect();
    assert_eq!(
        architectures,
        ["amd64", "arm64", "unknown", "unknown"],
        "two images and an attestation of each"
    );
    assert_eq!(
        index["annotations"]["image-replicator.upstream-digest"],
        image.digest()
    );
    // For each of two platforms a configuration, two layers and a manifest; for each attestation a configuration, a layer and a manifest.
    let uri = format!(
        "{}/docker-hub/library/node:21-alpine",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    );
    let arrived = world.pull(&uri).await;
    assert!(
        (2 * 4 + 2 * 2..=2 * 4 + 2 * 3).contains(&arrived),
        "{arrived}"
    );

    // moto does not know what the registry holds, so the copy is made again, with the same bytes.
    refresh.invoke(&scheduled()).await;
    world.drain_queue(&mut replicate).await;
    assert_eq!(
        world.mirrored("docker-hub/library/node:21-alpine").await,
        raw
    );
}

#[tokio::test]
#[ignore = "needs moto: .ci/run installs it"]
async fn a_scheduled_retry_is_created_merged_and_moved_forward() {
    let moto = Moto::start().await;
    let aws = Aws::emulated_at(&moto.url());
    let settings = settings::RetryTarget {
        function: "arn:aws:lambda:us-east-1:123456789012:function:image-replicator-refresh"
            .to_owned(),
        role: "arn:aws:iam::123456789012:role/wake-up".to_owned(),
    };
    let now = Timestamp::now();
    let hours =
        |hours: i64| Timestamp::from_second(now.as_second() + hours * 3600).expect("it is soon");
    let retry = |at: Timestamp, image: &str| {
        RetrySchedule::new(at, [(image.parse().expect("an image"), Options::default())])
    };
    let merge = async |retry: &RetrySchedule| {
        aws.merge_retry_schedule(&settings, retry, now)
            .await
            .expect("the scheduler answers")
    };
    assert_eq!(
        aws.retry_schedule(&settings)
            .await
            .expect("the scheduler answers"),
        None
    );
    assert_eq!(merge(&retry(hours(6), "node:21")).await, hours(6));
    assert_eq!(
        merge(&retry(hours(6), "node:21")).await,
        hours(6),
        "merging twice changes nothing"
    );
    assert_eq!(
        merge(&retry(hours(4), "redis:7")).await,
        hours(4),
        "the earliest time counts"
    );
    let both = aws
        .retry_schedule(&settings)
        .await
        .expect("the scheduler answers")
        .expect("a retry is scheduled");
    assert!(
        both.covers(&retry(hours(6), "node:21")) && both.covers(&retry(hours(4), "redis:7")),
        "{both:?}"
    );
}

#[tokio::test]
#[ignore = "needs moto, docker-registry, skopeo and the Lambda emulator: .ci/run installs them"]
async fn a_layer_of_one_gibibyte_needs_less_than_64_mebibytes_of_memory() {
    let image = Image::oci(7, &[1024 * MIB]);
    let world = world(&[("library/large", "latest", &image)]).await;
    world.function("refresh").await.invoke(&scheduled()).await;
    let mut replicate = world.function("replicate").await;
    assert_eq!(world.drain_queue(&mut replicate).await, 1);
    assert_eq!(
        world.mirrored("docker-hub/library/large:latest").await,
        image.manifest().as_ref()
    );
    let peak = replicate.peak_memory();
    eprintln!("replicate: {} KiB resident at the most", peak / 1024);
    assert!(peak < 64 * MIB, "{} MiB resident", peak / MIB);
}
