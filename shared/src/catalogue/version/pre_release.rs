//! Pre-releases in tags.

use super::{SEPARATORS, Stage, begins_with_digit, is_end_of_part, split_digits};

/// Words for pre-releases, from the earliest kind to the latest. The words of one line mean the
/// same.
pub const PRE_RELEASE_WORDS: [&[&str]; 11] = [
    &["nightly"],
    &["snapshot"],
    &["dev"],
    &["canary"],
    &["edge"],
    &["alpha", "a"],
    &["ea"],
    &["beta", "b"],
    &["milestone", "m"],
    &["preview", "pre"],
    &["rc", "cr"],
];

/// Parses `rc1`, `-rc.1`, `.Beta2` or `-preview.7.23375.6`, and returns the rest of `text` too. A
/// single letter needs its number directly behind it, because `-a` is a variant.
pub(super) fn parse(text: &str) -> Option<(Stage, &str)> {
    let text = text.strip_prefix(SEPARATORS).unwrap_or(text);
    let end = text.find(|letter: char| !letter.is_ascii_alphabetic());
    let (word, after) = text.split_at(end.unwrap_or(text.len()));
    let kind = kind_of(word)?;
    if word.len() == 1 && !begins_with_digit(after) {
        return None;
    }
    let (counts, rest) = parse_counts(after);
    is_end_of_part(rest).then_some((Stage::PreRelease(kind, counts), rest))
}

fn kind_of(word: &str) -> Option<usize> {
    PRE_RELEASE_WORDS
        .iter()
        .position(|kind| kind.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// The numbers behind the word of a pre-release, and the rest of `text`.
fn parse_counts(text: &str) -> (Vec<u64>, &str) {
    let mut counts = Vec::new();
    let mut rest = text;
    let mut next = if begins_with_digit(text) {
        Some(text)
    } else {
        text.strip_prefix(SEPARATORS)
    };
    while let Some(part) = next {
        let (digits, after) = split_digits(part);
        if digits.is_empty() || !is_end_of_part(after) {
            break;
        }
        // Too large a count is still a count, so that the tag remains a pre-release.
        counts.push(digits.parse().unwrap_or(u64::MAX));
        rest = after;
        next = after.strip_prefix('.');
    }
    (counts, rest)
}
