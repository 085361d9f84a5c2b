//! Checks that AWS makes before a service handles a request: signature, protocol and action.

use embedded_cloud::Cloud;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

use crate::{config, refusal};

const SIGNED_FOR_SSM: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/us-east-1/ssm/aws4_request, SignedHeaders=host, Signature=00";

/// Posts a request to the control plane. Returns the status and the body of the response.
async fn post(
    cloud: &Cloud,
    authorization: Option<&str>,
    content_type: &str,
    target: &str,
) -> (u16, Value) {
    let request = reqwest::Client::new()
        .post(cloud.control_plane())
        .header(CONTENT_TYPE, content_type);
    let request = request
        .header("x-amz-target", target)
        .body(r#"{"Path":"/a"}"#);
    let request = authorization.iter().fold(request, |request, value| {
        request.header(AUTHORIZATION, *value)
    });
    let response = request.send().await.expect("the control plane responds");
    (
        response.status().as_u16(),
        serde_json::from_str(&response.text().await.expect("a body")).expect("JSON"),
    )
}

#[tokio::test]
async fn an_unsigned_request_is_refused() {
    let cloud = Cloud::start().await;
    let (status, body) = post(
        &cloud,
        None,
        "application/x-amz-json-1.1",
        "AmazonSSM.GetParametersByPath",
    )
    .await;
    assert_eq!(status, 403);
    assert_eq!(
        body["__type"].as_str(),
        Some("MissingAuthenticationTokenException")
    );
    assert_eq!(cloud.counts.sum("ssm."), 0);
}

#[tokio::test]
async fn a_request_signed_for_another_service_is_refused() {
    let cloud = Cloud::start().await;
    let target = "secretsmanager.GetSecretValue";
    let (status, body) = post(
        &cloud,
        Some(SIGNED_FOR_SSM),
        "application/x-amz-json-1.1",
        target,
    )
    .await;
    assert_eq!(status, 403);
    assert_eq!(body["__type"].as_str(), Some("InvalidSignatureException"));
    assert_eq!(
        body["message"],
        "Credential should be scoped to correct service: 'secretsmanager'."
    );
}

#[tokio::test]
async fn ecr_public_answers_only_requests_signed_for_us_east_1() {
    let cloud = Cloud::start().await;
    let signed = SIGNED_FOR_SSM.replace("us-east-1/ssm", "eu-west-1/ecr-public");
    let target = "SpencerFrontendService.DescribeRegistries";
    let (status, body) = post(&cloud, Some(&signed), "application/x-amz-json-1.1", target).await;
    assert_eq!(status, 403);
    assert_eq!(body["__type"].as_str(), Some("InvalidSignatureException"));
}

#[tokio::test]
async fn another_protocol_and_an_unknown_action_are_unknown_operations() {
    let cloud = Cloud::start().await;
    let target = "AmazonSSM.GetParametersByPath";
    let (status, _) = post(&cloud, Some(SIGNED_FOR_SSM), "application/json", target).await;
    assert_eq!(status, 404);
    let target = "AmazonSSM.InventParameters";
    let (status, body) = post(
        &cloud,
        Some(SIGNED_FOR_SSM),
        "application/x-amz-json-1.1",
        target,
    )
    .await;
    assert_eq!(status, 400);
    assert_eq!(body["__type"].as_str(), Some("UnknownOperationException"));
}

#[tokio::test]
async fn calls_are_counted_and_planned_failures_occur() {
    let cloud = Cloud::start().await;
    let ssm = aws_sdk_ssm::Client::new(&config(&cloud).await);
    cloud
        .failures
        .fail_next("ssm.GetParametersByPath", "ThrottlingException", 1);
    let throttled = ssm.get_parameters_by_path().path("/a").send().await;
    assert_eq!(
        refusal(throttled),
        ("ThrottlingException".to_owned(), "Rate exceeded".to_owned())
    );
    ssm.get_parameters_by_path()
        .path("/a")
        .send()
        .await
        .expect("only one failure was planned");
    assert_eq!(cloud.counts.get("ssm.GetParametersByPath"), 2);
}
