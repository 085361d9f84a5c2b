use super::*;
use crate::catalogue::CatalogueImage;

const DESIGN: &str = r#"
destinations:
  private: { ecr: { repository: "docker-hub/{repository}" } }
  public:  { ecr-public: { alias: my-alias, repository: "{name}" } }
defaults: { to: [private], platforms: [linux/amd64, linux/arm64] }
images:
  - { image: node, tags: [21-alpine, 22-alpine] }
  - image: grafana/grafana
    tags: [11.2.0, 1.10]
    to: [private, public]
    priority: 10
    platforms: all
"#;

/// The catalogue of the documents `doc0`, `doc1`, and so on.
fn parse(texts: &[&str]) -> Result<Catalogue, Problems> {
    let mut documents = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let name = format!("doc{index}");
        documents.push(Document::parse(&name, text)?);
    }
    Catalogue::merge(&documents)
}

fn read(texts: &[&str]) -> Catalogue {
    parse(texts).unwrap()
}

fn problems(text: &str) -> String {
    parse(&[text]).unwrap_err().to_string()
}

fn options(catalogue: &Catalogue, image: &str) -> Options {
    let image = image.parse().unwrap();
    catalogue.resolve(image).options
}

/// `3 docker.io/library/node:21 ["private"] all` for each image.
fn lines(catalogue: &Catalogue) -> Vec<String> {
    let mut lines = Vec::new();
    for CatalogueImage { image, options } in &catalogue.images {
        let priority = options.priority;
        let to = &options.to;
        let platforms = options.platforms.as_ref().unwrap();
        lines.push(format!("{priority} {image} {to:?} {platforms}"));
    }
    lines
}

#[test]
fn images_are_sorted_by_priority_then_by_name() {
    assert_eq!(
        lines(&read(&[DESIGN])),
        [
            r#"10 docker.io/grafana/grafana:1.10 ["private", "public"] all"#,
            r#"10 docker.io/grafana/grafana:11.2.0 ["private", "public"] all"#,
            r#"0 docker.io/library/node:21-alpine ["private"] linux/amd64,linux/arm64"#,
            r#"0 docker.io/library/node:22-alpine ["private"] linux/amd64,linux/arm64"#,
        ]
    );
}

#[test]
fn an_image_of_two_documents_goes_to_the_destinations_of_both() {
    let team = "images: [{ image: 'node:21-alpine', to: [public], priority: 3 }]";
    let lines = lines(&read(&[DESIGN, team]));
    let node = lines.iter().find(|line| line.contains("node:21-alpine"));
    assert_eq!(
        node.unwrap(),
        r#"3 docker.io/library/node:21-alpine ["private", "public"] linux/amd64,linux/arm64"#
    );
}

#[test]
fn without_destinations_the_private_registry_is_the_destination() {
    let catalogue = read(&["images: [{ image: node, tags: [21] }]"]);
    let node = r#"0 docker.io/library/node:21 ["private"] all"#;
    assert_eq!(lines(&catalogue), [node]);
}

#[test]
fn all_problems_are_reported_with_line_and_key() {
    let text = "\
destinations:
  private: { ecr: { repository: 'x/{repo}' } }
  other: { registry: { host: 'a/b', repository: y } }
images:
  - { image: 'Node', tags: [1] }
  - { image: node, tags: ['a b'] }
  - { image: redis }
";
    let problems = problems(text);
    for part in [
        "doc0 line 2: destinations.private: unknown placeholder {repo}",
        "doc0 line 3: destinations.other: \"a/b\" is not a registry host",
        "doc0 line 5: images[0].image: \"Node\" is not an image reference",
        "doc0 line 6: images[1].tags: \"a b\" is not an image reference",
        "doc0 line 7: images[2].tags: redis names no tag",
    ] {
        assert!(problems.contains(part), "{part} in:\n{problems}");
    }
}

#[test]
fn an_unknown_key_is_an_error_with_its_line() {
    let text = "\
images:
  - { image: node, tags: [1], too: [x] }
";
    let problems = problems(text);
    assert!(problems.contains("too"), "{problems}");
    assert!(problems.contains("line 2"), "{problems}");
}

#[test]
fn an_invalid_platform_is_a_problem_with_its_line() {
    for (list, why) in [
        ("[linux]", "is not a platform"),
        ("[]", "the list is empty"),
        ("some", "neither `all` nor a list"),
    ] {
        let problems = problems(&format!("defaults: {{ platforms: {list} }}\nimages: []"));
        assert!(problems.contains(why), "{problems}");
        assert!(problems.contains("line 1"), "{problems}");
    }
}

#[test]
fn an_image_of_two_documents_has_the_platforms_of_both() {
    let team = "
images:
  - { image: 'node:21-alpine', platforms: [linux/s390x] }
  - { image: 'node:22-alpine', platforms: all }
";
    let catalogue = read(&[DESIGN, team]);
    let union = options(&catalogue, "node:21-alpine");
    let platforms = union.platforms.unwrap().to_string();
    assert_eq!(platforms, "linux/amd64,linux/arm64,linux/s390x");
    let all = options(&catalogue, "node:22-alpine");
    assert_eq!(all.platforms, Some(Platforms::ALL));
}

#[test]
fn an_unknown_destination_is_reported_with_the_known_ones() {
    let text = DESIGN.replace("to: [private, public]", "to: [pubic]");
    let problems = problems(&text);
    let expected = r#"no destination is called "pubic"; there are: private, public"#;
    assert!(problems.contains(expected), "{problems}");
}

#[test]
fn two_images_with_one_target_are_a_problem() {
    let text = "
destinations:
  one: { ecr: { repository: nomorelimit, tag: '{name}-{tag}' } }
images:
  - { image: a-b, tags: [c] }
  - { image: a, tags: [b-c] }
";
    let problems = problems(text);
    let expected = "both would become nomorelimit:a-b-c";
    assert!(problems.contains(expected), "{problems}");
}

#[test]
fn an_image_is_resolved_by_the_catalogue_else_by_the_defaults() {
    let catalogue = read(&[DESIGN]);
    let known = options(&catalogue, "grafana/grafana:11.2.0");
    assert_eq!(known.to, ["private", "public"]);
    let unknown = options(&catalogue, "redis:7");
    assert_eq!(unknown.to, ["private"]);
    let platforms = unknown.platforms.unwrap().to_string();
    assert_eq!(platforms, "linux/amd64,linux/arm64");
}
