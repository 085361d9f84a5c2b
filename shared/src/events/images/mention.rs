//! An image that a line of a log names.

use super::role::Role;
use crate::image::reference::{self, RepositoryRef};

/// The longest word that may name an image, in bytes.
const MAX_WORD_BYTES: usize = 512;

/// An image that a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) repository: RepositoryRef,
    pub(super) tag: Option<String>,
    /// The image as the line has it, without its digest. `None` if it cannot be copied without a
    /// tag from another line: it has a digest only, or it is a repository that the line does not
    /// pull.
    pub(super) written: Option<String>,
    /// Whether the words around the image show that it is pulled.
    pub(super) is_pulled: bool,
}

impl Mention {
    /// Parses `name`, `name:tag`, `name@digest` or `name:tag@digest`.
    fn parse(word: &str) -> Option<Self> {
        let (name, has_digest) = match word.split_once('@') {
            Some((name, _)) => (name, true),
            None => (word, false),
        };
        let parsed = reference::parse(name).ok()?;
        let has_digest_only = has_digest && parsed.tag.is_none();
        Some(Self {
            repository: parsed.repository,
            tag: parsed.tag,
            written: (!has_digest_only).then(|| name.to_owned()),
            is_pulled: false,
        })
    }

    fn parse_pulled(word: &str) -> Option<Self> {
        let mention = Self::parse(word)?;
        Some(Self {
            is_pulled: true,
            ..mention
        })
    }

    /// Parses the URL of a manifest or blob, without its scheme:
    /// `registry-1.docker.io/v2/library/rust/manifests/1.90`.
    fn parse_url(url: &str) -> Option<Self> {
        let (host, path) = url.split_once("/v2/")?;
        let (repository, reference) = path
            .rsplit_once("/manifests/")
            .or_else(|| path.rsplit_once("/blobs/"))?;
        if reference.starts_with("sha256:") {
            return Self::parse(&format!("{host}/{repository}@{reference}"));
        }
        Self::parse_pulled(&format!("{host}/{repository}:{reference}"))
    }
}

/// The image that `word` names, given its role and the words before it, the latest first.
pub(super) fn find_mention(word: &str, role: Role, previous: [&str; 3]) -> Option<Mention> {
    if word.len() > MAX_WORD_BYTES || role == Role::Product {
        return None;
    }
    let url = word
        .strip_prefix("https://")
        .or_else(|| word.strip_prefix("http://"));
    if let Some(url) = url {
        return Mention::parse_url(url);
    }
    match previous {
        // `21-alpine: Pulling from library/node`, `reading manifest 99 in docker.io/library/node`
        ["from", "Pulling", tag] | ["in", tag, "manifest"] => {
            return Mention::parse_pulled(&format!("{word}:{tag}"));
        }
        _ => {}
    }
    match role {
        // `FROM scratch` has no base image.
        _ if word == "scratch" => None,
        Role::Image => Mention::parse_pulled(word),
        Role::TaggedImage => {
            // A bare word here is often a word of a sentence.
            let has_tag = |mention: &Mention| mention.tag.is_some();
            Mention::parse_pulled(word).filter(|mention| has_tag(mention) || word.contains('@'))
        }
        _ => find_unannounced(word),
    }
}

/// The image in a word that may be anything: it has a scheme for images, or a host.
fn find_unannounced(word: &str) -> Option<Mention> {
    if word.starts_with("docker://") {
        return Mention::parse_pulled(word.trim_start_matches("docker://"));
    }
    if !begins_with_host(word) {
        return None;
    }
    let mut mention = Mention::parse(word)?;
    if mention.tag.is_none() {
        mention.written = None;
    }
    Some(mention)
}

fn begins_with_host(word: &str) -> bool {
    match word.split_once('/') {
        Some((first, _)) => reference::looks_like_host(first),
        None => false,
    }
}
