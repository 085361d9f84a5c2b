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
    let is_path = path.split('/').all(is_path_segment);
    if !is_path || path.len() > MAX_PATH_BYTES {
        return Err(format!(
            "{path:?} is not a repository: lower-case letters and digits, \
             with `.`, `_`, `__` or `-` between them, \
             in parts with `/` between"
        ));
    }
    if !is_docker_hub(registry) {
        return Ok(RepositoryRef {
            registry: registry.to_owned(),
            path: path.to_owned(),
        });
    }
    let is_official = !path.contains('/');
    let namespace = if is_official { "library/" } else { "" };
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
    let host = match text.split_once(':') {
        Some((_, port)) if !is_port(port) => return false,
        Some((host, _)) => host,
        None => text,
    };
    host.split('.').all(is_host_label)
}

fn is_port(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit();
    !text.is_empty() && text.bytes().all(is_digit)
}

fn is_host_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let has_edge = label.starts_with('-') || label.ends_with('-');
    !label.is_empty() && !has_edge && label.bytes().all(is_allowed)
}

/// Words of lower-case letters and digits, with one separator between two of them.
fn is_path_segment(text: &str) -> bool {
    let is_letter = |letter: char| matches!(letter, 'a'..='z' | '0'..='9');
    if !text.starts_with(is_letter) || !text.ends_with(is_letter) {
        return false;
    }
    // Between two neighbouring letters the separator is empty.
    text.split(is_letter).all(is_separator)
}

fn is_separator(text: &str) -> bool {
    let is_hyphens = text.bytes().all(|byte| byte == b'-');
    is_hyphens || matches!(text, "." | "_" | "__")
}

#[cfg(test)]
mod tests {
    use oci_client::Reference;
    use proptest::prelude::*;

    use super::*;

    /// Texts that resemble references.
    fn texts() -> impl Strategy<Value = String> {
        let any = "[ab0.:/_-]{0,12}";
        let host = "((localhost|a\\.b|127\\.0\\.0\\.1)(:[0-9]{0,2})?/)?";
        let path = "[a-z0-9._/-]{1,10}";
        let tag = "(:[A-Za-z0-9._-]{0,6})?";
        let digest = "(@sha256:[0a]{64})?";
        let texts = format!("{any}|{host}{path}{tag}{digest}");
        prop::string::string_regex(&texts).unwrap()
    }

    /// The reference by `oci-client`.
    fn parse_theirs(text: &str) -> Option<Reference> {
        let reference: Reference = text.parse().ok()?;
        is_host(reference.registry()).then_some(reference)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// There are two exceptions. `oci-client` takes registries that are not hosts (`a_b.c/d`). And
        /// it reads capitals before a slash as a path at Docker Hub, where Docker reads a registry.
        #[test]
        fn oci_client_parses_the_same(text in texts()) {
            let theirs = parse_theirs(&text);
            let Ok(ours) = parse(&text) else {
                prop_assert!(theirs.is_none(), "{}", text);
                return Ok(());
            };
            prop_assert!(theirs.is_some(), "{}", text);
            let theirs = theirs.unwrap();
            let RepositoryRef { registry, path } = ours.repository;
            let whole = Reference::with_tag(registry, path, String::new());
            prop_assert_eq!(whole.registry(), theirs.registry());
            prop_assert_eq!(whole.repository(), theirs.repository());
            let digest = ours.digest.as_ref().map(Digest::as_str);
            prop_assert_eq!(digest, theirs.digest());
            let mut tag = ours.tag.as_deref();
            if digest.is_none() && tag.is_none() {
                tag = Some("latest");
            }
            prop_assert_eq!(tag, theirs.tag());
        }
    }
}
