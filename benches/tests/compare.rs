//! Tests of the whole harness. The tool is the command line of this checkout.

use std::process::Command;

use serde_json::{Value, json};
use tests::parts::tools::function;

/// The JSON that `benches compare` writes with `arguments`.
fn compare(arguments: &[&str]) -> Value {
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("results.json");
    let mut harness = Command::new(env!("CARGO_BIN_EXE_benches"));
    harness
        .arg("compare")
        .args(arguments)
        .arg("--replicator")
        .arg(function("replicator"))
        .arg("--json")
        .arg(&file);
    let output = harness.output().expect("the harness starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&std::fs::read(file).expect("results are written"))
        .expect("they are JSON")
}

#[test]
fn small_is_copied_and_every_request_is_counted() {
    let results = compare(&[
        "--item",
        "small",
        "--network",
        "loopback,tls",
        "--runs",
        "2",
        "--only",
        "replicator,floor",
    ]);
    let tools: Vec<_> = results["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool[0])
        .collect();
    assert_eq!(
        tools,
        [
            "replicator",
            "replicator, unhashed",
            "floor",
            "floor, unhashed"
        ]
    );
    let measured = results["measured"].as_array().unwrap();
    assert_eq!(measured.len(), 8);
    for one in measured {
        let runs = one["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 2, "{one}");
        for run in runs {
            let (source, destination) = (&run["source"], &run["destination"]);
            // One configuration, five layers of 8,000,000 bytes in all, and the manifest that lists
            // them.
            assert_eq!(
                (
                    &source["requests"]["GET blob"],
                    &source["requests"]["GET manifest"]
                ),
                (&json!(6), &json!(1))
            );
            assert_eq!(destination["requests"]["PUT upload"], 6);
            assert_eq!(destination["requests"]["PUT manifest"], 1);
            assert!(
                (8_000_000..8_010_000).contains(&destination["received_bytes"].as_u64().unwrap()),
                "{run}"
            );
            assert!(
                run["usage"]["peak_bytes"].as_u64().unwrap() > 1_000_000,
                "{run}"
            );
        }
    }
}

#[test]
fn only_the_moved_tag_is_copied_again() {
    let results = compare(&[
        "--item",
        "many",
        "--network",
        "loopback",
        "--runs",
        "1",
        "--only",
        "replicator",
    ]);
    let measured = results["measured"].as_array().unwrap();
    let count = |step: usize, side: &str, kind: &str| {
        measured[step]["runs"][0][side]["requests"][kind]
            .as_u64()
            .unwrap_or(0)
    };
    let copied = |step| {
        (
            count(step, "source", "GET blob"),
            count(step, "destination", "PUT manifest"),
        )
    };
    // Each of 20 repositories has 3 layers that its tags share. Each of its 10 tags has 2 layers
    // and a configuration of its own.
    assert_eq!(copied(0), (660, 200));
    assert_eq!(copied(1), (0, 0));
    assert_eq!(copied(2), (3, 1));
    assert_eq!(
        (
            count(1, "source", "HEAD manifest"),
            count(1, "source", "GET manifest")
        ),
        (200, 0)
    );
}

#[test]
fn a_tool_that_copies_nothing_is_an_error() {
    // This builds the command line now: the build may also replace the binary of the harness,
    // which must not happen while the harness runs.
    function("replicator");
    let mut harness = Command::new(env!("CARGO_BIN_EXE_benches"));
    harness.args([
        "compare",
        "--item",
        "small",
        "--network",
        "loopback",
        "--only",
        "idle",
        "--tool",
        "idle=true {source}",
    ]);
    let output = harness.output().unwrap();
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains(
            "small, cold, idle, check: bench/small at the destination differs from the source"
        ),
        "{stderr}"
    );
}

#[test]
fn a_simulated_line_delays_requests_and_limits_the_rate() {
    let distance = ["--round-trip-ms", "50", "--bytes-per-second", "20000000"];
    let results = compare(
        &[
            &[
                "--item",
                "small",
                "--network",
                "wan",
                "--runs",
                "1",
                "--only",
                "replicator",
            ],
            &distance[..],
        ]
        .concat(),
    );
    let found = &results["networks"][0][1];
    assert!(found["round_trip_ms"].as_f64().unwrap() >= 50.0, "{found}");
    assert!(
        found["first_round_trip_ms"].as_f64().unwrap() >= 100.0,
        "{found}"
    );
    assert!(
        found["down_mb_per_second"].as_f64().unwrap() < 30.0,
        "{found}"
    );
    // 8 MB take at least 0.4 s on this line.
    assert!(
        results["measured"][0]["runs"][0]["usage"]["wall_seconds"]
            .as_f64()
            .unwrap()
            > 0.4
    );
}
