//! Reads one line of a log, word by word.
//!
//! Each word may say what the next one is: after `docker pull` comes an image, after `--platform`
//! the value of an option, after `-t` the image that the build makes.

use super::mention::{Mention, find_mention};
use super::role::Role;

/// The largest number of images that are kept of one line.
const MAX_MENTIONS: usize = 8;

/// The commands and words that come before `push` when an image is pushed.
const PUSHERS: &[&str] = &[
    "docker", "podman", "nerdctl", "finch", "buildah", "crane", "to",
];

/// Two words, and what they say about the word after them. Case does not matter. The first word is
/// any of the list; `""` is the start of the line.
const PHRASES: [(&[&str], &str, Role); 10] = [
    (
        &[
            "docker", "podman", "nerdctl", "finch", "buildah", "crane", "image",
        ],
        "pull",
        Role::Image,
    ),
    (&["denied"], "for", Role::Image),
    (&["metadata", "manifest"], "for", Role::TaggedImage),
    (&["resolve"], "ref", Role::TaggedImage),
    (&["resolve"], "reference", Role::TaggedImage),
    (
        &["pull", "unpack", "pulling", "find", "retrieving", ""],
        "image",
        Role::TaggedImage,
    ),
    (&["image"], "manifest", Role::TaggedImage),
    (&["to"], "pull", Role::TaggedImage),
    (&["to"], "solve", Role::TaggedImage),
    (&["naming", "pushing"], "to", Role::Product),
];

/// The content of a line.
#[derive(Debug, Default)]
pub(super) struct LogLine<'a> {
    /// The build step that wrote the line: `#5` of `BuildKit`.
    pub(super) step: Option<&'a str>,
    /// Whether what was pulled in earlier lines is finished: the line reports a pull that
    /// succeeded, a push, or the next instruction of a Dockerfile.
    pub(super) ends_earlier_pulls: bool,
    /// The images that the line names.
    pub(super) mentions: Vec<Mention>,
    /// The number of words.
    pub(super) word_count: usize,
}

impl<'a> LogLine<'a> {
    pub(super) fn parse(line: &'a str) -> Self {
        let mut parsed = Self {
            step: find_step(line),
            ..Self::default()
        };
        // The last three words, the latest first.
        let mut previous = ["", "", ""];
        let mut role = Role::Unknown;
        for word in words(line) {
            parsed.word_count += 1;
            role = match role {
                Role::Image if word == "--platform" => Role::OptionValue,
                Role::Image if word.starts_with('-') => Role::Image,
                Role::OptionValue => Role::Image,
                _ => {
                    parsed.add_word(word, role, previous);
                    role_after(previous[0], word)
                }
            };
            previous = [word, previous[0], previous[1]];
        }
        parsed
    }

    fn add_word(&mut self, word: &str, role: Role, previous: [&str; 3]) {
        if self.mentions.len() < MAX_MENTIONS {
            self.mentions.extend(find_mention(word, role, previous));
        }
        if ends_earlier_pulls(previous[0], word) {
            self.ends_earlier_pulls = true;
            self.mentions.clear();
        }
    }

    /// Whether the line names an image that is pulled.
    pub(super) fn has_pull(&self) -> bool {
        self.mentions.iter().any(|mention| mention.is_pulled)
    }
}

/// The words of a line, without quotes, brackets and punctuation around them.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(is_separator)
        .map(|word| word.trim_end_matches([':', '.', '…', '!']))
        .filter(|word| !word.is_empty())
}

fn is_separator(char: char) -> bool {
    char.is_whitespace() || char.is_control() || "\"'`,;()[]<>|=\\".contains(char)
}

fn find_step(line: &str) -> Option<&str> {
    let first = line.split_whitespace().next()?;
    let number = first.strip_prefix('#')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(first)
}

/// What `word` after `previous` says about the next word.
fn role_after(previous: &str, word: &str) -> Role {
    if word == "FROM" && is_step_number(previous) {
        return Role::Image;
    }
    if matches!(word, "-t" | "--tag") || is_phrase(previous, word, PUSHERS, "push") {
        return Role::Product;
    }
    for (first, second, role) in PHRASES {
        if is_phrase(previous, word, first, second) {
            return role;
        }
    }
    Role::Unknown
}

/// Whether `word` may come before an instruction of a Dockerfile: `1/5`, `#7`, or none.
fn is_step_number(word: &str) -> bool {
    word.chars()
        .all(|char| char.is_ascii_digit() || "/:.#-".contains(char))
}

/// Whether `word` after `previous` reports a pull that succeeded, a push, or a step of a
/// Dockerfile.
fn ends_earlier_pulls(previous: &str, word: &str) -> bool {
    let is_push = word == "push" && PUSHERS.contains(&previous);
    is_push
        || is_phrase(previous, word, &["status"], "downloaded")
        || is_phrase(previous, word, &["status"], "image")
        || is_phrase(previous, word, &["push"], "refers")
        || is_phrase(previous, word, &[""], "step")
}

/// Whether `previous` is any of `first` and `word` is `second`, in any case.
fn is_phrase(previous: &str, word: &str, first: &[&str], second: &str) -> bool {
    word.eq_ignore_ascii_case(second)
        && first
            .iter()
            .any(|first| previous.eq_ignore_ascii_case(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let mut shown = Vec::new();
        for mention in LogLine::parse(line).mentions {
            let image = mention.written.as_deref().unwrap_or("-");
            let pulled = if mention.is_pulled { " pulled" } else { "" };
            shown.push(format!("{image}{pulled}"));
        }
        assert_eq!(shown, expected, "{line}");
    }

    #[test]
    fn the_words_before_an_image_give_its_role() {
        check("docker pull node:21", &["node:21 pulled"]);
        check("docker pull --platform linux/arm64 node", &["node pulled"]);
        check("load metadata for node:21", &["node:21 pulled"]);
        check("load metadata for node", &[]);
        check("docker build -t node:21", &[]);
        check("docker push docker.io/a/b:1", &[]);
        check("using docker.io/a/b:1", &["docker.io/a/b:1"]);
        check("using docker.io/a/b", &["-"]);
        check("using node:21", &[]);
    }

    #[test]
    fn a_line_keeps_a_bounded_number_of_images() {
        let line = "docker.io/a/b:1 ".repeat(20);
        check(&line, &["docker.io/a/b:1"; MAX_MENTIONS]);
    }

    #[test]
    fn the_step_of_a_line_is_its_first_word() {
        assert_eq!(LogLine::parse("#5 FROM node:21").step, Some("#5"));
        assert_eq!(LogLine::parse("FROM node:21 #5").step, None);
        assert_eq!(LogLine::parse("#five FROM node:21").step, None);
    }
}
