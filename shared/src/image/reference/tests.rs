use super::*;

fn full(text: &str) -> String {
    text.parse::<ImageRef>().unwrap().to_string()
}

#[test]
fn short_names_are_spelled_out() {
    assert_eq!(full("node:21-alpine"), "docker.io/library/node:21-alpine");
    assert_eq!(
        full("grafana/grafana:11.2.0"),
        "docker.io/grafana/grafana:11.2.0"
    );
    assert_eq!(full("quay.io/a/b/c:v1"), "quay.io/a/b/c:v1");
    assert_eq!(full("127.0.0.1:5000/x:1"), "127.0.0.1:5000/x:1");
}

#[test]
fn all_hosts_of_docker_hub_become_one_name() {
    for host in [
        "docker.io",
        "index.docker.io",
        "registry-1.docker.io",
        "registry.hub.docker.com",
    ] {
        assert_eq!(
            full(&format!("{host}/library/node:1")),
            "docker.io/library/node:1"
        );
    }
    assert_eq!(
        full("registry-1.docker.io/node:1"),
        "docker.io/library/node:1"
    );
}

#[test]
fn a_missing_tag_is_an_error() {
    let error = "node".parse::<ImageRef>().unwrap_err().to_string();
    assert!(error.contains("names no tag"), "{error}");
    assert_eq!(parse("127.0.0.1:5000/x").unwrap().tag, None);
}

#[test]
fn the_tag_of_a_pin_identifies_the_pin() {
    let hex = "0123456789abcdef".repeat(4);
    let (bare, tagged) = (
        format!("node@sha256:{hex}"),
        format!("node:21@sha256:{hex}"),
    );
    assert_eq!(full(&bare), format!("docker.io/library/{bare}"));
    assert_eq!(full(&tagged), format!("docker.io/library/{tagged}"));
    let image: ImageRef = bare.parse().unwrap();
    assert_eq!(image.tag(), format!("sha256_{hex}"));
    assert_eq!(image.digest().unwrap().as_str(), format!("sha256:{hex}"));
    assert_eq!(
        image.tagged(),
        format!("docker.io/library/node:sha256_{hex}")
    );
    assert_eq!(
        ImageRef::new(image.repository().clone(), image.tag()).unwrap(),
        image
    );
    assert_eq!(image.tagged().parse::<ImageRef>().unwrap(), image);
    assert_eq!(
        format!("{}@sha256:{hex}", image.tagged())
            .parse::<ImageRef>()
            .unwrap(),
        image
    );
    assert_ne!(
        tagged.parse::<ImageRef>().unwrap(),
        "node:21".parse().unwrap()
    );
    assert_eq!(tagged.parse::<ImageRef>().unwrap().tag(), "21");
    for text in [&bare, &tagged] {
        let image: ImageRef = text.parse().unwrap();
        let json = serde_json::to_string(&image).unwrap();
        assert_eq!(serde_json::from_str::<ImageRef>(&json).unwrap(), image);
    }
}

#[test]
fn a_tag_that_resembles_a_digest_is_a_tag() {
    for tag in [
        "sha256_",
        "sha256_0a",
        &format!("sha256-{}", "0".repeat(64)),
        &format!("sha256_{}", "A".repeat(64)),
    ] {
        assert_eq!(
            format!("node:{tag}").parse::<ImageRef>().unwrap().digest(),
            None,
            "{tag}"
        );
    }
}

#[test]
fn an_invalid_reference_is_an_error() {
    let other = format!("node:sha256_{}@sha256:{}", "0".repeat(64), "1".repeat(64));
    let long = format!("node@sha512:{}", "0".repeat(128));
    for text in [
        "",
        "node:",
        "Node:1",
        "node:a b",
        "node:1/../2",
        "-:1",
        "node@sha256:0a",
        "node@",
        &other,
        &long,
    ] {
        assert!(text.parse::<ImageRef>().is_err(), "{text}");
    }
}
