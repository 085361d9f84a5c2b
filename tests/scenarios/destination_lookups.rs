//! Finding out what a destination holds takes few requests, and content of the same registry is mounted rather than sent.

use std::collections::BTreeMap;

use embedded_cloud::Image;
use serde_json::json;
use tests::world::{World, count_status, deadline, statuses};

/// The requests to private ECR since the counts were reset, without those for tokens.
fn ecr_requests(world: &World) -> BTreeMap<String, u64> {
    let all = world.cloud.counts.all().into_iter();
    all.filter(|(kind, _)| kind.starts_with("ecr.") && !kind.ends_with("Token"))
        .collect()
}

#[tokio::test]
async fn a_new_repository_needs_no_lookup() {
    let world = World::start().await;
    world.publish(
        "library/node",
        "21",
        &Image::index(7, &["linux/amd64", "linux/arm64/v8"], &[500, 600], true),
    );
    assert_eq!(world.refresh_status("node:21").await, "copied");
    let requests = ecr_requests(&world);
    assert_eq!(requests["ecr.manifest.put"], 5, "{requests:?}");
    for lookup in [
        "ecr.manifest.head",
        "ecr.blob.head",
        "ecr.api.BatchCheckLayerAvailability",
    ] {
        assert_eq!(requests.get(lookup), None, "{requests:?}");
    }
}

#[tokio::test]
async fn all_blobs_of_an_image_are_looked_up_in_one_request() {
    let world = World::start().await;
    world.publish("library/node", "21", &Image::docker(1, &[500; 20]));
    world.refresh_images(&["node:21"]).await;
    world.publish("library/node", "21", &Image::docker(2, &[500; 20]));
    world.cloud.counts.reset();
    world.refresh_images(&["node:21"]).await;
    let requests = ecr_requests(&world);
    assert_eq!(
        requests["ecr.api.BatchCheckLayerAvailability"], 1,
        "{requests:?}"
    );
    assert_eq!(requests.get("ecr.blob.head"), None, "{requests:?}");
    assert_eq!(requests["ecr.manifest.head"], 1, "{requests:?}");
}

#[tokio::test]
async fn blobs_are_looked_up_one_by_one_where_the_control_plane_denies_access() {
    let world = World::start().await;
    world.publish("library/node", "21", &Image::docker(1, &[500; 3]));
    world.refresh_images(&["node:21"]).await;
    world.publish("library/node", "21", &Image::docker(2, &[500; 3]));
    world.cloud.failures.fail_next(
        "ecr.api.BatchCheckLayerAvailability",
        "AccessDeniedException",
        1,
    );
    world.cloud.counts.reset();
    assert_eq!(world.refresh_status("node:21").await, "copied");
    assert_eq!(
        world.count("ecr.blob.head"),
        4,
        "{:?}",
        ecr_requests(&world)
    );
}

/// Copies three images of the same layers to three repositories, with one replicator.
///
/// Returns the bytes that the last one sent, and the number of mounts that each one requested.
async fn copy_three_times(world: &World) -> (u64, [u64; 3]) {
    let layers = [100_000, 200_000];
    world.publish("library/node", "21", &Image::docker(1, &layers));
    world.publish("grafana/grafana", "11", &Image::docker(1, &layers));
    world.publish("grafana/loki", "3", &Image::docker(1, &layers));
    let replicator = world.replicator();
    let (mut bytes, mut mounts) = (0, [0; 3]);
    for (image, asked_for) in ["node:21", "grafana/grafana:11", "grafana/loki:3"]
        .into_iter()
        .zip(&mut mounts)
    {
        world.cloud.counts.reset();
        let event = json!({"images": [{"image": image}]});
        let report = refresh::handle(&event, "request", deadline(), &replicator)
            .await
            .expect("the refresh answers");
        let report = json!(report);
        assert_eq!(report["images"][0]["status"], "copied", "{report:#}");
        bytes = report["images"][0]["bytes"]
            .as_u64()
            .expect("bytes are counted");
        *asked_for = world.count("ecr.blob.mount");
    }
    (bytes, mounts)
}

#[tokio::test]
async fn blobs_of_another_repository_are_mounted_where_the_registry_allows_it() {
    let world = World::start().await;
    world.ecr().allow_mounts();
    assert_eq!(copy_three_times(&world).await, (0, [0, 3, 3]));
    assert_eq!(world.count("hub.blob.get"), 0, "{:?}", ecr_requests(&world));
    let registry = world.ecr();
    assert_eq!(
        registry.blobs("docker-hub/grafana/loki"),
        registry.blobs("docker-hub/library/node")
    );
}

#[tokio::test]
async fn a_registry_that_refuses_a_mount_gets_the_blob_in_the_same_session_and_no_further_mount() {
    let world = World::start().await;
    let (bytes, mounts) = copy_three_times(&world).await;
    // Concurrent requests are sent before the first response arrives.
    assert!(
        bytes > 300_000 && mounts[0] == 0 && (1..=3).contains(&mounts[1]) && mounts[2] == 0,
        "{mounts:?}"
    );
    assert_eq!(
        world.count("ecr.upload.post"),
        3,
        "{:?}",
        ecr_requests(&world)
    );
}

#[tokio::test]
async fn two_hundred_unchanged_tags_cost_one_head_each_and_a_changed_tag_costs_its_own_bytes() {
    let mut world = World::start().await;
    world.cloud.hub.set_quota(1000, 21_600);
    let tags = (0..10)
        .map(|tag| format!("'{tag}'"))
        .collect::<Vec<_>>()
        .join(", ");
    let images = (0..20)
        .map(|app| format!("{{ image: many/app-{app:02}, tags: [{tags}] }}"))
        .collect::<Vec<_>>();
    world.set_catalogue(&format!("images: [{}]", images.join(", ")));
    let image = |app: u64, tag: u64| Image::docker(app * 10 + tag, &[1000]);
    for (app, tag) in (0..20).flat_map(|app| (0..10).map(move |tag| (app, tag))) {
        world.publish(
            &format!("many/app-{app:02}"),
            &tag.to_string(),
            &image(app, tag),
        );
    }
    world.refresh().await;
    world.cloud.counts.reset();
    let report = world.refresh().await;
    assert_eq!(count_status(&report, "unchanged"), 200, "{report:#}");
    assert_eq!(world.count("hub.manifest.head"), 200);
    assert_eq!(world.pulls(), 0);
    assert_eq!(world.count("hub.token"), 20);
    let control = world.cloud.counts.sum("ecr.api.");
    assert!(
        control <= 40 + 1,
        "40 calls and one for the registry's token: {:?}",
        ecr_requests(&world)
    );
    world.publish("many/app-07", "3", &Image::docker(777, &[5000]));
    world.cloud.counts.reset();
    let report = world.refresh().await;
    let copied: Vec<_> = statuses(&report)
        .into_iter()
        .filter(|status| status.starts_with("copied"))
        .collect();
    assert_eq!(copied, ["copied docker.io/many/app-07:3"]);
    assert_eq!(world.pulls(), 1, "{:?}", ecr_requests(&world));
    assert_eq!(
        world.count("ecr.upload.put"),
        2,
        "{:?}",
        ecr_requests(&world)
    );
}
