//! Docker Hub's quota is a budget: the most valued copies that fit are made, the reserve stays, and the rest is made when the window
//! has moved on. Everything is counted at Docker Hub.

use std::time::Duration;

use embedded_cloud::Image;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::world::{World, statuses};

/// Six hours, in seconds.
const WINDOW: u32 = 21_600;
const PAIR: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// The image `number` of forty, in its first or a later version: five cost 5 pulls and matter most, five cost 3, the others 1.
fn image(number: u64, version: u64) -> Image {
    let seed = version * 100 + number;
    match number {
        0..5 => Image::index(seed, &PAIR, &[200], true),
        5..10 => Image::index(seed, &PAIR, &[200], false),
        _ => Image::oci(seed, &[200]),
    }
}

fn name(number: u64) -> String {
    format!("library/app{number:02}")
}

fn publish(world: &World, version: u64) {
    for number in 0..40 {
        world
            .cloud
            .hub
            .push(&name(number), "1", &image(number, version));
    }
}

/// A world whose mirror is level with forty images, which then have all changed, and in which 30 pulls are left, 3 of them for others.
async fn world() -> World {
    let mut world = World::start().await;
    world.wake_up();
    let images: Vec<Value> = (0..40)
        .map(|number| {
            let priority = if number < 5 {
                10
            } else if number < 10 {
                5
            } else {
                0
            };
            json!({"image": name(number), "tags": ["1"], "priority": priority})
        })
        .collect();
    world.catalogue(&json!({ "images": images }).to_string());
    world.cloud.hub.set_quota(1000, WINDOW);
    publish(&world, 1);
    assert_eq!(world.refresh().await["ok"], true);
    publish(&world, 2);
    world
        .cloud
        .clock
        .advance(Duration::from_secs(u64::from(WINDOW) + 1));
    world.cloud.hub.set_quota(30, WINDOW);
    world.cloud.counts.reset();
    world
}

/// The numbers of the images that the mirror has in their second version.
fn level(world: &World) -> Vec<u64> {
    let ecr = world.cloud.ecr.region("us-east-1");
    let is_up_to_date = |number: &u64| {
        ecr.image(&format!("docker-hub/{}", name(*number)), "1") == Some(image(*number, 2).digest())
    };
    (0..40).filter(is_up_to_date).collect()
}

fn count(report: &Value, status: &str) -> usize {
    statuses(report)
        .iter()
        .filter(|line| line.starts_with(status))
        .count()
}

/// What fits into 27 pulls: five images for 5 each, none for 3, and two for 1.
const FIRST: [u64; 7] = [0, 1, 2, 3, 4, 10, 11];

#[tokio::test]
async fn the_most_valued_set_that_fits_is_copied_and_wake_ups_copy_the_rest() {
    let world = world().await;
    let report = world.refresh().await;
    assert_eq!(level(&world), FIRST);
    assert_eq!((count(&report, "copied"), count(&report, "stale")), (7, 33));
    assert_eq!(
        (
            world.cloud.counts.get("hub.manifest.get"),
            world.cloud.hub.remaining()
        ),
        (27, 3)
    );
    let until = &world.cloud.scheduler.schedules()[0];
    assert_eq!(until.name, "image-replicator-refresh-deferred");
    assert_eq!(until.action_after_completion, "DELETE");
    let tags = world
        .cloud
        .ecr
        .region("us-east-1")
        .resource_tags("docker-hub/library/app39");
    let entry = &tags["replicator:tag:1"];
    assert!(
        entry.contains(" deferred ")
            && entry.contains(&format!(
                "until={}",
                until.at.strftime("%Y-%m-%dT%H:%M:%SZ")
            )),
        "{entry}"
    );

    let second = world.wait_for_wake_up().await.expect("a wake-up");
    assert_eq!(
        statuses(&second).len(),
        33,
        "what is level is not looked at again"
    );
    assert_eq!(
        (count(&second, "copied"), world.cloud.hub.remaining()),
        (17, 3),
        "five for 3 each and twelve for 1"
    );
    let third = world.wait_for_wake_up().await.expect("a wake-up");
    assert_eq!(
        (
            statuses(&third).len(),
            count(&third, "copied"),
            world.cloud.hub.remaining()
        ),
        (16, 16, 14)
    );
    assert_eq!(level(&world).len(), 40);
    assert_eq!(
        (
            world.cloud.counts.get("hub.manifest.get"),
            world.cloud.hub.refused_pulls()
        ),
        (25 + 15 + 30, 0)
    );
    assert_eq!(world.cloud.scheduler.schedules(), []);
}

#[tokio::test]
async fn eight_workers_side_by_side_copy_the_same_set_and_leave_the_reserve_alone() {
    let mut world = world().await;
    let queue = world.queue();
    world.refresh().await;
    for expected in [7, 24, 40] {
        while join_all((0..8).map(|_| world.replicate(&queue)))
            .await
            .iter()
            .any(Option::is_some)
        {}
        assert_eq!(level(&world).len(), expected);
        assert!(world.cloud.hub.remaining() >= 3);
        if expected == 7 {
            assert_eq!(level(&world), FIRST);
        }
        assert_eq!(world.wait_for_wake_up().await.is_some(), expected < 40);
    }
    assert_eq!(
        (
            world.cloud.counts.get("hub.manifest.get"),
            world.cloud.hub.refused_pulls()
        ),
        (70, 0)
    );
}

#[tokio::test]
async fn what_an_event_wants_differently_is_woken_up_for_as_it_was_wanted() {
    let mut world = World::start().await;
    world.wake_up();
    let queue = world.queue();
    world.catalogue(
        "destinations:\n  private: { ecr: { repository: 'docker-hub/{repository}' } }\n  lab: { ecr: { repository: 'lab/{repository}' } }\ndefaults: { to: [private] }\nimages: [{ image: library/app00, tags: ['1'] }]",
    );
    world.cloud.hub.push(&name(0), "1", &image(0, 1));
    world.cloud.hub.set_quota(0, WINDOW);
    let wish =
        json!({"images": [{"image": "app00:1", "to": ["lab"], "platforms": ["linux/amd64"]}]});
    world.refresh_with(wish).await.unwrap();
    world.replicate(&queue).await.unwrap();
    let held = |path: &str| world.cloud.ecr.region("us-east-1").image(path, "1");
    assert_eq!(held("lab/library/app00"), None);

    world.cloud.hub.set_quota(1000, WINDOW);
    world.wait_for_wake_up().await.expect("a wake-up");
    world.work_off(&queue).await;
    let amd64 = image(0, 1).children()[0].digest();
    assert!(held("lab/library/app00").is_some_and(|part| part != image(0, 1).digest()));
    assert!(
        world
            .cloud
            .ecr
            .region("us-east-1")
            .manifest("lab/library/app00", &amd64)
            .is_some(),
        "the platform that was wanted"
    );
    assert_eq!(
        held("docker-hub/library/app00"),
        None,
        "nobody wanted it there"
    );
}
