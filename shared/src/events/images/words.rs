//! Which images a line of a log names, and in what role.
//!
//! A line is read once, word by word, with the last three words in mind: `docker pull` before a word makes it an image, as does
//! `metadata for`. A word that merely looks like one may be what the build is about to push.

use crate::image::reference::{self, ParsedReference, RepositoryRef};

/// The longest word that may name an image, in bytes.
const LONGEST: usize = 512;

/// How many images of one line are kept.
const PER_LINE: usize = 8;

/// An image that a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) repository: RepositoryRef,
    pub(super) tag: Option<String>,
    /// The image as it stands there; `None` where it only helps to find a tag: a digest, or a repository in passing.
    pub(super) written: Option<String>,
    /// Whether the words around it say that it is pulled.
    pub(super) is_pulled: bool,
}

/// What a line holds.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    /// The step of a build that wrote it: `#5` of `BuildKit`.
    pub(super) step: Option<&'a str>,
    /// Whether it ends whatever was pulled before: a pull that came through, a push, another instruction.
    pub(super) is_barrier: bool,
    pub(super) mentions: Vec<Mention>,
    /// The number of words in it.
    pub(super) words: usize,
}

/// What the words so far say of the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// It may be anything.
    Anything,
    /// It is an image, whatever it looks like.
    Image,
    /// It is an image if it has a tag or a digest.
    Tagged,
    /// It is what an option is set to.
    Value,
    /// It is what is pushed or built.
    Product,
}

/// Reads `line`.
pub(super) fn read(line: &str) -> Line<'_> {
    let mut read = Line {
        step: step(line),
        ..Line::default()
    };
    let mut past = ["", "", ""];
    let mut next = Next::Anything;
    for raw in line.split(is_between_words) {
        let word = raw.trim_end_matches([':', '.', '…', '!']);
        if word.is_empty() {
            continue;
        }
        read.words += 1;
        next = match next {
            Next::Image if word == "--platform" => Next::Value,
            Next::Image if word.starts_with('-') => Next::Image,
            Next::Value => Next::Image,
            _ => {
                read.mentions
                    .extend(mention(word, next, past).filter(|_| read.mentions.len() < PER_LINE));
                let after = after(past[0], word);
                if is_end(past[0], word) {
                    read.is_barrier = true;
                    read.mentions.clear();
                }
                after
            }
        };
        past = [word, past[0], past[1]];
    }
    read
}

fn is_between_words(char: char) -> bool {
    char.is_whitespace() || char.is_control() || "\"'`,;()[]<>|=\\".contains(char)
}

fn step(line: &str) -> Option<&str> {
    let first = line.split_whitespace().next()?;
    let number = first.strip_prefix('#')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(first)
}

/// What `word` after `before` says of the next one.
fn after(before: &str, word: &str) -> Next {
    let is = |first: &[&str], second: &str| {
        word.eq_ignore_ascii_case(second)
            && first.iter().any(|first| before.eq_ignore_ascii_case(first))
    };
    let is_instruction = before
        .chars()
        .all(|char| char.is_ascii_digit() || "/:.#-".contains(char));
    if (word == "FROM" && is_instruction)
        || is(
            &[
                "docker", "podman", "nerdctl", "finch", "buildah", "crane", "image",
            ],
            "pull",
        )
        || is(&["denied"], "for")
    {
        Next::Image
    } else if is(&["metadata", "manifest"], "for")
        || is(&["resolve"], "ref")
        || is(&["resolve"], "reference")
        || is(
            &["pull", "unpack", "pulling", "find", "retrieving", ""],
            "image",
        )
        || is(&["image"], "manifest")
        || is(&["to"], "pull")
        || is(&["to"], "solve")
    {
        Next::Tagged
    } else if matches!(word, "-t" | "--tag")
        || is(&["naming", "pushing"], "to")
        || is(PUSHERS, "push")
    {
        Next::Product
    } else {
        Next::Anything
    }
}

/// What stands before the word `push` where something is pushed.
const PUSHERS: &[&str] = &[
    "docker", "podman", "nerdctl", "finch", "buildah", "crane", "to",
];

/// Whether `word` after `before` ends what was pulled.
fn is_end(before: &str, word: &str) -> bool {
    let is = |first: &str, second: &str| {
        before.eq_ignore_ascii_case(first) && word.eq_ignore_ascii_case(second)
    };
    is("status", "downloaded")
        || is("status", "image")
        || is("push", "refers")
        || (before.is_empty() && word.eq_ignore_ascii_case("step"))
        || (word == "push" && PUSHERS.contains(&before))
}

/// The image that `word` names, given what is known of it and the words before.
fn mention(word: &str, next: Next, past: [&str; 3]) -> Option<Mention> {
    if word.len() > LONGEST || next == Next::Product {
        return None;
    }
    if let Some((_, url)) = word
        .split_once("://")
        .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
    {
        return of_url(url);
    }
    match past {
        // `21-alpine: Pulling from library/node`, `reading manifest 99 in docker.io/library/node`
        ["from", "Pulling", tag] | ["in", tag, "manifest"] => return tagged(word, tag),
        _ => {}
    }
    let pulled = |mention: Mention| Mention {
        is_pulled: true,
        ..mention
    };
    let in_passing = |mention: Mention| match mention.tag {
        Some(_) => mention,
        None => Mention {
            written: None,
            ..mention
        },
    };
    match next {
        _ if word == "scratch" => None,
        Next::Image => named(word).map(pulled),
        Next::Tagged => named(word)
            .filter(|mention| mention.tag.is_some() || mention.written.is_none())
            .map(pulled),
        _ if word.starts_with("docker://") => {
            named(word.trim_start_matches("docker://")).map(pulled)
        }
        _ if begins_with_host(word) => named(word).map(in_passing),
        _ => None,
    }
}

fn begins_with_host(word: &str) -> bool {
    word.split_once('/')
        .is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost")
}

fn named(word: &str) -> Option<Mention> {
    let (name, digest) = word
        .split_once('@')
        .map_or((word, None), |(name, digest)| (name, Some(digest)));
    let ParsedReference {
        repository, tag, ..
    } = reference::parse(name).ok()?;
    let is_pinned_only = digest.is_some() && tag.is_none();
    let written = (!is_pinned_only).then(|| name.to_owned());
    Some(Mention {
        repository,
        tag,
        written,
        is_pulled: false,
    })
}

fn tagged(repository: &str, tag: &str) -> Option<Mention> {
    let mention = named(&format!("{repository}:{tag}"))?;
    Some(Mention {
        is_pulled: true,
        ..mention
    })
}

/// `registry-1.docker.io/v2/library/rust/manifests/1.90`, by tag or by digest.
fn of_url(url: &str) -> Option<Mention> {
    let (host, path) = url.split_once("/v2/")?;
    let (repository, reference) = path
        .rsplit_once("/manifests/")
        .or_else(|| path.rsplit_once("/blobs/"))?;
    if reference.starts_with("sha256:") {
        return named(&format!("{host}/{repository}@{reference}"));
    }
    tagged(&format!("{host}/{repository}"), reference)
}
