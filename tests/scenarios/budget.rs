//! The budget of Docker Hub pulls: the most valued copies that fit are made, the reserve stays, and retries copy the rest.

use std::time::Duration;

use embedded_cloud::Image;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::world::{World, count_status, statuses};

use crate::quota::{PAIR, WINDOW};

/// The image `number` of forty in this version. The first five cost 5 pulls each, the next five 3, and the others 1.
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

fn publish_all(world: &World, version: u64) {
    for number in 0..40 {
        world.publish(&name(number), "1", &image(number, version));
    }
}

/// A world whose mirror has the first version of forty images. Upstream has their second version, and 30 pulls are left, of
/// which 3 are reserved for others.
async fn world() -> World {
    let mut world = World::start().await;
    world.schedule_retries();
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
    world.set_catalogue(&json!({ "images": images }).to_string());
    world.cloud.hub.set_quota(1000, WINDOW);
    publish_all(&world, 1);
    assert_eq!(world.refresh().await["ok"], true);
    publish_all(&world, 2);
    world.advance(Duration::from_secs(u64::from(WINDOW) + 1));
    world.cloud.hub.set_quota(30, WINDOW);
    world.cloud.counts.reset();
    world
}

/// The numbers of the images that the mirror has in their second version.
fn up_to_date(world: &World) -> Vec<u64> {
    let ecr = world.ecr();
    let is_up_to_date = |number: &u64| {
        ecr.image(&format!("docker-hub/{}", name(*number)), "1") == Some(image(*number, 2).digest())
    };
    (0..40).filter(is_up_to_date).collect()
}

/// The images that fit into 27 pulls: five at 5 pulls, none at 3, and two at 1.
const FIRST: [u64; 7] = [0, 1, 2, 3, 4, 10, 11];

#[tokio::test]
async fn the_most_valued_images_that_fit_are_copied_and_retries_copy_the_rest() {
    let world = world().await;
    let report = world.refresh().await;
    assert_eq!(up_to_date(&world), FIRST);
    assert_eq!(count_status(&report, "copied"), 7);
    assert_eq!(count_status(&report, "stale"), 33);
    assert_eq!(world.pulls(), 27);
    assert_eq!(world.cloud.hub.remaining(), 3);
    let schedules = world.cloud.scheduler.schedules();
    let [schedule] = schedules.as_slice() else {
        panic!("not one schedule: {schedules:?}")
    };
    assert_eq!(schedule.name, "image-replicator-refresh-deferred");
    assert_eq!(schedule.action_after_completion, "DELETE");
    assert_eq!(world.record_status("library/app39", "1"), "deferred");
    let record = world.record("library/app39", "1");
    let until = schedule.at.strftime("until=%Y-%m-%dT%H:%M:%SZ").to_string();
    assert!(record.split(' ').any(|field| field == until), "{record}");

    let second = world.run_next_retry().await.expect("a retry is scheduled");
    assert_eq!(
        statuses(&second).len(),
        33,
        "images that are up to date are not checked again"
    );
    // Five images that cost 3 pulls each, and twelve that cost 1.
    assert_eq!(count_status(&second, "copied"), 17);
    assert_eq!(world.cloud.hub.remaining(), 3);
    let third = world.run_next_retry().await.expect("a retry is scheduled");
    assert_eq!(statuses(&third).len(), 16);
    assert_eq!(count_status(&third, "copied"), 16);
    assert_eq!(world.cloud.hub.remaining(), 14);
    assert_eq!(up_to_date(&world).len(), 40);
    assert_eq!(world.pulls(), 25 + 15 + 30);
    assert_eq!(world.cloud.hub.refused_pulls(), 0);
    assert_eq!(world.cloud.scheduler.schedules(), []);
}

#[tokio::test]
async fn eight_concurrent_workers_copy_the_same_images_and_keep_the_reserve() {
    let mut world = world().await;
    let queue = world.add_queue();
    world.refresh().await;
    for expected in [7, 24, 40] {
        while join_all((0..8).map(|_| world.replicate(&queue)))
            .await
            .iter()
            .any(Option::is_some)
        {}
        assert_eq!(up_to_date(&world).len(), expected);
        assert!(world.cloud.hub.remaining() >= 3);
        if expected == 7 {
            assert_eq!(up_to_date(&world), FIRST);
        }
        assert_eq!(world.run_next_retry().await.is_some(), expected < 40);
    }
    assert_eq!(world.pulls(), 70);
    assert_eq!(world.cloud.hub.refused_pulls(), 0);
}
