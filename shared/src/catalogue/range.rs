//! Ranges of versions, in the syntax of Cargo's version requirements.

use semver::{Version, VersionReq};

use super::version::Number;

/// A range of versions, such as `>=20 <23`, `~1.27`, or `20`, which means `^20`.
#[derive(Clone, Debug)]
pub struct Range {
    text: String,
    requirement: VersionReq,
}

impl Range {
    /// Parses comparators that are separated by commas, as in [`VersionReq`], or by spaces. Leading
    /// zeros are ignored: many repositories have versions such as `22.04`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match VersionReq::parse(&normalize(text)) {
            Ok(requirement) => Ok(Self {
                text: text.trim().to_owned(),
                requirement,
            }),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether `number` is in the range. Its fourth part does not count. A date is in no range.
    pub fn contains(&self, number: &Number) -> bool {
        match number {
            Number::Parts([major, minor, patch, _]) => {
                let version = Version::new(*major, *minor, *patch);
                self.requirement.matches(&version)
            }
            Number::Date(..) => false,
        }
    }

    /// The range as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// `text` in the syntax of `semver`: with commas, without leading zeros.
fn normalize(text: &str) -> String {
    let mut normalized = String::new();
    for word in text.split_whitespace() {
        let is_first = normalized.is_empty();
        let is_open = normalized.ends_with(|letter| "<>=~^,".contains(letter));
        if !is_first && !is_open && !word.starts_with(',') {
            normalized.push_str(", ");
        }
        push_without_leading_zeros(&mut normalized, word);
    }
    normalized
}

fn push_without_leading_zeros(normalized: &mut String, word: &str) {
    let mut is_in_number = false;
    let mut letters = word.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_followed_by_digit = letters.peek().is_some_and(char::is_ascii_digit);
        if letter == '0' && !is_in_number && is_followed_by_digit {
            continue;
        }
        is_in_number = letter.is_ascii_digit();
        normalized.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::version::parse_tag;

    const TAGS: [&str; 8] = [
        "19.9",
        "20",
        "20.04",
        "22.11.0",
        "22.11.0.7",
        "23",
        "23.0.0-rc1",
        "20240105",
    ];

    /// The tags of the sample that are in `range`, with commas between them.
    fn within(range: &str) -> String {
        let range = Range::parse(range).unwrap();
        let mut tags = Vec::new();
        for tag in TAGS {
            let parsed = parse_tag(tag).unwrap();
            if range.contains(&parsed.version.number) {
                tags.push(tag);
            }
        }
        tags.join(", ")
    }

    #[test]
    fn comparators_are_separated_by_spaces_or_commas() {
        for range in [
            ">=20 <23",
            ">=20, <23",
            ">= 20 < 23",
            " >=20 , <23 ",
            ">=20,<23",
        ] {
            let tags = within(range);
            assert_eq!(tags, "20, 20.04, 22.11.0, 22.11.0.7", "{range}");
        }
    }

    #[test]
    fn a_bare_number_is_the_range_of_compatible_versions() {
        assert_eq!(within("20"), "20, 20.04");
        assert_eq!(within("~22.11"), "22.11.0, 22.11.0.7");
        assert_eq!(within(">=20.04 <=22"), "20.04, 22.11.0, 22.11.0.7");
        assert_eq!(within(">=20.05 <23"), "22.11.0, 22.11.0.7");
    }

    #[test]
    fn a_missing_part_is_zero_and_a_pre_release_counts_by_its_number() {
        assert_eq!(within(">=23"), "23, 23.0.0-rc1");
        assert_eq!(within("<20.4"), "19.9, 20");
        let all_but_the_date = &TAGS[..7];
        assert_eq!(within("*"), all_but_the_date.join(", "));
    }

    #[test]
    fn an_invalid_range_is_an_error() {
        for text in ["", " ", "abc", ">=", "20 || 22", "1 - 2", ">=1.2.3.4"] {
            assert!(Range::parse(text).is_err(), "{text}");
        }
    }
}
