//! Pull failures elsewhere make `rescue` copy the image into the mirror.

use embedded_cloud::Image;
use serde_json::json;
use tests::events::{PULL_LIMIT, sample, stopped_task};
use tests::world::{PRIVATE, World, assert_statuses, deadline, statuses};

const CATALOGUE: &str = "\
rescue: { allow: ['library/*'] }
rescan: { severity: HIGH }
images: [{ image: 'node:21' }]
";

pub(crate) async fn world() -> World {
    let mut world = World::start().await;
    world.set_catalogue(CATALOGUE);
    world.publish("library/node", "21", &Image::docker(1, &[1000]));
    world.publish("library/redis", "7", &Image::docker(2, &[1000]));
    world
}

#[tokio::test]
async fn a_task_that_reached_the_pull_limit_gets_its_image_into_the_mirror() {
    let world = world().await;
    let answer = world.rescue(&stopped_task("redis:7", PULL_LIMIT)).await;
    assert_statuses(&answer, &["copied docker.io/library/redis:7"]);
    assert_eq!(
        world.mirrored("library/redis", "7"),
        Some(Image::docker(2, &[1000]).digest())
    );
}

#[tokio::test]
async fn an_image_that_is_missing_in_the_mirror_is_copied_from_upstream() {
    let world = world().await;
    let uri = format!("{PRIVATE}/docker-hub/library/redis:7");
    let reason =
        format!("manifest for {uri} not found: manifest unknown: Requested image not found");
    let answer = world.rescue(&stopped_task(&uri, &reason)).await;
    assert_statuses(&answer, &["copied docker.io/library/redis:7"]);
    assert_eq!(
        world.mirrored("library/redis", "7"),
        Some(Image::docker(2, &[1000]).digest())
    );
}

#[tokio::test]
async fn an_image_that_the_catalogue_does_not_allow_is_refused_with_the_reason() {
    let world = world().await;
    let answer = world
        .rescue(&stopped_task("evil/miner:1", PULL_LIMIT))
        .await;
    assert_eq!(statuses(&answer), Vec::<String>::new());
    let why = answer["refused"][0]["why"].as_str().unwrap();
    assert!(why.contains("rescue.allow"), "{answer:#}");
    assert_eq!(answer["refused"].as_array().map(Vec::len), Some(1));
    assert_eq!(answer["refused"][0]["image"], "evil/miner:1");
    assert_eq!(world.cloud.counts.sum("hub."), 0);
}

#[tokio::test]
async fn an_unknown_event_is_ignored_with_the_reason() {
    let world = world().await;
    for event in [
        json!({"detail-type": "Something New", "source": "aws.x", "detail": {}}),
        json!([1, 2]),
        json!("text"),
    ] {
        let answer = world.rescue(&event).await;
        let ignored = answer["ignored"].as_array().expect("a list");
        assert_eq!(ignored.len(), 1, "{answer:#}");
        assert_ne!(ignored[0]["why"], "", "{answer:#}");
        assert_eq!(statuses(&answer), Vec::<String>::new());
        assert_eq!(&world.rescan(&event).await["ignored"], &answer["ignored"]);
    }
    assert_eq!(world.cloud.counts.all(), [].into());
}

#[tokio::test]
async fn a_hundred_failures_that_are_delivered_twice_cost_one_copy() {
    let mut world = world().await;
    let queue = world.add_queue();
    let replicator = world.replicator();
    for n in 0..200 {
        let mut event = stopped_task("node:21", PULL_LIMIT);
        event["id"] = json!(format!("e{}", n * 37 % 100));
        ::rescue::handle(&event, "request", deadline(), &replicator)
            .await
            .unwrap();
        if n == 50 {
            world.drain(&queue).await;
        }
    }
    world.drain(&queue).await;
    assert_eq!(world.pulls(), 1);
    assert_eq!(world.count("ecr.manifest.put"), 1);
}

#[tokio::test]
async fn the_image_of_a_failed_docker_build_is_read_from_its_log() {
    let world = world().await;
    let event = sample("codebuild-state-change-docker-build-failed");
    let logs = &event["detail"]["additional-information"]["logs"];
    let (group, stream) = (
        logs["group-name"].as_str().unwrap(),
        logs["stream-name"].as_str().unwrap(),
    );
    let lines = [
        "Step 1/5 : FROM redis:7",
        "toomanyrequests: You have reached your pull rate limit. https://www.docker.com/increase-rate-limit",
    ];
    world.cloud.logs.put(group, stream, lines);
    let answer = world.rescue(&event).await;
    assert_statuses(&answer, &["copied docker.io/library/redis:7"]);
    assert_eq!(
        world.mirrored("library/redis", "7"),
        Some(Image::docker(2, &[1000]).digest())
    );
}

#[tokio::test]
async fn a_pin_of_the_catalogue_is_rescued_under_its_digest() {
    let mut world = world().await;
    let digest = Image::docker(2, &[1000]).digest();
    world.set_catalogue(&format!("images: [{{ image: 'redis@{digest}' }}]"));
    let answer = world
        .rescue(&stopped_task(&format!("redis@{digest}"), PULL_LIMIT))
        .await;
    assert_eq!(
        statuses(&answer),
        [format!("copied docker.io/library/redis@{digest}")],
        "{answer:#}"
    );
    let tag = digest.replacen(':', "_", 1);
    assert_eq!(world.mirrored("library/redis", &tag), Some(digest));
}
