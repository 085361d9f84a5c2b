use proptest::prelude::*;

use super::*;

/// `3.13.0.0 rc[1] slim-bookworm`, or `-` for no version.
fn describe(tag: &str) -> String {
    let Some(ParsedTag { version, variant }) = parse_tag(tag) else {
        return "-".to_owned();
    };
    let number = match version.number {
        Number::Date(day, count) => format!("date {day}.{count}"),
        Number::Parts(parts) => parts.map(|part| part.to_string()).join("."),
    };
    let mut parts = vec![number];
    if let Stage::PreRelease(kind, counts) = version.stage {
        let word = PRE_RELEASE_WORDS[kind][0];
        parts.push(format!("{word}{counts:?}"));
    }
    if !variant.is_empty() {
        parts.push(variant.to_owned());
    }
    parts.join(" ")
}

fn version(tag: &str) -> Version {
    parse_tag(tag).unwrap().version
}

#[test]
fn a_tag_is_parsed_as_number_pre_release_and_variant() {
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
        assert_eq!(describe(tag), expected, "{tag}");
    }
}

#[test]
fn a_tag_without_a_version_is_not_parsed() {
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
        assert_eq!(describe(tag), "-", "{tag}");
    }
}

#[test]
fn a_date_is_a_date_only_without_dots() {
    assert_eq!(describe("2024.01.05"), "2024.1.5.0");
    assert_eq!(describe("20240105"), "date 20240105.0");
    assert_eq!(describe("2024-01-05-slim"), "date 20240105.0 slim");
    assert_eq!(describe("20240105.2"), "date 20240105.2");
    let without_month = describe("20241305");
    assert_eq!(without_month, "20241305.0.0.0");
    assert_eq!(describe("202401051"), "202401051.0.0.0");
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
        let lower = version(pair[0]);
        let higher = version(pair[1]);
        assert!(lower < higher, "{pair:?}");
    }
    assert_eq!(version("22.11"), version("v22.11.0-slim"));
    assert_eq!(version("1.0rc1"), version("1.0.0-RC.1"));
}

/// Any texts, texts of the characters of a tag, and long numbers.
fn tags() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,20}", "v?[0-9a-z.\\-_]{0,30}", "[0-9]{15,30}",]
}

proptest! {
    #[test]
    fn any_text_ends_with_its_variant(tag in tags()) {
        if let Some(parsed) = parse_tag(&tag) {
            prop_assert!(tag.ends_with(parsed.variant));
            let number = tag.trim_start_matches('v');
            prop_assert!(begins_with_digit(number));
        }
    }
}
