use super::*;

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
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
    assert!(server.matches(&platform("windows/amd64")));
    assert!(server.matches(&platform("windows(10.0.17763)/amd64")));
    assert!(server.matches(&platform("windows(10.0.17763.6293)/amd64")));
    assert!(!server.matches(&platform("windows(10.0.1776)/amd64")));
    assert!(!server.matches(&platform("windows(10.0.20348)/amd64")));
    assert!(!server.matches(&platform("linux/amd64")));
}

#[test]
fn a_configuration_has_its_platform() {
    let read = |text: &str| {
        Platform::from_configuration(text.as_bytes()).map(|platform| platform.to_string())
    };
    assert_eq!(
        read(r#"{"os":"linux","architecture":"arm64","variant":"v8","config":{}}"#).unwrap(),
        "linux/arm64"
    );
    assert_eq!(
        read(r#"{"os":"windows","architecture":"amd64","os.version":"10.0.1"}"#).unwrap(),
        "windows(10.0.1)/amd64"
    );
    assert_eq!(read(r#"{"name":"chart"}"#), None);
    assert_eq!(read(r#"{"os":"","architecture":""}"#), None);
}

#[test]
fn a_variant_matches_only_itself_and_its_default_name() {
    assert!(Platform::new("linux", None, "arm", Some("v7")).matches(&platform("linux/arm")));
    assert!(!Platform::new("linux", None, "arm", Some("v6")).matches(&platform("linux/arm")));
    assert!(Platform::new("linux", None, "arm64", None).matches(&platform("linux/arm64/v8")));
}

#[test]
fn a_choice_does_not_depend_on_how_it_is_written() {
    let choice = |texts: &[&str]| {
        Platforms::from(texts.iter().map(|text| platform(text)).collect::<Vec<_>>())
    };
    let one = choice(&["linux/arm64", "linux/amd64"]);
    assert_eq!(one.to_string(), "linux/amd64,linux/arm64");
    assert_eq!(
        one.fingerprint(),
        choice(&["linux/x86_64", "linux/arm64/v8", "linux/amd64"]).fingerprint()
    );
    assert_ne!(one.fingerprint(), choice(&["linux/amd64"]).fingerprint());
    assert_eq!(
        one.clone().or(choice(&["linux/386"])).to_string(),
        "linux/386,linux/amd64,linux/arm64"
    );
    assert_eq!(one.or(Platforms::ALL), Platforms::ALL);
}
