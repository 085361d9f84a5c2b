//! A batch of the queue in which some messages fail: what comes back, when, and in which order.

use std::time::Duration;

use embedded_cloud::Image;
use serde_json::{Value, json};
use tests::world::World;

/// The identifiers of a batch's messages whose body names `part`.
fn ids(event: &Value, part: &str) -> Vec<String> {
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

fn come_back(response: &Value) -> Vec<String> {
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

async fn deliver(world: &World, event: &Value) -> Value {
    let batch = serde_json::from_value(event.clone()).expect("the event is a batch");
    let soon = std::time::SystemTime::now() + Duration::from_mins(2);
    json!(
        replicate::handle(batch, soon, &world.replicator())
            .await
            .response()
    )
}

#[tokio::test]
async fn of_ten_messages_three_fail_and_only_what_can_succeed_later_comes_back() {
    let mut world = World::start().await;
    let queue = world.queue();
    let names: Vec<String> = (0..10).map(|n| format!("app{n}:1")).collect();
    for (seed, name) in (0u64..).zip(&names) {
        let repository = format!("library/{}", name.trim_end_matches(":1"));
        world
            .cloud
            .hub
            .push(&repository, "1", &Image::docker(seed, &[500]));
    }
    world
        .refresh_images(&names.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    // Gone upstream; refused by the destination; cut off again and again.
    world.cloud.hub.delete_tag("library/app2", "1");
    world
        .cloud
        .ecr
        .region("us-east-1")
        .create_repository("docker-hub/library/app5", false);
    world
        .cloud
        .ecr
        .region("us-east-1")
        .deny("docker-hub/library/app5");
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
    let response = deliver(&world, &event).await;
    assert_eq!(come_back(&response), ids(&event, "app8:1"));

    world.cloud.sqs.settle(&queue, &event, &Ok(response));
    assert_eq!(
        world.cloud.sqs.next_event(&queue, 10),
        None,
        "it comes back after a pause"
    );
    world.cloud.clock.advance(Duration::from_secs(61));
    world.work_off(&queue).await;
    assert!(
        world
            .cloud
            .ecr
            .region("us-east-1")
            .image("docker-hub/library/app8", "1")
            .is_some()
    );
    assert!(world.cloud.sqs.messages(&queue).is_empty());
}

#[tokio::test]
async fn what_follows_in_the_group_comes_back_too_and_in_order() {
    let mut world = World::start().await;
    let queue = world.queue();
    for (seed, tag) in [(1, "1"), (2, "2"), (3, "3")] {
        world
            .cloud
            .hub
            .push("library/node", tag, &Image::docker(seed, &[500]));
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
    let response = deliver(&world, &event).await;
    assert_eq!(
        come_back(&response),
        [ids(&event, "node:2"), ids(&event, "node:3")].concat()
    );

    world.cloud.sqs.settle(&queue, &event, &Ok(response));
    world.cloud.clock.advance(Duration::from_secs(61));
    let again = world
        .cloud
        .sqs
        .next_event(&queue, 10)
        .expect("two messages came back");
    assert_eq!(
        [ids(&again, "node:2"), ids(&again, "node:3")].concat(),
        ids(&again, "")
    );
}
