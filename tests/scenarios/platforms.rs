//! A subset of platforms: an index that is cut to the chosen platforms, and is recognised without any record.

use embedded_cloud::Image;
use serde_json::{Value, json};
use tests::world::{World, assert_reason, assert_statuses, statuses};

const REPOSITORY: &str = "docker-hub/library/node";
const MANY: [&str; 4] = ["linux/amd64", "linux/arm/v7", "linux/arm64", "linux/s390x"];

/// A world with node:21 upstream, for four platforms with attestations, of which the catalogue chooses two.
async fn world() -> (World, Image) {
    let world = World::start().await;
    let image = Image::index(1, &MANY, &[2000, 300], true);
    world.publish("library/node", "21", &image);
    (choose(world, "[linux/amd64, linux/arm64]"), image)
}

fn choose(mut world: World, platforms: &str) -> World {
    world.set_catalogue(&format!(
        "images: [{{ image: node, tags: ['21'], platforms: {platforms} }}]"
    ));
    world
}

/// The index that the mirror has under node:21.
fn mirrored_index(world: &World) -> Value {
    let digest = world
        .ecr()
        .image(REPOSITORY, "21")
        .expect("the tag is there");
    let manifest = world
        .ecr()
        .manifest(REPOSITORY, &digest)
        .expect("the manifest of the tag is there");
    serde_json::from_slice(&manifest).expect("a manifest is JSON")
}

/// The platforms of the children of an index; an attestation has `unknown/unknown`.
fn platforms(index: &Value) -> Vec<String> {
    let name = |child: &Value| {
        let part = |key: &str| {
            child["platform"][key]
                .as_str()
                .map(|text| format!("/{text}"))
                .unwrap_or_default()
        };
        format!(
            "{}{}{}{}",
            child["platform"]["os"]
                .as_str()
                .expect("a platform has a system"),
            part("architecture"),
            part("variant"),
            part("os.version")
        )
    };
    index["manifests"]
        .as_array()
        .expect("it is an index")
        .iter()
        .map(name)
        .collect()
}

/// Deletes every resource tag, and so every record.
fn delete_records(world: &World) {
    world.ecr().set_resource_tags(REPOSITORY, &[]);
    assert!(world.ecr().resource_tags(REPOSITORY).is_empty());
}

#[tokio::test]
async fn the_chosen_platforms_and_their_attestations_alone_are_copied() {
    let (world, image) = world().await;
    let report = world.refresh().await;
    assert_statuses(&report, &["copied docker.io/library/node:21"]);
    let index = mirrored_index(&world);
    assert_eq!(
        platforms(&index),
        [
            "linux/amd64",
            "linux/arm64",
            "unknown/unknown",
            "unknown/unknown"
        ]
    );
    assert_eq!(
        index["annotations"]["image-replicator.upstream-digest"],
        image.digest()
    );
    assert_eq!(
        world.pulls(),
        5,
        "the index, two images and their attestations"
    );
    assert_eq!(report["images"][0]["pulls"], 5);
    assert_ne!(report["images"][0]["targets"][0]["digest"], image.digest());
    assert_eq!(report["images"][0]["upstream_digest"], image.digest());
}

#[tokio::test]
async fn descriptors_of_children_are_kept_unchanged() {
    let (world, image) = world().await;
    world.refresh().await;
    let upstream: Value = serde_json::from_slice(image.manifest()).unwrap();
    let (upstream, here) = (
        upstream["manifests"].as_array().unwrap(),
        mirrored_index(&world),
    );
    let kept: Vec<&Value> = here["manifests"].as_array().unwrap().iter().collect();
    assert_eq!(kept.len(), 4);
    assert_eq!(
        kept,
        upstream
            .iter()
            .filter(|child| kept.contains(child))
            .collect::<Vec<_>>(),
        "in their order"
    );
}

#[tokio::test]
async fn two_subsets_of_the_same_platforms_have_the_same_digest() {
    let (first, _) = world().await;
    first.refresh().await;
    let (second, _) = world().await;
    let second = choose(second, "[linux/arm64, linux/amd64, linux/arm64]");
    second.refresh().await;
    let digest = first.ecr().image(REPOSITORY, "21");
    assert!(digest.is_some());
    assert_eq!(second.ecr().image(REPOSITORY, "21"), digest);
}

#[tokio::test]
async fn a_second_refresh_costs_one_head_with_or_without_a_record() {
    let (world, _) = world().await;
    world.refresh().await;
    for has_record in [true, false] {
        if !has_record {
            delete_records(&world);
        }
        world.cloud.counts.reset();
        let report = world.refresh().await;
        assert_eq!(
            statuses(&report),
            ["unchanged docker.io/library/node:21"],
            "record: {has_record}"
        );
        assert_eq!(world.count("hub.manifest.head"), 1);
        assert_eq!(world.pulls(), 0);
        assert_eq!(world.count("ecr.manifest.put"), 0);
        assert_eq!(
            world.count("ecr.manifest.get"),
            u64::from(!has_record),
            "without a record, the annotation of the index is read"
        );
    }
    assert_eq!(
        world.record_status("library/node", "21"),
        "ok",
        "the record is made again"
    );
}

#[tokio::test]
async fn a_build_recognises_an_up_to_date_subset() {
    let (world, _) = world().await;
    world.refresh().await;
    for _ in 0..2 {
        let report = world.ensure(json!({"images": ["node:21"]})).await;
        assert_statuses(&report, &["unchanged docker.io/library/node:21"]);
        delete_records(&world);
    }
}

#[tokio::test]
async fn a_build_that_waits_for_a_worker_recognises_the_subset() {
    let (mut world, _) = world().await;
    let queue = world.add_queue();
    let build = world.ensure(json!({"images": ["node:21"], "wait_seconds": 60}));
    let report = Box::pin(world.drain_until(&queue, build)).await;
    assert_statuses(&report, &["copied docker.io/library/node:21"]);
    assert_eq!(
        report["images"][0]["targets"][0]["digest"],
        world.ecr().image(REPOSITORY, "21").unwrap()
    );
}

#[tokio::test]
async fn another_choice_makes_another_copy_and_only_new_manifests_are_pulled() {
    let (world, image) = world().await;
    world.refresh().await;
    world.cloud.counts.reset();
    let world = choose(world, "[linux/amd64, linux/arm64, linux/s390x]");
    assert_statuses(
        &world.refresh().await,
        &["copied docker.io/library/node:21"],
    );
    assert_eq!(platforms(&mirrored_index(&world)).len(), 6);
    assert_eq!(world.pulls(), 3, "the index, one image and its attestation");
    let world = choose(world, "all");
    world.refresh().await;
    assert_eq!(
        world.ecr().image(REPOSITORY, "21"),
        Some(image.digest()),
        "all of it is upstream's own"
    );
    let world = choose(world, "[linux/amd64]");
    world.cloud.counts.reset();
    assert_statuses(
        &world.refresh().await,
        &["copied docker.io/library/node:21"],
    );
    assert_eq!(
        platforms(&mirrored_index(&world)),
        ["linux/amd64", "unknown/unknown"]
    );
    assert_eq!(world.pulls(), 1, "the index alone");
}

#[tokio::test]
async fn a_platform_that_upstream_lacks_fails_and_the_reason_lists_its_platforms() {
    let (world, _) = world().await;
    let world = choose(world, "[linux/amd64, linux/riscv64]");
    let report = world.refresh().await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    for part in [
        "linux/riscv64",
        "linux/amd64, linux/arm, linux/arm64, linux/s390x",
    ] {
        assert_reason(&report, part);
    }
    assert_eq!(world.ecr().image(REPOSITORY, "21"), None);
}

#[tokio::test]
async fn variants_and_windows_versions_are_distinguished() {
    let all = [
        "linux/arm/v6",
        "linux/arm/v7",
        "windows(10.0.17763.1)/amd64",
        "windows(10.0.20348.2)/amd64",
    ];
    for (choice, kept) in [
        ("[linux/arm/v7]", vec!["linux/arm/v7"]),
        (
            "['windows(10.0.20348.2)/amd64']",
            vec!["windows/amd64/10.0.20348.2"],
        ),
        (
            "[windows/amd64]",
            vec!["windows/amd64/10.0.17763.1", "windows/amd64/10.0.20348.2"],
        ),
    ] {
        let world = World::start().await;
        world.publish("library/node", "21", &Image::index(1, &all, &[300], false));
        let world = choose(world, choice);
        let report = world.refresh().await;
        assert_eq!(report["ok"], true, "{choice}: {report:#}");
        assert_eq!(platforms(&mirrored_index(&world)), kept);
    }
}

#[tokio::test]
async fn an_image_without_an_index_is_copied_unchanged_when_it_is_for_a_chosen_platform() {
    let world = World::start().await;
    let image = Image::docker_for(1, "linux/amd64", &[500]);
    world.publish("library/node", "21", &image);
    let world = choose(world, "[linux/amd64, linux/arm64]");
    let report = world.refresh().await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    assert_reason(&report, "linux/arm64");
    let world = choose(world, "[linux/amd64]");
    assert_statuses(
        &world.refresh().await,
        &["copied docker.io/library/node:21"],
    );
    assert_eq!(world.ecr().image(REPOSITORY, "21"), Some(image.digest()));
    world.cloud.counts.reset();
    assert_statuses(
        &world.refresh().await,
        &["unchanged docker.io/library/node:21"],
    );
    assert_eq!(world.pulls(), 0);
}
