//! Selectors on the tag lists of well-known kinds of repositories.

use super::{judge, selected, text};

const NODE: &[&str] = &[
    "latest",
    "lts",
    "lts-alpine",
    "current-slim",
    "iron",
    "18.20.4-alpine",
    "20",
    "20-alpine",
    "20-alpine3.19",
    "20.17.0",
    "20.17.0-alpine3.20",
    "20.17.0-bookworm-slim",
    "22",
    "22.11",
    "22.11.0",
    "22.11.0-alpine",
    "23.0.0-alpine",
    "23-alpine",
];
const PYTHON: &[&str] = &[
    "3",
    "3.12",
    "3.12.7",
    "3.12-slim-bookworm",
    "3.12.7-slim-bookworm",
    "3.12.7-windowsservercore-ltsc2022",
    "3.13",
    "3.13.0",
    "3.13.0-slim-bookworm",
    "3.13.0rc3",
    "3.13.0rc3-slim-bookworm",
    "3.14.0a2",
    "3.14-rc-slim-bookworm",
    "bookworm",
    "slim",
];
const NGINX: &[&str] = &[
    "1.26.2",
    "1.27",
    "1.27-alpine",
    "1.27.2",
    "1.27.3",
    "1.27.3-alpine3.20-perl",
    "1.27.3-bookworm-otel",
    "mainline",
    "stable-alpine",
    "stable-alpine3.20-perl",
];
const POSTGRES: &[&str] = &[
    "15.9",
    "16",
    "16.4",
    "16.5",
    "16.5-alpine3.20",
    "17",
    "17.0",
    "17.1",
    "17.1-bookworm",
    "17beta1",
    "17beta1-alpine3.20",
    "17rc1",
    "alpine",
    "latest",
];
const GO_PROJECT: &[&str] = &[
    "latest",
    "v1.2.2",
    "v1.2.3",
    "v1.2.3-arm64",
    "v1.2.3-rc.1",
    "v1.3.0-beta.1",
    "v1.10.0",
    "v2.0.0-rc.2",
    "sha-0a1b2c3",
];
const DATED: &[&str] = &[
    "20240105",
    "20240311",
    "20231219",
    "20240105-slim",
    "2024-04-01",
    "2024.01.05",
    "edge",
    "3.19",
];
const WINDOWS: &[&str] = &[
    "8.0",
    "8.0-nanoserver-1809",
    "8.0.0-preview.7-nanoserver-1809",
    "8.0.10-nanoserver-ltsc2022",
    "10.0.17763.5329-amd64",
    "ltsc2019",
    "ltsc2022",
    "ltsc2022-amd64",
    "windowsservercore-ltsc2022",
];

#[test]
fn every_verdict_has_a_reason() {
    assert_eq!(
        text(&judge(
            "{ semver: '>=20 <23', glob: '*-alpine', latest: 1 }",
            NODE
        )),
        "\
- 23-alpine: is outside >=20 <23
- 23.0.0-alpine: is outside >=20 <23
- 22.11: does not match *-alpine
- 22.11.0: does not match *-alpine
+ 22.11.0-alpine: matches *-alpine, is within >=20 <23, is of the latest version
- 22: does not match *-alpine
- 20.17.0: does not match *-alpine
- 20.17.0-alpine3.20: does not match *-alpine
- 20.17.0-bookworm-slim: does not match *-alpine
- 20: does not match *-alpine
- 20-alpine: is not of the latest version
- 20-alpine3.19: does not match *-alpine
- 18.20.4-alpine: is outside >=20 <23
- current-slim: does not match *-alpine
- iron: does not match *-alpine
- latest: does not match *-alpine
- lts: does not match *-alpine
- lts-alpine: has no version
"
    );
}

#[test]
fn a_range_alone_selects_tags_without_a_variant() {
    assert_eq!(
        selected("{ semver: '>=20 <23' }", NODE),
        ["22.11", "22.11.0", "22", "20.17.0", "20"]
    );
    assert_eq!(selected("{ semver: '20' }", NODE), ["20.17.0", "20"]);
    let variants = text(&judge("{ semver: '20' }", NODE));
    assert!(
        variants.contains("- 20-alpine: has the variant alpine; add a glob to select it\n"),
        "{variants}"
    );
    assert!(variants.contains("- lts: has no version\n"), "{variants}");
}

#[test]
fn latest_keeps_all_tags_of_a_version() {
    assert_eq!(
        selected("{ semver: '*', latest: 2 }", NODE),
        ["22.11", "22.11.0", "22"]
    );
    assert_eq!(
        selected("{ glob: '*-slim-bookworm', latest: 1 }", PYTHON),
        ["3.13.0-slim-bookworm"]
    );
    assert_eq!(
        selected("{ glob: '*-slim-bookworm', latest: 2 }", PYTHON),
        ["3.13.0-slim-bookworm", "3.12.7-slim-bookworm"]
    );
}

#[test]
fn pre_releases_are_selected_only_with_prereleases() {
    assert_eq!(selected("{ semver: '>=3.13' }", PYTHON), ["3.13", "3.13.0"]);
    assert_eq!(
        selected("{ semver: '>=3.13', prereleases: true }", PYTHON),
        ["3.14.0a2", "3.13", "3.13.0", "3.13.0rc3"]
    );
    let why = text(&judge("{ glob: '3.1[34]*' }", PYTHON));
    assert!(
        why.contains("- 3.13.0rc3-slim-bookworm: is a pre-release\n"),
        "{why}"
    );
    assert!(
        why.contains("- 3.14-rc-slim-bookworm: is a pre-release\n"),
        "{why}"
    );
    assert_eq!(
        selected(
            "{ regex: '1[67]\\.\\d+', newest: 3, prereleases: true }",
            POSTGRES
        ),
        ["17.1", "17.0", "16.5"]
    );
    assert_eq!(
        selected(
            "{ glob: '17*', newest: 2, prereleases: true, exclude: '*.*' }",
            POSTGRES
        ),
        ["17", "17rc1"]
    );
}

#[test]
fn a_glob_and_a_regex_match_the_whole_tag() {
    assert_eq!(
        selected("{ glob: '1.27.*' }", NGINX),
        [
            "1.27.3",
            "1.27.3-alpine3.20-perl",
            "1.27.3-bookworm-otel",
            "1.27.2"
        ]
    );
    assert_eq!(
        selected("{ regex: '1\\.27\\.\\d+' }", NGINX),
        ["1.27.3", "1.27.2"]
    );
    assert_eq!(
        selected("{ regex: 'stable-alpine|mainline' }", NGINX),
        ["mainline", "stable-alpine"]
    );
    assert_eq!(
        selected("{ glob: '1.27.*', exclude: ['*-otel', '*-perl'] }", NGINX),
        ["1.27.3", "1.27.2"]
    );
    let why = text(&judge(
        "{ glob: '1.27.*', exclude: ['*-otel', '*-perl'] }",
        NGINX,
    ));
    assert!(
        why.contains("- 1.27.3-alpine3.20-perl: is excluded by *-perl\n"),
        "{why}"
    );
}

#[test]
fn a_leading_v_is_not_part_of_the_version() {
    assert_eq!(
        selected("{ semver: '^1.2' }", GO_PROJECT),
        ["v1.10.0", "v1.2.3", "v1.2.2"]
    );
    assert_eq!(
        selected("{ semver: '>=1.2.3', prereleases: true }", GO_PROJECT),
        [
            "v2.0.0-rc.2",
            "v1.10.0",
            "v1.3.0-beta.1",
            "v1.2.3",
            "v1.2.3-rc.1"
        ]
    );
    assert_eq!(
        selected("{ glob: 'v*', newest: 2 }", GO_PROJECT),
        ["v1.10.0", "v1.2.3"]
    );
}

#[test]
fn dates_are_below_versions_and_in_no_range() {
    assert_eq!(
        selected("{ glob: '20*', newest: 3 }", DATED),
        ["2024.01.05", "2024-04-01", "20240311"]
    );
    assert_eq!(
        selected("{ regex: '\\d{8}', latest: 2 }", DATED),
        ["20240311", "20240105"]
    );
    assert_eq!(
        selected("{ glob: '*', latest: 2 }", DATED),
        ["2024.01.05", "3.19"]
    );
    let why = text(&judge("{ semver: '>=3' }", DATED));
    assert!(
        why.contains("- 20240311: is a date, which semver does not compare\n"),
        "{why}"
    );
}

#[test]
fn windows_tags_are_selected_by_their_names() {
    assert_eq!(
        selected(
            "{ glob: '*nanoserver*', semver: '8', prereleases: true }",
            WINDOWS
        ),
        [
            "8.0.10-nanoserver-ltsc2022",
            "8.0-nanoserver-1809",
            "8.0.0-preview.7-nanoserver-1809"
        ]
    );
    assert_eq!(
        selected("{ glob: 'ltsc*', newest: 2 }", WINDOWS),
        ["ltsc2019", "ltsc2022"]
    );
    assert_eq!(selected("{ semver: '8' }", WINDOWS), ["8.0"]);
    assert_eq!(
        selected("{ regex: '10\\..*' }", WINDOWS),
        ["10.0.17763.5329-amd64"]
    );
}

#[test]
fn newest_orders_by_version_then_variant_then_name() {
    let tags = ["b", "a", "2-z", "2-a", "2", "1", "2.0", "3rc1"];
    assert_eq!(
        selected("{ glob: '*', newest: 6 }", &tags),
        ["2", "2.0", "2-a", "2-z", "1", "a"]
    );
    let why = text(&judge("{ glob: '*', newest: 1 }", &tags));
    assert!(
        why.starts_with(
            "- 3rc1: is a pre-release\n+ 2: matches *, is the newest\n- 2.0: is not the newest\n"
        ),
        "{why}"
    );
    let pin = format!("sha256_{}", "0".repeat(64));
    assert_eq!(
        text(&judge("{ glob: '*' }", &[&pin])),
        format!("- {pin}: is the name of a digest\n")
    );
    let why = text(&judge("{ glob: '*', latest: 1 }", &["latest", "1"]));
    assert!(
        why.ends_with("- latest: has no version, and only the latest are taken\n"),
        "{why}"
    );
}
