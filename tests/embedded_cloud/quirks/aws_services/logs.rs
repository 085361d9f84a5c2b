//! `CloudWatch` Logs.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::get_log_events::GetLogEventsOutput;
use aws_sdk_cloudwatchlogs::operation::get_log_events::builders::GetLogEventsFluentBuilder;
use embedded_cloud::Cloud;

use crate::{config, refusal};

/// A request for events of the stream `build` of the group `/aws/codebuild/app`.
async fn read(cloud: &Cloud) -> GetLogEventsFluentBuilder {
    let client = Client::new(&config(cloud).await);
    client
        .get_log_events()
        .log_group_name("/aws/codebuild/app")
        .log_stream_name("build")
}

/// A cloud whose stream holds the lines `1` to `count`.
async fn cloud_with(count: usize) -> Cloud {
    let cloud = Cloud::start().await;
    cloud.logs.put(
        "/aws/codebuild/app",
        "build",
        (1..=count).map(|number| number.to_string()),
    );
    cloud
}

async fn page(request: &GetLogEventsFluentBuilder) -> GetLogEventsOutput {
    request.clone().send().await.expect("the stream exists")
}

fn lines(page: &GetLogEventsOutput) -> Vec<&str> {
    page.events()
        .iter()
        .filter_map(|event| event.message())
        .collect()
}

#[tokio::test]
async fn the_first_page_has_the_last_events_in_order() {
    let cloud = cloud_with(5).await;
    let read = read(&cloud).await;
    assert_eq!(lines(&page(&read).await), ["1", "2", "3", "4", "5"]);
    assert_eq!(lines(&page(&read.clone().limit(2)).await), ["4", "5"]);
    assert_eq!(
        lines(&page(&read.limit(2).start_from_head(true)).await),
        ["1", "2"]
    );
    assert_eq!(cloud.counts.get("logs.GetLogEvents"), 3);
}

#[tokio::test]
async fn reading_backward_ends_with_an_empty_page_and_the_same_token() {
    let cloud = cloud_with(5).await;
    cloud.logs.limit_pages(2);
    let read = read(&cloud).await;
    let mut last = page(&read).await;
    let mut seen = vec![lines(&last).join(" ")];
    while let Some(token) = last.next_backward_token().map(ToOwned::to_owned) {
        last = page(&read.clone().next_token(&token)).await;
        seen.push(lines(&last).join(" "));
        if last.next_backward_token() == Some(token.as_str()) {
            break;
        }
    }
    assert_eq!(seen, ["4 5", "2 3", "1", ""]);
}

#[tokio::test]
async fn reading_forward_continues_when_lines_are_added() {
    let cloud = cloud_with(3).await;
    let read = read(&cloud).await.start_from_head(true).limit(2);
    let first = page(&read).await;
    let second = page(&read.clone().set_next_token(first.next_forward_token)).await;
    let token = second.next_forward_token().map(ToOwned::to_owned);
    let end = page(&read.clone().set_next_token(token.clone())).await;
    assert_eq!(lines(&second), ["3"]);
    assert!(lines(&end).is_empty());
    assert_eq!(end.next_forward_token, token);
    cloud.logs.put("/aws/codebuild/app", "build", ["4"]);
    assert_eq!(lines(&page(&read.set_next_token(token)).await), ["4"]);
}

#[tokio::test]
async fn the_backward_token_returns_the_previous_page() {
    let cloud = cloud_with(4).await;
    let read = read(&cloud).await.start_from_head(true).limit(2);
    let first = page(&read).await;
    let second = page(
        &read
            .clone()
            .set_next_token(first.next_forward_token.clone()),
    )
    .await;
    let again = page(&read.set_next_token(second.next_backward_token.clone())).await;
    assert_eq!(lines(&second), ["3", "4"]);
    assert_eq!(lines(&again), ["1", "2"]);
}

#[tokio::test]
async fn a_page_has_at_most_one_mebibyte_and_ten_thousand_events() {
    let cloud = cloud_with(10_001).await;
    let read = read(&cloud).await;
    assert_eq!(page(&read).await.events().len(), 10_000);
    // Each event counts its message plus 26 bytes, so only two of them fit in 1 MiB.
    let third = "x".repeat(349_525);
    cloud
        .logs
        .put("/aws/codebuild/app", "large", [third.as_str(); 3]);
    assert_eq!(
        page(&read.clone().log_stream_name("large"))
            .await
            .events()
            .len(),
        2
    );
    for limit in [0, 10_001] {
        assert_eq!(
            refusal(read.clone().limit(limit).send().await).0,
            "InvalidParameterException",
            "{limit}"
        );
    }
}

#[tokio::test]
async fn a_time_range_begins_with_its_start_and_ends_before_its_end() {
    let cloud = cloud_with(1).await;
    let mut times = Vec::new();
    for line in ["2", "3"] {
        cloud.clock.advance(Duration::from_mins(1));
        times.push(cloud.clock.now().as_millisecond());
        cloud.logs.put("/aws/codebuild/app", "build", [line]);
    }
    let read = read(&cloud).await;
    assert_eq!(
        lines(&page(&read.clone().start_time(times[0])).await),
        ["2", "3"]
    );
    assert_eq!(lines(&page(&read.clone().end_time(times[0])).await), ["1"]);
    let between = read.start_time(times[0]).end_time(times[1]);
    let found = page(&between).await;
    assert_eq!(lines(&found), ["2"]);
    assert!(
        (times[0]..times[1]).contains(&found.events()[0].timestamp().expect("an event has a time"))
    );
    let before = page(&between.set_next_token(found.next_backward_token.clone())).await;
    assert_eq!(lines(&before), Vec::<&str>::new());
    assert_eq!(before.next_backward_token, found.next_backward_token);
}

#[tokio::test]
async fn a_missing_group_a_missing_stream_and_a_forbidden_group_have_different_errors() {
    let cloud = cloud_with(1).await;
    let read = read(&cloud).await;
    let code = "ResourceNotFoundException".to_owned();
    let group = read
        .clone()
        .log_group_name("/aws/codebuild/other")
        .send()
        .await;
    assert_eq!(
        refusal(group),
        (
            code.clone(),
            "The specified log group does not exist.".to_owned()
        )
    );
    let stream = read.clone().log_stream_name("other").send().await;
    assert_eq!(
        refusal(stream),
        (code, "The specified log stream does not exist.".to_owned())
    );
    cloud.logs.deny("/aws/codebuild/app");
    assert_eq!(refusal(read.send().await).0, "AccessDeniedException");
}

#[tokio::test]
async fn a_group_is_named_once_by_its_name_or_its_arn() {
    let cloud = cloud_with(1).await;
    let read = read(&cloud).await;
    let arn = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/codebuild/app";
    let twice = read.clone().log_group_identifier(arn);
    assert_eq!(
        refusal(twice.clone().send().await).0,
        "InvalidParameterException"
    );
    assert_eq!(lines(&page(&twice.set_log_group_name(None)).await), ["1"]);
    assert_eq!(
        refusal(read.set_log_group_name(None).send().await).0,
        "InvalidParameterException"
    );
}

#[tokio::test]
async fn unknown_tokens_and_forward_tokens_without_start_from_head_are_refused() {
    let cloud = cloud_with(2).await;
    let read = read(&cloud).await;
    for token in ["f", "x/1/s", "f/1", "b/99/s", "b/-1/s"] {
        let response = read
            .clone()
            .start_from_head(true)
            .next_token(token)
            .send()
            .await;
        let message = "The specified nextToken is invalid.";
        assert_eq!(
            refusal(response),
            ("InvalidParameterException".to_owned(), message.to_owned()),
            "{token}"
        );
    }
    let forward = page(&read).await.next_forward_token;
    assert_eq!(
        refusal(read.set_next_token(forward).send().await).0,
        "InvalidParameterException"
    );
}
