//! Public copies that wait for a clean scan of the private one.

use embedded_cloud::{ALIAS, Image};
use serde_json::json;
use tests::events::scan;
use tests::world::{World, assert_reason, assert_statuses, deadline};

/// A world whose public copies wait for a clean scan of the private ones.
async fn world() -> World {
    let mut world = crate::rescue::world().await;
    world.set_catalogue(&format!(
        "destinations:\n  private: {{ ecr: {{ repository: 'docker-hub/{{repository}}' }} }}\n  public: {{ ecr-public: {{ alias: {ALIAS}, repository: '{{name}}', publish: after-clean-scan }} }}\nimages: [{{ image: 'node:21', to: [private, public] }}]"
    ));
    world
}

#[tokio::test]
async fn a_public_copy_waits_for_a_clean_scan_of_the_private_one() {
    let world = world().await;
    let report = world.refresh().await;
    assert_reason(&report, "clean scan");
    let digest = world.mirrored("library/node", "21").unwrap();
    assert_eq!(world.cloud.ecr_public.registry().image("node", "21"), None);

    world.rescan(&scan(&digest, &json!({"CRITICAL": 1}))).await;
    assert_eq!(world.cloud.ecr_public.registry().image("node", "21"), None);
    let answer = world.rescan(&scan(&digest, &json!({"LOW": 7}))).await;
    assert_statuses(&answer, &["copied docker.io/library/node:21"]);
    assert_eq!(
        world.cloud.ecr_public.registry().image("node", "21"),
        Some(digest)
    );
}

#[tokio::test]
async fn a_publication_is_read_from_the_scanned_copy_and_costs_no_pull() {
    for is_queued in [false, true] {
        let mut world = world().await;
        world.refresh().await;
        let digest = world.mirrored("library/node", "21").unwrap();
        let queue = is_queued.then(|| world.add_queue());
        // The scanned image is published, although upstream has moved and no pull is left.
        world.publish("library/node", "21", &Image::docker(77, &[1000]));
        world.cloud.hub.set_quota(0, 21_600);
        world.cloud.counts.reset();
        world.rescan(&scan(&digest, &json!({}))).await;
        if let Some(queue) = queue {
            world.drain(&queue).await;
        }
        assert_eq!(
            world.cloud.ecr_public.registry().image("node", "21"),
            Some(digest)
        );
        let counts = &world.cloud.counts;
        assert_eq!(world.pulls(), 0, "{:?}", counts.all());
        assert_eq!(counts.sum("cdn."), 0, "{:?}", counts.all());
    }
}

#[tokio::test]
async fn a_publication_that_fails_temporarily_is_an_error_and_the_next_invocation_makes_it() {
    let world = world().await;
    world.refresh().await;
    let digest = world.mirrored("library/node", "21").unwrap();
    let clean = scan(&digest, &json!({}));
    let act =
        || async { ::rescan::handle(&clean, "request", deadline(), &world.replicator()).await };

    let fail = |action, times| {
        world
            .cloud
            .failures
            .fail_next(action, "ThrottlingException", times);
    };
    fail("ecr.api.DescribeImages", 10);
    assert!(
        act().await.unwrap_err().is_transient(),
        "whether the tag still has the scanned digest is unknown"
    );
    fail("ecr.api.DescribeImages", 0);
    fail("ecr_public.api.DescribeImages", 10);
    assert!(
        act().await.unwrap_err().is_transient(),
        "what is public is unknown"
    );
    assert_eq!(world.cloud.ecr_public.registry().image("node", "21"), None);

    fail("ecr_public.api.DescribeImages", 0);
    assert_statuses(
        &json!(act().await.unwrap()),
        &["copied docker.io/library/node:21"],
    );
    assert_eq!(
        world.cloud.ecr_public.registry().image("node", "21"),
        Some(digest)
    );
}

#[tokio::test]
async fn the_message_of_a_publication_without_enough_pulls_is_redelivered() {
    let mut world = world().await;
    world.schedule_retries();
    world.refresh().await;
    let digest = world.mirrored("library/node", "21").unwrap();
    let queue = world.add_queue();
    world.rescan(&scan(&digest, &json!({}))).await;
    // Without the private copy, a publication needs pulls.
    world.ecr().delete_tag("docker-hub/library/node", "21");
    world.cloud.hub.set_quota(0, 21_600);
    let answer = world.replicate(&queue).await.expect("a message");
    assert_eq!(
        answer["batchItemFailures"].as_array().unwrap().len(),
        1,
        "a scheduled refresh would wait for a scan that has already happened"
    );
    assert_eq!(world.cloud.scheduler.schedules(), []);
}

#[tokio::test]
async fn the_scanned_image_is_published_even_when_upstream_has_moved() {
    let mut world = world().await;
    world.refresh().await;
    let digest = world.mirrored("library/node", "21").unwrap();
    let queue = world.add_queue();
    world.rescan(&scan(&digest, &json!({}))).await;
    world.publish("library/node", "21", &Image::docker(77, &[1000]));
    world.drain(&queue).await;
    assert_eq!(
        world.cloud.ecr_public.registry().image("node", "21"),
        Some(digest)
    );
}
