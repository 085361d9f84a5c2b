//! Rate limits of Docker Hub and of ECR.

use std::time::{Duration, Instant};

use embedded_cloud::Image;
use tests::world::{assert_reason, assert_statuses, count_status};

use crate::faults::world;

#[tokio::test]
async fn without_enough_pulls_an_image_is_deferred_and_an_outdated_copy_is_stale() {
    let (mut world, old) = world().await;
    world.set_catalogue(
        "images: [{ image: node, tags: ['21', '22', '23', '24', '25', '26', '27', '28'] }]",
    );
    world.refresh_images(&["node:21"]).await;
    for (seed, tag) in (21..=28).map(|tag: u64| (tag, tag.to_string())) {
        let tag = tag.as_str();
        world.publish("library/node", tag, &Image::oci(seed, &[100]));
    }
    world.cloud.hub.set_quota(1, 21_600);
    world.cloud.counts.reset();
    let report = world.refresh().await;
    assert_eq!(report["images"][0]["status"], "stale", "{report:#}");
    assert_eq!(count_status(&report, "deferred"), 7, "{report:#}");
    assert_reason(&report, "not enough Docker Hub pulls left");
    assert_eq!(world.pulls(), 0);
    assert_eq!(world.mirrored("library/node", "21"), Some(old.digest()));
    assert_eq!(world.mirrored("library/node", "22"), None);
    assert_eq!(report["quota"]["remaining"], 0);

    world.advance(Duration::from_secs(21_601));
    world.cloud.hub.set_quota(10, 21_600);
    assert_eq!(world.refresh().await["ok"], true);
}

#[tokio::test]
async fn the_abuse_limit_is_retried_after_the_time_that_the_server_names() {
    let (world, _) = world().await;
    world.cloud.hub.limit_requests(2, 2);
    let begun = Instant::now();
    let report = world.refresh_images(&["node:21"]).await;
    assert_statuses(&report, &["copied docker.io/library/node:21"]);
    assert!(
        begun.elapsed() >= Duration::from_secs(4),
        "two waits of two seconds"
    );
}

#[tokio::test]
async fn an_abuse_limit_of_one_hour_defers_the_image() {
    let (world, _) = world().await;
    world.cloud.hub.limit_requests(1, 3600);
    let begun = Instant::now();
    let report = world.refresh_images(&["node:21"]).await;
    assert_statuses(&report, &["deferred docker.io/library/node:21"]);
    assert!(
        begun.elapsed() < Duration::from_mins(1),
        "it is not waited for"
    );
    assert_reason(&report, "too many requests");
}

#[tokio::test]
async fn throttling_by_ecr_is_retried() {
    let (world, image) = world().await;
    world.cloud.ecr.throttle_put_image(2);
    assert_eq!(world.refresh_status("node:21").await, "copied");
    assert_eq!(
        world.count("ecr.manifest.put"),
        3,
        "two refused requests and one accepted"
    );
    assert_eq!(world.mirrored("library/node", "21"), Some(image.digest()));
}

#[tokio::test]
async fn a_pull_limit_defers_all_images_and_no_refused_pull_is_repeated() {
    let (world, _) = world().await;
    for (seed, name) in [(2, "library/redis"), (3, "library/caddy")] {
        world.publish(name, "21", &Image::oci(seed, &[100]));
    }
    world.cloud.hub.refuse_pulls(100);
    let report = world
        .refresh_images(&["caddy:21", "node:21", "redis:21"])
        .await;
    assert_eq!(count_status(&report, "deferred"), 3, "{report:#}");
    assert_reason(&report, "pull rate limit");
    assert!(
        (1..=3).contains(&world.cloud.hub.refused_pulls()),
        "a refused pull is not repeated"
    );
    world.cloud.hub.refuse_pulls(0);
    assert_eq!(
        world
            .refresh_images(&["caddy:21", "node:21", "redis:21"])
            .await["ok"],
        true
    );
}
