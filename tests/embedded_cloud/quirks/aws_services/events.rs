//! `PutEvents` of EventBridge.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_eventbridge::types::builders::PutEventsRequestEntryBuilder;
use embedded_cloud::{Cloud, PublishedEvent};
use serde_json::json;

use crate::{config, refusal};

/// A valid event.
fn entry() -> PutEventsRequestEntryBuilder {
    let entry = PutEventsRequestEntry::builder()
        .source("image-replicator")
        .detail_type("Image Replicated");
    entry.detail(r#"{"image":"busybox"}"#)
}

async fn put(cloud: &Cloud, entries: Vec<PutEventsRequestEntryBuilder>) -> PutEventsOutput {
    let entries = entries
        .into_iter()
        .map(PutEventsRequestEntryBuilder::build)
        .collect();
    let request = Client::new(&config(cloud).await)
        .put_events()
        .set_entries(Some(entries));
    request
        .send()
        .await
        .expect("the request as a whole is well formed")
}

/// The error code of each entry.
fn codes(response: &PutEventsOutput) -> Vec<Option<&str>> {
    response
        .entries()
        .iter()
        .map(|entry| entry.error_code())
        .collect()
}

#[tokio::test]
async fn an_event_without_a_bus_is_published_on_the_default_one() {
    let cloud = Cloud::start().await;
    let response = put(&cloud, vec![entry()]).await;
    assert_eq!(response.failed_entry_count(), 0);
    assert!(response.entries()[0].event_id().is_some());
    let event = PublishedEvent {
        source: "image-replicator".to_owned(),
        detail_type: "Image Replicated".to_owned(),
        detail: json!({ "image": "busybox" }),
        bus: "default".to_owned(),
    };
    assert_eq!(cloud.events.published(), [event]);
    assert_eq!(cloud.counts.get("events.PutEvents"), 1);
}

#[tokio::test]
async fn a_bus_is_found_by_name_and_by_arn() {
    let cloud = Cloud::start().await;
    let arn = cloud.events.create_bus("builds");
    assert_eq!(
        arn,
        "arn:aws:events:us-east-1:111122223333:event-bus/builds"
    );
    put(
        &cloud,
        vec![
            entry().event_bus_name("builds"),
            entry().event_bus_name(arn),
        ],
    )
    .await;
    let buses: Vec<String> = cloud
        .events
        .published()
        .into_iter()
        .map(|event| event.bus)
        .collect();
    assert_eq!(buses, ["builds", "builds"]);
}

#[tokio::test]
async fn an_event_for_a_missing_bus_is_accepted_and_discarded() {
    let cloud = Cloud::start().await;
    let response = put(&cloud, vec![entry().event_bus_name("nowhere")]).await;
    assert_eq!(response.failed_entry_count(), 0);
    assert_eq!(codes(&response), vec![None]);
    assert_eq!(cloud.events.published(), []);
}

#[tokio::test]
async fn an_invalid_entry_does_not_fail_the_other_entries() {
    let cloud = Cloud::start().await;
    let entries = vec![
        entry().set_source(None),
        entry().detail_type(""),
        entry().set_detail(None),
        entry().detail("[1]"),
        entry().detail("{"),
        entry().source("aws.ecr"),
        entry().detail_type("x".repeat(129)),
        entry().event_bus_name("arn:aws:events:eu-west-1:111122223333:event-bus/default"),
        entry(),
    ];
    let response = put(&cloud, entries).await;
    let (invalid, malformed) = (Some("InvalidArgument"), Some("MalformedDetail"));
    let source = Some("NotAuthorizedForSourceException");
    assert_eq!(
        codes(&response),
        [
            invalid, invalid, invalid, malformed, malformed, source, invalid, invalid, None
        ]
    );
    let message = "Parameter Source is not valid. Reason: Source is a required argument.";
    assert_eq!(response.entries()[0].error_message(), Some(message));
    assert_eq!(response.failed_entry_count(), 8);
    assert_eq!(cloud.events.published().len(), 1);
}

#[tokio::test]
async fn a_request_has_one_to_ten_entries_of_256_kilobytes_together() {
    let cloud = Cloud::start().await;
    let client = Client::new(&config(&cloud).await);
    let none = client
        .put_events()
        .set_entries(Some(Vec::new()))
        .send()
        .await;
    assert_eq!(refusal(none).0, "ValidationException");
    let eleven = client
        .put_events()
        .set_entries(Some(vec![entry().build(); 11]))
        .send()
        .await;
    assert_eq!(refusal(eleven).0, "ValidationException");
    // Source and detail type have 32 bytes, the braces and quotes of the detail 8.
    let detail = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 32 - 8));
    let largest = entry().detail(detail(262_144));
    assert_eq!(put(&cloud, vec![largest]).await.failed_entry_count(), 0);
    let larger = client
        .put_events()
        .entries(entry().detail(detail(262_145)).build())
        .send()
        .await;
    let message = "Total size of the entries in the request is over the limit.";
    assert_eq!(
        refusal(larger),
        ("ValidationException".to_owned(), message.to_owned())
    );
    assert_eq!(cloud.events.published().len(), 1);
}

#[tokio::test]
async fn planned_entry_failures_occur_inside_successful_responses() {
    let cloud = Cloud::start().await;
    cloud.events.fail_next(2);
    let response = put(&cloud, vec![entry(), entry(), entry()]).await;
    assert_eq!(response.failed_entry_count(), 2);
    assert_eq!(
        codes(&response),
        [Some("InternalFailure"), Some("InternalFailure"), None]
    );
    assert_eq!(cloud.events.published().len(), 1);
}

#[tokio::test]
async fn a_field_that_the_embedded_cloud_ignores_is_refused() {
    let cloud = Cloud::start().await;
    let traced = entry()
        .trace_header("Root=1-5759e988-bd862e3fe1be46a994272793")
        .build();
    let response = Client::new(&config(&cloud).await)
        .put_events()
        .entries(traced)
        .send()
        .await;
    assert_eq!(refusal(response).0, "ValidationException");
}
