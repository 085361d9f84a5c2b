//! The rules of `template.yaml` against the samples in `events/`, by moto's implementation of EventBridge patterns.

use std::{
    collections::BTreeMap,
    fs::{read_dir, read_to_string},
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tests::parts::tools::python_program;

/// Each sample and the one rule that it matches.
const MATCHED: [(&str, &str); 12] = [
    ("batch-job-failed-image-not-found", "Rescue.BatchJob"),
    ("cloudtrail-ecr-batchgetimage-error", "Rescue.MissingImage"),
    (
        "codebuild-state-change-docker-build-failed",
        "Rescue.CodeBuildBuild",
    ),
    (
        "codebuild-state-change-env-image-pull-failed",
        "Rescue.CodeBuildBuild",
    ),
    ("ecr-image-scan-complete", "Rescan.ImageScan"),
    ("ecr-image-scan-complete-no-findings", "Rescan.ImageScan"),
    ("ecr-image-scan-failed", "Rescan.ImageScan"),
    (
        "ecr-pull-through-cache-failed.UNVERIFIED-VALUES",
        "Rescue.PullThroughCache",
    ),
    ("ecs-task-stopped-dockerhub-rate-limit", "Rescue.EcsTask"),
    ("ecs-task-stopped-mirror-image-not-found", "Rescue.EcsTask"),
    ("inspector2-finding", "Rescan.InspectorFinding"),
    ("inspector2-scan", "Rescan.InspectorScan"),
];

/// Each sample that no rule matches, and why.
const IGNORED: [(&str, &str); 20] = [
    (
        "cloudwatch-logs-toomanyrequests",
        "a log group sends it by its subscription",
    ),
    (
        "codebuild-phase-change-docker-pull-failed",
        "the state change of the same build reports it too",
    ),
    (
        "codebuild-phase-change-env-image-pull-failed",
        "the state change of the same build reports it too",
    ),
    (
        "ecr-image-action-delete",
        "a deletion may be intended; the schedule repairs it otherwise",
    ),
    (
        "ecr-image-action-push",
        "our own pushes must not trigger us",
    ),
    ("ecr-pull-through-cache-success", "nothing failed"),
    (
        "ecr-replication-action-failed",
        "replication between regions is not ours, and no copy of ours would repair it",
    ),
    ("ecr-replication-action-success", "nothing failed"),
    (
        "ecr-scan-resource-change",
        "a setting changed, not an image",
    ),
    ("image-replicated", "our own notices must not trigger us"),
    (
        "image-replication-deferred",
        "our own notices must not trigger us",
    ),
    (
        "image-replication-failed",
        "our own notices must not trigger us",
    ),
    (
        "scheduled-event-rule",
        "for users who schedule refresh by their own rule",
    ),
    (
        "scheduler-default-no-input",
        "the scheduler calls refresh itself, without a rule",
    ),
    (
        "scheduler-input-delivered",
        "the scheduler calls refresh itself, without a rule",
    ),
    (
        "sns-codestar-notification-docker-build-failed",
        "for users who subscribe rescue to their own topic",
    ),
    (
        "sqs-batch-of-eventbridge-events",
        "for users who send events through their own queue",
    ),
    (
        "sqs-batch-of-inspector2-findings",
        "for users who send events through their own queue",
    ),
    (
        "sqs-of-sns-ecs-task-stopped",
        "for users who send events through their own queue",
    ),
    (
        "retry-schedule-delivered",
        "the scheduler calls refresh itself, without a rule",
    ),
];

type Events = BTreeMap<String, Value>;

fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every sample under the name of its file.
fn samples() -> Events {
    let files = read_dir(repository().join("events"))
        .expect("the samples are there")
        .flatten();
    let read = |path: PathBuf| {
        let name = path
            .file_stem()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        let event = read_to_string(&path)
            .expect("a sample is text")
            .parse()
            .expect("a sample is JSON");
        (name, event)
    };
    files.map(|file| read(file.path())).collect()
}

/// The rules that each event matches.
fn rules(events: &Events) -> BTreeMap<String, Vec<String>> {
    let mut command = Command::new(python_program("python3"));
    command
        .arg(repository().join("tests/real_parts/match.py"))
        .arg(repository().join("template.yaml"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut input = child.stdin.take().expect("its input is a pipe");
    input
        .write_all(json!(events).to_string().as_bytes())
        .expect("it reads all events");
    drop(input);
    let Output { status, stdout, .. } = child.wait_with_output().expect("it ends");
    assert!(status.success(), "{status}");
    serde_json::from_slice(&stdout).expect("it answers with JSON")
}

/// The rules that a sample matches after `from` is replaced by `to` in its text.
fn rules_of(sample: &str, from: &str, to: &str) -> Vec<String> {
    let text = samples()[sample].to_string();
    assert!(text.contains(from), "{sample} has no {from}");
    let changed = text.replace(from, to).parse().expect("it is JSON still");
    rules(&[(sample.to_owned(), changed)].into())
        .remove(sample)
        .expect("there is an answer for each event")
}

#[test]
#[ignore = "needs moto and aws-sam-cli: .ci/run installs them"]
fn each_sample_matches_exactly_one_rule_or_is_ignored_for_a_reason() {
    let reached = MATCHED.map(|(sample, rule)| (sample.to_owned(), vec![rule.to_owned()]));
    let ignored = IGNORED.map(|(sample, _)| (sample.to_owned(), Vec::new()));
    assert_eq!(
        rules(&samples()),
        reached.into_iter().chain(ignored).collect()
    );
}

#[test]
#[ignore = "needs moto and aws-sam-cli: .ci/run installs them"]
fn events_of_repositories_outside_the_mirror_match_no_rule() {
    for sample in [
        "cloudtrail-ecr-batchgetimage-error",
        "ecr-image-scan-complete",
        "ecr-image-scan-complete-no-findings",
        "inspector2-finding",
        "inspector2-scan",
    ] {
        assert!(
            rules_of(sample, "docker-hub/", "team/docker-hub/").is_empty(),
            "{sample}"
        );
    }
}

#[test]
#[ignore = "needs moto and aws-sam-cli: .ci/run installs them"]
fn a_lookup_of_a_missing_image_by_our_functions_matches_no_rule() {
    for function in ["refresh", "replicate", "ensure", "rescue", "rescan"] {
        let session = format!("assumed-role/image-replicator-Role-1/image-replicator-{function}");
        assert!(
            rules_of(
                "cloudtrail-ecr-batchgetimage-error",
                "assumed-role/app/session",
                &session
            )
            .is_empty()
        );
    }
}

#[test]
#[ignore = "needs moto and aws-sam-cli: .ci/run installs them"]
fn successes_and_failures_for_other_reasons_match_no_rule() {
    for (sample, from, to) in [
        (
            "batch-job-failed-image-not-found",
            "CannotPullContainerError",
            "OutOfMemoryError",
        ),
        (
            "batch-job-failed-image-not-found",
            r#""FAILED""#,
            r#""RUNNABLE""#,
        ),
        (
            "codebuild-state-change-docker-build-failed",
            r#""build-status":"FAILED""#,
            r#""build-status":"STOPPED""#,
        ),
        (
            "ecs-task-stopped-dockerhub-rate-limit",
            "TaskFailedToStart",
            "EssentialContainerExited",
        ),
        (
            "ecr-pull-through-cache-failed.UNVERIFIED-VALUES",
            "registry-1.docker.io",
            "quay.io",
        ),
        ("inspector2-finding", r#""ACTIVE""#, r#""CLOSED""#),
    ] {
        assert!(rules_of(sample, from, to).is_empty(), "{sample} with {to}");
    }
}

#[test]
#[ignore = "needs moto and aws-sam-cli: .ci/run installs them"]
fn a_batch_job_matches_wherever_its_reason_is() {
    let reason = "CannotPullContainerError: not found";
    for detail in [
        json!({"status": "FAILED", "statusReason": reason}),
        json!({"status": "FAILED", "container": {"reason": reason}}),
        json!({"status": "FAILED", "attempts": [{"container": {}}, {"container": {"reason": reason}}]}),
    ] {
        let event = json!({"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": detail});
        assert_eq!(
            rules(&[(String::new(), event)].into())[""],
            ["Rescue.BatchJob"],
            "{detail}"
        );
    }
}
