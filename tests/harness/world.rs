//! The embedded cloud with the handlers of the functions: what every scenario starts from.

use std::collections::BTreeMap;
use std::process::Output;
use std::time::{Duration, SystemTime};

use embedded_cloud::{Cloud, Image, Registry};
use ensure::EnsureRequest;
use image_replicator::aws::Aws;
use image_replicator::engine::Replicator;
use image_replicator::settings::Settings;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::parts::tools::function;

/// The private registry of the embedded cloud in us-east-1.
pub const PRIVATE: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com";
/// The password of Docker Hub's user `ci`.
pub const PASSWORD: &str = "dckr_pat_never_in_a_log";

/// The ARN of the function that a retry invokes.
const REFRESH: &str = "arn:aws:lambda:us-east-1:111122223333:function:image-replicator-refresh";

/// The embedded cloud, and settings that point at it.
pub struct World {
    /// The cloud.
    pub cloud: Cloud,
    settings: BTreeMap<String, String>,
}

/// What a test sets up.
impl World {
    /// Starts a cloud with a Docker Hub user `ci`, whose credential is in a secret, and without a catalogue.
    pub async fn start() -> Self {
        let cloud = Cloud::start().await;
        cloud.hub.add_user("ci", PASSWORD);
        let mut world = Self {
            settings: cloud.environment().into_iter().collect(),
            cloud,
        };
        let secret = json!({"username": "ci", "accessToken": PASSWORD});
        world.cloud.secrets.put("docker-hub", &secret.to_string());
        world.set("REPLICATOR_DOCKER_HUB_SECRET", "docker-hub");
        world
    }

    /// Sets an environment variable.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Stores the catalogue `yaml` in the Parameter Store.
    pub fn set_catalogue(&mut self, yaml: &str) {
        self.cloud
            .parameters
            .put("/image-replicator/catalogue/default", yaml);
        self.set("REPLICATOR_CATALOGUE", "ssm:/image-replicator/catalogue");
    }

    /// Adds a queue between `refresh` and `replicate`, and returns its URL.
    pub fn add_queue(&mut self) -> String {
        let url = self.cloud.sqs.create_fifo_queue("copies", 5400);
        self.set("REPLICATOR_QUEUE_URL", &url);
        url
    }

    /// Lets a schedule retry what is deferred, by `refresh`.
    pub fn schedule_retries(&mut self) {
        self.set("REPLICATOR_WAKE_UP_FUNCTION", REFRESH);
        self.set(
            "REPLICATOR_WAKE_UP_ROLE",
            "arn:aws:iam::111122223333:role/image-replicator-wake-up",
        );
    }

    /// Advances the clock of the cloud.
    pub fn advance(&self, duration: Duration) {
        self.cloud.clock.advance(duration);
    }

    /// Pushes an image to Docker Hub.
    pub fn publish(&self, repository: &str, tag: &str, image: &Image) {
        self.cloud.hub.push(repository, tag, image);
    }
}

/// What a test runs.
impl World {
    /// The environment of a function in this world.
    pub fn environment(&self) -> impl Iterator<Item = (&String, &String)> {
        self.settings.iter()
    }

    /// A replicator that has just been started.
    pub fn replicator(&self) -> Replicator {
        let settings = Settings::from_lookup(|name| self.settings.get(name).cloned())
            .expect("the settings are good");
        let replicator = Replicator::new(settings, Aws::emulated_at(self.cloud.control_plane()));
        let clock = self.cloud.clock.clone();
        replicator
            .expect("the replicator starts")
            .with_clock(Box::new(move || clock.now()))
    }

    /// Invokes `refresh` with `event`.
    pub async fn refresh_with(&self, event: Value) -> Result<Value, String> {
        let report = refresh::handle(&event, "request", deadline(), &self.replicator()).await;
        report
            .map(|report| json!(report))
            .map_err(|error| error.chain())
    }

    /// Refreshes the catalogue, as a schedule does.
    pub async fn refresh(&self) -> Value {
        self.refresh_with(json!({}))
            .await
            .expect("the refresh answers")
    }

    /// Refreshes these images alone.
    pub async fn refresh_images(&self, images: &[&str]) -> Value {
        let images: Vec<Value> = images.iter().map(|image| json!({"image": image})).collect();
        self.refresh_with(json!({"images": images}))
            .await
            .expect("the refresh answers")
    }

    /// Refreshes one image alone, and returns its status.
    pub async fn refresh_status(&self, image: &str) -> String {
        let report = self.refresh_images(&[image]).await;
        let status = report["images"][0]["status"].as_str();
        status.expect("an image has a status").to_owned()
    }

    /// Invokes `ensure` with `event`.
    pub async fn ensure(&self, event: Value) -> Value {
        let wanted = EnsureRequest::parse(&event).expect("the request is good");
        let report = ensure::handle(&wanted, "request", deadline(), &self.replicator()).await;
        json!(report.expect("ensure answers"))
    }

    /// Invokes `rescue` with `event`.
    pub async fn rescue(&self, event: &Value) -> Value {
        let report = rescue::handle(event, "request", deadline(), &self.replicator()).await;
        json!(report.expect("rescue answers"))
    }

    /// Invokes `rescan` with `event`.
    pub async fn rescan(&self, event: &Value) -> Value {
        let report = rescan::handle(event, "request", deadline(), &self.replicator()).await;
        json!(report.expect("rescan answers"))
    }

    /// Invokes `replicate` with the batch `event`, and returns its response.
    pub async fn deliver(&self, event: &Value) -> Value {
        let batch = serde_json::from_value(event.clone()).expect("the event is a batch");
        let verdict = replicate::handle(batch, deadline(), &self.replicator()).await;
        json!(verdict.response())
    }

    /// Delivers one batch of the queue at `url` and settles it; `None` when the queue is empty.
    pub async fn replicate(&self, url: &str) -> Option<Value> {
        let event = self.cloud.sqs.next_event(url, 10)?;
        let response = self.deliver(&event).await;
        self.cloud.sqs.settle(url, &event, &Ok(response.clone()));
        Some(response)
    }

    /// Delivers batches until the queue at `url` is empty, and returns their number.
    pub async fn drain(&self, url: &str) -> usize {
        let mut batches = 0;
        while self.replicate(url).await.is_some() {
            batches += 1;
        }
        batches
    }

    /// Delivers batches of the queue at `url` until `work` is done.
    pub async fn drain_until<T>(&self, url: &str, work: impl Future<Output = T>) -> T {
        let worker = async {
            loop {
                self.drain(url).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            result = work => result,
            never = worker => never,
        }
    }

    /// Advances the clock to the next scheduled retry and runs it; `None` when no retry is scheduled.
    pub async fn run_next_retry(&self) -> Option<Value> {
        let at = self.cloud.scheduler.schedules().first()?.at;
        let wait = at.duration_since(self.cloud.clock.now());
        self.advance(Duration::try_from(wait).unwrap_or_default());
        let (function, event) = self.cloud.scheduler.next_due()?;
        assert_eq!(function, REFRESH);
        Some(self.refresh_with(event).await.expect("the refresh answers"))
    }

    /// The command line with these arguments, in the environment of this world alone.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(function("replicator"));
        command.env_clear().envs(self.environment()).args(arguments);
        command
    }

    /// Runs the command line, and returns its exit code and everything that it wrote.
    pub async fn run_command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.command(arguments).output().await;
        let output = output.expect("the binary runs");
        (output.status.code(), output_text(&output))
    }
}

/// What a test looks at.
impl World {
    /// The private registry in us-east-1.
    pub fn ecr(&self) -> &Registry {
        self.cloud.ecr.region("us-east-1")
    }

    /// Calls an action of the ECR API in us-east-1, and returns its response.
    pub async fn call_ecr(&self, action: &str, input: &Value) -> Value {
        let scope = "anyone/20260101/us-east-1/ecr/aws4_request";
        let request = reqwest::Client::new()
            .post(self.cloud.control_plane())
            .header("content-type", "application/x-amz-json-1.1")
            .header(
                "x-amz-target",
                format!("AmazonEC2ContainerRegistry_V20150921.{action}"),
            )
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            )
            .body(input.to_string());
        let response = request.send().await.expect("the control plane answers");
        let text = response.text().await.expect("the response is text");
        text.parse().expect("the response is JSON")
    }

    /// The digest that `repository:tag` of Docker Hub has in the default destination.
    pub fn mirrored(&self, repository: &str, tag: &str) -> Option<String> {
        self.ecr().image(&format!("docker-hub/{repository}"), tag)
    }

    /// The record of `repository:tag` of Docker Hub in the default destination.
    ///
    /// # Panics
    /// With all resource tags of the repository, when there is no record.
    pub fn record(&self, repository: &str, tag: &str) -> String {
        let tags = self
            .ecr()
            .resource_tags(&format!("docker-hub/{repository}"));
        let record = tags.get(&format!("replicator:tag:{tag}"));
        record
            .unwrap_or_else(|| panic!("no record of {tag} in {tags:?}"))
            .clone()
    }

    /// The status in the record of `repository:tag`: `ok`, `failed`, `deferred` or `waiting-for-upstream`.
    pub fn record_status(&self, repository: &str, tag: &str) -> String {
        let record = self.record(repository, tag);
        let status = record.split(' ').nth(1);
        status
            .unwrap_or_else(|| panic!("no status in {record}"))
            .to_owned()
    }

    /// The number of pulls from Docker Hub since the counts were reset.
    pub fn pulls(&self) -> u64 {
        self.count("hub.manifest.get")
    }

    /// The number of requests of `kind` since the counts were reset.
    pub fn count(&self, kind: &str) -> u64 {
        self.cloud.counts.get(kind)
    }
}

/// A deadline five minutes from now.
pub fn deadline() -> SystemTime {
    SystemTime::from(jiff::Timestamp::now()) + Duration::from_mins(5)
}

/// `status image` for each image of a report, in its order.
pub fn statuses(report: &Value) -> Vec<String> {
    let images = report["images"].as_array().expect("a report has images");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    images
        .iter()
        .map(|image| format!("{} {}", text(&image["status"]), text(&image["image"])))
        .collect()
}

/// The images of a report have these statuses: `status image` for each, in its order.
#[track_caller]
pub fn assert_statuses(report: &Value, expected: &[&str]) {
    assert_eq!(statuses(report), expected, "{report:#}");
}

/// The number of images of a report with this status.
pub fn count_status(report: &Value, status: &str) -> usize {
    let images = report["images"].as_array().expect("a report has images");
    images
        .iter()
        .filter(|image| image["status"] == status)
        .count()
}

/// The reason that a report gives for its first image; empty when it gives none.
pub fn reason(report: &Value) -> &str {
    reason_of(report, 0)
}

/// The reason that a report gives for the image at `index`; empty when it gives none.
pub fn reason_of(report: &Value, index: usize) -> &str {
    report["images"][index]["reason"]
        .as_str()
        .unwrap_or_default()
}

/// The reason of the first image contains `text`.
#[track_caller]
pub fn assert_reason(report: &Value, text: &str) {
    let reason = reason(report);
    assert!(reason.contains(text), "{text} is not in: {reason}");
}

/// Everything that a process wrote, standard output first.
pub fn output_text(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    format!("{stdout}{stderr}")
}
