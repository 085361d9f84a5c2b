use super::*;
use crate::catalogue::document::RegistrySpec;

/// A destination with these templates.
fn destination(repository: &str, tag: &str) -> Result<Destination, String> {
    let spec = DestinationSpec::Registry(RegistrySpec {
        host: "127.0.0.1:5000".to_owned(),
        repository: repository.to_owned(),
        tag: Some(tag.to_owned()),
    });
    Destination::new("lab", &spec)
}

/// `path:tag` of `image` at a destination with these templates.
fn target_name(repository: &str, tag: &str, image: &str) -> Result<String, String> {
    let image = image.parse().unwrap();
    let (path, tag) = destination(repository, tag)?.target_name(&image)?;
    Ok(format!("{path}:{tag}"))
}

/// The image that has this name at a destination with these templates.
fn find_image(repository: &str, tag: &str, path: &str, target_tag: &str) -> Option<String> {
    let destination = destination(repository, tag).unwrap();
    let image = destination.find_image(path, target_tag)?;
    Some(image.to_string())
}

#[test]
fn a_name_at_the_destination_identifies_the_image() {
    let node = Some("docker.io/library/node:99".to_owned());
    assert_eq!(
        find_image(
            "docker-hub/{repository}",
            "{tag}",
            "docker-hub/library/node",
            "99"
        ),
        node
    );
    assert_eq!(find_image("{name}", "{tag}", "node", "99"), node);
    assert_eq!(
        find_image("m/{namespace}/{name}", "{tag}", "m/library/node", "99"),
        node
    );
    assert_eq!(
        find_image("nomorelimit", "{name}-{tag}", "nomorelimit", "node-99"),
        node
    );
    assert_eq!(
        find_image("{registry}/{repository}", "{tag}", "quay.io/a/b", "1"),
        Some("quay.io/a/b:1".to_owned())
    );
}

#[test]
fn the_tag_of_a_pin_identifies_the_pin() {
    let pin = format!("docker.io/library/node@sha256:{}", "0".repeat(64));
    let tag = format!("sha256_{}", "0".repeat(64));
    assert_eq!(
        target_name("docker-hub/{repository}", "{tag}", &pin).unwrap(),
        format!("docker-hub/library/node:{tag}")
    );
    assert_eq!(
        find_image(
            "docker-hub/{repository}",
            "{tag}",
            "docker-hub/library/node",
            &tag
        ),
        Some(pin.clone())
    );
    assert_eq!(
        find_image("all", "{name}-{tag}", "all", &format!("node-{tag}")),
        Some(pin)
    );
}

#[test]
fn a_name_that_fits_no_template_identifies_no_image() {
    assert_eq!(
        find_image(
            "docker-hub/{repository}",
            "{tag}",
            "other/library/node",
            "99"
        ),
        None
    );
    assert_eq!(
        find_image("nomorelimit", "{tag}", "nomorelimit", "99"),
        None
    );
    assert_eq!(
        find_image(
            "docker-hub/{repository}",
            "v{tag}",
            "docker-hub/library/node",
            "99"
        ),
        None
    );
}

#[test]
fn a_name_at_the_destination_identifies_the_tag_of_a_known_repository() {
    let of = |repository: &str, tag: &str, path: &str, placed: &str| {
        let known = reference::parse("grafana/grafana").unwrap().repository;
        destination(repository, tag)
            .unwrap()
            .find_image_of(&known, path, placed)
            .map(|image| image.tag().to_owned())
    };
    assert_eq!(
        of("{name}", "{tag}", "grafana", "11"),
        Some("11".to_owned())
    );
    assert_eq!(
        of(
            "all",
            "{namespace}-{name}-v{tag}",
            "all",
            "grafana-grafana-v11"
        ),
        Some("11".to_owned())
    );
    assert_eq!(
        of("{name}/{tag}", "x", "grafana/11", "x"),
        Some("11".to_owned())
    );
    assert_eq!(of("{name}", "{tag}", "node", "11"), None);
    assert_eq!(
        of("{name}", "x", "grafana", "x"),
        None,
        "every tag has this name"
    );
    assert_eq!(of("{tag}", "{tag}", "11", "12"), None);
}

#[test]
fn templates_are_rendered() {
    assert_eq!(
        target_name("docker-hub/{repository}", "{tag}", "node:21").unwrap(),
        "docker-hub/library/node:21"
    );
    assert_eq!(
        target_name("nomorelimit", "{name}-{tag}", "ruby:2.7.1-slim").unwrap(),
        "nomorelimit:ruby-2.7.1-slim"
    );
    assert_eq!(
        target_name("{registry}/{namespace}/{name}", "{tag}", "quay.io/a/b/c:1").unwrap(),
        "quay.io/a/b/c:1"
    );
    assert_eq!(
        target_name("{registry}", "x", "127.0.0.1:5000/c:1").unwrap(),
        "127.0.0.1-5000:x"
    );
}

#[test]
fn an_invalid_name_is_an_error() {
    for (repository, tag) in [
        ("Docker/{name}", "{tag}"),
        ("a//b", "{tag}"),
        ("", "x"),
        ("a", "x:y"),
        ("a:b", "c"),
    ] {
        assert!(
            target_name(repository, tag, "node:21").is_err(),
            "{repository}:{tag}"
        );
    }
    assert!(
        target_name("{name", "x", "node:21")
            .unwrap_err()
            .contains("closing brace")
    );
}

#[test]
fn a_host_has_a_dot_or_a_port() {
    assert_eq!(parse_host("127.0.0.1:5000").unwrap(), "127.0.0.1:5000");
    assert_eq!(parse_host("registry.lab").unwrap(), "registry.lab");
    for text in [
        "lab",
        "a/b",
        "docker.io",
        "https://x.y",
        "registry-1.docker.io",
    ] {
        assert!(parse_host(text).is_err(), "{text}");
    }
}

#[test]
fn an_account_and_a_region_are_checked() {
    let ecr = |account: Option<&str>, region: Option<&str>| {
        let spec = DestinationSpec::Ecr(EcrSpec {
            repository: "x".to_owned(),
            tag: None,
            region: region.map(str::to_owned),
            account: account.map(str::to_owned),
        });
        Destination::new("private", &spec).map(|destination| destination.kind)
    };
    assert_eq!(
        ecr(None, Some("eu-west-1")),
        Ok(DestinationKind::Ecr {
            account: None,
            region: Some("eu-west-1".to_owned()),
        })
    );
    assert_eq!(
        ecr(Some("1234"), None),
        Err("\"1234\" is not an AWS account (12 digits)".to_owned())
    );
    assert_eq!(
        ecr(Some("111122223333"), Some("eu.west")),
        Err("\"eu.west\" is not an AWS region".to_owned())
    );
}
