//! Which messages a FIFO queue accepts, and its responses.

use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};

use crate::queues::world;
use crate::refusal;

#[tokio::test]
async fn the_response_to_a_message_has_its_checksums() {
    let world = world().await;
    let attribute = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("value")
        .build();
    let attribute = attribute.expect("the type is set");
    let response = world
        .message("a", "hello")
        .message_attributes("name", attribute)
        .send()
        .await
        .expect("well formed");
    assert_eq!(
        response.md5_of_message_body(),
        Some("5d41402abc4b2a76b9719d911017c592")
    );
    // printf '\0\0\0\4name\0\0\0\6String\1\0\0\0\5value' | md5sum
    assert_eq!(
        response.md5_of_message_attributes(),
        Some("25ada41cad9d6e55ad5a2b3d2da508a2")
    );
    assert_eq!(response.sequence_number().map(str::len), Some(20));
    let request = world
        .client
        .receive_message()
        .queue_url(&world.url)
        .message_attribute_names("All");
    let received = request
        .send()
        .await
        .expect("the queue exists")
        .messages
        .unwrap_or_default();
    assert_eq!(
        received[0].md5_of_message_attributes(),
        response.md5_of_message_attributes()
    );
}

#[tokio::test]
async fn a_fifo_queue_requires_a_group_and_a_deduplication_identifier() {
    let world = world().await;
    let message = world
        .client
        .send_message()
        .queue_url(&world.url)
        .message_body("text");
    let without_group = message.clone().message_deduplication_id("1").send().await;
    assert_eq!(refusal(without_group).0, "MissingParameter");
    assert_eq!(
        refusal(message.message_group_id("a").send().await).0,
        "InvalidParameterValue"
    );
    let with_delay = world.message("a", "late").delay_seconds(5).send().await;
    assert_eq!(refusal(with_delay).0, "InvalidParameterValue");
    let with_spaces = world.message("a group", "text").send().await;
    assert_eq!(refusal(with_spaces).0, "InvalidParameterValue");
}

#[tokio::test]
async fn a_message_has_at_most_one_mebibyte_of_characters() {
    let world = world().await;
    let largest = "x".repeat(1_048_576);
    let message = world
        .message("a", &largest)
        .message_deduplication_id("largest");
    message.clone().send().await.expect("exactly 1 MiB fits");
    let larger = message
        .message_body(largest + "x")
        .message_deduplication_id("larger");
    assert_eq!(refusal(larger.send().await).0, "InvalidParameterValue");
    let control = world
        .message("a", "control")
        .message_body("\u{1}")
        .send()
        .await;
    assert_eq!(refusal(control).0, "InvalidMessageContents");
}

#[tokio::test]
async fn an_entry_of_a_batch_fails_alone() {
    let world = world().await;
    let entry = |id: &str, group: Option<&str>| {
        let entry = SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body(id)
            .message_deduplication_id(id);
        entry
            .set_message_group_id(group.map(ToOwned::to_owned))
            .build()
            .expect("an entry is complete")
    };
    let batch = world.client.send_message_batch().queue_url(&world.url);
    let response = batch
        .clone()
        .entries(entry("good", Some("a")))
        .entries(entry("bad", None))
        .send()
        .await;
    let response = response.expect("the batch itself is well formed");
    assert_eq!(response.successful()[0].id(), "good");
    assert_eq!(response.failed()[0].id(), "bad");
    assert_eq!(response.failed()[0].code(), "MissingParameter");
    let twice = batch
        .clone()
        .entries(entry("same", Some("a")))
        .entries(entry("same", Some("a")))
        .send()
        .await;
    assert_eq!(
        refusal(twice).0,
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"
    );
    let eleven = (0..11).fold(batch, |batch, number| {
        batch.entries(entry(&number.to_string(), Some("a")))
    });
    assert_eq!(
        refusal(eleven.send().await).0,
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
    );
}
