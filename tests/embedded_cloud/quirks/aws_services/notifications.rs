//! SNS, the only service here with the AWS query protocol.

use aws_sdk_sns::Client;
use aws_sdk_sns::operation::publish::builders::PublishFluentBuilder;
use embedded_cloud::{Cloud, Notification};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::{config, refusal};

const FORM: &str = "application/x-www-form-urlencoded";

/// A request that publishes a message to the topic `failures`.
async fn message(cloud: &Cloud) -> PublishFluentBuilder {
    let topic = cloud.sns.create_topic("failures");
    Client::new(&config(cloud).await)
        .publish()
        .topic_arn(topic)
        .message("text")
}

/// Posts a form that is signed for `service`. Returns the status and the body of the response.
async fn post(cloud: &Cloud, service: &str, form: &str) -> (u16, String) {
    let signature = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/us-east-1/{service}/aws4_request, SignedHeaders=host, \
         Signature=00"
    );
    let request = reqwest::Client::new()
        .post(cloud.control_plane())
        .header(CONTENT_TYPE, FORM);
    let response = request
        .header(AUTHORIZATION, signature)
        .body(form.to_owned())
        .send()
        .await
        .expect("an answer");
    (
        response.status().as_u16(),
        response.text().await.expect("a body"),
    )
}

#[tokio::test]
async fn a_message_is_delivered_unchanged() {
    let cloud = Cloud::start().await;
    let text = "line one\nline two: 100 % <b>größer</b> & a+b=c";
    let response = message(&cloud)
        .await
        .message(text)
        .subject("Replication failed: a & b")
        .send()
        .await;
    assert!(response.expect("the topic exists").message_id().is_some());
    let notification = Notification {
        topic: "arn:aws:sns:us-east-1:111122223333:failures".to_owned(),
        subject: Some("Replication failed: a & b".to_owned()),
        message: text.to_owned(),
    };
    assert_eq!(cloud.sns.published(), [notification]);
    assert_eq!(cloud.counts.get("sns.Publish"), 1);
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_not_found() {
    let cloud = Cloud::start().await;
    let message = message(&cloud).await;
    let absent = message
        .clone()
        .topic_arn("arn:aws:sns:us-east-1:111122223333:absent")
        .send()
        .await;
    assert_eq!(
        refusal(absent),
        ("NotFound".to_owned(), "Topic does not exist".to_owned())
    );
    let elsewhere = message
        .topic_arn("arn:aws:sns:eu-west-1:111122223333:failures")
        .send()
        .await;
    assert_eq!(
        refusal(elsewhere),
        (
            "InvalidParameter".to_owned(),
            "Invalid parameter: TopicArn".to_owned()
        )
    );
    assert_eq!(cloud.sns.published(), []);
}

#[tokio::test]
async fn a_subject_is_one_line_of_at_most_100_ascii_characters() {
    let cloud = Cloud::start().await;
    let message = message(&cloud).await;
    message
        .clone()
        .subject("x".repeat(100))
        .send()
        .await
        .expect("exactly 100 fit");
    for subject in ["", " indented", "two\nlines", "größer", &"x".repeat(101)] {
        let (code, text) = refusal(message.clone().subject(subject).send().await);
        assert_eq!(code.as_str(), "InvalidParameter", "{subject}");
        assert_eq!(text.as_str(), "Invalid parameter: Subject", "{subject}");
    }
}

#[tokio::test]
async fn a_message_has_one_byte_to_256_kibibytes() {
    let cloud = Cloud::start().await;
    let message = message(&cloud).await;
    // Each character has two bytes: the limit counts bytes, not characters.
    let largest = "ü".repeat(131_072);
    message
        .clone()
        .message(&largest)
        .send()
        .await
        .expect("exactly 256 KiB fit");
    let larger = message.clone().message(largest + "x").send().await;
    assert_eq!(refusal(larger).1, "Invalid parameter: Message too long");
    assert_eq!(
        refusal(message.message("").send().await).1,
        "Invalid parameter: Empty message"
    );
}

#[tokio::test]
async fn a_planned_failure_fails_the_publish_request() {
    let cloud = Cloud::start().await;
    let message = message(&cloud).await;
    cloud
        .failures
        .fail_next("sns.Publish", "ThrottlingException", 1);
    assert_eq!(refusal(message.clone().send().await).0, "Throttling");
    message.send().await.expect("only one call was to fail");
}

#[tokio::test]
async fn errors_of_a_form_request_are_xml() {
    let cloud = Cloud::start().await;
    let cases = [
        (
            "sqs",
            "Action=Publish&Version=2010-03-31",
            403,
            "<Code>SignatureDoesNotMatch</Code>",
        ),
        ("sns", "Action=Publish", 400, "<Code>NoSuchVersion</Code>"),
        (
            "sns",
            "Action=Unpublish&Version=2010-03-31",
            400,
            "<Code>InvalidAction</Code>",
        ),
        (
            "sns",
            "Action=Publish&Version=2010-03-31&Message=a",
            400,
            "<Code>InvalidParameter</Code>",
        ),
        (
            "sns",
            "Action=Publish&Version=2010-03-31&PhoneNumber=1",
            400,
            "<Code>ValidationException</Code>",
        ),
    ];
    for (service, form, status, code) in cases {
        let (answered, body) = post(&cloud, service, form).await;
        assert_eq!(answered, status, "{form}");
        assert!(
            body.starts_with("<ErrorResponse ") && body.contains(code),
            "{body}"
        );
    }
}
