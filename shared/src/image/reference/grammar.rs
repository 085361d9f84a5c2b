//! The grammar of image references, as Docker defines it:
//! <https://github.com/distribution/reference/blob/v0.6.0/reference.go>.
//!
//! `oci-client` has it as one regular expression. To compile that takes several megabytes, and longer
//! than all else until a process sends its first request. A test below compares both parsers.

use crate::image::digest::Digest;

use super::{DOCKER_HUB, ParsedReference, RepositoryRef, is_docker_hub, is_tag, looks_like_host};

/// The longest path of a repository, in bytes.
const MAX_PATH_BYTES: usize = 255;

/// Parses `[registry/]repository[:tag][@digest]`. The error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<ParsedReference, String> {
    let (tagged, digest) = split_digest(text)?;
    let (name, tag) = split_tag(tagged);
    if let Some(tag) = tag
        && !is_tag(tag)
    {
        return Err(format!("{tag:?} is not a tag"));
    }
    Ok(ParsedReference {
        repository: parse_repository(name)?,
        tag: tag.map(str::to_owned),
        digest,
    })
}

fn split_digest(text: &str) -> Result<(&str, Option<Digest>), String> {
    let Some((tagged, digest)) = text.split_once('@') else {
        return Ok((text, None));
    };
    match digest.parse::<Digest>() {
        Ok(digest) => Ok((tagged, Some(digest))),
        Err(error) => Err(error.to_string()),
    }
}

/// A colon before the last slash is not a tag's, but a port's.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

/// Parses `[registry/]repository`. The part before the first slash is a registry if it cannot be
/// part of a path.
fn parse_repository(name: &str) -> Result<RepositoryRef, String> {
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => (first, rest),
        _ => (DOCKER_HUB, name),
    };
    if !is_host(registry) {
        return Err(format!("{registry:?} is not a registry, HOST or HOST:PORT"));
    }
    if path.len() > MAX_PATH_BYTES || !path.split('/').all(is_path_segment) {
        return Err(format!(
            "{path:?} is not a repository: lower-case letters and digits, with `.`, `_`, `__` or `-` between them, in parts with `/` between"
        ));
    }
    if !is_docker_hub(registry) {
        return Ok(RepositoryRef {
            registry: registry.to_owned(),
            path: path.to_owned(),
        });
    }
    let namespace = if path.contains('/') { "" } else { "library/" };
    Ok(RepositoryRef {
        registry: DOCKER_HUB.to_owned(),
        path: format!("{namespace}{path}"),
    })
}

/// A path has no capital letter, so that a first segment with one is a registry too.
fn is_registry(first: &str) -> bool {
    looks_like_host(first) || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    is_port && host.split('.').all(is_host_label)
}

fn is_host_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let has_edge = label.starts_with('-') || label.ends_with('-');
    !label.is_empty() && !has_edge && label.bytes().all(is_allowed)
}

/// Words of lower-case letters and digits, with one separator between two of them.
fn is_path_segment(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    if !text.starts_with(is_letter) || !text.ends_with(is_letter) {
        return false;
    }
    // Between two neighbouring letters the separator is empty.
    text.split(is_letter).all(is_separator)
}

fn is_separator(text: &str) -> bool {
    matches!(text, "." | "_" | "__") || text.bytes().all(|byte| byte == b'-')
}

#[cfg(test)]
mod tests {
    use oci_client::Reference;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// There are two exceptions. `oci-client` takes registries that are not hosts (`a_b.c/d`). And
        /// it reads capitals before a slash as a path at Docker Hub, where Docker reads a registry.
        #[test]
        fn oci_client_parses_the_same(text in "[ab0.:/_-]{0,12}|((localhost|a\\.b|127\\.0\\.0\\.1)(:[0-9]{0,2})?/)?[a-z0-9._/-]{1,10}(:[A-Za-z0-9._-]{0,6})?(@sha256:[0a]{64})?") {
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
