//! Messages of the queue: which of them are redelivered, when and in which order, and what a second delivery costs.

use std::time::{Duration, SystemTime};

use embedded_cloud::Image;
use serde_json::{Value, json};
use tests::world::World;

/// The identifiers of a batch's messages whose body names `part`.
fn message_ids(event: &Value, part: &str) -> Vec<String> {
    let records = event["Records"]
        .as_array()
        .expect("a batch has records")
        .iter();
    let named = records.filter(|record| {
        record["body"]
            .as_str()
            .is_some_and(|body| body.contains(part))
    });
    named
        .map(|record| record["messageId"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn redelivered(response: &Value) -> Vec<String> {
    let failures = response["batchItemFailures"]
        .as_array()
        .expect("the response is a verdict")
        .iter();
    failures
        .map(|failure| {
            failure["itemIdentifier"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

#[tokio::test]
async fn only_the_failed_message_that_can_succeed_later_is_redelivered() {
    let mut world = World::start().await;
    let queue = world.add_queue();
    let names: Vec<String> = (0..10).map(|n| format!("app{n}:1")).collect();
    for (seed, name) in (0u64..).zip(&names) {
        let repository = format!("library/{}", name.trim_end_matches(":1"));
        world.publish(&repository, "1", &Image::docker(seed, &[500]));
    }
    world
        .refresh_images(&names.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    // One is deleted upstream, one is refused by the destination, and one is always interrupted.
    world.cloud.hub.delete_tag("library/app2", "1");
    world
        .ecr()
        .create_repository("docker-hub/library/app5", false);
    world.ecr().deny("docker-hub/library/app5");
    world
        .cloud
        .hub
        .faults()
        .cut_blob(&Image::docker(8, &[500]).layers()[0], 0, 6);

    let event = world
        .cloud
        .sqs
        .next_event(&queue, 10)
        .expect("ten messages wait");
    let response = world.deliver(&event).await;
    assert_eq!(redelivered(&response), message_ids(&event, "app8:1"));

    world.cloud.sqs.settle(&queue, &event, &Ok(response));
    assert_eq!(
        world.cloud.sqs.next_event(&queue, 10),
        None,
        "it is redelivered after a minute"
    );
    world.advance(Duration::from_secs(61));
    world.drain(&queue).await;
    assert_eq!(
        world.mirrored("library/app8", "1"),
        Some(Image::docker(8, &[500]).digest())
    );
    assert!(world.cloud.sqs.messages(&queue).is_empty());
}

#[tokio::test]
async fn later_messages_of_the_same_group_are_redelivered_too_and_in_order() {
    let mut world = World::start().await;
    let queue = world.add_queue();
    for (seed, tag) in [(1, "1"), (2, "2"), (3, "3")] {
        world.publish("library/node", tag, &Image::docker(seed, &[500]));
    }
    world.refresh_images(&["node:1", "node:2", "node:3"]).await;
    world
        .cloud
        .hub
        .faults()
        .cut_blob(&Image::docker(2, &[500]).layers()[0], 0, 6);
    let event = world
        .cloud
        .sqs
        .next_event(&queue, 10)
        .expect("three messages wait");
    let response = world.deliver(&event).await;
    assert_eq!(
        redelivered(&response),
        [message_ids(&event, "node:2"), message_ids(&event, "node:3")].concat()
    );

    world.cloud.sqs.settle(&queue, &event, &Ok(response));
    world.advance(Duration::from_secs(61));
    let again = world
        .cloud
        .sqs
        .next_event(&queue, 10)
        .expect("two messages are redelivered");
    assert_eq!(
        [message_ids(&again, "node:2"), message_ids(&again, "node:3")].concat(),
        message_ids(&again, "")
    );
}

#[tokio::test]
async fn a_second_delivery_of_a_message_costs_one_head() {
    let mut world = World::start().await;
    let queue = world.add_queue();
    world.publish("library/node", "21", &Image::docker(1, &[100]));
    world.refresh_images(&["node:21"]).await;
    let event = world.cloud.sqs.next_event(&queue, 1).unwrap();
    let no_failure = json!({"batchItemFailures": []});
    assert_eq!(world.deliver(&event).await, no_failure);
    world.cloud.counts.reset();
    assert_eq!(world.deliver(&event).await, no_failure);
    let counts = &world.cloud.counts;
    let requests = (
        counts.sum("hub.manifest."),
        counts.get("hub.manifest.head"),
        counts.sum("cdn."),
    );
    assert_eq!(requests, (1, 1, 0), "{:?}", counts.all());
    let writes = counts.sum("ecr.upload.") + counts.get("ecr.manifest.put");
    assert_eq!(writes, 0, "{:?}", counts.all());
}

#[tokio::test]
async fn an_old_message_copies_what_upstream_has_now() {
    let mut world = World::start().await;
    let queue = world.add_queue();
    world.publish("library/node", "21", &Image::docker(1, &[100]));
    world.refresh_images(&["node:21"]).await;
    let newer = Image::docker(2, &[100]);
    world.publish("library/node", "21", &newer);
    world.drain(&queue).await;
    assert_eq!(world.mirrored("library/node", "21"), Some(newer.digest()));
}

#[tokio::test]
async fn a_message_that_meets_the_deadline_is_redelivered_and_the_next_run_finishes() {
    let mut world = World::start().await;
    let image = Image::oci(1, &[300_000]);
    world.publish("library/node", "21", &image);
    let queue = world.add_queue();
    world.refresh_images(&["node:21"]).await;
    world
        .cloud
        .hub
        .faults()
        .stall_blob(&image.layers()[0], 1000, 1);
    let event = world.cloud.sqs.next_event(&queue, 1).unwrap();
    let batch = serde_json::from_value(event.clone()).unwrap();
    let deadline = SystemTime::now() + Duration::from_secs(5);
    let response = json!(
        replicate::handle(batch, deadline, &world.replicator())
            .await
            .response()
    );
    assert_eq!(
        response["batchItemFailures"][0]["itemIdentifier"],
        event["Records"][0]["messageId"]
    );
    assert_eq!(world.mirrored("library/node", "21"), None);
    assert_eq!(world.record_status("library/node", "21"), "deferred");

    world.cloud.sqs.settle(&queue, &event, &Ok(response));
    world.drain(&queue).await;
    assert_eq!(world.mirrored("library/node", "21"), Some(image.digest()));
    assert!(world.cloud.sqs.messages(&queue).is_empty());
}

#[tokio::test]
async fn a_message_that_can_never_succeed_is_recorded_and_not_redelivered() {
    let mut world = World::start().await;
    let image = Image::oci(1, &[300_000]);
    world.publish("library/node", "21", &image);
    let queue = world.add_queue();
    world
        .ecr()
        .create_repository("docker-hub/library/node", false);
    world.refresh_images(&["node:21"]).await;
    world.cloud.hub.delete_tag("library/node", "21");
    assert_eq!(
        world.replicate(&queue).await,
        Some(json!({"batchItemFailures": []})),
        "{}",
        image.digest()
    );
    assert_eq!(world.record_status("library/node", "21"), "failed");
    assert!(world.cloud.sqs.messages(&queue).is_empty());
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_dropped() {
    let world = World::start().await;
    let record = |id: &str, body: &str| json!({"messageId": id, "body": body, "attributes": {"MessageGroupId": "g"}});
    let event = json!({"Records": [record("1", "hello"), record("2", r#"{"version":2}"#), record("3", "{}")]});
    let response = world.deliver(&event).await;
    assert_eq!(response, json!({"batchItemFailures": []}));
    assert_eq!(world.cloud.counts.sum(""), 0);
}
