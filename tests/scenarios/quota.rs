//! The pulls that a copy reserves and spends, counted at Docker Hub.

use std::time::Duration;

use embedded_cloud::Image;
use serde_json::{Value, json};
use tests::world::{World, assert_reason, assert_statuses, count_status};

/// Six hours, in seconds.
pub(crate) const WINDOW: u32 = 21_600;
pub(crate) const PAIR: [&str; 2] = ["linux/amd64", "linux/arm64"];
const EIGHT: [&str; 8] = [
    "linux/amd64",
    "linux/arm64",
    "linux/386",
    "linux/arm/v5",
    "linux/arm/v6",
    "linux/ppc64le",
    "linux/s390x",
    "linux/riscv64",
];

/// Sets Docker Hub's limit, and spends all but this many pulls of it.
pub(crate) fn leave_pulls(world: &World, limit: u32, pulls: u32) {
    world.cloud.hub.set_quota(limit, WINDOW);
    world
        .cloud
        .hub
        .spend_pulls("ci", world.cloud.hub.remaining() - pulls);
}

#[tokio::test]
async fn tags_that_share_a_digest_are_copied_for_one_price() {
    let image = Image::oci(1, &[200]);
    let index = Image::index(2, &PAIR, &[200], true);
    // The price of an index is estimated from its size.
    let estimate = 1 + u32::try_from(index.manifest().len().div_ceil(250)).expect("it is small");
    for (image, price, pulls) in [(image, 1, 1), (index, estimate, 5)] {
        let mut world = World::start().await;
        let tags = ["21", "latest", "lts"];
        for tag in tags {
            world.publish("library/node", tag, &image);
        }
        world.set_catalogue("images: [{ image: node, tags: ['21', latest, lts] }]");
        leave_pulls(&world, 100, 10 + price);
        let report = world.refresh().await;
        assert_eq!(count_status(&report, "copied"), 3, "{report:#}");
        assert_eq!(world.pulls(), pulls);
        assert!(
            tags.iter()
                .all(|tag| world.mirrored("library/node", tag) == Some(image.digest()))
        );
    }
}

#[tokio::test]
async fn an_estimate_above_the_limit_does_not_block_an_image_that_fits() {
    let mut world = World::start().await;
    let image = Image::index(1, &PAIR, &[200], true);
    world.publish("library/node", "21", &image);
    world.set_catalogue("images: [{ image: node, tags: ['21'] }]");
    leave_pulls(&world, 6, 6);
    assert!(
        image.manifest().len() > 4 * 250,
        "the estimate is six pulls, and one pull is reserved"
    );
    let report = world.refresh().await;
    assert_statuses(&report, &["copied docker.io/library/node:21"]);
    assert_eq!(report["images"][0]["pulls"], 5);
}

#[tokio::test]
async fn an_image_that_costs_more_than_estimated_waits_for_its_real_price() {
    let mut world = World::start().await;
    world.schedule_retries();
    let before = Image::index(1, &EIGHT, &[200], true);
    world.publish("grafana/grafana", "11", &before);
    world.set_catalogue("images: [{ image: 'grafana/grafana:11' }]");
    assert_eq!(world.refresh().await["ok"], true);
    world.advance(Duration::from_secs(u64::from(WINDOW) + 1));
    // A platform takes fewer bytes than an attestation: twenty platforms are smaller than eight of each.
    let platforms: Vec<String> = (0..20)
        .map(|number| format!("linux/cpu{number:02}"))
        .collect();
    let platforms: Vec<&str> = platforms.iter().map(String::as_str).collect();
    let index = Image::index(2, &platforms, &[200], false);
    assert!(index.manifest().len() < before.manifest().len());
    world.publish("grafana/grafana", "11", &index);
    leave_pulls(&world, 100, 28);
    world.cloud.counts.reset();
    let report = world.refresh().await;
    assert_statuses(&report, &["stale docker.io/grafana/grafana:11"]);
    assert_eq!(
        world.pulls(),
        1,
        "the index alone: there are not enough pulls for its twenty images"
    );
    let wait = world.cloud.scheduler.schedules()[0]
        .at
        .duration_since(world.cloud.clock.now());
    assert!(
        wait >= jiff::SignedDuration::from_mins(15),
        "three of the 72 pulls that others have spent are available again in {wait}"
    );
    world.advance(Duration::from_secs(u64::from(WINDOW)));
    let report = world.run_next_retry().await.expect("a retry is scheduled");
    assert_statuses(&report, &["copied docker.io/grafana/grafana:11"]);
    assert_eq!(
        world.mirrored("grafana/grafana", "11"),
        Some(index.digest())
    );
    assert_eq!(world.pulls(), 1 + 21);
    assert_eq!(world.cloud.hub.refused_pulls(), 0);
}

#[tokio::test]
async fn an_image_that_costs_more_than_the_limit_allows_fails_with_advice() {
    let mut world = World::start().await;
    world.schedule_retries();
    world.set("REPLICATOR_QUOTA_RESERVE", "94");
    world.publish(
        "library/node",
        "21",
        &Image::index(1, &EIGHT, &[200], false),
    );
    world.set_catalogue("images: [{ image: node, tags: ['21'] }]");
    let report = world.refresh().await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    let why = "it costs 9 pulls, and one window allows 6 of 100: choose fewer platforms, or reserve fewer than 94 pulls for others";
    assert_reason(&report, why);
    assert_eq!(world.pulls(), 1);
    assert_eq!(world.cloud.scheduler.schedules().len(), 0);
}

#[tokio::test]
async fn the_price_of_an_index_is_not_estimated_from_its_subset() {
    let mut world = World::start().await;
    world.schedule_retries();
    let image = Image::index(1, &EIGHT, &[200], true);
    world.publish("grafana/grafana", "11", &image);
    world.set_catalogue("images: [{ image: 'grafana/grafana:11', platforms: [linux/amd64] }]");
    assert_eq!(world.refresh().await["ok"], true);
    leave_pulls(&world, 100, 20);
    world.cloud.counts.reset();
    world.set_catalogue("images: [{ image: 'grafana/grafana:11' }]");
    assert_statuses(
        &world.refresh().await,
        &["stale docker.io/grafana/grafana:11"],
    );
    assert_eq!(
        world.pulls(),
        0,
        "sixteen manifests are not begun with ten pulls"
    );
}

#[tokio::test]
async fn a_target_that_needs_no_pull_does_not_wait_for_one_that_does() {
    let mut world = World::start().await;
    let image = Image::index(1, &PAIR, &[200], true);
    world.publish("library/node", "21", &image);
    let catalogue = |images: Value| {
        json!({
            "destinations": {
                "private": {"ecr": {"repository": "docker-hub/{repository}"}},
                "europe": {"ecr": {"repository": "docker-hub/{repository}", "region": "eu-west-1"}},
            },
            "defaults": {"platforms": ["linux/amd64"]},
            "images": images,
        })
        .to_string()
    };
    world.set_catalogue(&catalogue(json!([{"image": "node:21", "to": ["private"]}])));
    assert_eq!(world.refresh().await["ok"], true);
    world.publish("library/node", "latest", &image);
    leave_pulls(&world, 10, 0);
    world.set_catalogue(&catalogue(
        json!([{"image": "node:latest", "to": ["private", "europe"]}]),
    ));
    let report = world.refresh().await;
    let mirrored = world.mirrored("library/node", "latest");
    assert!(mirrored.is_some(), "{report:#}");
    assert_statuses(&report, &["deferred docker.io/library/node:latest"]);
    let [private, europe] = report["images"][0]["targets"]
        .as_array()
        .unwrap()
        .as_slice()
    else {
        panic!("not two targets: {report:#}")
    };
    assert_eq!(private["digest"], json!(mirrored), "{report:#}");
    assert_eq!(europe["digest"], Value::Null, "{report:#}");
    assert_eq!(
        world.mirrored("library/node", "latest"),
        world.mirrored("library/node", "21")
    );
    assert_eq!(
        world
            .cloud
            .ecr
            .region("eu-west-1")
            .image("docker-hub/library/node", "latest"),
        None
    );
}

#[tokio::test]
async fn a_pull_with_an_unusable_response_is_reported() {
    let mut world = World::start().await;
    let image = Image::oci(1, &[200]);
    world.publish("library/node", "21", &image);
    world
        .cloud
        .hub
        .faults()
        .corrupt_manifest(&image.digest(), 1);
    world.set_catalogue("images: [{ image: node, tags: ['21'] }]");
    let before = world.cloud.hub.remaining();
    let report = world.refresh().await;
    let spent = before - world.cloud.hub.remaining();
    assert_eq!(
        report["images"][0]["pulls"].as_u64(),
        Some(u64::from(spent)),
        "{report:#}"
    );
    assert!(spent > 0, "{report:#}");
}

#[tokio::test]
async fn manifests_from_an_origin_are_never_pulled_however_many_there_are() {
    let mut world = World::start().await;
    world.cloud.hub.set_quota(10_000, WINDOW);
    let mut images: Vec<Value> = Vec::new();
    for number in 0..80 {
        let image = Image::index(number, &EIGHT, &[100], true);
        let name = format!("app{number:02}");
        world.publish(&format!("library/{name}"), "1", &image);
        world
            .cloud
            .ecr_public
            .publish_to_gallery(&format!("docker/library/{name}"), "1", &image);
        images.push(json!({"image": name, "tags": ["1"]}));
    }
    // This registry does not limit the rate of manifests.
    let lab = json!({"lab": {"registry": {"host": world.cloud.open.address(), "repository": "{repository}"}}});
    world.set_catalogue(&json!({"destinations": lab, "images": images}).to_string());
    let report = world.refresh().await;
    assert_eq!(report["ok"], true, "{report:#}");
    let counts = &world.cloud.counts;
    assert_eq!(world.pulls(), 0, "{:?}", counts.all());
    assert_eq!(
        counts.get("public.manifest.get"),
        80 * 18,
        "{:?}",
        counts.all()
    );
}
