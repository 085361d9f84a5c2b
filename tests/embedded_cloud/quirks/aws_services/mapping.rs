//! The event source mapping between a queue and a function.

use std::time::Duration;

use aws_sdk_sqs::Client;
use embedded_cloud::{Cloud, FunctionError};
use serde_json::{Value, json};

use crate::config;

/// A cloud with a queue that holds one message of each group in `groups`.
async fn queue_with(groups: &[&str]) -> (Cloud, String) {
    let cloud = Cloud::start().await;
    let url = cloud.sqs.create_fifo_queue("work", 60);
    let client = Client::new(&config(&cloud).await);
    for group in groups {
        let message = client
            .send_message()
            .queue_url(&url)
            .message_body(format!("for {group}"));
        let message = message
            .message_group_id(*group)
            .message_deduplication_id(*group);
        message.send().await.expect("the message is well formed");
    }
    (cloud, url)
}

fn ids(event: &Value) -> Vec<&str> {
    let records = event["Records"].as_array().expect("an event has records");
    records
        .iter()
        .filter_map(|record| record["messageId"].as_str())
        .collect()
}

fn crash() -> FunctionError {
    FunctionError {
        error_type: "Runtime.ExitError".to_owned(),
        message: "exit status 1".to_owned(),
    }
}

#[tokio::test]
async fn an_event_has_the_shape_that_lambda_sends() {
    let (cloud, url) = queue_with(&["a"]).await;
    let event = cloud.sqs.next_event(&url, 10).expect("a message waits");
    let record = &event["Records"][0];
    let message = &cloud.sqs.messages(&url)[0];
    let sent = message.sent_at.as_millisecond().to_string();
    assert_eq!(record["messageId"], message.id);
    assert_eq!(record["body"], "for a");
    assert_eq!(record["md5OfBody"], "aea07c54aa2bde1601325138298fcefa");
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(
        record["eventSourceARN"],
        "arn:aws:sqs:us-east-1:111122223333:work.fifo"
    );
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!(record["messageAttributes"], json!({}));
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(record["attributes"]["MessageGroupId"], "a");
    assert_eq!(record["attributes"]["MessageDeduplicationId"], "a");
    assert_eq!(
        record["attributes"]["SequenceNumber"],
        message.sequence_number
    );
    assert_eq!(record["attributes"]["SentTimestamp"], sent);
    assert!(record["attributes"]["ApproximateFirstReceiveTimestamp"].as_str() >= Some(&sent));
}

#[tokio::test]
async fn messages_reported_as_failed_are_redelivered_and_the_others_deleted() {
    let (cloud, url) = queue_with(&["a", "b", "c"]).await;
    let event = cloud.sqs.next_event(&url, 10).expect("messages wait");
    assert_eq!(cloud.sqs.next_event(&url, 10), None);
    let response = json!({ "batchItemFailures": [{ "itemIdentifier": ids(&event)[1] }] });
    cloud.sqs.settle(&url, &event, &Ok(response));
    cloud.clock.advance(Duration::from_mins(1));
    let again = cloud
        .sqs
        .next_event(&url, 10)
        .expect("one message came back");
    assert_eq!(ids(&again), [ids(&event)[1]]);
    assert_eq!(
        again["Records"][0]["attributes"]["ApproximateReceiveCount"],
        "2"
    );
}

#[tokio::test]
async fn an_empty_response_is_success() {
    for response in [
        json!({}),
        json!(null),
        json!({ "batchItemFailures": [] }),
        json!({ "batchItemFailures": null }),
    ] {
        let (cloud, url) = queue_with(&["a", "b"]).await;
        let event = cloud.sqs.next_event(&url, 10).expect("messages wait");
        cloud.sqs.settle(&url, &event, &Ok(response.clone()));
        assert!(cloud.sqs.messages(&url).is_empty(), "{response}");
    }
}

#[tokio::test]
async fn an_error_or_an_unreadable_response_redelivers_the_whole_batch() {
    let unreadable = [
        json!("done"),
        json!({ "batchItemFailures": [{}] }),
        json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }),
    ];
    for response in unreadable.map(Ok).into_iter().chain([Err(crash())]) {
        let (cloud, url) = queue_with(&["a", "b"]).await;
        let event = cloud.sqs.next_event(&url, 10).expect("messages wait");
        cloud.sqs.settle(&url, &event, &response);
        cloud.clock.advance(Duration::from_mins(1));
        let again = cloud
            .sqs
            .next_event(&url, 10)
            .expect("everything came back");
        assert_eq!(ids(&again), ids(&event), "{response:?}");
    }
}

#[tokio::test]
async fn a_message_over_the_receive_limit_moves_to_the_dead_letter_queue() {
    let (cloud, url) = queue_with(&["a"]).await;
    cloud.sqs.create_dead_letter_queue(&url, 2);
    for _ in 0..2 {
        let event = cloud
            .sqs
            .next_event(&url, 1)
            .expect("the message is tried twice");
        cloud.sqs.settle(&url, &event, &Err(crash()));
        cloud.clock.advance(Duration::from_mins(1));
    }
    assert_eq!(cloud.sqs.next_event(&url, 1), None);
    assert!(cloud.sqs.messages(&url).is_empty());
    assert_eq!(cloud.sqs.dead_letters(&url)[0].body, "for a");
}

#[tokio::test]
async fn a_response_after_the_visibility_timeout_deletes_nothing() {
    let (cloud, url) = queue_with(&["a"]).await;
    let event = cloud.sqs.next_event(&url, 1).expect("the message waits");
    cloud.clock.advance(Duration::from_mins(1));
    cloud.sqs.settle(&url, &event, &Ok(json!({})));
    assert_eq!(cloud.sqs.messages(&url).len(), 1);
}
