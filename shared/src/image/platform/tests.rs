use super::*;

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

fn choice(texts: &[&str]) -> Platforms {
    let mut platforms = Vec::new();
    for text in texts {
        platforms.push(platform(text));
    }
    platforms.into()
}

#[test]
fn a_platform_has_one_name() {
    for (written, name) in [
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm", "linux/arm"),
        ("linux/arm/v7", "linux/arm"),
        ("linux/arm/6", "linux/arm/v6"),
        ("Linux/x86_64", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"),
    ] {
        assert_eq!(platform(written).to_string(), name, "{written}");
    }
}

#[test]
fn an_invalid_platform_is_an_error() {
    for text in [
        "",
        "linux",
        "linux/",
        "/amd64",
        "linux/arm/v7/x",
        "linux/am d64",
        "windows()/amd64",
        "a(b/c",
    ] {
        assert!(text.parse::<Platform>().is_err(), "{text}");
    }
}

#[test]
fn a_version_of_windows_matches_its_builds() {
    let server = Platform::new("windows", Some("10.0.17763.6293"), "amd64", None);
    for chosen in [
        "windows/amd64",
        "windows(10.0.17763)/amd64",
        "windows(10.0.17763.6293)/amd64",
    ] {
        assert!(server.matches(&platform(chosen)), "{chosen}");
    }
    for other in [
        "windows(10.0.1776)/amd64",
        "windows(10.0.20348)/amd64",
        "linux/amd64",
    ] {
        assert!(!server.matches(&platform(other)), "{other}");
    }
}

/// The platform of a configuration.
fn read(json: &str) -> Option<String> {
    let platform = Platform::from_configuration(json.as_bytes())?;
    Some(platform.to_string())
}

#[test]
fn a_configuration_has_its_platform() {
    let arm = r#"{
        "os": "linux",
        "architecture": "arm64",
        "variant": "v8",
        "config": {}
    }"#;
    assert_eq!(read(arm).unwrap(), "linux/arm64");
    let windows = r#"{
        "os": "windows",
        "architecture": "amd64",
        "os.version": "10.0.1"
    }"#;
    assert_eq!(read(windows).unwrap(), "windows(10.0.1)/amd64");
    assert_eq!(read(r#"{"name":"chart"}"#), None);
    assert_eq!(read(r#"{"os":"","architecture":""}"#), None);
}

#[test]
fn a_variant_matches_only_itself_and_its_default_name() {
    let arm = platform("linux/arm");
    let arm_v7 = Platform::new("linux", None, "arm", Some("v7"));
    assert!(arm_v7.matches(&arm));
    let arm_v6 = Platform::new("linux", None, "arm", Some("v6"));
    assert!(!arm_v6.matches(&arm));
    let arm64 = Platform::new("linux", None, "arm64", None);
    assert!(arm64.matches(&platform("linux/arm64/v8")));
}

#[test]
fn a_choice_does_not_depend_on_how_it_is_written() {
    let one = choice(&["linux/arm64", "linux/amd64"]);
    assert_eq!(one.to_string(), "linux/amd64,linux/arm64");
    let same = choice(&["linux/x86_64", "linux/arm64/v8", "linux/amd64"]);
    assert_eq!(one.fingerprint(), same.fingerprint());
    let fewer = choice(&["linux/amd64"]);
    assert_ne!(one.fingerprint(), fewer.fingerprint());
}

#[test]
fn the_union_of_choices_has_the_platforms_of_both() {
    let one = choice(&["linux/arm64", "linux/amd64"]);
    let more = one.clone().or(choice(&["linux/386"]));
    assert_eq!(more.to_string(), "linux/386,linux/amd64,linux/arm64");
    assert_eq!(one.or(Platforms::ALL), Platforms::ALL);
}
