//! The binaries of the five functions as Lambda runs them: under the Runtime API of the embedded cloud.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use embedded_cloud::{Image, LambdaRuntime};
use serde_json::{Value, json};
use tests::events::sample;
use tests::parts::tools::function;
use tests::world::{PASSWORD, PRIVATE, World, assert_statuses, output_text, statuses};
use tokio::process::{Child, Command};

const CATALOGUE: &str = "\
rescue: { allow: ['library/*'] }
rescan: { severity: HIGH }
images: [{ image: 'node:21' }]
";
/// Log levels at which our own code logs everything.
const TRACE_LEVELS: &str = "image_replicator=trace,refresh=trace,replicate=trace,ensure=trace,rescue=trace,rescan=trace,info";

/// A function's process and its Runtime API.
struct Function {
    runtime: LambdaRuntime,
    process: Child,
}

impl Function {
    async fn start(name: &str, world: &World, log_level: &str) -> Self {
        let runtime = LambdaRuntime::start().await;
        let process = Command::new(function(name))
            .env_clear()
            .envs(world.environment())
            .envs(runtime.environment(name))
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .env("RUST_LOG", log_level)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        Self { runtime, process }
    }

    async fn invoke(&self, event: Value) -> Result<Value, String> {
        self.runtime
            .invoke(event, Duration::from_secs(30))
            .await
            .map_err(|error| error.to_string())
    }

    /// Ends the process and returns all that it wrote.
    async fn log(mut self) -> String {
        self.process.start_kill().expect("the process can be ended");
        let output = self.process.wait_with_output().await;
        output_text(&output.expect("the process ends"))
    }

    /// Ends the process. Its log names `image` and holds records of the lowest level, but no secret.
    async fn assert_logged_without_secrets(self, image: &str) {
        let log = self.log().await;
        assert!(log.contains(image), "{image} is not in:\n{log}");
        assert!(log.contains(r#""level":"DEBUG""#), "no details in:\n{log}");
        for secret in SECRETS {
            assert!(!log.contains(secret), "{secret} in:\n{log}");
        }
    }
}

/// How credentials and tokens of the embedded cloud begin, and how they are sent.
const SECRETS: [&str; 7] = [
    PASSWORD,
    "Bearer ",
    "Basic ",
    "embedded-cloud-secret",
    // A password of ECR, the same as Basic credentials, and a token of Docker Hub.
    "us-east-1-password-",
    "QVdTOnVzLWVhc3QtMS1wYXNzd29y",
    "eyJhbGciOiJub25lIn0",
];

fn node() -> Image {
    Image::index(1, &["linux/amd64"], &[5000], true)
}

/// A world with node:21 and nginx:1.27-alpine upstream; the catalogue names the first and allows the second.
async fn world() -> World {
    let mut world = World::start().await;
    world.set_catalogue(CATALOGUE);
    world.publish("library/node", "21", &node());
    world.publish("library/nginx", "1.27-alpine", &Image::docker(2, &[900]));
    world
}

#[tokio::test]
async fn refresh_queues_the_images_of_the_catalogue_when_a_rule_invokes_it() {
    let mut world = world().await;
    let queue = world.add_queue();
    let refresh = Function::start("refresh", &world, TRACE_LEVELS).await;
    let report = refresh.invoke(sample("scheduled-event-rule")).await;
    assert_statuses(&report.unwrap(), &["deferred docker.io/library/node:21"]);
    assert_eq!(world.cloud.sqs.messages(&queue).len(), 1);
    assert_eq!(world.mirrored("library/node", "21"), None);
    let log_image = "docker.io/library/node:21";
    refresh.assert_logged_without_secrets(log_image).await;
}

#[tokio::test]
async fn replicate_copies_the_image_of_a_message() {
    let mut world = world().await;
    let queue = world.add_queue();
    world.refresh().await;
    let replicate = Function::start("replicate", &world, TRACE_LEVELS).await;
    let event = world.cloud.sqs.next_event(&queue, 10).unwrap();
    let response = replicate.invoke(event.clone()).await.unwrap();
    assert_eq!(response, json!({"batchItemFailures": []}));
    assert_eq!(world.mirrored("library/node", "21"), Some(node().digest()));
    assert_eq!(world.record_status("library/node", "21"), "ok");
    let log_image = "docker.io/library/node:21";
    replicate.assert_logged_without_secrets(log_image).await;
}

#[tokio::test]
async fn ensure_copies_a_missing_image_and_returns_its_uri() {
    let world = world().await;
    let ensure = Function::start("ensure", &world, TRACE_LEVELS).await;
    let request = json!({"images": ["node:21"], "wait_seconds": 20, "allow_stale": false});
    let report = ensure.invoke(request).await.unwrap();
    assert_statuses(&report, &["copied docker.io/library/node:21"]);
    assert_eq!(
        report["images"][0]["targets"][0]["uri"],
        format!("{PRIVATE}/docker-hub/library/node:21")
    );
    assert_eq!(world.mirrored("library/node", "21"), Some(node().digest()));

    let error = ensure.invoke(json!({"image": "node:21"})).await;
    let error = error.unwrap_err();
    assert!(error.contains("unknown field `image`"), "{error}");
    let log_image = "docker.io/library/node:21";
    ensure.assert_logged_without_secrets(log_image).await;
}

#[tokio::test]
async fn rescue_copies_the_image_of_an_ecs_task_that_reached_the_pull_limit() {
    let world = world().await;
    let rescue = Function::start("rescue", &world, TRACE_LEVELS).await;
    let event = sample("ecs-task-stopped-dockerhub-rate-limit");
    let report = rescue.invoke(event).await.unwrap();
    let image = "docker.io/library/nginx:1.27-alpine";
    assert_eq!(statuses(&report), [format!("copied {image}")]);
    assert_eq!(&report["refused"], &json!([]));
    assert_eq!(&report["ignored"], &json!([]));
    assert_eq!(
        world.mirrored("library/nginx", "1.27-alpine"),
        Some(Image::docker(2, &[900]).digest())
    );
    assert_eq!(world.record_status("library/nginx", "1.27-alpine"), "ok");
    rescue.assert_logged_without_secrets(image).await;
}

#[tokio::test]
async fn rescan_copies_the_newer_image_after_a_scan_with_findings() {
    let world = world().await;
    world.refresh_images(&["nginx:1.27-alpine"]).await;
    // Without a record, the time of the last request to upstream is unknown.
    world
        .ecr()
        .set_resource_tags("docker-hub/library/nginx", &[]);
    let newer = Image::docker(3, &[900]);
    world.publish("library/nginx", "1.27-alpine", &newer);

    let rescan = Function::start("rescan", &world, TRACE_LEVELS).await;
    let mut event = sample("ecr-image-scan-complete");
    event["region"] = json!("us-east-1");
    event["detail"]["image-digest"] = json!(Image::docker(2, &[900]).digest());
    let report = rescan.invoke(event).await.unwrap();
    let image = "docker.io/library/nginx:1.27-alpine";
    assert_eq!(statuses(&report), [format!("copied {image}")]);
    assert_eq!(&report["waiting"], &json!([]));
    assert_eq!(&report["ignored"], &json!([]));
    assert_eq!(
        world.mirrored("library/nginx", "1.27-alpine"),
        Some(newer.digest())
    );
    assert_eq!(world.record_status("library/nginx", "1.27-alpine"), "ok");
    rescan.assert_logged_without_secrets(image).await;
}

/// The lines of `log` that are metrics. `CloudWatch` reads them from a line that is nothing but the object.
fn metrics(log: &str) -> Vec<Value> {
    let objects = log.lines().filter_map(|line| line.parse::<Value>().ok());
    objects.filter(|line| line.get("_aws").is_some()).collect()
}

/// The metrics that `line` defines are those that it has values for.
fn assert_defines_its_metrics(line: &Value) {
    assert_eq!(line["FunctionName"], "refresh");
    let metrics = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(metrics["Dimensions"], json!([["FunctionName"], []]));
    let definitions = metrics["Metrics"].as_array().expect("metrics are a list");
    let defined: BTreeSet<&str> = definitions
        .iter()
        .map(|metric| metric["Name"].as_str().expect("a metric has a name"))
        .collect();
    let fields = line.as_object().expect("a line is an object").keys();
    let with_value: BTreeSet<&str> = fields
        .map(String::as_str)
        .filter(|key| !["_aws", "FunctionName"].contains(key))
        .collect();
    assert_eq!(defined, with_value);
    assert!(defined.contains("DurationMs"), "{line}");
}

#[tokio::test]
async fn each_invocation_prints_one_line_of_metrics_even_when_it_fails() {
    let world = world().await;
    world.cloud.hub.set_quota(100, 21_600);
    let refresh = Function::start("refresh", &world, "info").await;
    refresh.invoke(json!({})).await.unwrap();
    refresh.invoke(json!({})).await.unwrap();
    let refused = refresh.invoke(json!({"command": "drop"})).await;
    refused.unwrap_err();
    let log = refresh.log().await;

    let lines = metrics(&log);
    let [copied, unchanged, failed] = lines.as_slice() else {
        panic!("not three lines in:\n{log}")
    };
    for line in &lines {
        assert_defines_its_metrics(line);
    }
    let names = [
        "PullsSpent",
        "ImagesCopied",
        "ImagesUnchanged",
        "StalenessSeconds",
        "PullsLimit",
        "PullsReserve",
    ];
    let values = |line: &Value| names.map(|name| line[name].as_u64());
    assert_eq!(values(copied), [3, 1, 0, 0, 100, 10].map(Some));
    assert_eq!(values(unchanged), [0, 0, 1, 0, 100, 10].map(Some));
    assert_eq!(values(failed), [None; 6]);
    assert!(copied["BytesCopied"].as_u64() > Some(5000), "{copied}");
    assert!(failed["DurationMs"].is_u64(), "{failed}");
}

#[tokio::test]
async fn every_invalid_setting_is_named_in_one_message_at_start() {
    let mut world = World::start().await;
    world.set("REPLICATOR_CATALOGUE", "s3://bucket");
    world.set("REPLICATOR_QUOTA_RESERVE", "much");
    let function = Function::start("refresh", &world, "info").await;
    let output = function.process.wait_with_output().await.unwrap();
    assert!(!output.status.success());
    let text = output_text(&output);
    for part in [
        "REPLICATOR_CATALOGUE",
        "s3://bucket",
        "REPLICATOR_QUOTA_RESERVE",
        "much",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}
