//! Untrusted text, made safe for logs and reports: bounded, on one line, without credentials.

use std::borrow::Cow;

/// How much of a text is read for an excerpt, in bytes, and for a line, in characters.
const MAX_READ: usize = 4096;

/// The longest excerpt, in characters.
const MAX_EXCERPT_CHARS: usize = 300;

/// The longest name of an image, in characters: 255 for host and path, 128 for the tag, 71 for the
/// digest, and some to spare.
const MAX_IMAGE_CHARS: usize = 512;

/// The shortest word after `Bearer`, `Basic` or `token` that is a secret, in bytes. "no basic auth
/// credentials" has only short words and stays readable.
const MIN_SECRET_BYTES: usize = 16;

/// Endings of the names of secrets, in lower case.
const SECRET_NAMES: [&str; 8] = [
    "token",
    "password",
    "passwd",
    "secret",
    "signature",
    "credential",
    "authorization",
    "access_key",
];

/// `text` on one line of at most `limit` characters. An ellipsis replaces what is cut off.
pub(super) fn to_line(text: &str, limit: usize) -> String {
    let safe: String = text
        .chars()
        .take(MAX_READ)
        .map(|char| if is_unsafe(char) { ' ' } else { char })
        .collect();
    let words: Vec<_> = safe.split_whitespace().collect();
    truncate(&words.join(" "), limit)
}

/// The start of `text` for a message: one line without credentials.
pub(super) fn excerpt(text: &str) -> String {
    let start = &text[..text.floor_char_boundary(MAX_READ)];
    let line = to_line(&without_escapes(start), MAX_READ);
    let mut previous = "";
    let mut words = Vec::new();
    for word in line.split(' ') {
        words.push(if is_secret_after(previous, word) {
            Cow::Borrowed("…")
        } else {
            redact(word)
        });
        previous = word;
    }
    truncate(&words.join(" "), MAX_EXCERPT_CHARS)
}

/// The image name `text` without the spaces around it. A name that is too long is none: cut off, it
/// would be the name of another image.
pub(super) fn image(text: &str) -> Option<String> {
    let name = text.trim();
    let is_allowed = |char: char| !is_unsafe(char) && !char.is_whitespace();
    let is_short = name.chars().count() <= MAX_IMAGE_CHARS;
    if !name.is_empty() && is_short && name.chars().all(is_allowed) {
        Some(name.to_owned())
    } else {
        None
    }
}

/// `text` without the escape sequences for colours and cursor movements (`ESC [ … letter`,
/// ECMA-48), which build tools write.
pub(super) fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut chars = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(char) = chars.next() {
        if char != '\u{1b}' {
            plain.push(char);
        } else if chars.as_str().starts_with('[') {
            chars.next();
            chars.by_ref().find(|char| matches!(char, '@'..='~'));
        }
    }
    Cow::Owned(plain)
}

fn truncate(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let mut start: String = text.chars().take(limit - 1).collect();
    start.push('…');
    start
}

/// Whether `char` could end a line, move the cursor or change the writing direction in a log
/// viewer.
fn is_unsafe(char: char) -> bool {
    let changes_layout = matches!(
        char,
        '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    );
    changes_layout || char.is_control()
}

/// Whether `word` is a secret because of the word before it: `Bearer eyJ…`, `--password hunter2`.
fn is_secret_after(previous: &str, word: &str) -> bool {
    let name = previous
        .trim_end_matches([':', '=', '"', '\''])
        .to_ascii_lowercase();
    if matches!(name.as_str(), "--password" | "-p") {
        return true;
    }
    let is_scheme = name.ends_with("bearer") || name.ends_with("basic");
    (is_scheme || is_secret_name(&name)) && word.len() >= MIN_SECRET_BYTES
}

/// `word` without the user and query of a URL, without the value of a secret, and without a JWT.
fn redact(word: &str) -> Cow<'_, str> {
    if let Some((scheme, rest)) = word.split_once("://") {
        return Cow::Owned(redact_url(scheme, rest));
    }
    if let Some(name) = secret_name_in(word) {
        return Cow::Owned(format!("{name}…"));
    }
    // The base64 of `{"`, with which the header of a JWT begins.
    if word.trim_start_matches(['"', '\'']).starts_with("eyJ") {
        return Cow::Borrowed("…");
    }
    Cow::Borrowed(word)
}

fn redact_url(scheme: &str, rest: &str) -> String {
    let (url, query) = match rest.split_once('?') {
        Some((url, _)) => (url, "?…"),
        None => (rest, ""),
    };
    let (authority, path) = url.split_at(url.find('/').unwrap_or(url.len()));
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => host,
        None => authority,
    };
    format!("{scheme}://{host}{path}{query}")
}

/// The name and separator in `word` if it assigns a secret: `--password=` of `--password=hunter2`.
fn secret_name_in(word: &str) -> Option<&str> {
    let lower = word.to_ascii_lowercase();
    let (separator, _) = word
        .char_indices()
        .find(|(index, char)| matches!(char, '=' | ':') && is_secret_name(&lower[..*index]))?;
    let has_value = separator + 1 < word.len();
    has_value.then(|| &word[..=separator])
}

fn is_secret_name(name: &str) -> bool {
    let name = name.trim_end_matches(['"', '\'']);
    SECRET_NAMES.iter().any(|secret| name.ends_with(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_bounded_line() {
        assert_eq!(
            excerpt("a\n\tb\u{1b}[31mc\u{1b}[0m\u{202e} d\r\n"),
            "a bc d"
        );
        let long = excerpt(&"é ".repeat(10_000));
        assert_eq!(
            (long.chars().count(), long.chars().last()),
            (300, Some('…'))
        );
    }

    #[test]
    fn an_excerpt_keeps_no_credential() {
        let cases = [
            (
                "GET https://x.test/v2/a?X-Amz-Signature=00ff&b=1: 403",
                "GET https://x.test/v2/a?… 403",
            ),
            ("https://user:pass@x.test/v2/", "https://x.test/v2/"),
            (
                "docker login -u me -p hunter2 x.test",
                "docker login -u me -p … x.test",
            ),
            (
                "docker login --password=hunter2",
                "docker login --password=…",
            ),
            (
                "Authorization: Bearer abcdefghijklmnop",
                "Authorization: Bearer …",
            ),
            (r#"{"token":"abc","x":1}"#, r#"{"token":…"#),
            (
                "AWS_SECRET_ACCESS_KEY=abc DOCKER_TOKEN=abc",
                "AWS_SECRET_ACCESS_KEY=… DOCKER_TOKEN=…",
            ),
            ("got eyJhbGciOi.x.y", "got …"),
            (
                "denied: Your authorization token has expired.",
                "denied: Your authorization token has expired.",
            ),
            ("no basic auth credentials", "no basic auth credentials"),
        ];
        for (text, expected) in cases {
            assert_eq!(excerpt(text), expected, "{text}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_or_has_spaces_is_no_image() {
        assert_eq!(image(" node:21\n").as_deref(), Some("node:21"));
        assert_eq!(image(&"n".repeat(512)).map(|name| name.len()), Some(512));
        for text in ["", "  ", "node:21 x", "node\u{0}:21", &"n".repeat(513)] {
            assert_eq!(image(text), None, "{text:?}");
        }
    }
}
