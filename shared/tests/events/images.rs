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
        "Failed to pull image \"postgres:13\": rpc error: code = Unknown desc = \
         failed to pull and unpack image \"docker.io/library/postgres:13\": \
         failed to copy: httpReadSeeker: failed open: unexpected status code \
         https://registry-1.docker.io/v2/library/postgres/manifests/{digest}: \
         429 Too Many Requests - Server message: {LIMIT}"
    );
    check(&containerd, &["postgres:13 pull-limit"]);
    check(
        "ERROR: failed to resolve source metadata for docker.io/library/node:24-alpine: \
         429 Too Many Requests",
        &["docker.io/library/node:24-alpine abuse-limit"],
    );
    check(
        "failed to resolve ref \"docker.io/library/nginx:latest\": \
         failed to do request: dial tcp: i/o timeout",
        &["docker.io/library/nginx:latest network"],
    );
    let mirrored = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/r:t";
    check(
        &format!("manifest for {mirrored} not found: manifest unknown"),
        &[&format!("{mirrored} not-found")],
    );
    check(
        "GET https://index.docker.io/v2/library/node/manifests/21: \
         TOOMANYREQUESTS: You have reached",
        &["index.docker.io/library/node:21 pull-limit"],
    );
    check(
        "initializing source docker://node:99: \
         reading manifest 99 in docker.io/library/node: manifest unknown",
        &["node:99 not-found"],
    );
    check(
        concat!(
            "\u{1b}[31m",
            "manifest for node:99 not found: manifest unknown",
            "\u{1b}[0m"
        ),
        &["node:99 not-found"],
    );
}

/// Checks that the line `before` names `image` as the one that an error two lines below is about.
fn check_before_error(before: &str, image: &str) {
    let log = format!("{before}\r\n\nplease wait\nError response from daemon: {LIMIT}\n");
    check(&log, &[&format!("{image} pull-limit")]);
}

#[test]
fn a_command_before_the_error_names_the_image() {
    check_before_error("docker pull node", "node");
    check_before_error(
        "[Container] 2026/10/01 02:00:27 Running command docker pull node:21",
        "node:21",
    );
    check_before_error(
        "docker pull --quiet --platform linux/arm64 node:21",
        "node:21",
    );
    check_before_error(
        "docker pull --platform=$PLATFORM node:21@sha256:00",
        "node:21",
    );
}

#[test]
fn an_instruction_before_the_error_names_the_image() {
    check_before_error("FROM node:21-alpine AS build", "node:21-alpine");
    check_before_error(
        "FROM --platform=linux/amd64 node:21-alpine",
        "node:21-alpine",
    );
    check_before_error("Step 1/5 : FROM node:21-alpine", "node:21-alpine");
    check_before_error(
        "STEP 1/4: FROM docker.io/library/node:21",
        "docker.io/library/node:21",
    );
}

#[test]
fn a_progress_message_before_the_error_names_the_image() {
    check_before_error(
        "#5 [internal] load metadata for docker.io/library/node:24-alpine",
        "docker.io/library/node:24-alpine",
    );
    check_before_error("Unable to find image 'redis:7' locally", "redis:7");
    check_before_error(
        "Trying to pull docker.io/library/node:21...",
        "docker.io/library/node:21",
    );
    check_before_error(
        "21-alpine: Pulling from library/node",
        "library/node:21-alpine",
    );
    check_before_error("Retrieving image manifest node:21", "node:21");
}

#[test]
fn the_image_may_be_twenty_lines_before_the_error() {
    let other_lines = "\nwait".repeat(19);
    let log = format!("docker pull node:21{other_lines}\n{LIMIT}");
    check(&log, &["node:21 pull-limit"]);
}

#[test]
fn a_digest_gets_its_tag_from_a_neighbouring_line_or_is_dropped() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let error = format!(
        "failed open: unexpected status code \
         https://registry-1.docker.io/v2/library/rust/manifests/{digest}: \
         429 Too Many Requests - Server message: {LIMIT}"
    );
    let rust = "#2 [internal] load metadata for docker.io/library/rust:1.90";
    let node = "#2 [internal] load metadata for docker.io/library/node:21";
    let blamed = ["docker.io/library/rust:1.90 pull-limit"];
    check(&format!("{rust}\n{node}\n{error}"), &blamed);
    check(&format!("{error}\n{rust}"), &blamed);
    check(&format!("{node}\n{error}"), &[]);
}

#[test]
fn a_repository_gets_its_tag_from_a_neighbouring_line() {
    let denied = "pull access denied for acme/app, \
                  repository does not exist or may require 'docker login'";
    let log = format!("docker pull acme/app:7\n{denied}");
    check(&log, &["acme/app:7 denied"]);
    check(denied, &["acme/app denied"]);
}

#[test]
fn an_error_belongs_to_its_own_step() {
    let log = format!(
        "#3 [internal] load metadata for docker.io/library/node:21\n\
         #4 [internal] load metadata for docker.io/library/rust:1\n\
         #3 ERROR: failed to do request: {LIMIT}"
    );
    check(&log, &["docker.io/library/node:21 pull-limit"]);
}

#[test]
fn an_image_is_found_once_with_the_most_certain_reason() {
    let metadata = "failed to resolve source metadata for docker.io/library/node:21";
    let log = format!(
        "ERROR: {metadata}: 429 Too Many Requests\n\
         {LIMIT}\n\
         ERROR: failed to solve: node:21: {LIMIT}"
    );
    check(&log, &["docker.io/library/node:21 pull-limit"]);
}

#[test]
fn an_image_that_is_built_or_pushed_is_not_blamed() {
    let denied = "denied: Your authorization token has expired. Reauthenticate and try again.";
    let push = "The push refers to repository [docker.io/acme/app]";
    check(&format!("FROM node:21\n{push}\n{denied}"), &[]);
    check(&format!("docker push docker.io/acme/app:1: {denied}"), &[]);
    let build = "docker build -t docker.io/acme/app:1 .";
    check(&format!("{build}\n{LIMIT}"), &[]);
}

#[test]
fn an_image_that_was_pulled_is_not_blamed() {
    let pulled = "docker pull node:21\nStatus: Downloaded newer image for node:21";
    check(&format!("{pulled}\n{LIMIT}"), &[]);
    let next_step = "Step 1/2 : FROM node:21\nStep 2/2 : RUN curl https://x.test";
    check(&format!("{next_step}\n{LIMIT}"), &[]);
    check("docker pull node:21\nsh: jest: not found", &[]);
    check("docker pull node:21", &[]);
}

#[test]
fn an_image_is_not_blamed_from_more_than_twenty_lines_before_the_error() {
    let other_lines = "\nwait".repeat(20);
    let log = format!("docker pull node:21{other_lines}\n{LIMIT}");
    check(&log, &[]);
}

#[test]
fn an_instruction_without_an_image_blames_none() {
    let log = format!("FROM ${{BASE}}\nFROM scratch\n{LIMIT}");
    check(&log, &[]);
}

fn not_found(number: usize) -> String {
    format!("manifest for node:{number} not found: manifest unknown\n")
}

#[test]
fn the_number_of_images_is_bounded() {
    let log: String = (0..200).map(not_found).collect();
    assert_eq!(failures(&log).len(), 50);
}

#[test]
fn only_the_end_of_a_log_is_searched() {
    let between = "é ".repeat(MAX_LOG_BYTES);
    let log = not_found(1) + &between + &not_found(2);
    check(&log, &["node:2 not-found"]);
    check(&"é".repeat(MAX_LOG_BYTES), &[]);
}
