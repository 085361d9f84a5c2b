//! Which images a log blames for failed pulls.
//!
//! The search has four steps:
//!
//! 1. [`classify`] finds the lines that report a failed pull.
//! 2. If such a line names images, they are blamed. Otherwise the nearest line before it that pulls
//!    an image is, preferably one of the same build step.
//! 3. An image with a digest but no tag gets its tag from a neighbouring line that names the same
//!    repository. Without one it is dropped, because only tags are copied.
//! 4. Each image is listed once, with the most certain reason.
//!
//! In this log the third line reports the failure and names no image. The second line belongs to
//! another build step, so the first line names the image, `node:21`:
//!
//! ```text
//! #3 [internal] load metadata for docker.io/library/node:21
//! #4 [internal] load metadata for docker.io/library/rust:1
//! #3 ERROR: toomanyrequests: You have reached your pull rate limit.
//! ```
//!
//! The time is linear in the length of the log. Each line is parsed once. The search around a
//! failure reads at most [`MAX_LINES_BETWEEN`] lines on either side, and a bounded number of images
//! in each.

mod line;
mod mention;

use std::cell::Cell;

use super::FailureKind;
use super::classify::classify;
use super::text::without_escapes;
use crate::image::reference::RepositoryRef;
use line::LogLine;
use mention::Mention;

/// How much of the end of a log is searched, in bytes.
pub const MAX_LOG_BYTES: usize = 256 * 1024;

/// The largest distance between an error and the line that names its image, in lines.
pub const MAX_LINES_BETWEEN: usize = 20;

/// The largest number of images that one log can blame.
pub const MAX_IMAGES: usize = 50;

/// An image that a log blames.
#[derive(Debug)]
pub(super) struct BlamedImage<'a> {
    /// The image as the log has it.
    pub(super) image: String,
    pub(super) kind: FailureKind,
    /// The line that reports the failure.
    pub(super) line: &'a str,
    repository: RepositoryRef,
    tag: Option<String>,
}

/// The images that could not be pulled by `text`, a log or a part of one, and why.
///
/// Each image is listed once, in the order of the log and as the log has it. Only the last
/// [`MAX_LOG_BYTES`] are searched, and at most [`MAX_IMAGES`] images are listed.
pub fn failures(text: &str) -> Vec<(String, FailureKind)> {
    find(text)
        .into_iter()
        .map(|blamed| (blamed.image, blamed.kind))
        .collect()
}

/// Like [`failures`], with the lines that report them.
pub(super) fn find(text: &str) -> Vec<BlamedImage<'_>> {
    find_and_count(text).0
}

/// The blamed images, and the number of words and mentions that were read to find them.
fn find_and_count(text: &str) -> (Vec<BlamedImage<'_>>, usize) {
    let lines: Vec<_> = end_of_log(text)
        .split(['\n', '\r'])
        .filter(|line| !line.trim().is_empty())
        .collect();
    let plain_lines: Vec<_> = lines.iter().map(|line| without_escapes(line)).collect();
    let log = Log {
        lines: plain_lines
            .iter()
            .map(|line| LogLine::parse(line))
            .collect(),
        steps: Cell::new(0),
    };
    let mut found = Vec::new();
    for (number, line) in plain_lines.iter().enumerate() {
        log.count_steps(log.lines[number].word_count);
        let Some(kind) = classify(line) else {
            continue;
        };
        for mention in log.blame(number) {
            add(&mut found, mention, kind, lines[number]);
        }
    }
    (found, log.steps.get())
}

/// The last [`MAX_LOG_BYTES`] of `text`, without a word that is cut in two.
fn end_of_log(text: &str) -> &str {
    let start = text.ceil_char_boundary(text.len().saturating_sub(MAX_LOG_BYTES));
    let end = &text[start..];
    if start == 0 {
        return end;
    }
    match end.split_once(char::is_whitespace) {
        Some((_, whole_words)) => whole_words,
        None => "",
    }
}

/// The parsed lines of a log.
struct Log<'a> {
    lines: Vec<LogLine<'a>>,
    /// The number of steps of the search so far. A test proves with it that the time is linear.
    steps: Cell<usize>,
}

impl Log<'_> {
    /// The images that the error in line `error` is about.
    fn blame(&self, error: usize) -> Vec<Mention> {
        let Some(source) = self.find_source(error) else {
            return Vec::new();
        };
        let mut blamed = Vec::new();
        for mention in &self.lines[source].mentions {
            if source == error || mention.is_pulled {
                blamed.extend(self.resolve(mention, source));
            }
        }
        // If the line shows which image is pulled, its other images are not blamed.
        if blamed.iter().any(|mention| mention.is_pulled) {
            blamed.retain(|mention| mention.is_pulled);
        }
        blamed
    }

    /// The line that names the image of the error in line `error`: that line itself or one before
    /// it.
    fn find_source(&self, error: usize) -> Option<usize> {
        if self.lines[error].mentions.is_empty() {
            self.find_pull_before(error)
        } else {
            Some(error)
        }
    }

    /// The nearest line before `error` that pulls an image, of the same build step if there is one.
    fn find_pull_before(&self, error: usize) -> Option<usize> {
        let step = self.lines[error].step;
        let mut nearest = None;
        for number in (error.saturating_sub(MAX_LINES_BETWEEN)..error).rev() {
            if self.lines[number + 1].ends_earlier_pulls {
                break;
            }
            let line = &self.lines[number];
            self.count_steps(1 + line.mentions.len());
            if !line.has_pull() {
                continue;
            }
            if step.is_none() || line.step == step {
                return Some(number);
            }
            nearest = nearest.or(Some(number));
        }
        nearest
    }

    /// `mention` if it has a tag, or else a mention of the same repository with a tag nearby, or
    /// else `mention` if it can be copied without one.
    fn resolve(&self, mention: &Mention, source: usize) -> Option<Mention> {
        if mention.tag.is_none()
            && let Some(tagged) = self.find_tagged(&mention.repository, source)
        {
            return Some(tagged.clone());
        }
        mention.written.is_some().then(|| mention.clone())
    }

    /// The nearest mention of `repository` with a tag, in line `source`, before it, or else after
    /// it.
    fn find_tagged(&self, repository: &RepositoryRef, source: usize) -> Option<&Mention> {
        let first = source.saturating_sub(MAX_LINES_BETWEEN);
        let before = self.lines[first..=source].iter().rev();
        let after = self.lines[source + 1..].iter().take(MAX_LINES_BETWEEN);
        for mention in before.chain(after).flat_map(|line| &line.mentions) {
            self.count_steps(1);
            if mention.tag.is_some() && mention.repository == *repository {
                return Some(mention);
            }
        }
        None
    }

    fn count_steps(&self, steps: usize) {
        self.steps.set(self.steps.get() + steps);
    }
}

/// Adds an image to `found`, or gives it a more certain reason if it is there.
fn add<'a>(found: &mut Vec<BlamedImage<'a>>, mention: Mention, kind: FailureKind, line: &'a str) {
    let known = found
        .iter_mut()
        .find(|known| known.repository == mention.repository && known.tag == mention.tag);
    if let Some(known) = known {
        if kind < known.kind {
            known.kind = kind;
            known.line = line;
        }
        return;
    }
    let Some(image) = mention.written else {
        return;
    };
    if found.len() < MAX_IMAGES {
        found.push(BlamedImage {
            image,
            kind,
            line,
            repository: mention.repository,
            tag: mention.tag,
        });
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
        let other_lines = "\nwait".repeat(MAX_LINES_BETWEEN);
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
        let error =
            |number: usize| format!("manifest for node:{number} not found: manifest unknown\n");
        let all: String = (0..200).map(error).collect();
        assert_eq!(failures(&all).len(), MAX_IMAGES);
        check(
            &format!("{}{}{}", error(1), "é ".repeat(MAX_LOG_BYTES), error(2)),
            &["node:2 not-found"],
        );
        check(&"é".repeat(MAX_LOG_BYTES), &[]);
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

    fn count(log: &str) -> usize {
        find_and_count(log).1
    }

    proptest! {
        #[test]
        fn twice_the_log_takes_twice_the_steps(log in log()) {
            // The first lines of the second log also search the last lines of the first.
            let seam = 2 * MAX_LINES_BETWEEN * MAX_LINES_BETWEEN * 8 * 8;
            let (once, twice) = (count(&log), count(&format!("{log}\n{log}")));
            prop_assert!(twice <= 2 * once + seam, "{once} steps, then {twice}");
            prop_assert!(once <= 100 * log.len());
        }
    }
}
