//! Which images a log blames.
//!
//! A line that says why a pull failed is asked for the image. If it names none, the lines before it are: the nearest that says
//! what is being pulled, of the same step where steps are numbered. A digest or a bare repository gets its tag from a
//! neighbouring line that names the same repository; without one it says nothing that could be copied.
//!
//! Time grows linearly with the text: each line is read once, and a line that tells of a failure looks at no more than
//! [`NEAR`] lines on either side, with a bounded number of images in each.

mod words;

use super::FailureKind;
use super::classify::classify;
use super::text::plain;
use crate::image::reference::RepositoryRef;
use words::{Line, Mention};

/// How much of a log's end is read, in bytes.
pub const READ: usize = 256 * 1024;

/// How many lines before an error may name its image.
pub const NEAR: usize = 20;

/// How many images one log can blame.
pub const MOST: usize = 50;

/// An image that a log blames.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// The image as the log has it.
    pub(super) image: String,
    pub(super) kind: FailureKind,
    /// The line that says so.
    pub(super) line: &'a str,
    name: (RepositoryRef, Option<String>),
}

/// The images that could not be pulled by `text`, a log or a part of one, in its order and each once, with the reason.
///
/// At most the last [`READ`] bytes are read, and at most [`MOST`] images are found. They are names as the log has them.
pub fn failures(text: &str) -> Vec<(String, FailureKind)> {
    found(text)
        .into_iter()
        .map(|found| (found.image, found.kind))
        .collect()
}

/// The same with the lines that say so.
pub(super) fn found(text: &str) -> Vec<Found<'_>> {
    counted(text).0
}

/// What is found in `text`, and in how many steps: words read and mentions looked at.
fn counted(text: &str) -> (Vec<Found<'_>>, usize) {
    let lines: Vec<_> = end(text)
        .split(['\n', '\r'])
        .filter(|line| !line.trim().is_empty())
        .collect();
    let plain: Vec<_> = lines.iter().map(|line| plain(line)).collect();
    let read: Vec<_> = plain.iter().map(|line| words::read(line)).collect();
    let mut steps = read.iter().map(|line| line.words).sum();
    let mut found = Vec::new();
    for (at, line) in plain.iter().enumerate() {
        if let Some(kind) = classify(line) {
            for mention in blamed(&read, at, &mut steps) {
                add(&mut found, mention, kind, lines[at]);
            }
        }
    }
    (found, steps)
}

/// The end of `text` that is read, without the word that the cut went through.
fn end(text: &str) -> &str {
    let start = text.ceil_char_boundary(text.len().saturating_sub(READ));
    let end = &text[start..];
    if start == 0 {
        end
    } else {
        end.split_once(char::is_whitespace)
            .map_or("", |(_, end)| end)
    }
}

/// The images that the error in line `at` is about.
fn blamed(lines: &[Line<'_>], at: usize, steps: &mut usize) -> Vec<Mention> {
    let from = if lines[at].mentions.is_empty() {
        source(lines, at, steps)
    } else {
        Some(at)
    };
    let Some(from) = from else { return Vec::new() };
    let mentions = lines[from]
        .mentions
        .iter()
        .filter(|mention| from == at || mention.is_pulled);
    let mut blamed: Vec<_> = mentions
        .filter_map(|mention| resolved(mention, lines, from, steps))
        .collect();
    // Where the words say which image is pulled, another one on the line is its neighbour at best.
    if blamed.iter().any(|mention| mention.is_pulled) {
        blamed.retain(|mention| mention.is_pulled);
    }
    blamed
}

/// The line before `at` that says what is being pulled: the nearest, of the same step if there is one.
fn source(lines: &[Line<'_>], at: usize, steps: &mut usize) -> Option<usize> {
    let mut nearest = None;
    let mut before = (at.saturating_sub(NEAR)..at).rev();
    while let Some(near) = before.next().filter(|near| !lines[near + 1].is_barrier) {
        *steps += 1 + lines[near].mentions.len();
        if lines[near].mentions.iter().any(|mention| mention.is_pulled) {
            if lines[at].step.is_none() || lines[near].step == lines[at].step {
                return Some(near);
            }
            nearest = nearest.or(Some(near));
        }
    }
    nearest
}

/// `mention` with a tag: its own, or that of a neighbour; or as it is written without one.
fn resolved(
    mention: &Mention,
    lines: &[Line<'_>],
    at: usize,
    steps: &mut usize,
) -> Option<Mention> {
    if mention.tag.is_none() {
        let before = lines[at.saturating_sub(NEAR)..=at].iter().rev();
        let after = lines[at + 1..].iter().take(NEAR);
        for near in before.chain(after).flat_map(|line| &line.mentions) {
            *steps += 1;
            if near.tag.is_some() && near.repository == mention.repository {
                return Some(near.clone());
            }
        }
    }
    mention.written.is_some().then(|| mention.clone())
}

/// Adds what `line` says of an image, or makes it surer.
fn add<'a>(found: &mut Vec<Found<'a>>, mention: Mention, kind: FailureKind, line: &'a str) {
    let name = (mention.repository, mention.tag);
    let is_full = found.len() >= MOST;
    match (
        found.iter_mut().find(|found| found.name == name),
        mention.written,
    ) {
        (Some(known), _) if kind < known.kind => (known.kind, known.line) = (kind, line),
        (None, Some(image)) if !is_full => found.push(Found {
            image,
            kind,
            line,
            name,
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
    fn a_digest_gets_its_tag_from_a_neighbour_or_is_left_out() {
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
        let denied = "pull access denied for acme/app, repository does not exist or may require 'docker login'";
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
    fn an_image_is_found_once_with_the_surest_reason() {
        let log = format!(
            "ERROR: failed to resolve source metadata for docker.io/library/node:21: 429 Too Many Requests\n{LIMIT}\n\
             ERROR: failed to solve: node:21: {LIMIT}"
        );
        check(&log, &["docker.io/library/node:21 pull-limit"]);
    }

    #[test]
    fn what_is_built_or_pushed_or_was_pulled_is_not_blamed() {
        let denied = "denied: Your authorization token has expired. Reauthenticate and try again.";
        let far = "\nwait".repeat(NEAR);
        for log in [
            format!("FROM node:21\nThe push refers to repository [docker.io/acme/app]\n{denied}"),
            format!("docker pull node:21\nStatus: Downloaded newer image for node:21\n{LIMIT}"),
            format!("Step 1/2 : FROM node:21\nStep 2/2 : RUN curl https://x.test\n{LIMIT}"),
            format!("docker build -t docker.io/acme/app:1 .\n{LIMIT}"),
            format!("docker push docker.io/acme/app:1: {denied}"),
            format!("docker pull node:21{far}\n{LIMIT}"),
            "docker pull node:21\nsh: jest: not found".to_owned(),
            format!("FROM ${{BASE}}\nFROM scratch\n{LIMIT}"),
            "docker pull node:21".to_owned(),
        ] {
            check(&log, &[]);
        }
    }

    #[test]
    fn only_the_end_of_a_log_is_read_and_only_so_many_images_are_found() {
        let error =
            |number: usize| format!("manifest for node:{number} not found: manifest unknown\n");
        let all: String = (0..200).map(error).collect();
        assert_eq!(failures(&all).len(), MOST);
        check(
            &format!("{}{}{}", error(1), "é ".repeat(READ), error(2)),
            &["node:2 not-found"],
        );
        check(&"é".repeat(READ), &[]);
    }

    fn log() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "docker pull ",
            "FROM ",
            "node:21 ",
            "docker.io/library/node:21 ",
            "docker.io/library/node ",
            LIMIT,
            "\n",
            "\n",
            "\n",
            "#5 ",
            "x ",
            ": not found ",
            "manifest for ",
            "https://x.test/v2/a/manifests/sha256:00 ",
        ]);
        prop::collection::vec(piece, 0..800).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn twice_the_log_takes_twice_the_steps(log in log()) {
            // At the seam, the first lines of the second half see the last of the first.
            let seam = 2 * NEAR * NEAR * 8 * 8;
            let (once, twice) = (counted(&log).1, counted(&[log.as_str(), log.as_str()].join("\n")).1);
            prop_assert!(twice <= 2 * once + seam, "{once} steps, then {twice}");
            prop_assert!(once <= 100 * log.len());
        }
    }
}
