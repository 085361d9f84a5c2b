//! Which images a log blames for failed pulls.

use image_replicator::events::images::{MAX_LOG_BYTES, failures};

const LIMIT: &str = "toomanyrequests: You have reached your pull rate limit.";

fn check(text: &str, expected: &[&str]) {
    let found: Vec<_> = failures(text)
        .iter()
        .map(|(image, kind)| format!("{image} {kind}"))
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn the_line_of_the_error_names_the_image() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let containerd = format!(
        "Failed to pull image \"postgres:13\": rpc error: code = Unknown desc = failed to pull and unpack image \
         \"docker.io/library/postgres:13\": failed to copy: httpReadSeeker: failed open: unexpected status code \
         https://registry-1.docker.io/v2/library/postgres/manifests/{digest}: 429 Too Many Requests - Server \
         message: {LIMIT}"
    );
    let cases = [
        (containerd.as_str(), "postgres:13 pull-limit"),
        (
            "ERROR: failed to resolve source metadata for docker.io/library/node:24-alpine: 429 Too Many Requests",
            "docker.io/library/node:24-alpine abuse-limit",
        ),
        (
            "failed to resolve ref \"docker.io/library/nginx:latest\": failed to do request: dial tcp: i/o timeout",
            "docker.io/library/nginx:latest network",
        ),
        (
            "manifest for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/r:t not found: manifest unknown",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/r:t not-found",
        ),
        (
            "GET https://index.docker.io/v2/library/node/manifests/21: TOOMANYREQUESTS: You have reached",
            "index.docker.io/library/node:21 pull-limit",
        ),
        (
            "initializing source docker://node:99: reading manifest 99 in docker.io/library/node: manifest unknown",
            "node:99 not-found",
        ),
        (
            concat!(
                "\u{1b}[31m",
                "manifest for node:99 not found: manifest unknown\u{1b}[0m"
            ),
            "node:99 not-found",
        ),
    ];
    for (text, expected) in cases {
        check(text, &[expected]);
    }
}

#[test]
fn the_lines_before_the_error_name_the_image() {
    let daemon = format!("Error response from daemon: {LIMIT}");
    for (before, image) in [
        (
            "[Container] 2026/10/01 02:00:27 Running command docker pull node:21",
            "node:21",
        ),
        (
            "docker pull --quiet --platform linux/arm64 node:21",
            "node:21",
        ),
        (
            "docker pull --platform=$PLATFORM node:21@sha256:00",
            "node:21",
        ),
        ("FROM node:21-alpine AS build", "node:21-alpine"),
        (
            "FROM --platform=linux/amd64 node:21-alpine",
            "node:21-alpine",
        ),
        ("Step 1/5 : FROM node:21-alpine", "node:21-alpine"),
        (
            "STEP 1/4: FROM docker.io/library/node:21",
            "docker.io/library/node:21",
        ),
        (
            "#5 [internal] load metadata for docker.io/library/node:24-alpine",
            "docker.io/library/node:24-alpine",
        ),
        ("Unable to find image 'redis:7' locally", "redis:7"),
        (
            "Trying to pull docker.io/library/node:21...",
            "docker.io/library/node:21",
        ),
        (
            "21-alpine: Pulling from library/node",
            "library/node:21-alpine",
        ),
        ("Retrieving image manifest node:21", "node:21"),
        ("docker pull node", "node"),
    ] {
        check(
            &format!("{before}\r\n\nplease wait\n{daemon}\n"),
            &[&format!("{image} pull-limit")],
        );
    }
}

#[test]
fn the_image_may_be_twenty_lines_before_the_error() {
    let other_lines = "\nwait".repeat(19);
    let log = format!("docker pull node:21{other_lines}\n{LIMIT}");
    check(&log, &["node:21 pull-limit"]);
}

#[test]
fn a_digest_gets_its_tag_from_a_neighbouring_line_or_is_dropped() {
    let error = format!(
        "failed open: unexpected status code https://registry-1.docker.io/v2/library/rust/manifests/sha256:{}: 429 \
         Too Many Requests - Server message: {LIMIT}",
        "0".repeat(64)
    );
    let metadata =
        |image: &str| format!("#2 [internal] load metadata for docker.io/library/{image}");
    let rust = ["docker.io/library/rust:1.90 pull-limit"];
    check(
        &format!(
            "{}\n{}\n{error}",
            metadata("rust:1.90"),
            metadata("node:21")
        ),
        &rust,
    );
    check(&format!("{error}\n{}", metadata("rust:1.90")), &rust);
    check(&format!("{}\n{error}", metadata("node:21")), &[]);
    let denied =
        "pull access denied for acme/app, repository does not exist or may require 'docker login'";
    check(
        &format!("docker pull acme/app:7\n{denied}"),
        &["acme/app:7 denied"],
    );
    check(denied, &["acme/app denied"]);
}

#[test]
fn an_error_belongs_to_its_own_step() {
    let log = format!(
        "#3 [internal] load metadata for docker.io/library/node:21\n#4 [internal] load metadata for \
         docker.io/library/rust:1\n#3 ERROR: failed to do request: {LIMIT}"
    );
    check(&log, &["docker.io/library/node:21 pull-limit"]);
}

#[test]
fn an_image_is_found_once_with_the_most_certain_reason() {
    let log = format!(
        "ERROR: failed to resolve source metadata for docker.io/library/node:21: 429 Too Many Requests\n{LIMIT}\n\
         ERROR: failed to solve: node:21: {LIMIT}"
    );
    check(&log, &["docker.io/library/node:21 pull-limit"]);
}

#[test]
fn an_image_that_is_built_pushed_or_pulled_successfully_is_not_blamed() {
    let denied = "denied: Your authorization token has expired. Reauthenticate and try again.";
    let other_lines = "\nwait".repeat(20);
    for log in [
        format!("FROM node:21\nThe push refers to repository [docker.io/acme/app]\n{denied}"),
        format!("docker pull node:21\nStatus: Downloaded newer image for node:21\n{LIMIT}"),
        format!("Step 1/2 : FROM node:21\nStep 2/2 : RUN curl https://x.test\n{LIMIT}"),
        format!("docker build -t docker.io/acme/app:1 .\n{LIMIT}"),
        format!("docker push docker.io/acme/app:1: {denied}"),
        format!("docker pull node:21{other_lines}\n{LIMIT}"),
        "docker pull node:21\nsh: jest: not found".to_owned(),
        format!("FROM ${{BASE}}\nFROM scratch\n{LIMIT}"),
        "docker pull node:21".to_owned(),
    ] {
        check(&log, &[]);
    }
}

#[test]
fn only_the_end_of_a_log_is_searched_and_the_number_of_images_is_bounded() {
    let error = |number: usize| format!("manifest for node:{number} not found: manifest unknown\n");
    let all: String = (0..200).map(error).collect();
    assert_eq!(failures(&all).len(), 50);
    check(
        &format!("{}{}{}", error(1), "é ".repeat(MAX_LOG_BYTES), error(2)),
        &["node:2 not-found"],
    );
    check(&"é".repeat(MAX_LOG_BYTES), &[]);
}
