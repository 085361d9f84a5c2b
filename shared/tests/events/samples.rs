//! The signals of each sample in `events/`.

use std::fs;

use image_replicator::events::{Signal, signals};
use serde_json::json;

use crate::{sample, show_signals};

const DIGEST: &str = "sha256:9a8b7c6d5e4f30211203f4e5d6c7b8a99a8b7c6d5e4f30211203f4e5d6c7b8a9";
const TASK: &str = "arn:aws:ecs:eu-west-1:111122223333:task/prod/a1173316d40a45dea9a1173316d40a45";
const BUILD: &str =
    "arn:aws:codebuild:eu-west-1:111122223333:build/app-image:8745a7a9-c340-456a-9166-edf953571bee";
const EVENT: &str = "0d9c8b7a-6f5e-4d3c-2b1a-0f1e2d3c4b5a";
const MIRROR: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library";

fn check(name: &str, expected: &[String]) {
    assert_eq!(show_signals(&sample(name)), expected, "{name}");
}

/// The error message of a sample's only signal, a pull failure.
fn message(name: &str) -> String {
    let signals = signals(&sample(name));
    let [Signal::PullFailure(failure)] = &signals[..] else {
        panic!("not one pull failure: {signals:?}")
    };
    failure.message.clone()
}

#[test]
fn a_task_that_did_not_start_names_its_image() {
    let failure = format!("pull nginx:1.27-alpine pull-limit by ecs-task {TASK}#5");
    check(
        "ecs-task-stopped-dockerhub-rate-limit",
        std::slice::from_ref(&failure),
    );
    check("sqs-of-sns-ecs-task-stopped", &[failure]);
    let message = message("ecs-task-stopped-dockerhub-rate-limit");
    assert!(
        message.starts_with(
            "CannotPullContainerError: pull image manifest has been retried 5 time(s)"
        ),
        "{message}"
    );
    assert_eq!(message.chars().count(), 300);
}

#[test]
fn the_container_that_failed_is_blamed_and_no_other() {
    let failure = format!("pull {MIRROR}/node:22-alpine not-found by ecs-task {TASK}#7");
    check("ecs-task-stopped-mirror-image-not-found", &[failure]);
}

#[test]
fn a_job_that_failed_names_its_image_once() {
    let id = "arn:aws:batch:eu-west-1:111122223333:job/4c7599ae-0a82-49aa-ba5a-4727fcce14a8";
    let failure = format!("pull {MIRROR}/nginx:1.27-alpine not-found by batch-job {id}");
    check("batch-job-failed-image-not-found", &[failure]);
}

#[test]
fn a_failed_pull_of_a_build_environment_is_one_failure_in_both_events() {
    let failure = [format!(
        "pull node:24-alpine pull-limit by code-build {BUILD}"
    )];
    check("codebuild-state-change-env-image-pull-failed", &failure);
    check("codebuild-phase-change-env-image-pull-failed", &failure);
    let both = json!([
        sample("codebuild-state-change-env-image-pull-failed"),
        sample("codebuild-phase-change-env-image-pull-failed")
    ]);
    assert_eq!(show_signals(&both), failure);
}

#[test]
fn a_build_that_failed_in_its_commands_leads_to_its_log() {
    let stream = "8745a7a9-c340-456a-9166-edf953571bee";
    let log = [format!(
        "log /aws/codebuild/app-image {stream} of {BUILD} {BUILD}"
    )];
    check("codebuild-state-change-docker-build-failed", &log);
    check("codebuild-phase-change-docker-pull-failed", &log);
    check("sns-codestar-notification-docker-build-failed", &log);
}

#[test]
fn a_subscription_to_a_log_names_the_image() {
    let failure = format!("pull golang:1.24 pull-limit by build-log 3919{:052}", 0);
    check("cloudwatch-logs-toomanyrequests", &[failure]);
}

#[test]
fn a_cache_that_could_not_pull_names_the_upstream_image() {
    let failure = format!(
        "pull registry-1.docker.io/library/nginx:1.27-alpine \
         pull-limit by pull-through-cache {EVENT}"
    );
    check(
        "ecr-pull-through-cache-failed.UNVERIFIED-VALUES",
        &[failure],
    );
}

#[test]
fn an_api_call_for_a_missing_repository_names_the_image() {
    let id = "c84f5880-c2f9-4585-9757-28fa5c1065df";
    let failure = format!("pull {MIRROR}/nginx:1.27-alpine not-found by cloud-trail {id}");
    check("cloudtrail-ecr-batchgetimage-error", &[failure]);
}

#[test]
fn a_scan_has_the_digest_and_the_findings_by_severity() {
    let scan = |found: &str, completeness: &str| {
        let image = format!("docker-hub/library/nginx {DIGEST} [1.27-alpine]");
        [format!(
            "scan 111122223333 eu-west-1 {image} {found} {completeness} {EVENT}"
        )]
    };
    check(
        "ecr-image-scan-complete",
        &scan("critical=1 high=3 medium=9", "complete"),
    );
    check(
        "sqs-batch-of-eventbridge-events",
        &scan("critical=1 high=3 medium=9", "complete"),
    );
    check(
        "ecr-image-scan-complete-no-findings",
        &scan("none", "complete"),
    );
    check("ecr-image-scan-failed", &scan("none", "partial"));
    check(
        "inspector2-scan",
        &scan("critical=7 high=61 medium=62", "complete"),
    );
    check("inspector2-finding", &scan("medium=1", "partial"));
}

#[test]
fn the_findings_of_one_digest_are_one_scan_and_a_redelivered_one_counts_once() {
    let id = |number: u8| format!("0d9c8b7a-6f5e-4d3c-2b1a-0000000000{number:02}");
    let scan = |digest: &str, found: &str, number: u8| {
        let image = format!("docker-hub/library/nginx {digest} [1.27-alpine]");
        format!(
            "scan 111122223333 eu-west-1 {image} {found} partial {}",
            id(number)
        )
    };
    let other = format!("sha256:{}", "4f".repeat(32));
    check(
        "sqs-batch-of-inspector2-findings",
        &[
            scan(DIGEST, "critical=1 high=1", 1),
            scan(&other, "high=1", 3),
            format!(
                "ignored Inspector2 Finding {}: the finding is CLOSED",
                id(4)
            ),
        ],
    );
}

#[test]
fn an_event_that_asks_for_nothing_is_ignored_with_the_reason() {
    let unknown = "not an event of EventBridge, CloudWatch Logs, SNS or SQS";
    let cases = [
        (
            "ecr-image-action-push",
            "ECR Image Action",
            "an image was pushed, deleted or archived: no pull failed",
        ),
        (
            "ecr-image-action-delete",
            "ECR Image Action",
            "an image was pushed, deleted or archived: no pull failed",
        ),
        (
            "ecr-pull-through-cache-success",
            "ECR Pull Through Cache Action",
            "the pull through the cache did not fail",
        ),
        (
            "ecr-replication-action-failed",
            "ECR Replication Action",
            "Amazon ECR replicated between its own registries: no pull failed",
        ),
        (
            "ecr-replication-action-success",
            "ECR Replication Action",
            "Amazon ECR replicated between its own registries: no pull failed",
        ),
        (
            "ecr-scan-resource-change",
            "ECR Scan Resource Change",
            "the scanning configuration changed: no image was scanned",
        ),
        (
            "scheduled-event-rule",
            "Scheduled Event",
            "only the refresh function handles scheduled events",
        ),
        (
            "scheduler-default-no-input",
            "Scheduled Event",
            "only the refresh function handles scheduled events",
        ),
    ];
    for (name, kind, why) in cases {
        check(name, &[format!("ignored {kind} {EVENT}: {why}")]);
    }
    check(
        "scheduler-input-delivered",
        &[format!("ignored event: {unknown}")],
    );
    check(
        "retry-schedule-delivered",
        &[format!("ignored event: {unknown}")],
    );
}

#[test]
fn every_sample_leads_to_signals() {
    let samples = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../events")).unwrap();
    for sample in samples {
        let text = fs::read_to_string(sample.unwrap().path()).unwrap();
        assert!(!signals(&text.parse().unwrap()).is_empty(), "{text}");
    }
}
