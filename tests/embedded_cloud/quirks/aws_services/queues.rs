//! FIFO queues: order, deduplication and visibility.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::types::QueueAttributeName;
use embedded_cloud::Cloud;

use crate::{config, refusal};

pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) client: Client,
    pub(crate) url: String,
}

/// A cloud with one queue, whose visibility timeout is 60 seconds.
pub(crate) async fn world() -> World {
    let cloud = Cloud::start().await;
    let url = cloud.sqs.create_fifo_queue("work", 60);
    let client = Client::new(&config(&cloud).await);
    World { cloud, client, url }
}

impl World {
    pub(crate) fn message(&self, group: &str, body: &str) -> SendMessageFluentBuilder {
        let message = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body);
        message
            .message_group_id(group)
            .message_deduplication_id(body)
    }

    async fn send(&self, group: &str, body: &str) -> String {
        let response = self
            .message(group, body)
            .send()
            .await
            .expect("the message is well formed");
        response
            .message_id
            .expect("every message has an identifier")
    }

    /// The body and the receipt handle of each message of one `ReceiveMessage`.
    async fn receive(&self) -> Vec<(String, String)> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(10);
        let messages = request
            .send()
            .await
            .expect("the queue exists")
            .messages
            .unwrap_or_default();
        let text = |text: Option<String>| text.expect("a message is complete");
        messages
            .into_iter()
            .map(|message| (text(message.body), text(message.receipt_handle)))
            .collect()
    }

    async fn bodies(&self) -> Vec<String> {
        self.receive()
            .await
            .into_iter()
            .map(|(body, _)| body)
            .collect()
    }
}

#[tokio::test]
async fn a_duplicate_within_five_minutes_is_accepted_and_not_enqueued() {
    let world = world().await;
    let first = world.send("a", "same").await;
    assert_eq!(world.send("a", "same").await, first);
    assert_eq!(world.cloud.sqs.messages(&world.url).len(), 1);
    world.cloud.clock.advance(Duration::from_secs(301));
    assert_ne!(world.send("a", "same").await, first);
    assert_eq!(world.cloud.sqs.messages(&world.url).len(), 2);
}

#[tokio::test]
async fn a_group_with_a_message_in_flight_delivers_no_other() {
    let world = world().await;
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2")] {
        world.send(group, body).await;
    }
    let received = world.receive().await;
    world.send("a", "a3").await;
    world.send("c", "c1").await;
    assert_eq!(
        received.iter().map(|(body, _)| body).collect::<Vec<_>>(),
        ["a1", "b1", "a2"]
    );
    assert_eq!(world.bodies().await, ["c1"]);
}

#[tokio::test]
async fn undeleted_messages_are_redelivered_in_order_after_the_visibility_timeout() {
    let world = world().await;
    world.send("a", "a1").await;
    world.send("a", "a2").await;
    assert_eq!(world.bodies().await, ["a1", "a2"]);
    world.cloud.clock.advance(Duration::from_secs(59));
    assert!(world.bodies().await.is_empty());
    world.cloud.clock.advance(Duration::from_secs(1));
    assert_eq!(world.bodies().await, ["a1", "a2"]);
}

#[tokio::test]
async fn a_receipt_deletes_twice_but_not_after_it_expired() {
    let world = world().await;
    world.send("a", "a1").await;
    let (_, expired) = world.receive().await.remove(0);
    world.cloud.clock.advance(Duration::from_mins(1));
    let (_, current) = world.receive().await.remove(0);
    let delete = |receipt: &str| {
        world
            .client
            .delete_message()
            .queue_url(&world.url)
            .receipt_handle(receipt)
            .send()
    };
    assert_eq!(refusal(delete(&expired).await).0, "InvalidParameterValue");
    assert_eq!(refusal(delete("made up").await).0, "ReceiptHandleIsInvalid");
    delete(&current).await.expect("the message is in flight");
    delete(&current)
        .await
        .expect("deleting again changes nothing");
    assert!(world.cloud.sqs.messages(&world.url).is_empty());
}

#[tokio::test]
async fn a_message_in_flight_can_be_made_visible_immediately() {
    let world = world().await;
    world.send("a", "a1").await;
    let (_, receipt) = world.receive().await.remove(0);
    let hide = world
        .client
        .change_message_visibility()
        .queue_url(&world.url)
        .receipt_handle(&receipt);
    hide.clone()
        .visibility_timeout(0)
        .send()
        .await
        .expect("the message is in flight");
    let again = hide.visibility_timeout(30).send().await;
    assert_eq!(
        refusal(again).0,
        "AWS.SimpleQueueService.MessageNotInflight"
    );
    assert_eq!(world.bodies().await, ["a1"]);
}

#[tokio::test]
async fn a_long_poll_ends_as_soon_as_a_message_is_visible() {
    let world = world().await;
    let request = world
        .client
        .receive_message()
        .queue_url(&world.url)
        .wait_time_seconds(20);
    let poll = tokio::spawn(request.send());
    world.send("a", "a1").await;
    let response = tokio::time::timeout(Duration::from_secs(5), poll)
        .await
        .expect("far sooner than 20 seconds");
    let messages = response
        .expect("no panic")
        .expect("the queue exists")
        .messages
        .unwrap_or_default();
    assert_eq!(messages[0].body(), Some("a1"));
}

#[tokio::test]
async fn the_attributes_of_a_queue_report_its_depth() {
    let world = world().await;
    world.send("a", "a1").await;
    world.send("b", "b1").await;
    let receive = world.client.receive_message().queue_url(&world.url);
    receive.send().await.expect("the queue exists");
    let request = world
        .client
        .get_queue_attributes()
        .queue_url(&world.url)
        .attribute_names(QueueAttributeName::All);
    let attributes = request
        .send()
        .await
        .expect("the queue exists")
        .attributes
        .unwrap_or_default();
    let value = |name: QueueAttributeName| attributes.get(&name).map(String::as_str);
    assert_eq!(
        value(QueueAttributeName::ApproximateNumberOfMessages),
        Some("1")
    );
    assert_eq!(
        value(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        Some("1")
    );
    assert_eq!(
        value(QueueAttributeName::QueueArn),
        Some("arn:aws:sqs:us-east-1:111122223333:work.fifo")
    );
}

#[tokio::test]
async fn a_missing_queue_has_the_error_code_of_the_query_protocol() {
    let world = world().await;
    let url = world.url.replace("work", "play");
    let response = world.client.receive_message().queue_url(url).send().await;
    assert_eq!(
        refusal(response).0,
        "AWS.SimpleQueueService.NonExistentQueue"
    );
    let url = world
        .client
        .get_queue_url()
        .queue_name("work.fifo")
        .send()
        .await
        .expect("the queue exists");
    assert_eq!(url.queue_url(), Some(world.url.as_str()));
}
