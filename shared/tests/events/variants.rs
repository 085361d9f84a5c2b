//! The signals of events that differ from the samples.

use serde_json::{Value, json};

use crate::show_signals;

#[test]
fn an_event_without_a_failed_pull_is_ignored_with_the_reason() {
    let event = |source: &str, kind: &str, detail: Value| {
        show_signals(&json!({"source": source, "detail-type": kind, "id": "e", "detail": detail}))
    };
    let ecs = |detail| event("aws.ecs", "ECS Task State Change", detail);
    let build = |detail| event("aws.codebuild", "CodeBuild Build State Change", detail);
    let not_resolved = "a copy of the image does not resolve this pull error: CannotPullContainerError: no matching \
                   manifest for linux/arm64";
    let arm = "CannotPullContainerError: no matching manifest for linux/arm64";
    let cases = [
        (
            ecs(
                json!({"lastStatus": "STOPPED", "stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Scaling in",
                "containers": [{"image": "node:21", "reason": "not found"}]}),
            ),
            "ECS Task State Change e: the task is STOPPED, and no pull failed: Scaling in"
                .to_owned(),
        ),
        (
            ecs(
                json!({"stopCode": "TaskFailedToStart", "containers": [{"image": "node:21", "reason": arm}]}),
            ),
            format!("ECS Task State Change e: {not_resolved}"),
        ),
        (
            event(
                "aws.batch",
                "Batch Job State Change",
                json!({"status": "RUNNING"}),
            ),
            "Batch Job State Change e: the job is RUNNING, it did not fail".to_owned(),
        ),
        (
            build(json!({"build-status": "SUCCEEDED"})),
            "CodeBuild Build State Change e: the build is SUCCEEDED, it did not fail".to_owned(),
        ),
        (
            build(json!({"build-status": "FAILED"})),
            "CodeBuild Build State Change e: the event does not name the phase that failed"
                .to_owned(),
        ),
        (
            event(
                "aws.ecr",
                "AWS API Call via CloudTrail",
                json!({"eventName": "PutImage"}),
            ),
            "AWS API Call via CloudTrail e: the API call PutImage does not pull an image"
                .to_owned(),
        ),
        (
            event("image-replicator", "Image Replicated", json!({})),
            "Image Replicated e: image-replicator published this event itself".to_owned(),
        ),
        (
            event("aws.s3", "Object Created", json!(7)),
            r#"Object Created e: no support for "Object Created" events from "aws.s3""#.to_owned(),
        ),
        (
            event(
                "aws.ecr",
                "ECR Image Scan",
                json!({"repository-name": "a b"}),
            ),
            r#"ECR Image Scan e: "a b" is not the name of an Amazon ECR repository"#.to_owned(),
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, [format!("ignored {expected}")]);
    }
}

#[test]
fn a_reason_of_the_whole_task_blames_the_container_that_it_names() {
    let reason = "CannotPullContainerError: inspect image has been retried 5 time(s): failed to resolve ref \
                  \"docker.io/library/nginx:1.27\": failed to do request: dial tcp: i/o timeout";
    let mut task = json!({"stopCode": "TaskFailedToStart", "stoppedReason": reason, "taskArn": "t", "version": 3,
        "containers": [{"image": "redis:7"}, {"image": "nginx:1.27"}]});
    let shown = |task: &Value| {
        show_signals(
            &json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "id": "e", "detail": task}),
        )
    };
    assert_eq!(shown(&task), ["pull nginx:1.27 network by ecs-task t#3"]);
    task["containers"] = json!([{"name": "web"}]);
    assert_eq!(
        shown(&task),
        ["pull docker.io/library/nginx:1.27 network by ecs-task t#3"]
    );
}

#[test]
fn a_job_of_several_containers_may_have_its_reasons_in_different_fields() {
    let shown = |job: Value| {
        show_signals(
            &json!({"source": "aws.batch", "detail-type": "Batch Job State Change", "id": "e", "detail": job}),
        )
    };
    let limit = "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit.";
    let attempts = json!([{"taskProperties": [{"containers": [{"reason": limit}]}], "statusReason": "Task failed"}]);
    let tasks =
        json!({"taskProperties": [{"containers": [{"image": "node:21"}, {"image": "redis:7"}]}]});
    assert_eq!(
        shown(
            json!({"status": "FAILED", "jobArn": "j", "attempts": attempts, "ecsProperties": tasks})
        ),
        [
            "pull node:21 pull-limit by batch-job j",
            "pull redis:7 pull-limit by batch-job j"
        ]
    );
    let pod = json!({"podProperties": {"containers": [{"image": "node:21", "reason": "ErrImagePull: not found"}]}});
    assert_eq!(
        shown(json!({"status": "FAILED", "eksProperties": pod})),
        ["pull node:21 not-found by batch-job e"]
    );
}

#[test]
fn an_api_call_without_an_error_code_may_list_a_missing_image() {
    let request = json!({"repositoryName": "a/b", "registryId": "111122223333", "imageIds": [{"imageTag": "1"}]});
    let mut call = json!({"eventName": "BatchGetImage", "awsRegion": "cn-north-1", "requestParameters": request,
        "responseElements": {"failures": [{"failureCode": "ImageNotFound"}]}});
    let shown = |call: &Value| {
        show_signals(
            &json!({"source": "aws.ecr", "detail-type": "AWS API Call via CloudTrail", "id": "e", "detail": call}),
        )
    };
    let failure =
        "pull 111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b:1 not-found by cloud-trail e";
    assert_eq!(shown(&call), [failure]);
    call["responseElements"] = Value::Null;
    assert_eq!(
        shown(&call),
        ["ignored AWS API Call via CloudTrail e: the API call succeeded"]
    );
}
