//! Versions, as the tags of images have them.
//!
//! Few tags are semantic versions: `20`, `3.12-slim`, `v1.2.3.4`, `3.13.0rc1` are none, and what follows the hyphen of
//! `20.1.0-alpine3.19` is no pre-release. So a tag is read as an optional `v`, one to four numbers, a pre-release where there is
//! one, and a *variant*, the rest. What begins otherwise (`latest`, `bookworm`, `jammy-20240111`), goes on with letters
//! that mean no pre-release (`1.1.1w`, `8u392`), or has a number beyond 64 bits, has no version.

/// What stands between the parts of a tag.
const SEPARATORS: [char; 3] = ['.', '-', '_'];

/// Words for pre-releases, from the earliest to the latest; those of one line mean the same.
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

/// What a tag says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedTag<'a> {
    /// The version.
    pub version: Version,
    /// What else the tag says, `slim-bookworm`; empty where that is nothing.
    pub variant: &'a str,
}

/// A version. The order is: the number, a release above its pre-releases, their kinds as in [`PRE_RELEASE_WORDS`], their counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Its numeric part.
    pub number: Number,
    /// Whether it is released.
    pub stage: Stage,
}

/// The numeric part of a version. Dates come below all other numbers: beside `3.20` a `20240329` is a snapshot, not the newest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Number {
    /// A date without dots, `20240105` or `2024-01-05`, and a count as in `20240105.2`.
    Date(u64, u64),
    /// One to four numbers; what is missing is 0.
    Parts([u64; 4]),
}

/// Whether a version is released.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not yet: the line of [`PRE_RELEASE_WORDS`] that says so, and the numbers behind it.
    PreRelease(usize, Vec<u64>),
    /// It is.
    Release,
}

/// Reads `tag`; `None` where it has no version.
pub fn parse_tag(tag: &str) -> Option<ParsedTag<'_>> {
    let rest = tag.strip_prefix('v').unwrap_or(tag);
    let (number, rest) = date(rest).or_else(|| parts(rest))?;
    let (stage, rest) = pre_release(rest).unwrap_or((Stage::Release, rest));
    let variant = if rest.is_empty() {
        rest
    } else {
        rest.strip_prefix(SEPARATORS)
            .filter(|name| !name.is_empty())?
    };
    Some(ParsedTag {
        version: Version { number, stage },
        variant,
    })
}

fn parts(text: &str) -> Option<(Number, &str)> {
    let mut numbers = [0; 4];
    let mut rest = text;
    for (place, number) in numbers.iter_mut().enumerate() {
        let next = if place == 0 {
            rest
        } else {
            rest.strip_prefix('.').unwrap_or_default()
        };
        let (digits, after) = digits(next);
        if digits.is_empty() {
            break;
        }
        *number = digits.parse().ok()?;
        rest = after;
    }
    let goes_on = rest.strip_prefix('.').is_some_and(begins_with_digit);
    (rest.len() < text.len() && !goes_on).then_some((Number::Parts(numbers), rest))
}

fn date(text: &str) -> Option<(Number, &str)> {
    let (written, rest) = [8, 10]
        .into_iter()
        .filter_map(|length| text.split_at_checked(length))
        .find(is_date)?;
    let day = written.replace('-', "").parse().ok()?;
    let count = rest
        .strip_prefix('.')
        .map(digits)
        .filter(|(count, rest)| !count.is_empty() && is_end(rest));
    let (count, rest) = count.map_or((Some(0), rest), |(count, rest)| (count.parse().ok(), rest));
    Some((Number::Date(day, count?), rest))
}

/// Whether a text is a day, eight digits or `2024-01-05`, before what goes on without a digit.
fn is_date((written, rest): &(&str, &str)) -> bool {
    let bytes = written.as_bytes();
    let is_hyphen = |at: usize| bytes.len() == 10 && (at == 4 || at == 7);
    let fits = |(at, byte): (usize, &u8)| {
        if is_hyphen(at) {
            *byte == b'-'
        } else {
            byte.is_ascii_digit()
        }
    };
    let number = |text: &str| text.parse::<u32>().unwrap_or_default();
    bytes.iter().enumerate().all(fits) && !begins_with_digit(rest) && {
        let plain = written.replace('-', "");
        let (year, month, day) = (
            number(&plain[..4]),
            number(&plain[4..6]),
            number(&plain[6..]),
        );
        (1970..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
    }
}

/// `rc1`, `-rc.1`, `.Beta2`, `-preview.7.23375.6`; a single letter needs its number right behind it, because `-a` is a variant.
fn pre_release(text: &str) -> Option<(Stage, &str)> {
    let text = text.strip_prefix(SEPARATORS).unwrap_or(text);
    let (word, after) = text.split_at(
        text.find(|char: char| !char.is_ascii_alphabetic())
            .unwrap_or(text.len()),
    );
    let is_it = |known: &&str| word.eq_ignore_ascii_case(known);
    let kind = PRE_RELEASE_WORDS
        .iter()
        .position(|words| words.iter().any(is_it))?;
    let (numbers, rest) = counts(after);
    let is_clear = word.len() > 1 || begins_with_digit(after);
    (is_clear && is_end(rest)).then_some((Stage::PreRelease(kind, numbers), rest))
}

/// The numbers behind the word of a pre-release.
fn counts(text: &str) -> (Vec<u64>, &str) {
    let (mut numbers, mut rest) = (Vec::new(), text);
    let mut next = if begins_with_digit(text) {
        Some(text)
    } else {
        text.strip_prefix(SEPARATORS)
    };
    while let Some((digits, after)) = next
        .map(digits)
        .filter(|(digits, after)| !digits.is_empty() && is_end(after))
    {
        // Too large a count still is one, and a pre-release no release.
        numbers.push(digits.parse().unwrap_or(u64::MAX));
        rest = after;
        next = after.strip_prefix('.');
    }
    (numbers, rest)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|char: char| !char.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_digit())
}

/// Whether a part of the tag is over before `rest`.
fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(SEPARATORS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `3.13.0.0 rc[1] slim-bookworm`, or `-` for no version.
    fn text(tag: &str) -> String {
        let Some(ParsedTag { version, variant }) = parse_tag(tag) else {
            return "-".to_owned();
        };
        let number = match version.number {
            Number::Date(day, count) => format!("date {day}.{count}"),
            Number::Parts([a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
        };
        let stage = match version.stage {
            Stage::Release => String::new(),
            Stage::PreRelease(kind, counts) => format!("{}{counts:?}", PRE_RELEASE_WORDS[kind][0]),
        };
        format!("{number} {stage} {variant}")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn a_tag_is_read_as_number_pre_release_and_variant() {
        for (tag, expected) in [
            ("22", "22.0.0.0"),
            ("1.10", "1.10.0.0"),
            ("v1.2.3", "1.2.3.0"),
            ("10.0.17763.5329-amd64", "10.0.17763.5329 amd64"),
            ("3.12-slim-bookworm", "3.12.0.0 slim-bookworm"),
            ("20-alpine3.19", "20.0.0.0 alpine3.19"),
            ("1.27.3-alpine3.20-perl", "1.27.3.0 alpine3.20-perl"),
            ("v1.2.3-rc.1", "1.2.3.0 rc[1]"),
            ("3.13.0rc1", "3.13.0.0 rc[1]"),
            ("3.13.0rc1-slim-bookworm", "3.13.0.0 rc[1] slim-bookworm"),
            ("3.14.0a2", "3.14.0.0 alpha[2]"),
            ("17beta1-alpine3.20", "17.0.0.0 beta[1] alpine3.20"),
            ("1.0.0-beta.2", "1.0.0.0 beta[2]"),
            ("8.0-rc1", "8.0.0.0 rc[1]"),
            (
                "8.0.0-preview.7-nanoserver-1809",
                "8.0.0.0 preview[7] nanoserver-1809",
            ),
            ("8.0.0-preview.7.23375.6", "8.0.0.0 preview[7, 23375, 6]"),
            ("22-ea-33-jdk-slim", "22.0.0.0 ea[33] jdk-slim"),
            ("4.0.0-SNAPSHOT", "4.0.0.0 snapshot[]"),
            ("3.0.0-M1", "3.0.0.0 milestone[1]"),
            ("1.27-dev", "1.27.0.0 dev[]"),
            ("21.0.1_12-jdk", "21.0.1.0 12-jdk"),
            ("4.0.0.Final", "4.0.0.0 Final"),
            ("1.0-a", "1.0.0.0 a"),
            (
                "1.0-rc99999999999999999999",
                "1.0.0.0 rc[18446744073709551615]",
            ),
        ] {
            assert_eq!(text(tag), expected, "{tag}");
        }
    }

    #[test]
    fn what_says_no_version_has_none() {
        for tag in [
            "",
            "latest",
            "bookworm",
            "stable-alpine",
            "jammy-20240111",
            "ltsc2022",
            "windowsservercore-ltsc2022",
            "sha256-0a1b.sig",
            "v",
            "vv1",
            "1.1.1w",
            "8u392-jdk",
            "7f8e9d1",
            "1.27.",
            "1.27-",
            "1.2.3.4.5",
            "18446744073709551616",
            "1.99999999999999999999",
            "２０",
        ] {
            assert_eq!(text(tag), "-", "{tag}");
        }
    }

    #[test]
    fn a_date_is_a_date_only_without_dots() {
        assert_eq!(text("2024.01.05"), "2024.1.5.0");
        assert_eq!(text("20240105"), "date 20240105.0");
        assert_eq!(text("2024-01-05-slim"), "date 20240105.0 slim");
        assert_eq!(text("20240105.2"), "date 20240105.2");
        assert_eq!(text("20241305"), "20241305.0.0.0", "there is no month 13");
        assert_eq!(text("202401051"), "202401051.0.0.0");
    }

    #[test]
    fn versions_are_ordered() {
        let ascending = [
            "20240105",
            "20240105.1",
            "2024-01-06",
            "3.13.0-nightly",
            "3.13.0a2",
            "3.13.0b1",
            "3.13.0b10",
            "3.13.0rc",
            "3.13.0rc1",
            "3.13.0rc2",
            "3.13",
            "3.13.0.1",
            "3.13.1",
            "3.14",
            "v10",
        ];
        for pair in ascending.windows(2) {
            assert!(
                parse_tag(pair[0]).unwrap().version < parse_tag(pair[1]).unwrap().version,
                "{pair:?}"
            );
        }
        assert_eq!(
            parse_tag("22.11").unwrap().version,
            parse_tag("v22.11.0-slim").unwrap().version
        );
        assert_eq!(
            parse_tag("1.0rc1").unwrap().version,
            parse_tag("1.0.0-RC.1").unwrap().version
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_its_variant_is_its_end(tag in "\\PC{0,20}|v?[0-9a-z.\\-_]{0,30}|[0-9]{15,30}") {
            if let Some(reading) = parse_tag(&tag) {
                prop_assert!(tag.ends_with(reading.variant));
                prop_assert!(tag.trim_start_matches('v').starts_with(|char: char| char.is_ascii_digit()));
            }
        }
    }
}
