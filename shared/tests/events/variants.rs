//! The signals of events that differ from the samples.

use serde_json::{Value, json};

use crate::show_signals;

fn ecs_task(detail: &Value) -> Vec<String> {
    show_event("aws.ecs", "ECS Task State Change", detail)
}

fn batch_job(detail: &Value) -> Vec<String> {
    show_event("aws.batch", "Batch Job State Change", detail)
}

fn build(detail: &Value) -> Vec<String> {
    show_event("aws.codebuild", "CodeBuild Build State Change", detail)
}

fn api_call(detail: &Value) -> Vec<String> {
    show_event("aws.ecr", "AWS API Call via CloudTrail", detail)
}

/// The signals of an event with the identifier `e`.
fn show_event(source: &str, kind: &str, detail: &Value) -> Vec<String> {
    show_signals(&json!({
        "source": source,
        "detail-type": kind,
        "id": "e",
        "detail": detail,
    }))
}

fn check_ignored(found: &[String], expected: &str) {
    assert_eq!(found, [format!("ignored {expected}")]);
}

#[test]
fn a_task_without_a_failed_pull_is_ignored_with_the_reason() {
    let scaled_in = json!({
        "lastStatus": "STOPPED",
        "stopCode": "ServiceSchedulerInitiated",
        "stoppedReason": "Scaling in",
        "containers": [{"image": "node:21", "reason": "not found"}],
    });
    check_ignored(
        &ecs_task(&scaled_in),
        "ECS Task State Change e: the task is STOPPED, and no pull failed: Scaling in",
    );
    let not_for_arm = "CannotPullContainerError: no matching manifest for linux/arm64";
    let not_started = json!({
        "stopCode": "TaskFailedToStart",
        "containers": [{"image": "node:21", "reason": not_for_arm}],
    });
    let why = format!("a copy of the image does not resolve this pull error: {not_for_arm}");
    check_ignored(
        &ecs_task(&not_started),
        &format!("ECS Task State Change e: {why}"),
    );
}

#[test]
fn an_event_without_a_failed_pull_is_ignored_with_the_reason() {
    check_ignored(
        &batch_job(&json!({"status": "RUNNING"})),
        "Batch Job State Change e: the job is RUNNING, it did not fail",
    );
    check_ignored(
        &build(&json!({"build-status": "SUCCEEDED"})),
        "CodeBuild Build State Change e: the build is SUCCEEDED, it did not fail",
    );
    check_ignored(
        &build(&json!({"build-status": "FAILED"})),
        "CodeBuild Build State Change e: the event does not name the phase that failed",
    );
    check_ignored(
        &api_call(&json!({"eventName": "PutImage"})),
        "AWS API Call via CloudTrail e: the API call PutImage does not pull an image",
    );
    let own_event = show_event("image-replicator", "Image Replicated", &json!({}));
    check_ignored(
        &own_event,
        "Image Replicated e: image-replicator published this event itself",
    );
    let of_another_service = show_event("aws.s3", "Object Created", &json!(7));
    check_ignored(
        &of_another_service,
        r#"Object Created e: no support for "Object Created" events from "aws.s3""#,
    );
    let scan = json!({"repository-name": "a b"});
    check_ignored(
        &show_event("aws.ecr", "ECR Image Scan", &scan),
        r#"ECR Image Scan e: "a b" is not the name of an Amazon ECR repository"#,
    );
}

#[test]
fn a_reason_of_the_whole_task_blames_the_container_that_it_names() {
    let reason = "CannotPullContainerError: inspect image has been retried 5 time(s): \
                  failed to resolve ref \"docker.io/library/nginx:1.27\": \
                  failed to do request: dial tcp: i/o timeout";
    let mut task = json!({
        "stopCode": "TaskFailedToStart",
        "stoppedReason": reason,
        "taskArn": "t",
        "version": 3,
        "containers": [{"image": "redis:7"}, {"image": "nginx:1.27"}],
    });
    let failure = "pull nginx:1.27 network by ecs-task t#3";
    assert_eq!(ecs_task(&task), [failure]);
    task["containers"] = json!([{"name": "web"}]);
    let failure = "pull docker.io/library/nginx:1.27 network by ecs-task t#3";
    assert_eq!(ecs_task(&task), [failure]);
}

#[test]
fn a_job_of_several_containers_may_have_its_reasons_in_different_fields() {
    let limit = "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit.";
    let job_of_tasks = json!({
        "status": "FAILED",
        "jobArn": "j",
        "attempts": [{
            "taskProperties": [{"containers": [{"reason": limit}]}],
            "statusReason": "Task failed",
        }],
        "ecsProperties": {
            "taskProperties": [{
                "containers": [{"image": "node:21"}, {"image": "redis:7"}],
            }],
        },
    });
    let failures = [
        "pull node:21 pull-limit by batch-job j",
        "pull redis:7 pull-limit by batch-job j",
    ];
    assert_eq!(batch_job(&job_of_tasks), failures);
    let container = json!({"image": "node:21", "reason": "ErrImagePull: not found"});
    let job_of_a_pod = json!({
        "status": "FAILED",
        "eksProperties": {
            "podProperties": {"containers": [container]},
        },
    });
    let failure = "pull node:21 not-found by batch-job e";
    assert_eq!(batch_job(&job_of_a_pod), [failure]);
}

#[test]
fn an_api_call_without_an_error_code_may_list_a_missing_image() {
    let mut call = json!({
        "eventName": "BatchGetImage",
        "awsRegion": "cn-north-1",
        "requestParameters": {
            "repositoryName": "a/b",
            "registryId": "111122223333",
            "imageIds": [{"imageTag": "1"}],
        },
        "responseElements": {
            "failures": [{"failureCode": "ImageNotFound"}],
        },
    });
    let image = "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b:1";
    let failure = format!("pull {image} not-found by cloud-trail e");
    assert_eq!(api_call(&call), [failure]);
    call["responseElements"] = Value::Null;
    check_ignored(
        &api_call(&call),
        "AWS API Call via CloudTrail e: the API call succeeded",
    );
}
