//! What holds for the signals of any event and any text.

use image_replicator::events::images::failures;
use image_replicator::events::{Signal, classify::classify, signals};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sample;

/// Any JSON value. Its keys and texts are often those of events.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(key(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "Records",
        "Sns",
        "Message",
        "body",
        "awslogs",
        "data",
        "detail",
        "detail-type",
        "source",
        "containers",
        "image",
        "reason",
        "resources",
        "repository-name",
        "image-digest",
        "finding-severity-counts",
        "CRITICAL",
        "version",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

/// Any text, often with parts of logs and events.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "docker pull ",
        "FROM ",
        "node:21",
        "docker.io/library/node:21",
        "@sha256:00",
        "toomanyrequests",
        ": not found",
        "\n",
        "\r",
        "\u{1b}[3",
        " ",
        "manifest for ",
        "Pulling from library/node",
        "https://registry-1.docker.io/v2/",
        "library/node/manifests/",
        "Step 1/2 : ",
        "#5 ",
        "aws.ecs",
        "ECS Task State Change",
        "é",
        "\u{202e}",
        "\"",
        "?",
    ]);
    let known = prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat());
    prop_oneof![3 => known, 1 => any::<String>()]
}

/// An event of a supported type, with any detail.
fn event() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec![
        ("aws.ecs", "ECS Task State Change"),
        ("aws.batch", "Batch Job State Change"),
        ("aws.codebuild", "CodeBuild Build State Change"),
        ("aws.codebuild", "CodeBuild Build Phase Change"),
        ("aws.ecr", "ECR Pull Through Cache Action"),
        ("aws.ecr", "AWS API Call via CloudTrail"),
        ("aws.ecr", "ECR Image Scan"),
        ("aws.inspector2", "Inspector2 Scan"),
        ("aws.inspector2", "Inspector2 Finding"),
    ]);
    (kind, json_value()).prop_map(
        |((source, kind), detail)| json!({"source": source, "detail-type": kind, "detail": detail}),
    )
}

/// A sample with any part of it replaced by any value.
fn damaged_sample() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "ecs-task-stopped-dockerhub-rate-limit",
        "batch-job-failed-image-not-found",
        "inspector2-finding",
        "codebuild-state-change-docker-build-failed",
        "codebuild-phase-change-env-image-pull-failed",
        "cloudtrail-ecr-batchgetimage-error",
        "ecr-image-scan-complete",
        "cloudwatch-logs-toomanyrequests",
        "sqs-of-sns-ecs-task-stopped",
        "ecr-pull-through-cache-failed.UNVERIFIED-VALUES",
    ]);
    (names, any::<prop::sample::Index>(), json_value()).prop_map(|(name, index, value)| {
        let mut event = sample(name);
        let mut pointers = Vec::new();
        collect_pointers(&event, &mut String::new(), &mut pointers);
        *event
            .pointer_mut(&pointers[index.index(pointers.len())])
            .expect("each pointer was found there") = value;
        event
    })
}

fn collect_pointers(value: &Value, path: &mut String, pointers: &mut Vec<String>) {
    pointers.push(path.clone());
    let children: Vec<(String, &Value)> = match value {
        Value::Object(object) => object
            .iter()
            .map(|(key, child)| (key.replace('/', "~1"), child))
            .collect(),
        Value::Array(array) => array
            .iter()
            .enumerate()
            .map(|(at, child)| (at.to_string(), child))
            .collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let end = path.len();
        path.push('/');
        path.push_str(&key);
        collect_pointers(child, path, pointers);
        path.truncate(end);
    }
}

/// Checks the bounds of all texts in `signals`.
fn check_bounds(signals: &[Signal]) {
    let fits =
        |text: &str, limit| text.chars().count() <= limit && !text.chars().any(char::is_control);
    for signal in signals {
        match signal {
            Signal::PullFailure(failure) => {
                assert!(
                    fits(&failure.image, 512) && !failure.image.is_empty(),
                    "{failure:?}"
                );
                assert!(
                    fits(&failure.message, 300) && fits(&failure.id, 320),
                    "{failure:?}"
                );
            }
            Signal::BuildLog(log) => {
                assert!(fits(&log.group, 512) && fits(&log.stream, 512), "{log:?}");
                assert!(!log.group.is_empty() && !log.stream.is_empty(), "{log:?}");
            }
            Signal::Scan(scan) => assert!(fits(&scan.repository, 256), "{scan:?}"),
            Signal::Ignored(ignored) => {
                assert!(
                    fits(&ignored.what, 200) && fits(&ignored.why, 300) && !ignored.why.is_empty(),
                    "{ignored:?}"
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn any_value_leads_to_bounded_signals(value in json_value()) {
        let signals = signals(&value);
        prop_assert!(!signals.is_empty());
        check_bounds(&signals);
    }

    #[test]
    fn an_event_with_any_detail_leads_to_bounded_signals(event in event()) {
        let signals = signals(&event);
        prop_assert!(!signals.is_empty());
        check_bounds(&signals);
    }

    #[test]
    fn a_damaged_sample_leads_to_bounded_signals(event in damaged_sample()) {
        let signals = signals(&event);
        prop_assert!(!signals.is_empty());
        check_bounds(&signals);
    }

    #[test]
    fn any_text_can_be_classified_and_blames_a_bounded_number_of_images(text in text()) {
        classify(&text);
        let failures = failures(&text);
        prop_assert!(failures.len() <= 50);
        prop_assert!(failures.iter().all(|(image, _)| image.len() <= 1024 && !image.is_empty()));
    }
}
