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

/// Splits the templates of repository and tag, `{repository}:{tag}`. The tag begins after the last
/// colon.
fn split(text: &str) -> (&str, &str) {
    text.rsplit_once(':').unwrap()
}

/// `path:tag` of `image` at a destination with these templates.
fn target_name(templates: &str, image: &str) -> Result<String, String> {
    let (repository, tag) = split(templates);
    let image = image.parse().unwrap();
    let (path, tag) = destination(repository, tag)?.target_name(&image)?;
    Ok(format!("{path}:{tag}"))
}

/// The image with the name `target`, `path:tag`, at a destination with these templates.
fn find_image(templates: &str, target: &str) -> Option<String> {
    let (repository, tag) = split(templates);
    let destination = destination(repository, tag).unwrap();
    let (path, tag) = split(target);
    let image = destination.find_image(path, tag)?;
    Some(image.to_string())
}

/// The tag of the image of `grafana/grafana` with the name `target`.
fn find_tag(templates: &str, target: &str) -> Option<String> {
    let known = reference::parse("grafana/grafana").unwrap();
    let (repository, tag) = split(templates);
    let destination = destination(repository, tag).unwrap();
    let (path, tag) = split(target);
    let image = destination.find_image_of(&known.repository, path, tag)?;
    Some(image.tag().to_owned())
}

#[test]
fn a_name_at_the_destination_identifies_the_image() {
    for (templates, target) in [
        (
            "docker-hub/{repository}:{tag}",
            "docker-hub/library/node:99",
        ),
        ("{name}:{tag}", "node:99"),
        ("m/{namespace}/{name}:{tag}", "m/library/node:99"),
        ("nomorelimit:{name}-{tag}", "nomorelimit:node-99"),
    ] {
        let image = find_image(templates, target);
        assert_eq!(image.as_deref(), Some("docker.io/library/node:99"));
    }
    let other = find_image("{registry}/{repository}:{tag}", "quay.io/a/b:1");
    assert_eq!(other.as_deref(), Some("quay.io/a/b:1"));
}

#[test]
fn the_tag_of_a_pin_identifies_the_pin() {
    let zeros = "0".repeat(64);
    let pin = format!("docker.io/library/node@sha256:{zeros}");
    let templates = "docker-hub/{repository}:{tag}";
    let target = format!("docker-hub/library/node:sha256_{zeros}");
    assert_eq!(target_name(templates, &pin).unwrap(), target);
    assert_eq!(find_image(templates, &target).unwrap(), pin);
    let target = format!("all:node-sha256_{zeros}");
    assert_eq!(find_image("all:{name}-{tag}", &target).unwrap(), pin);
}

#[test]
fn a_name_that_fits_no_template_identifies_no_image() {
    for (templates, target) in [
        ("docker-hub/{repository}:{tag}", "other/library/node:99"),
        ("nomorelimit:{tag}", "nomorelimit:99"),
        (
            "docker-hub/{repository}:v{tag}",
            "docker-hub/library/node:99",
        ),
    ] {
        assert_eq!(find_image(templates, target), None, "{target}");
    }
}

#[test]
fn a_name_at_the_destination_identifies_the_tag_of_a_known_repository() {
    for (templates, target) in [
        ("{name}:{tag}", "grafana:11"),
        ("all:{namespace}-{name}-v{tag}", "all:grafana-grafana-v11"),
        ("{name}/{tag}:x", "grafana/11:x"),
    ] {
        assert_eq!(find_tag(templates, target).as_deref(), Some("11"));
    }
    assert_eq!(find_tag("{name}:{tag}", "node:11"), None);
    let of_every_tag = find_tag("{name}:x", "grafana:x");
    assert_eq!(of_every_tag, None);
    assert_eq!(find_tag("{tag}:{tag}", "11:12"), None);
}

#[test]
fn templates_are_rendered() {
    for (templates, image, target) in [
        (
            "docker-hub/{repository}:{tag}",
            "node:21",
            "docker-hub/library/node:21",
        ),
        (
            "nomorelimit:{name}-{tag}",
            "ruby:2.7.1-slim",
            "nomorelimit:ruby-2.7.1-slim",
        ),
        (
            "{registry}/{namespace}/{name}:{tag}",
            "quay.io/a/b/c:1",
            "quay.io/a/b/c:1",
        ),
        ("{registry}:x", "127.0.0.1:5000/c:1", "127.0.0.1-5000:x"),
    ] {
        assert_eq!(target_name(templates, image).unwrap(), target);
    }
}

#[test]
fn an_invalid_name_is_an_error() {
    let node: ImageRef = "node:21".parse().unwrap();
    for (repository, tag) in [
        ("Docker/{name}", "{tag}"),
        ("a//b", "{tag}"),
        ("", "x"),
        ("a", "x:y"),
        ("a:b", "c"),
    ] {
        let destination = destination(repository, tag).unwrap();
        let target = destination.target_name(&node);
        assert!(target.is_err(), "{repository}:{tag}");
    }
    let problem = destination("{name", "x").unwrap_err();
    assert!(problem.contains("closing brace"), "{problem}");
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

/// A destination at private Amazon ECR.
fn ecr(account: Option<&str>, region: Option<&str>) -> Result<Destination, String> {
    let spec = EcrSpec {
        repository: "x".to_owned(),
        tag: None,
        region: region.map(str::to_owned),
        account: account.map(str::to_owned),
    };
    Destination::new("private", &DestinationSpec::Ecr(spec))
}

#[test]
fn an_account_and_a_region_are_checked() {
    let valid = ecr(None, Some("eu-west-1")).unwrap();
    let expected = DestinationKind::Ecr {
        account: None,
        region: Some("eu-west-1".to_owned()),
    };
    assert_eq!(valid.kind, expected);
    let bad_account = ecr(Some("1234"), None).unwrap_err();
    assert_eq!(bad_account, r#""1234" is not an AWS account (12 digits)"#);
    let bad_region = ecr(Some("111122223333"), Some("eu.west")).unwrap_err();
    assert_eq!(bad_region, r#""eu.west" is not an AWS region"#);
}
