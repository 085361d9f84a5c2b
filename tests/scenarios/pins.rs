//! Images that are requested by digest.

use embedded_cloud::Image;
use serde_json::json;
use tests::world::{World, reason, statuses};

/// A world in which node:21 has moved upstream; the image is the earlier one.
async fn world() -> (World, Image) {
    let (pinned, newer) = (
        Image::index(7, &["linux/amd64", "linux/arm64"], &[500], true),
        Image::docker(8, &[500]),
    );
    let world = World::start().await;
    world.publish("library/node", "21", &pinned);
    world.publish("library/node", "21", &newer);
    (world, pinned)
}

#[tokio::test]
async fn a_pin_is_mirrored_under_its_tag_or_a_tag_of_its_digest_and_costs_no_second_pull() {
    let (mut world, pinned) = world().await;
    let digest = pinned.digest();
    let own_tag = digest.replacen(':', "_", 1);
    world.set_catalogue(&format!(
        "images: [{{ image: 'node@{digest}' }}, {{ image: 'node:21@{digest}' }}]"
    ));
    let queue = world.add_queue();
    let names = [
        format!("docker.io/library/node:21@{digest}"),
        format!("docker.io/library/node@{digest}"),
    ];
    assert_eq!(
        statuses(&world.refresh().await),
        [
            format!("deferred {}", names[0]),
            format!("deferred {}", names[1])
        ]
    );
    world.drain(&queue).await;

    let ecr = world.ecr();
    let expected = [
        ("21".to_owned(), digest.clone()),
        (own_tag.clone(), digest.clone()),
    ];
    assert_eq!(ecr.images("docker-hub/library/node"), expected.into());
    let state = ecr.resource_tags("docker-hub/library/node");
    for tag in ["21", &own_tag] {
        assert!(
            state[&format!("replicator:tag:{tag}")].starts_with(&format!("{digest} ok 20")),
            "{state:?}"
        );
    }

    world.cloud.counts.reset();
    let report = world.refresh().await;
    assert_eq!(
        statuses(&report),
        [
            format!("unchanged {}", names[0]),
            format!("unchanged {}", names[1])
        ]
    );
    let uri = report["images"][1]["targets"][0]["uri"].as_str().unwrap();
    assert!(
        uri.ends_with(&format!("/docker-hub/library/node:{own_tag}")),
        "{uri}"
    );
    let counts = &world.cloud.counts;
    assert_eq!(counts.get("hub.manifest.head"), 2);
    assert_eq!(world.pulls(), 0);
    assert_eq!(counts.get("hub.tags"), 0);
}

#[tokio::test]
async fn a_build_an_event_and_the_command_line_can_request_a_pin() {
    let (world, pinned) = world().await;
    let digest = pinned.digest();
    let name = format!("docker.io/library/node@{digest}");
    let report = world
        .ensure(json!({"images": [format!("node@{digest}")]}))
        .await;
    assert_eq!(statuses(&report), [format!("copied {name}")]);
    assert_eq!(report["images"][0]["targets"][0]["digest"], digest);
    assert_eq!(
        statuses(&world.refresh_images(&[&format!("node@{digest}")]).await),
        [format!("unchanged {name}")]
    );
    let (code, output) = world
        .run_command(&["sync", &format!("node:20@{digest}")])
        .await;
    assert_eq!(code, Some(0), "{output}");
    assert_eq!(world.mirrored("library/node", "20"), Some(digest));
}

#[tokio::test]
async fn a_pin_that_upstream_lacks_fails_without_a_pull() {
    let (world, _) = world().await;
    let digest = format!("sha256:{}", "0".repeat(64));
    let report = world.refresh_images(&[&format!("node:21@{digest}")]).await;
    assert_eq!(
        statuses(&report),
        [format!("failed docker.io/library/node:21@{digest}")]
    );
    let expected = format!("source: cannot find docker.io/library/node@{digest}: not found");
    assert!(
        reason(&report).starts_with(&expected),
        "{}",
        reason(&report)
    );
    assert_eq!(world.pulls(), 0);
}

#[tokio::test]
async fn a_pin_never_takes_the_target_of_a_catalogue_tag() {
    let (mut world, pinned) = world().await;
    world.set_catalogue("images: [{ image: 'node:21' }]");
    let digest = pinned.digest();
    let report = world
        .ensure(json!({"images": [format!("node:21@{digest}")]}))
        .await;
    assert_eq!(
        statuses(&report),
        [format!("failed docker.io/library/node:21@{digest}")]
    );
    let why = reason(&report);
    for image in ["node:21", &format!("node@{digest}")] {
        let name = format!("docker.io/library/{image}");
        assert!(why.contains(&name), "{name} is not in: {why}");
    }
    let report = world
        .ensure(json!({"images": [format!("node@{digest}")]}))
        .await;
    assert_eq!(report["ok"], true, "{report:#}");
}
