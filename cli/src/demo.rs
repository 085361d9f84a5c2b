//! `demo`: two nights and a build on the embedded cloud, with the handlers of the real functions.

use std::time::{Duration, SystemTime};

use embedded_cloud::{Cloud, Image};
use ensure::EnsureRequest;
use image_replicator::aws::Aws;
use image_replicator::engine::Replicator;
use image_replicator::error::{Cause, Error, Side};
use image_replicator::outcome::report::{Answer, Report};
use image_replicator::settings::Settings;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::output::{line, size, table};

/// The event that the nightly schedule sends.
const SCHEDULE: &str = include_str!("../../events/scheduled-event-rule.json");
/// Pulls that the demo's Docker Hub allows in six hours.
const QUOTA: u32 = 30;
/// How long each invocation of a function may take.
const TIMEOUT: Duration = Duration::from_mins(5);
const CATALOGUE: &str = "\
destinations:
  private: { ecr: { repository: 'docker-hub/{repository}' } }
  public: { ecr-public: { alias: my-alias, repository: '{name}' } }
defaults: { to: [private] }
images:
  - { image: node, tags: [21-alpine, 22-alpine] }
  - { image: python, tags: [3.12-slim] }
  - { image: grafana/grafana, tags: [11.2.0], to: [private, public] }
";
const REGION: &str = "us-east-1";

/// Tells the story; with `serve` the mirror stays up until Ctrl-C.
pub(crate) async fn run(serve: bool) -> Result<bool, Error> {
    let cloud = Cloud::start().await;
    let queue = furnish(&cloud);
    let replicator = replicator(&cloud, &queue)?;
    line("An embedded Docker Hub, Amazon ECR and SQS queue: nothing leaves this machine.");
    line(format_args!(
        "User \"ci\" may pull {QUOTA} times in six hours. The catalogue:\n\n{CATALOGUE}"
    ));

    line("1. At night, `refresh` finds out which tags have moved, and queues their copies.\n");
    let first = refresh(&replicator).await?;
    show(&first);
    line("\n2. `replicate` copies what is queued: blobs first, then manifests, then the tag.\n");
    show(&work_off(&cloud, &queue, &replicator).await?);
    line("");
    show_requests(&cloud);

    line("\n3. A build asks `ensure` for two images of the catalogue and a new one.\n");
    let built = tokio::select! {
        built = ensure(&replicator, &["node:21-alpine", "python:3.12-slim", "redis:7"]) => built?,
        stopped = keep_working(&cloud, &queue, &replicator) => return stopped,
    };
    show(&built);
    line("\n   A worker made the copy; builds that ask at the same time share it.");

    line("\n4. The next night no tag has moved: one HEAD for each tag, and no pull.\n");
    cloud.counts.reset();
    let second = refresh(&replicator).await?;
    show(&second);
    line("");
    show_requests(&cloud);
    line("\nThe sync state in the resource tags of the repositories:\n");
    show_state(&cloud);
    if serve {
        keep_up(&cloud).await;
    } else {
        line("\nTo pull from this mirror: `cargo run -- demo --serve`.");
    }
    Ok(built.ok && second.ok && cloud.counts.get("hub.manifest.get") == 0)
}

fn furnish(cloud: &Cloud) -> String {
    let platforms = ["linux/amd64", "linux/arm64/v8"];
    cloud.hub.push(
        "library/node",
        "21-alpine",
        &Image::index(21, &platforms, &[3_200_000, 40_000], true),
    );
    cloud.hub.push(
        "library/node",
        "22-alpine",
        &Image::index(22, &platforms, &[3_300_000, 41_000], true),
    );
    cloud.hub.push(
        "library/python",
        "3.12-slim",
        &Image::list(312, &platforms, &[2_900_000, 1_100_000]),
    );
    cloud.hub.push(
        "grafana/grafana",
        "11.2.0",
        &Image::docker(112, &[3_900_000, 900_000, 2_000]),
    );
    cloud
        .hub
        .push("library/redis", "7", &Image::oci(7, &[1_500_000]));
    cloud.hub.add_user("ci", "demo-access-token");
    cloud.hub.set_quota(QUOTA, 6 * 3600);
    cloud.secrets.put(
        "docker-hub",
        r#"{"username":"ci","accessToken":"demo-access-token"}"#,
    );
    cloud
        .parameters
        .put("/image-replicator/catalogue/default", CATALOGUE);
    cloud.sqs.create_fifo_queue("copies", 5400)
}

fn replicator(cloud: &Cloud, queue: &str) -> Result<Replicator, Error> {
    let environment = cloud.environment();
    let settings = Settings::from_lookup(|name| match name {
        "REPLICATOR_CATALOGUE" => Some("ssm:/image-replicator/catalogue".to_owned()),
        "REPLICATOR_DOCKER_HUB_SECRET" => Some("docker-hub".to_owned()),
        "REPLICATOR_QUEUE_URL" => Some(queue.to_owned()),
        _ => environment
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone()),
    });
    let settings = settings.map_err(|problems| broken(&problems.to_string()))?;
    Replicator::new(settings, Aws::emulated_at(cloud.control_plane()))
}

async fn refresh(replicator: &Replicator) -> Result<Report, Error> {
    let event: Value =
        serde_json::from_str(SCHEDULE).map_err(|error| broken(&error.to_string()))?;
    refresh::handle(&event, "demo", deadline(), replicator).await
}

/// Works off the queue, as AWS does: it invokes `replicate` with one message after another.
async fn work_off(cloud: &Cloud, queue: &str, replicator: &Replicator) -> Result<Report, Error> {
    let mut images = Vec::new();
    while let Some(event) = cloud.sqs.next_event(queue, 1) {
        let batch = serde_json::from_value(event.clone());
        let batch = batch.map_err(|error| broken(&error.to_string()))?;
        let done = replicate::handle(batch, deadline(), replicator).await;
        if !done.redelivered.is_empty() {
            return Err(broken("a message would be redelivered"));
        }
        images.extend(done.report().images);
        let response = json!(done.response());
        cloud.sqs.settle(queue, &event, &Ok(response));
    }
    Ok(Report::new(images, replicator.quota()))
}

/// Works off the queue for as long as somebody waits; it only ends when that fails.
async fn keep_working(cloud: &Cloud, queue: &str, replicator: &Replicator) -> Result<bool, Error> {
    loop {
        work_off(cloud, queue, replicator).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ensure(replicator: &Replicator, images: &[&str]) -> Result<Report, Error> {
    let request = EnsureRequest {
        images: images.iter().map(|&image| image.to_owned()).collect(),
        wait_seconds: 60,
        allow_stale: true,
    };
    ensure::handle(&request, "demo", deadline(), replicator).await
}

fn show(report: &Report) {
    let head = ["   IMAGE", "TO", "STATUS", "DIGEST", "BYTES", "PULLS"]
        .map(str::to_owned)
        .to_vec();
    let row = |image: &image_replicator::outcome::report::ImageReport| {
        let digest = image
            .upstream_digest
            .as_ref()
            .map_or("-", |digest| digest.short());
        let (status, pulls) = (image.status.to_string(), image.pulls.to_string());
        let to = image
            .targets
            .iter()
            .map(|target| target.destination.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        vec![
            format!("   {}", image.image),
            to,
            status,
            digest.to_owned(),
            size(image.bytes),
            pulls,
        ]
    };
    table(
        &std::iter::once(head)
            .chain(report.images.iter().map(row))
            .collect::<Vec<_>>(),
    );
}

fn show_requests(cloud: &Cloud) {
    let count = |kind| cloud.counts.get(kind);
    line(format_args!(
        "   Docker Hub: {} HEADs, {} pulls, {} of {QUOTA} pulls left; ECR: {} control calls, {} blobs and {} manifests received",
        count("hub.manifest.head"),
        count("hub.manifest.get"),
        cloud.hub.remaining(),
        cloud.counts.sum("ecr.api."),
        count("ecr.upload.put"),
        count("ecr.manifest.put"),
    ));
}

fn show_state(cloud: &Cloud) {
    let registry = cloud.ecr.region(REGION);
    for repository in registry.repositories() {
        line(format_args!("   {repository}"));
        for (key, value) in registry
            .resource_tags(&repository)
            .iter()
            .filter(|(key, _)| key.starts_with("replicator:"))
        {
            line(format_args!("     {key} = {value}"));
        }
    }
}

async fn keep_up(cloud: &Cloud) {
    let endpoint = cloud.ecr.region(REGION).address();
    line("\nThe mirror is up until Ctrl-C. In another terminal:\n");
    line(format_args!(
        "   docker login --username AWS --password {} {endpoint}",
        cloud.ecr.password(REGION)
    ));
    line(format_args!(
        "   docker pull {endpoint}/docker-hub/library/node:21-alpine"
    ));
    let _ = tokio::signal::ctrl_c().await;
}

fn deadline() -> SystemTime {
    SystemTime::from(Timestamp::now()) + TIMEOUT
}

fn broken(why: &str) -> Error {
    Error::new(Side::Replicator, Cause::Unexpected, "tell the demo's story").because(why)
}
