//! Builds that ask `ensure` for images.

use std::time::{Duration, Instant};

use embedded_cloud::Image;
use image_replicator::engine::Replicator;
use serde_json::json;
use tests::world::{assert_statuses, deadline, reason, reason_of, statuses};

use crate::rescue::world;

#[tokio::test]
async fn fifty_builds_that_need_the_same_missing_image_cause_one_copy_and_get_the_same_answer() {
    let mut world = world().await;
    let queue = world.add_queue();
    let replicator: &'static Replicator = Box::leak(Box::new(world.replicator()));
    let request =
        ::ensure::EnsureRequest::parse(&json!({"images": ["redis:7"], "wait_seconds": 60}))
            .unwrap();
    let request: &'static ::ensure::EnsureRequest = Box::leak(Box::new(request));
    let builds: Vec<_> = (0..50)
        .map(|n| {
            tokio::spawn(async move {
                json!(
                    ::ensure::handle(request, &format!("b{n}"), deadline(), replicator)
                        .await
                        .unwrap()
                )
            })
        })
        .collect();
    while world.count("sqs.SendMessageBatch") < 50 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.drain(&queue).await;
    let mut answers = Vec::new();
    for build in builds {
        answers.push(build.await.unwrap());
    }
    for answer in &answers {
        assert_eq!(answer["ok"], true, "{answer:#}");
        assert_eq!(statuses(answer), ["copied docker.io/library/redis:7"]);
        assert_eq!(answer["images"], answers[0]["images"]);
    }
    assert_eq!(world.pulls(), 1);
    assert_eq!(world.count("ecr.manifest.put"), 1);
}

#[tokio::test]
async fn without_waiting_an_up_to_date_image_is_unchanged_and_a_missing_one_is_queued() {
    let mut world = world().await;
    world.refresh().await;
    let queue = world.add_queue();
    let report = world
        .ensure(json!({"images": ["node:21", "redis:7"], "wait_seconds": 0}))
        .await;
    assert_statuses(
        &report,
        &[
            "unchanged docker.io/library/node:21",
            "deferred docker.io/library/redis:7",
        ],
    );
    assert!(reason_of(&report, 1).contains("it is queued"), "{report:#}");
    assert_eq!(world.drain(&queue).await, 1);
}

#[test]
fn a_request_without_images_is_refused() {
    assert!(
        ::ensure::EnsureRequest::parse(&json!({"images": []}))
            .unwrap_err()
            .chain()
            .contains("names no images")
    );
}

#[tokio::test]
async fn a_build_does_not_wait_for_an_image_that_a_worker_has_deferred() {
    let mut world = world().await;
    let queue = world.add_queue();
    world
        .ecr()
        .create_repository("docker-hub/library/redis", false);
    world.cloud.hub.set_quota(0, 21_600);
    let begun = Instant::now();
    let build = world.ensure(json!({"images": ["redis:7"], "wait_seconds": 60}));
    let report = Box::pin(world.drain_until(&queue, build)).await;
    assert_statuses(&report, &["deferred docker.io/library/redis:7"]);
    assert!(
        !reason(&report).contains("queued"),
        "the worker's outcome is reported: {report:#}"
    );
    assert_eq!(world.record_status("library/redis", "7"), "deferred");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn an_invalid_name_fails_alone() {
    let world = world().await;
    let report = world
        .ensure(json!({"images": ["Not An Image", "node:21", "node", "node:99"]}))
        .await;
    assert_statuses(
        &report,
        &[
            "failed Not An Image",
            "copied docker.io/library/node:21",
            "failed node",
            "failed docker.io/library/node:99",
        ],
    );
    assert_eq!(report["ok"], false);
}

#[tokio::test]
async fn a_build_may_use_an_outdated_copy_unless_it_forbids_that() {
    let world = world().await;
    let old = Image::docker(1, &[1000]);
    world.refresh_images(&["node:21"]).await;
    world.publish("library/node", "21", &Image::oci(2, &[100]));
    world.cloud.hub.set_quota(0, 21_600);
    for allow_stale in [true, false] {
        let report = world
            .ensure(json!({"images": ["node:21"], "allow_stale": allow_stale}))
            .await;
        assert_statuses(&report, &["stale docker.io/library/node:21"]);
        assert_eq!(report["ok"], allow_stale);
        assert_eq!(report["images"][0]["targets"][0]["digest"], old.digest());
    }
}
