//! The command line, as a process of its own.

use std::process::Output;

use embedded_cloud::Image;
use serde_json::Value;
use tests::parts::tools::function;
use tests::world::{World, statuses};
use tokio::process::Command;

async fn replicator(world: &World, arguments: &[&str]) -> Output {
    let mut command = Command::new(function("replicator"));
    command
        .env_clear()
        .envs(world.environment())
        .args(arguments);
    command.output().await.expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

async fn world() -> World {
    let mut world = World::start().await;
    world.catalogue("images: [{ image: node, tags: ['21', '22'] }]");
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::docker(1, &[1000]));
    world
        .cloud
        .hub
        .push("library/node", "22", &Image::docker(2, &[1000]));
    world
}

#[tokio::test]
async fn a_plan_is_printed_and_nothing_is_done() {
    let world = world().await;
    let output = replicator(&world, &["plan"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        lines
            .lines()
            .filter(|line| line.starts_with("copy  ") && line.ends_with("is new, for 1 pull"))
            .count(),
        2,
        "{lines}"
    );
    assert_eq!(
        world.cloud.counts.get("hub.manifest.get")
            + world.cloud.counts.get("ecr.api.CreateRepository"),
        0
    );
}

#[tokio::test]
async fn sync_then_status_then_ensure() {
    let world = world().await;
    let output = replicator(&world, &["sync", "--json"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(
        statuses(&report),
        [
            "copied docker.io/library/node:21",
            "copied docker.io/library/node:22"
        ]
    );

    let output = replicator(&world, &["status"]).await;
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        table
            .lines()
            .filter(|line| line.contains("docker-hub/library/node") && line.contains("  ok  "))
            .count(),
        2,
        "{table}"
    );

    let output = replicator(&world, &["ensure", "node:21"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("unchanged"), "{}", said(&output));
}

#[tokio::test]
async fn a_failure_is_exit_code_one_and_the_others_are_copied() {
    let world = world().await;
    let output = replicator(&world, &["sync", "node:21", "node:99"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("copied     docker.io/library/node:21"),
        "{}",
        said(&output)
    );
    assert!(said(&output).contains("not found"), "{}", said(&output));
}

#[tokio::test]
async fn bad_usage_is_exit_code_two_with_the_reason() {
    let mut world = world().await;
    assert_eq!(replicator(&world, &["sink"]).await.status.code(), Some(2));
    let output = replicator(&world, &["sync", "--to", "nowhere", "node:21"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("no destination is called \"nowhere\""),
        "{}",
        said(&output)
    );
    world.set("REPLICATOR_QUOTA_RESERVE", "much");
    let output = replicator(&world, &["sync"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("REPLICATOR_QUOTA_RESERVE"),
        "{}",
        said(&output)
    );
}

#[tokio::test]
async fn the_demo_tells_its_story_and_ends_well() {
    let world = world().await;
    let output = replicator(&world, &["demo"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("0 pulls"), "{}", said(&output));
}
