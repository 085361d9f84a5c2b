//! The three binaries as Lambda runs them: under the Runtime API of the embedded cloud.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use embedded_cloud::{Image, LambdaRuntime};
use serde_json::{Value, json};
use tests::parts::tools::function;
use tests::world::{PASSWORD, World, statuses};
use tokio::process::{Child, Command};

/// A function's process, its Runtime API, and what it has logged.
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

    /// Ends the process and gives all that it wrote.
    async fn log(mut self) -> String {
        self.process.start_kill().expect("the process can be ended");
        let output = self
            .process
            .wait_with_output()
            .await
            .expect("the process ends");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

#[tokio::test]
async fn the_three_binaries_do_the_main_job_and_no_log_level_of_ours_shows_a_secret() {
    let mut world = World::start().await;
    world.catalogue("images: [{ image: node, tags: ['21'] }]");
    let queue = world.queue();
    world.cloud.hub.push(
        "library/node",
        "21",
        &Image::index(1, &["linux/amd64"], &[5000], true),
    );

    let level = "replicator=trace,refresh=trace,replicate=trace,ensure=trace,info";
    let refresh = Function::start("refresh", &world, level).await;
    let report = refresh.invoke(json!({})).await.unwrap();
    assert_eq!(statuses(&report), ["deferred docker.io/library/node:21"]);

    let replicate = Function::start("replicate", &world, level).await;
    let event = world.cloud.sqs.next_event(&queue, 10).unwrap();
    let response = replicate.invoke(event.clone()).await.unwrap();
    assert_eq!(response, json!({"batchItemFailures": []}));
    world.cloud.sqs.settle(&queue, &event, &Ok(response));

    let ensure = Function::start("ensure", &world, level).await;
    let report = ensure.invoke(json!({"images": ["node:21"]})).await.unwrap();
    assert_eq!(statuses(&report), ["unchanged docker.io/library/node:21"]);
    let refused = ensure
        .invoke(json!({"image": "node:21"}))
        .await
        .unwrap_err();
    assert!(
        refused.contains("cannot understand the request"),
        "{refused}"
    );

    let log = [
        refresh.log().await,
        replicate.log().await,
        ensure.log().await,
    ]
    .concat();
    assert!(
        log.contains("docker.io/library/node:21") && log.contains("copied"),
        "{log}"
    );
    // Passwords of the registries as they are issued, how those of ECR begin as Basic credentials, and tokens of Docker Hub.
    let tokens = [
        "us-east-1-password-",
        "QVdTOnVzLWVhc3QtMS1wYXNzd29y",
        "eyJhbGciOiJub25lIn0",
    ];
    for secret in [PASSWORD, "Bearer ", "Basic ", "embedded-cloud-secret"]
        .into_iter()
        .chain(tokens)
    {
        assert!(!log.contains(secret), "{secret} in:\n{log}");
    }
}

/// The lines of `log` that are metrics. `CloudWatch` reads them from a line that is nothing but the object.
fn metrics(log: &str) -> Vec<Value> {
    let objects = log.lines().filter_map(|line| line.parse::<Value>().ok());
    objects.filter(|line| line.get("_aws").is_some()).collect()
}

#[tokio::test]
async fn each_invocation_prints_one_line_of_metrics_and_one_that_fails_does_too() {
    let mut world = World::start().await;
    world.catalogue("images: [{ image: node, tags: ['21'] }]");
    world.cloud.hub.set_quota(100, 21_600);
    world.cloud.hub.push(
        "library/node",
        "21",
        &Image::index(1, &["linux/amd64"], &[5000], true),
    );
    let refresh = Function::start("refresh", &world, "info").await;
    refresh.invoke(json!({})).await.unwrap();
    refresh.invoke(json!({})).await.unwrap();
    refresh
        .invoke(json!({"command": "drop"}))
        .await
        .unwrap_err();
    let log = refresh.log().await;

    let lines = metrics(&log);
    let [copied, unchanged, failed] = lines.as_slice() else {
        panic!("not three lines in:\n{log}")
    };
    for line in &lines {
        assert_eq!(line["FunctionName"], "refresh");
        let metrics = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(metrics["Dimensions"], json!([["FunctionName"], []]));
        let defined = metrics["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| metric["Name"].as_str().unwrap());
        let stated = line
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| !["_aws", "FunctionName"].contains(&key.as_str()));
        assert_eq!(
            defined.collect::<BTreeSet<_>>(),
            stated.map(String::as_str).collect()
        );
    }
    let values = |line: &Value, names: [&str; 6]| names.map(|name| line[name].as_u64());
    let names = [
        "PullsSpent",
        "ImagesCopied",
        "ImagesUnchanged",
        "StalenessSeconds",
        "PullsLimit",
        "PullsReserve",
    ];
    assert_eq!(
        values(copied, names),
        [Some(3), Some(1), Some(0), Some(0), Some(100), Some(10)]
    );
    assert_eq!(
        values(unchanged, names),
        [Some(0), Some(0), Some(1), Some(0), Some(100), Some(10)]
    );
    assert!(copied["BytesCopied"].as_u64() > Some(5000), "{copied}");
    assert_eq!(values(failed, names), [None; 6]);
    assert!(failed["DurationMs"].is_u64(), "{failed}");
}

#[tokio::test]
async fn every_bad_setting_is_named_in_one_message_at_start() {
    let mut world = World::start().await;
    world.set("REPLICATOR_CATALOGUE", "s3://bucket");
    world.set("REPLICATOR_QUOTA_RESERVE", "much");
    let function = Function::start("refresh", &world, "info").await;
    let output = function.process.wait_with_output().await.unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("REPLICATOR_CATALOGUE") && said.contains("REPLICATOR_QUOTA_RESERVE"),
        "{said}"
    );
}
