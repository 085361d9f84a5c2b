//! When deferred images are retried, and with which options.

use std::time::Duration;

use embedded_cloud::Image;
use serde_json::json;
use tests::world::{World, assert_statuses};

use crate::quota::{PAIR, WINDOW, leave_pulls};

#[tokio::test]
async fn tags_that_share_a_digest_wait_for_one_price() {
    let mut world = World::start().await;
    world.schedule_retries();
    let image = Image::index(2, &PAIR, &[200], true);
    for tag in ["21", "latest", "lts"] {
        world.publish("library/node", tag, &image);
    }
    world.set_catalogue("images: [{ image: node, tags: ['21', latest, lts] }]");
    leave_pulls(&world, 100, 10);
    world.refresh().await;
    let wait = world.cloud.scheduler.schedules()[0]
        .at
        .duration_since(world.cloud.clock.now());
    // Six of the 90 pulls that others have spent are available again within 24 minutes.
    assert!(wait <= jiff::SignedDuration::from_mins(24), "{wait}");
}

#[tokio::test]
async fn two_runs_that_defer_at_the_same_time_share_one_scheduled_retry() {
    let mut world = World::start().await;
    world.schedule_retries();
    for (seed, name) in [(1, "library/node"), (2, "library/redis")] {
        world.publish(name, "1", &Image::oci(seed, &[200]));
    }
    leave_pulls(&world, 100, 10);
    tokio::join!(
        world.refresh_images(&["node:1"]),
        world.refresh_images(&["redis:1"])
    );
    assert_eq!(world.cloud.scheduler.schedules().len(), 1);
    world.cloud.hub.set_quota(1000, WINDOW);
    let report = world.run_next_retry().await.expect("a retry is scheduled");
    assert_statuses(
        &report,
        &[
            "copied docker.io/library/node:1",
            "copied docker.io/library/redis:1",
        ],
    );
}

#[tokio::test]
async fn a_queued_image_keeps_the_time_since_which_it_is_deferred() {
    let mut world = World::start().await;
    let queue = world.add_queue();
    for (tag, seed) in [("21", 1), ("22", 2)] {
        world.publish("library/node", tag, &Image::oci(seed, &[200]));
    }
    world.set_catalogue("images: [{ image: node, tags: ['21', '22'] }]");
    world.refresh().await;
    world.drain(&queue).await;
    world.publish("library/node", "21", &Image::oci(3, &[200]));
    leave_pulls(&world, 10, 0);
    world.refresh().await;
    assert_eq!(world.record_status("library/node", "21"), "deferred");
    let deferred = world.record("library/node", "21");
    let now = world.cloud.clock.now();
    let since = now.strftime("since=%Y-%m-%dT%H:%M:%SZ").to_string();

    world.advance(Duration::from_hours(24));
    world.refresh().await;
    assert_eq!(
        world.record("library/node", "21"),
        deferred,
        "only the worker updates the record of a queued image"
    );
    // Others have spent the pulls before the worker runs.
    leave_pulls(&world, 10, 0);
    world.drain(&queue).await;
    let record = world.record("library/node", "21");
    assert!(record.split(' ').any(|field| field == since), "{record}");
    assert_ne!(record, deferred);
}

#[tokio::test]
async fn a_retry_keeps_the_destination_and_platforms_of_the_event() {
    let mut world = World::start().await;
    world.schedule_retries();
    let queue = world.add_queue();
    world.set_catalogue(
        "destinations:\n  private: { ecr: { repository: 'docker-hub/{repository}' } }\n  lab: { ecr: { repository: 'lab/{repository}' } }\ndefaults: { to: [private] }\nimages: [{ image: library/app00, tags: ['1'] }]",
    );
    let image = Image::index(1, &PAIR, &[200], true);
    world.publish("library/app00", "1", &image);
    world.cloud.hub.set_quota(0, WINDOW);
    let event =
        json!({"images": [{"image": "app00:1", "to": ["lab"], "platforms": ["linux/amd64"]}]});
    world.refresh_with(event).await.unwrap();
    world.replicate(&queue).await.unwrap();
    let ecr = world.ecr();
    assert_eq!(ecr.image("lab/library/app00", "1"), None);

    world.cloud.hub.set_quota(1000, WINDOW);
    world.run_next_retry().await.expect("a retry is scheduled");
    world.drain(&queue).await;
    let subset = ecr.image("lab/library/app00", "1");
    assert!(subset.is_some_and(|digest| digest != image.digest()));
    let [amd64, arm64] = [0, 1].map(|child: usize| {
        let digest = image.children()[child].digest();
        ecr.manifest("lab/library/app00", &digest)
    });
    assert!(amd64.is_some() && arm64.is_none(), "the chosen platform");
    assert_eq!(
        world.mirrored("library/app00", "1"),
        None,
        "the destination of the catalogue was not requested"
    );
}
