use super::*;

fn image(text: &str) -> ImageRef {
    text.parse().unwrap()
}

fn full(text: &str) -> String {
    image(text).to_string()
}

#[test]
fn short_names_are_spelled_out() {
    for (written, full_name) in [
        ("node:21-alpine", "docker.io/library/node:21-alpine"),
        ("grafana/grafana:11.2.0", "docker.io/grafana/grafana:11.2.0"),
        ("quay.io/a/b/c:v1", "quay.io/a/b/c:v1"),
        ("127.0.0.1:5000/x:1", "127.0.0.1:5000/x:1"),
    ] {
        assert_eq!(full(written), full_name);
    }
}

#[test]
fn all_hosts_of_docker_hub_become_one_name() {
    for written in [
        "docker.io/library/node:1",
        "index.docker.io/library/node:1",
        "registry-1.docker.io/library/node:1",
        "registry.hub.docker.com/library/node:1",
        "registry-1.docker.io/node:1",
    ] {
        assert_eq!(full(written), "docker.io/library/node:1", "{written}");
    }
}

#[test]
fn a_missing_tag_is_an_error() {
    let error = "node".parse::<ImageRef>().unwrap_err().to_string();
    assert!(error.contains("names no tag"), "{error}");
    let parsed = parse("127.0.0.1:5000/x").unwrap();
    assert_eq!(parsed.tag, None);
}

#[test]
fn the_tag_of_a_pin_identifies_the_pin() {
    let hex = "0123456789abcdef".repeat(4);
    let bare = format!("node@sha256:{hex}");
    assert_eq!(full(&bare), format!("docker.io/library/{bare}"));
    let pin = image(&bare);
    let tag = format!("sha256_{hex}");
    assert_eq!(pin.tag(), tag);
    let digest = pin.digest().unwrap();
    assert_eq!(digest.as_str(), format!("sha256:{hex}"));
    let tagged = pin.tagged();
    assert_eq!(tagged, format!("docker.io/library/node:{tag}"));
    let from_tag = ImageRef::new(pin.repository().clone(), pin.tag()).unwrap();
    assert_eq!(from_tag, pin);
    assert_eq!(image(&tagged), pin);
    assert_eq!(image(&format!("{tagged}@sha256:{hex}")), pin);
}

#[test]
fn a_pin_with_a_tag_differs_from_the_tag() {
    let hex = "0123456789abcdef".repeat(4);
    let written = format!("node:21@sha256:{hex}");
    assert_eq!(full(&written), format!("docker.io/library/{written}"));
    let pin = image(&written);
    assert_ne!(pin, image("node:21"));
    assert_eq!(pin.tag(), "21");
}

#[test]
fn a_pin_survives_serialization() {
    let hex = "0123456789abcdef".repeat(4);
    for name in ["node", "node:21"] {
        let pin = image(&format!("{name}@sha256:{hex}"));
        let json = serde_json::to_string(&pin).unwrap();
        let read: ImageRef = serde_json::from_str(&json).unwrap();
        assert_eq!(read, pin);
    }
}

#[test]
fn a_tag_that_resembles_a_digest_is_a_tag() {
    let with_hyphen = format!("sha256-{}", "0".repeat(64));
    let with_capitals = format!("sha256_{}", "A".repeat(64));
    for tag in ["sha256_", "sha256_0a", &with_hyphen, &with_capitals] {
        let tagged = image(&format!("node:{tag}"));
        assert_eq!(tagged.digest(), None, "{tag}");
    }
}

#[test]
fn an_invalid_reference_is_an_error() {
    let zeros = "0".repeat(64);
    let ones = "1".repeat(64);
    let other_digest = format!("node:sha256_{zeros}@sha256:{ones}");
    let sha512 = format!("node@sha512:{zeros}{zeros}");
    for text in [
        "",
        "node:",
        "Node:1",
        "node:a b",
        "node:1/../2",
        "-:1",
        "node@sha256:0a",
        "node@",
        &other_digest,
        &sha512,
    ] {
        assert!(text.parse::<ImageRef>().is_err(), "{text}");
    }
}
