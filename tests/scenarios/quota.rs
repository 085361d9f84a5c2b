//! What a copy sets aside of Docker Hub's quota, and what it spends: near the limit, with prices that are only judged, and when
//! others come first. Everything is counted at Docker Hub.

use std::time::Duration;

use embedded_cloud::Image;
use serde_json::{Value, json};
use tests::world::{World, reason, statuses};

/// Six hours, in seconds.
const WINDOW: u32 = 21_600;
const PAIR: [&str; 2] = ["linux/amd64", "linux/arm64"];
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

/// Has so many pulls of `limit` left.
fn leave(world: &World, limit: u32, pulls: u32) {
    world.cloud.hub.set_quota(limit, WINDOW);
    world
        .cloud
        .hub
        .spend_pulls("ci", world.cloud.hub.remaining() - pulls);
}

fn mirrored(world: &World, region: &str, tag: &str) -> Option<String> {
    world
        .cloud
        .ecr
        .region(region)
        .image("docker-hub/library/node", tag)
}

#[tokio::test]
async fn tags_that_share_a_digest_are_copied_for_one_price() {
    let image = Image::oci(1, &[200]);
    let index = Image::index(2, &PAIR, &[200], true);
    // An index's price is judged by its size.
    let judged = 1 + u32::try_from(index.manifest().len().div_ceil(250)).expect("it is small");
    for (image, price, pulls) in [(image, 1, 1), (index, judged, 5)] {
        let mut world = World::start().await;
        let tags = ["21", "latest", "lts"];
        for tag in tags {
            world.cloud.hub.push("library/node", tag, &image);
        }
        world.catalogue("images: [{ image: node, tags: ['21', latest, lts] }]");
        leave(&world, 100, 10 + price);
        let report = world.refresh().await;
        assert!(
            statuses(&report)
                .iter()
                .all(|status| status.starts_with("copied")),
            "{report:#}"
        );
        assert_eq!(world.cloud.counts.get("hub.manifest.get"), pulls);
        assert!(
            tags.iter()
                .all(|tag| mirrored(&world, "us-east-1", tag) == Some(image.digest()))
        );
    }
}

#[tokio::test]
async fn a_price_that_was_judged_too_high_for_any_window_keeps_nothing_out() {
    let mut world = World::start().await;
    let image = Image::index(1, &PAIR, &[200], true);
    world.cloud.hub.push("library/node", "21", &image);
    world.catalogue("images: [{ image: node, tags: ['21'] }]");
    leave(&world, 6, 6);
    assert!(
        image.manifest().len() > 4 * 250,
        "its size tells of six pulls, and one is left to others"
    );
    let report = world.refresh().await;
    assert_eq!(
        statuses(&report),
        ["copied docker.io/library/node:21"],
        "{report:#}"
    );
    assert_eq!(report["images"][0]["pulls"], 5);
}

#[tokio::test]
async fn what_costs_more_than_was_judged_waits_for_what_it_costs() {
    let mut world = World::start().await;
    world.wake_up();
    let before = Image::index(1, &EIGHT, &[200], true);
    world.cloud.hub.push("grafana/grafana", "11", &before);
    world.catalogue("images: [{ image: 'grafana/grafana:11' }]");
    assert_eq!(world.refresh().await["ok"], true);
    world
        .cloud
        .clock
        .advance(Duration::from_secs(u64::from(WINDOW) + 1));
    // Less is said of a platform than of an attestation: twenty take less room than eight of each.
    let platforms: Vec<String> = (0..20)
        .map(|number| format!("linux/cpu{number:02}"))
        .collect();
    let platforms: Vec<&str> = platforms.iter().map(String::as_str).collect();
    let index = Image::index(2, &platforms, &[200], false);
    assert!(index.manifest().len() < before.manifest().len());
    world.cloud.hub.push("grafana/grafana", "11", &index);
    leave(&world, 100, 28);
    world.cloud.counts.reset();
    let report = world.refresh().await;
    assert_eq!(
        statuses(&report),
        ["stale docker.io/grafana/grafana:11"],
        "{report:#}"
    );
    assert_eq!(
        world.cloud.counts.get("hub.manifest.get"),
        1,
        "the index, whose twenty images are not to be had"
    );
    let wait = world.cloud.scheduler.schedules()[0]
        .at
        .duration_since(world.cloud.clock.now());
    assert!(
        wait >= jiff::SignedDuration::from_mins(15),
        "three of the 72 that others have spent come back in {wait}"
    );
    world
        .cloud
        .clock
        .advance(Duration::from_secs(u64::from(WINDOW)));
    let report = world.wait_for_wake_up().await.expect("a wake-up");
    assert_eq!(
        statuses(&report),
        ["copied docker.io/grafana/grafana:11"],
        "{report:#}"
    );
    assert_eq!(
        world
            .cloud
            .ecr
            .region("us-east-1")
            .image("docker-hub/grafana/grafana", "11"),
        Some(index.digest())
    );
    assert_eq!(
        (
            world.cloud.counts.get("hub.manifest.get"),
            world.cloud.hub.refused_pulls()
        ),
        (1 + 21, 0)
    );
}

#[tokio::test]
async fn what_costs_more_than_any_window_allows_is_failed_with_what_to_do() {
    let mut world = World::start().await;
    world.wake_up();
    world.set("REPLICATOR_QUOTA_RESERVE", "94");
    world.cloud.hub.push(
        "library/node",
        "21",
        &Image::index(1, &EIGHT, &[200], false),
    );
    world.catalogue("images: [{ image: node, tags: ['21'] }]");
    let report = world.refresh().await;
    assert_eq!(
        statuses(&report),
        ["failed docker.io/library/node:21"],
        "{report:#}"
    );
    let why = "it costs 9 pulls, and no window allows more than 6 of 100; choose fewer platforms, or a smaller reserve";
    assert!(reason(&report).contains(why), "{}", reason(&report));
    assert_eq!(
        (
            world.cloud.counts.get("hub.manifest.get"),
            world.cloud.scheduler.schedules().len()
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn tags_that_share_a_digest_wait_for_one_price() {
    let mut world = World::start().await;
    world.wake_up();
    let image = Image::index(2, &PAIR, &[200], true);
    for tag in ["21", "latest", "lts"] {
        world.cloud.hub.push("library/node", tag, &image);
    }
    world.catalogue("images: [{ image: node, tags: ['21', latest, lts] }]");
    leave(&world, 100, 10);
    world.refresh().await;
    let wait = world.cloud.scheduler.schedules()[0]
        .at
        .duration_since(world.cloud.clock.now());
    // Six of the 90 that others have spent come back within 24 minutes.
    assert!(wait <= jiff::SignedDuration::from_mins(24), "{wait}");
}

#[tokio::test]
async fn what_two_runs_put_off_at_the_same_time_is_tried_again_by_one_wake_up() {
    let mut world = World::start().await;
    world.wake_up();
    for (seed, name) in [(1, "library/node"), (2, "library/redis")] {
        world.cloud.hub.push(name, "1", &Image::oci(seed, &[200]));
    }
    leave(&world, 100, 10);
    tokio::join!(
        world.refresh_images(&["node:1"]),
        world.refresh_images(&["redis:1"])
    );
    assert_eq!(world.cloud.scheduler.schedules().len(), 1);
    world.cloud.hub.set_quota(1000, WINDOW);
    let report = world.wait_for_wake_up().await.expect("a wake-up");
    assert_eq!(
        statuses(&report),
        [
            "copied docker.io/library/node:1",
            "copied docker.io/library/redis:1"
        ]
    );
}

#[tokio::test]
async fn a_part_that_was_cut_here_tells_nothing_of_the_price_of_the_whole() {
    let mut world = World::start().await;
    world.wake_up();
    let image = Image::index(1, &EIGHT, &[200], true);
    world.cloud.hub.push("grafana/grafana", "11", &image);
    world.catalogue("images: [{ image: 'grafana/grafana:11', platforms: [linux/amd64] }]");
    assert_eq!(world.refresh().await["ok"], true);
    leave(&world, 100, 20);
    world.cloud.counts.reset();
    world.catalogue("images: [{ image: 'grafana/grafana:11' }]");
    assert_eq!(
        statuses(&world.refresh().await),
        ["stale docker.io/grafana/grafana:11"]
    );
    assert_eq!(
        world.cloud.counts.get("hub.manifest.get"),
        0,
        "sixteen manifests are not begun with ten pulls"
    );
}

#[tokio::test]
async fn a_place_that_needs_no_pull_does_not_wait_for_one_that_does() {
    let mut world = World::start().await;
    let image = Image::index(1, &PAIR, &[200], true);
    world.cloud.hub.push("library/node", "21", &image);
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
    world.catalogue(&catalogue(json!([{"image": "node:21", "to": ["private"]}])));
    assert_eq!(world.refresh().await["ok"], true);
    world.cloud.hub.push("library/node", "latest", &image);
    leave(&world, 10, 0);
    world.catalogue(&catalogue(
        json!([{"image": "node:latest", "to": ["private", "europe"]}]),
    ));
    let report = world.refresh().await;
    assert!(reason(&report).contains("pulls"), "{report:#}");
    assert_eq!(
        mirrored(&world, "us-east-1", "latest"),
        mirrored(&world, "us-east-1", "21")
    );
    assert_eq!(mirrored(&world, "eu-west-1", "latest"), None);
}

#[tokio::test]
async fn a_pull_is_told_even_when_its_answer_was_good_for_nothing() {
    let mut world = World::start().await;
    let image = Image::oci(1, &[200]);
    world.cloud.hub.push("library/node", "21", &image);
    world
        .cloud
        .hub
        .faults()
        .corrupt_manifest(&image.digest(), 1);
    world.catalogue("images: [{ image: node, tags: ['21'] }]");
    let before = world.cloud.hub.remaining();
    let report = world.refresh().await;
    let spent = before - world.cloud.hub.remaining();
    assert_eq!(
        (report["images"][0]["pulls"].as_u64(), spent > 0),
        (Some(u64::from(spent)), true),
        "{report:#}"
    );
}

#[tokio::test]
async fn what_waits_in_the_queue_is_remembered_as_waiting_since_it_began_to() {
    let mut world = World::start().await;
    let queue = world.queue();
    for (tag, seed) in [("21", 1), ("22", 2)] {
        world
            .cloud
            .hub
            .push("library/node", tag, &Image::oci(seed, &[200]));
    }
    world.catalogue("images: [{ image: node, tags: ['21', '22'] }]");
    world.refresh().await;
    world.work_off(&queue).await;
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::oci(3, &[200]));
    leave(&world, 10, 0);
    world.refresh().await;
    let entry = || {
        world
            .cloud
            .ecr
            .region("us-east-1")
            .resource_tags("docker-hub/library/node")["replicator:tag:21"]
            .clone()
    };
    let put_off = entry();
    assert!(put_off.contains(" deferred "), "{put_off}");
    let since = world.cloud.clock.now();

    world.cloud.clock.advance(Duration::from_hours(24));
    world.refresh().await;
    assert_eq!(entry(), put_off, "the worker tells what becomes of it");
    // Others have spent what there was before the worker comes.
    leave(&world, 10, 0);
    world.work_off(&queue).await;
    let since = format!("since={}", since.strftime("%Y-%m-%dT%H:%M:%SZ"));
    assert!(
        entry().contains(&since) && entry() != put_off,
        "{} is not {since}",
        entry()
    );
}

#[tokio::test]
async fn however_many_manifests_a_run_has_what_an_origin_gave_is_not_pulled() {
    let mut world = World::start().await;
    world.cloud.hub.set_quota(10_000, WINDOW);
    let mut images: Vec<Value> = Vec::new();
    for number in 0..80 {
        let image = Image::index(number, &EIGHT, &[100], true);
        let name = format!("app{number:02}");
        world
            .cloud
            .hub
            .push(&format!("library/{name}"), "1", &image);
        world
            .cloud
            .ecr_public
            .publish_to_gallery(&format!("docker/library/{name}"), "1", &image);
        images.push(json!({"image": name, "tags": ["1"]}));
    }
    // Where manifests may be put as fast as they come.
    let lab = json!({"lab": {"registry": {"host": world.cloud.open.address(), "repository": "{repository}"}}});
    world.catalogue(&json!({"destinations": lab, "images": images}).to_string());
    let report = world.refresh().await;
    assert_eq!(report["ok"], true, "{report:#}");
    let counts = &world.cloud.counts;
    assert_eq!(
        (
            counts.get("hub.manifest.get"),
            counts.get("public.manifest.get")
        ),
        (0, 80 * 18),
        "{:?}",
        counts.all()
    );
}
