//! The command line, as a process of its own.

use embedded_cloud::Image;
use serde_json::Value;
use tests::world::{World, output_text, statuses};

async fn world() -> World {
    let mut world = World::start().await;
    world.set_catalogue("images: [{ image: node, tags: ['21', '22'] }]");
    world.publish("library/node", "21", &Image::docker(1, &[1000]));
    world.publish("library/node", "22", &Image::docker(2, &[1000]));
    world
}

/// The lines of `text` that contain each of `parts`.
fn count_lines(text: &str, parts: &[&str]) -> usize {
    let has_all_parts = |line: &&str| parts.iter().all(|part| line.contains(part));
    text.lines().filter(has_all_parts).count()
}

#[tokio::test]
async fn a_plan_is_printed_and_nothing_is_changed() {
    let world = world().await;
    let (code, output) = world.run_command(&["plan"]).await;
    assert_eq!(code, Some(0), "{output}");
    for tag in ["21", "22"] {
        let image = format!("copy    docker.io/library/node:{tag}  →  ");
        let planned = count_lines(&output, &[&image, "is new, for 1 pull"]);
        assert_eq!(planned, 1, "{tag} in:\n{output}");
    }
    assert_eq!(world.pulls(), 0);
    assert_eq!(world.ecr().repositories(), Vec::<String>::new());
}

#[tokio::test]
async fn sync_copies_then_status_and_ensure_find_the_copies() {
    let world = world().await;
    let output = world.command(&["sync", "--json"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let copied = ["21", "22"].map(|tag| format!("copied docker.io/library/node:{tag}"));
    assert_eq!(statuses(&report), copied);
    for (tag, seed) in [("21", 1), ("22", 2)] {
        let digest = Image::docker(seed, &[1000]).digest();
        assert_eq!(world.mirrored("library/node", tag), Some(digest));
    }

    let (code, table) = world.run_command(&["status"]).await;
    assert_eq!(code, Some(0), "{table}");
    let rows = count_lines(&table, &["docker-hub/library/node", "  ok  "]);
    assert_eq!(rows, 2, "{table}");

    let (code, output) = world.run_command(&["ensure", "node:21"]).await;
    assert_eq!(code, Some(0), "{output}");
    let unchanged = count_lines(&output, &["unchanged", "docker.io/library/node:21"]);
    assert_eq!(unchanged, 1, "{output}");
}

#[tokio::test]
async fn a_failure_is_exit_code_one_and_the_others_are_copied() {
    let world = world().await;
    let (code, output) = world.run_command(&["sync", "node:21", "node:99"]).await;
    assert_eq!(code, Some(1), "{output}");
    let copied = count_lines(&output, &["copied     docker.io/library/node:21"]);
    assert_eq!(copied, 1, "{output}");
    let failed = count_lines(&output, &["failed     docker.io/library/node:99"]);
    assert_eq!(failed, 1, "{output}");
    assert!(
        output.contains("cannot find docker.io/library/node:99: not found"),
        "{output}"
    );
    let digest = Image::docker(1, &[1000]).digest();
    assert_eq!(world.mirrored("library/node", "21"), Some(digest));
}

#[tokio::test]
async fn invalid_usage_is_exit_code_two_with_the_reason() {
    let mut world = world().await;
    let unknown_command: &[&str] = &["sink"];
    let unknown_destination: &[&str] = &["sync", "--to", "nowhere", "node:21"];
    for (arguments, reason) in [
        (unknown_command, "sink"),
        (unknown_destination, "no destination is called \"nowhere\""),
    ] {
        let (code, output) = world.run_command(arguments).await;
        assert_eq!(code, Some(2), "{output}");
        assert!(output.contains(reason), "{output}");
    }

    world.set("REPLICATOR_QUOTA_RESERVE", "much");
    let (code, output) = world.run_command(&["sync"]).await;
    assert_eq!(code, Some(2), "{output}");
    assert!(output.contains("REPLICATOR_QUOTA_RESERVE"), "{output}");
    assert_eq!(world.pulls(), 0);
}

#[tokio::test]
async fn the_demo_copies_in_the_first_night_and_pulls_nothing_in_the_second() {
    let world = World::start().await;
    let (code, output) = world.run_command(&["demo"]).await;
    assert_eq!(code, Some(0), "{output}");
    let (first_night, second_night) = output.split_once("\n4. ").expect("a fourth step");
    let images = [
        "docker.io/grafana/grafana:11.2.0",
        "docker.io/library/node:21-alpine",
        "docker.io/library/node:22-alpine",
        "docker.io/library/python:3.12-slim",
    ];
    for image in images {
        let copied = count_lines(first_night, &[image, " copied "]);
        assert_eq!(copied, 1, "{image} in:\n{output}");
        let unchanged = count_lines(second_night, &[image, " unchanged "]);
        assert_eq!(unchanged, 1, "{image} in:\n{output}");
    }
    assert!(first_night.contains(" HEADs, 14 pulls, "), "{output}");
    assert!(second_night.contains(" 4 HEADs, 0 pulls, "), "{output}");
}
