//! Ranges of versions, in the syntax of Cargo's requirements.

use semver::{Version, VersionReq};

use super::version::Number;

/// A range of versions, such as `>=20 <23`, `~1.27` or `20`, which means `^20`.
#[derive(Clone, Debug)]
pub struct Range {
    text: String,
    requirement: VersionReq,
}

impl Range {
    /// Reads comparators that are separated by commas, as [`VersionReq`] has them, or by spaces. Leading zeros are nothing:
    /// `22.04` is a version to many.
    pub fn parse(text: &str) -> Result<Self, String> {
        let requirement = VersionReq::parse(&plain(text)).map_err(|error| error.to_string())?;
        Ok(Self {
            text: text.trim().to_owned(),
            requirement,
        })
    }

    /// Whether `number` is in the range; a fourth part does not count, and a date is in none.
    pub fn contains(&self, number: &Number) -> bool {
        match number {
            Number::Parts([major, minor, patch, _]) => self
                .requirement
                .matches(&Version::new(*major, *minor, *patch)),
            Number::Date(..) => false,
        }
    }

    /// The range as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// `text` as `semver` wants it: with commas, without leading zeros.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for word in text.split_whitespace() {
        let is_apart = !plain.is_empty()
            && !plain.ends_with(['<', '>', '=', '~', '^', ','])
            && !word.starts_with(',');
        plain.push_str(if is_apart { ", " } else { "" });
        let mut rest = word;
        while let Some(at) = rest.find(|char: char| char.is_ascii_digit()) {
            let (before, from) = rest.split_at(at);
            let end = from
                .find(|char: char| !char.is_ascii_digit())
                .unwrap_or(from.len());
            let number = from[..end].trim_start_matches('0');
            plain.push_str(before);
            plain.push_str(if number.is_empty() { "0" } else { number });
            rest = &from[end..];
        }
        plain.push_str(rest);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::version::parse_tag;

    /// Those of a few tags that are in `range`.
    fn within(range: &str) -> Vec<&'static str> {
        let tags = [
            "19.9",
            "20",
            "20.04",
            "22.11.0",
            "22.11.0.7",
            "23",
            "23.0.0-rc1",
            "20240105",
        ];
        let range = Range::parse(range).unwrap();
        tags.into_iter()
            .filter(|tag| range.contains(&parse_tag(tag).unwrap().version.number))
            .collect()
    }

    #[test]
    fn comparators_stand_beside_each_other_or_behind_commas() {
        for range in [
            ">=20 <23",
            ">=20, <23",
            ">= 20 < 23",
            " >=20 , <23 ",
            ">=20,<23",
        ] {
            assert_eq!(
                within(range),
                ["20", "20.04", "22.11.0", "22.11.0.7"],
                "{range}"
            );
        }
    }

    #[test]
    fn a_bare_number_is_all_that_is_compatible() {
        assert_eq!(within("20"), ["20", "20.04"]);
        assert_eq!(within("~22.11"), ["22.11.0", "22.11.0.7"]);
        assert_eq!(within(">=20.04 <=22"), ["20.04", "22.11.0", "22.11.0.7"]);
        assert_eq!(within(">=20.05 <23"), ["22.11.0", "22.11.0.7"]);
    }

    #[test]
    fn a_missing_part_is_zero_and_a_pre_release_counts_by_its_number() {
        assert_eq!(within(">=23"), ["23", "23.0.0-rc1"]);
        assert_eq!(within("<20.4"), ["19.9", "20"]);
        assert_eq!(
            within("*"),
            [
                "19.9",
                "20",
                "20.04",
                "22.11.0",
                "22.11.0.7",
                "23",
                "23.0.0-rc1"
            ]
        );
    }

    #[test]
    fn what_is_no_range_is_said() {
        for text in ["", " ", "abc", ">=", "20 || 22", "1 - 2", ">=1.2.3.4"] {
            assert!(Range::parse(text).is_err(), "{text}");
        }
    }
}
