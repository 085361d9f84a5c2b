//! Outcomes on the event bus and failures on the topic.

use embedded_cloud::Image;

use crate::rescue::world;

#[tokio::test]
async fn outcomes_are_published_on_the_bus_and_failures_on_the_topic() {
    let mut world = world().await;
    world.cloud.events.create_bus("mirror");
    let topic = world.cloud.sns.create_topic("failures");
    world.set("REPLICATOR_EVENT_BUS", "mirror");
    world.set("REPLICATOR_FAILURE_TOPIC", &topic);
    world.refresh_images(&["node:21", "node:99"]).await;

    let events = world.cloud.events.published();
    let types: Vec<&str> = events
        .iter()
        .map(|event| event.detail_type.as_str())
        .collect();
    assert_eq!(types, ["Image Replicated", "Image Replication Failed"]);
    let (copied, failed) = (&events[0].detail, &events[1].detail);
    assert_eq!(copied["image"], "docker.io/library/node:21");
    assert_eq!(copied["cause"]["kind"], "on-demand");
    assert_eq!(
        copied["targets"][0]["digest"],
        Image::docker(1, &[1000]).digest(),
        "{copied:#}"
    );
    assert_eq!(failed["image"], "docker.io/library/node:99");
    let reason = failed["reason"].as_str().expect("a failure has a reason");
    assert!(reason.contains("not found"), "{reason}");

    let messages = world.cloud.sns.published();
    assert_eq!(messages.len(), 1);
    let message = &messages[0].message;
    assert!(message.contains("docker.io/library/node:99"), "{message}");
    assert!(message.contains("not found"), "{message}");

    world.refresh_images(&["node:21"]).await;
    assert_eq!(
        world.cloud.events.published().len(),
        2,
        "an unchanged image causes no event"
    );
}
