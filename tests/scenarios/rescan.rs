//! Scans of the mirror make `rescan` look for a newer image upstream.

use embedded_cloud::Image;
use serde_json::json;
use tests::events::scan;
use tests::world::{PRIVATE, assert_statuses, statuses};

use crate::rescue::world;

#[tokio::test]
async fn findings_in_an_up_to_date_image_are_recorded_without_a_request_to_docker_hub() {
    let world = world().await;
    world.refresh().await;
    let digest = world.mirrored("library/node", "21").unwrap();
    world.cloud.counts.reset();
    let found = scan(&digest, &json!({"CRITICAL": 1.0, "HIGH": 3}));
    for n in 0..3 {
        let answer = world.rescan(&found).await;
        assert_eq!(statuses(&answer), Vec::<String>::new(), "{n}: {answer:#}");
    }
    assert_eq!(world.cloud.counts.sum("hub."), 0);
    assert_eq!(
        world.record_status("library/node", "21"),
        "waiting-for-upstream"
    );
    let record = world.record("library/node", "21");
    assert!(record.ends_with(" critical=1 high=3"), "{record}");
    world.rescan(&scan(&digest, &json!({}))).await;
    assert_eq!(
        world.record_status("library/node", "21"),
        "ok",
        "the latest scan counts"
    );
}

#[tokio::test]
async fn findings_copy_the_newer_image_of_upstream() {
    let world = world().await;
    world.refresh().await;
    let old = world.mirrored("library/node", "21").unwrap();
    let mended = Image::docker(9, &[1000]);
    world.publish("library/node", "21", &mended);
    world
        .ecr()
        .set_resource_tags("docker-hub/library/node", &[("replicator:tag:21", "gone")]);
    let answer = world.rescan(&scan(&old, &json!({"HIGH": 1}))).await;
    assert_statuses(&answer, &["copied docker.io/library/node:21"]);
    assert_eq!(world.mirrored("library/node", "21"), Some(mended.digest()));
}

#[tokio::test]
async fn a_finding_in_one_platform_of_an_index_is_recorded_for_its_tag() {
    let world = world().await;
    let index = Image::index(5, &["linux/amd64", "linux/arm64/v8"], &[700], false);
    world.publish("library/node", "21", &index);
    world.refresh().await;
    world.cloud.counts.reset();
    let mut found = scan(&index.children()[1].digest(), &json!({"CRITICAL": 2}));
    found["detail"]["image-tags"] = json!([]);
    let answer = world.rescan(&found).await;
    assert_eq!(
        answer["waiting"],
        json!([format!("{PRIVATE}/docker-hub/library/node:21")]),
        "{answer:#}"
    );
    assert_eq!(world.cloud.counts.sum("hub."), 0);
    let tags = world.ecr().resource_tags("docker-hub/library/node");
    assert!(
        tags["replicator:tag:21"].starts_with(&format!("{} waiting-for-upstream ", index.digest())),
        "{tags:?}"
    );
}

#[tokio::test]
async fn a_scan_in_a_registry_of_another_account_is_ignored() {
    let world = world().await;
    let mut event = scan(&Image::docker(1, &[1000]).digest(), &json!({"CRITICAL": 1}));
    event["account"] = json!("999988887777");
    event["detail"]["image-tags"] = json!([]);
    let answer = world.rescan(&event).await;
    assert!(
        answer["ignored"][0]["why"]
            .as_str()
            .unwrap()
            .contains("no destination"),
        "{answer:#}"
    );
    assert_eq!(world.count("ecr.api.DescribeImages"), 0);
}
