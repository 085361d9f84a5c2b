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
mod role;

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

    fn log() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "docker pull ",
            "FROM ",
            "node:21 ",
            "docker.io/library/node:21 ",
            "docker.io/library/node ",
            "toomanyrequests: You have reached your pull rate limit.",
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
