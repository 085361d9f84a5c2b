//! Versions in the tags of images.
//!
//! Few tags are semantic versions: `20`, `3.12-slim`, `v1.2.3.4` and `3.13.0rc1` are not, and the
//! part after the hyphen of `20.1.0-alpine3.19` is not a pre-release. A tag with a version is
//! therefore an optional `v`, one to four numbers, an optional pre-release, and a *variant*, the
//! rest.
//!
//! A tag has no version if it begins otherwise (`latest`, `bookworm`, `jammy-20240111`), continues
//! with letters that are not a pre-release (`1.1.1w`, `8u392`), or has a number of over 64 bits.

mod pre_release;
#[cfg(test)]
mod tests;

pub use pre_release::PRE_RELEASE_WORDS;

/// The separators between the parts of a tag.
const SEPARATORS: [char; 3] = ['.', '-', '_'];

/// The parts of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedTag<'a> {
    /// The version.
    pub version: Version,
    /// The rest of the tag, such as `slim-bookworm`. It may be empty.
    pub variant: &'a str,
}

/// A version. It is ordered by number. A release comes after its pre-releases, and they are ordered
/// by kind as in [`PRE_RELEASE_WORDS`], then by their counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The numeric part.
    pub number: Number,
    /// Whether it is a release.
    pub stage: Stage,
}

/// The numeric part of a version. A date is below every other number: beside `3.20`, the tag
/// `20240329` is a snapshot and not the newest version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Number {
    /// A date without dots, `20240105` or `2024-01-05`, and a count as in `20240105.2`.
    Date(u64, u64),
    /// One to four numbers. A missing one is 0.
    Parts([u64; 4]),
}

/// Whether a version is a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A pre-release: the index of its kind in [`PRE_RELEASE_WORDS`], and its counts.
    PreRelease(usize, Vec<u64>),
    /// A release.
    Release,
}

/// Parses `tag`. `None` if it has no version.
pub fn parse_tag(tag: &str) -> Option<ParsedTag<'_>> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    let (number, rest) = parse_date(text).or_else(|| parse_numbers(text))?;
    let (stage, rest) = pre_release::parse(rest).unwrap_or((Stage::Release, rest));
    let version = Version { number, stage };
    if rest.is_empty() {
        return Some(ParsedTag {
            version,
            variant: rest,
        });
    }
    let variant = rest.strip_prefix(SEPARATORS)?;
    (!variant.is_empty()).then_some(ParsedTag { version, variant })
}

/// One to four numbers with dots between them, and the rest of `text`.
fn parse_numbers(text: &str) -> Option<(Number, &str)> {
    let mut numbers = [0; 4];
    let (first, mut rest) = split_digits(text);
    numbers[0] = first.parse().ok()?;
    for number in &mut numbers[1..] {
        let next = rest.strip_prefix('.').unwrap_or_default();
        let (digits, after) = split_digits(next);
        if digits.is_empty() {
            break;
        }
        *number = digits.parse().ok()?;
        rest = after;
    }
    let has_fifth = rest.strip_prefix('.').is_some_and(begins_with_digit);
    (!has_fifth).then_some((Number::Parts(numbers), rest))
}

/// A date, its count, and the rest of `text`.
fn parse_date(text: &str) -> Option<(Number, &str)> {
    let (day, rest) = split_day(text, "").or_else(|| split_day(text, "-"))?;
    let Some(after_dot) = rest.strip_prefix('.') else {
        return Some((Number::Date(day, 0), rest));
    };
    let (count, after) = split_digits(after_dot);
    if count.is_empty() || !is_end_of_part(after) {
        return Some((Number::Date(day, 0), rest));
    }
    Some((Number::Date(day, count.parse().ok()?), after))
}

/// A day as `YYYYMMDD`, and the rest of `text`, which does not begin with a digit. `separator` is
/// between year, month and day.
fn split_day<'a>(text: &'a str, separator: &str) -> Option<(u64, &'a str)> {
    let (year, rest) = split_number(text, 4)?;
    let (month, rest) = split_number(rest.strip_prefix(separator)?, 2)?;
    let (day, rest) = split_number(rest.strip_prefix(separator)?, 2)?;
    let is_year = (1970..2100).contains(&year);
    let is_month = (1..=12).contains(&month);
    let is_day = (1..=31).contains(&day);
    if !is_year || !is_month || !is_day {
        return None;
    }
    if begins_with_digit(rest) {
        return None;
    }
    Some((year * 10_000 + month * 100 + day, rest))
}

/// A number of exactly `length` digits, and the rest of `text`.
fn split_number(text: &str, length: usize) -> Option<(u64, &str)> {
    let (digits, rest) = text.split_at_checked(length)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok()?;
    is_number.then_some((number, rest))
}

/// The digits at the beginning of `text`, and the rest.
fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit())
}

/// Whether a part of the tag ends before `rest`.
fn is_end_of_part(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(SEPARATORS)
}
