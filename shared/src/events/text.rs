//! Text that strangers wrote, made fit for logs and reports: bounded, on one line, without credentials.

use std::borrow::Cow;

/// How much of a text is looked at for an excerpt, in characters.
const LOOKED_AT: usize = 4096;

/// The longest excerpt, in characters.
const EXCERPT: usize = 300;

/// The longest name of an image, in characters: 255 of host and path, 128 of tag, 71 of digest, and some.
const IMAGE: usize = 512;

/// `text` on one line of at most `limit` characters, an ellipsis where it was cut.
pub(super) fn line(text: &str, limit: usize) -> String {
    let text: String = text
        .chars()
        .take(LOOKED_AT)
        .map(|char| if is_unfit(char) { ' ' } else { char })
        .collect();
    cut(
        &text.split_whitespace().collect::<Vec<_>>().join(" "),
        limit,
    )
}

/// What is quoted of `text`: one line without credentials.
pub(super) fn excerpt(text: &str) -> String {
    let line = line(
        &plain(&text[..text.floor_char_boundary(LOOKED_AT)]),
        LOOKED_AT,
    );
    let mut before = "";
    let mut words = Vec::new();
    for word in line.split(' ') {
        words.push(if follows_secret(before, word) {
            Cow::Borrowed("…")
        } else {
            redacted(word)
        });
        before = word;
    }
    cut(&words.join(" "), EXCERPT)
}

/// The name of an image as somebody wrote it. A name that is too long is none: cut off, it would be another image's.
pub(super) fn image(text: &str) -> Option<String> {
    let text = text.trim();
    let is_fit = |char: char| !is_unfit(char) && !char.is_whitespace();
    (!text.is_empty() && text.chars().count() <= IMAGE && text.chars().all(is_fit))
        .then(|| text.to_owned())
}

/// `text` without the terminal's colours and cursor movements (`ESC [ … letter`, ECMA-48), which builds write.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
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

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit - 1).chain(['…']).collect(),
    }
}

/// Characters that could end a line, move a cursor or turn the direction of writing in somebody's log viewer.
fn is_unfit(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether `word` is the secret that `before` announces: `Bearer eyJ…`, `--password hunter2`.
fn follows_secret(before: &str, word: &str) -> bool {
    let before = before
        .trim_end_matches([':', '=', '"', '\''])
        .to_ascii_lowercase();
    let is_flag = matches!(before.as_str(), "--password" | "-p");
    // Sixteen, so that "no basic auth credentials" stays readable.
    let is_scheme =
        before.ends_with("bearer") || before.ends_with("basic") || is_secret_name(&before);
    is_flag || (is_scheme && word.len() >= 16)
}

/// `word` without a URL's user and query, and without the value of what is named like a secret.
fn redacted(word: &str) -> Cow<'_, str> {
    if let Some((scheme, rest)) = word.split_once("://") {
        let (url, query) = rest
            .split_once('?')
            .map_or((rest, ""), |(url, _)| (url, "?…"));
        let (host, path) = url.find('/').map_or((url, ""), |slash| url.split_at(slash));
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        return Cow::Owned(format!("{scheme}://{host}{path}{query}"));
    }
    let lower = word.to_ascii_lowercase();
    let value = lower
        .char_indices()
        .find(|(at, char)| matches!(char, '=' | ':') && is_secret_name(&lower[..*at]));
    match value {
        Some((at, _)) if at + 1 < word.len() => Cow::Owned(format!("{}…", &word[..=at])),
        _ if word.trim_start_matches(['"', '\'']).starts_with("eyJ") => Cow::Borrowed("…"),
        _ => Cow::Borrowed(word),
    }
}

fn is_secret_name(name: &str) -> bool {
    let name = name.trim_end_matches(['"', '\'']);
    let names = [
        "token",
        "password",
        "passwd",
        "secret",
        "signature",
        "credential",
        "authorization",
        "access_key",
    ];
    names.iter().any(|secret| name.ends_with(secret))
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
    fn a_name_that_is_too_long_is_no_name() {
        assert_eq!(image(" node:21\n").as_deref(), Some("node:21"));
        assert_eq!(image(&"n".repeat(512)).map(|name| name.len()), Some(512));
        for text in ["", "  ", "node:21 x", "node\u{0}:21", &"n".repeat(513)] {
            assert_eq!(image(text), None, "{text:?}");
        }
    }
}
