//! The grammar of image references, as Docker has it:
//! <https://github.com/distribution/reference/blob/v0.6.0/reference.go>.
//!
//! `oci-client` has it as one regular expression, which takes a process longer to prepare than all else until its first request, and
//! several megabytes. Its reading and this one are compared below.

use crate::image::digest::Digest;

use super::{DOCKER_HUB, ParsedReference, RepositoryRef, is_docker_hub, is_tag};

/// The longest path of a repository, in bytes.
const LONGEST: usize = 255;

/// Reads `[registry/]repository[:tag][@digest]`; an error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<ParsedReference, String> {
    let (named, digest) = match text.split_once('@') {
        Some((named, digest)) => (
            named,
            Some(
                digest
                    .parse::<Digest>()
                    .map_err(|error| error.to_string())?,
            ),
        ),
        None => (text, None),
    };
    let colon = named
        .rfind(':')
        .filter(|colon| named[*colon..].rfind('/').is_none());
    let (name, tag) = colon.map_or((named, None), |colon| {
        (&named[..colon], Some(&named[colon + 1..]))
    });
    if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
        return Err(format!("{tag:?} is not a tag"));
    }
    Ok(ParsedReference {
        repository: repository(name)?,
        tag: tag.map(str::to_owned),
        digest,
    })
}

/// Reads `[registry/]repository`. What comes before the first slash is a registry if it can be no part of a path.
fn repository(name: &str) -> Result<RepositoryRef, String> {
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if is_no_path(first) => (first, rest),
        _ => (DOCKER_HUB, name),
    };
    if !is_host(registry) {
        return Err(format!("{registry:?} is not a registry, HOST or HOST:PORT"));
    }
    if path.len() > LONGEST || !path.split('/').all(is_component) {
        return Err(format!(
            "{path:?} is not a repository: lower-case letters and digits, with `.`, `_`, `__` or `-` between them, in parts with `/` between"
        ));
    }
    Ok(match (is_docker_hub(registry), path.contains('/')) {
        (true, false) => RepositoryRef {
            registry: DOCKER_HUB.to_owned(),
            path: format!("library/{path}"),
        },
        (true, true) => RepositoryRef {
            registry: DOCKER_HUB.to_owned(),
            path: path.to_owned(),
        },
        (false, _) => RepositoryRef {
            registry: registry.to_owned(),
            path: path.to_owned(),
        },
    })
}

fn is_no_path(first: &str) -> bool {
    first == "localhost"
        || first
            .bytes()
            .any(|byte| byte == b'.' || byte == b':' || byte.is_ascii_uppercase())
}

fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(inner)
    };
    host.split('.').all(is_label)
        && !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_separator =
        |run: &str| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-');
    let mut between = text.split(|letter: char| u8::try_from(letter).is_ok_and(is_word));
    let is_edge = |edge: Option<&str>| edge == Some("");
    is_edge(between.next()) && is_edge(between.next_back()) && between.all(is_separator)
}

#[cfg(test)]
mod tests {
    use oci_client::Reference;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// But for what has a registry that is no host (`a_b.c/d`), and for capitals before a slash, which it takes for a part of a path
        /// at Docker Hub, and Docker for a registry.
        #[test]
        fn oci_client_reads_the_same(text in "[ab0.:/_-]{0,12}|((localhost|a\\.b|127\\.0\\.0\\.1)(:[0-9]{0,2})?/)?[a-z0-9._/-]{1,10}(:[A-Za-z0-9._-]{0,6})?(@sha256:[0a]{64})?") {
            let theirs = text.parse::<Reference>().ok().filter(|theirs| is_host(theirs.registry()));
            let ours = parse(&text).ok();
            prop_assert_eq!(ours.is_some(), theirs.is_some(), "{}", text);
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                let whole = Reference::with_tag(ours.repository.registry, ours.repository.path, String::new());
                prop_assert_eq!((whole.registry(), whole.repository()), (theirs.registry(), theirs.repository()));
                prop_assert_eq!(ours.digest.as_ref().map(Digest::as_str), theirs.digest());
                let latest = ours.digest.is_none().then(|| "latest".to_owned());
                let tag = ours.tag.or(latest);
                prop_assert_eq!(tag.as_deref(), theirs.tag());
            }
        }
    }
}
