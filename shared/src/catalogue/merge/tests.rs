use super::*;
use crate::catalogue::CatalogueImage;

const DESIGN: &str = r#"
destinations:
  private: { ecr: { repository: "docker-hub/{repository}" } }
  public:  { ecr-public: { alias: my-alias, repository: "{name}" } }
defaults: { to: [private], platforms: [linux/amd64, linux/arm64] }
images:
  - { image: node, tags: [21-alpine, 22-alpine] }
  - { image: grafana/grafana, tags: [11.2.0, 1.10], to: [private, public], priority: 10, platforms: all }
"#;

fn read(texts: &[&str]) -> Result<Catalogue, String> {
    let parse = |(index, text): (usize, &&str)| Document::parse(&format!("doc{index}"), text);
    let documents = texts
        .iter()
        .enumerate()
        .map(parse)
        .collect::<Result<Vec<_>, _>>();
    documents
        .and_then(|documents| Catalogue::merge(&documents))
        .map_err(|problems| problems.to_string())
}

fn lines(catalogue: &Catalogue) -> Vec<String> {
    let line = |entry: &CatalogueImage| {
        let Options {
            to,
            priority,
            platforms,
        } = &entry.options;
        format!(
            "{priority} {} {to:?} {}",
            entry.image,
            platforms.as_ref().unwrap()
        )
    };
    catalogue.images.iter().map(line).collect()
}

#[test]
fn images_are_sorted_by_priority_then_by_name() {
    assert_eq!(
        lines(&read(&[DESIGN]).unwrap()),
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
    let catalogue = read(&[DESIGN, team]).unwrap();
    let both =
        r#"3 docker.io/library/node:21-alpine ["private", "public"] linux/amd64,linux/arm64"#;
    assert!(
        lines(&catalogue).contains(&both.to_owned()),
        "{:?}",
        lines(&catalogue)
    );
}

#[test]
fn without_destinations_the_private_registry_is_the_destination() {
    let catalogue = read(&["images: [{ image: node, tags: [21] }]"]).unwrap();
    assert_eq!(
        lines(&catalogue),
        [r#"0 docker.io/library/node:21 ["private"] all"#]
    );
}

#[test]
fn all_problems_are_reported_with_line_and_key() {
    let text = "destinations:\n  private: { ecr: { repository: 'x/{repo}' } }\n  other: { registry: { host: 'a/b', repository: y } }\nimages:\n  - { image: 'Node', tags: [1] }\n  - { image: node, tags: ['a b'] }\n  - { image: redis }\n";
    let problems = read(&[text]).unwrap_err();
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
    let problems = read(&["images:\n  - { image: node, tags: [1], too: [x] }\n"]).unwrap_err();
    assert!(
        problems.contains("too") && problems.contains("line 2"),
        "{problems}"
    );
}

#[test]
fn an_invalid_platform_is_a_problem_with_its_line() {
    for (list, why) in [
        ("[linux]", "is not a platform"),
        ("[]", "the list is empty"),
        ("some", "neither `all` nor a list"),
    ] {
        let problems =
            read(&[&format!("defaults: {{ platforms: {list} }}\nimages: []")]).unwrap_err();
        assert!(
            problems.contains(why) && problems.contains("line 1"),
            "{problems}"
        );
    }
}

#[test]
fn an_image_of_two_documents_has_the_platforms_of_both() {
    let team = "images: [{ image: 'node:21-alpine', platforms: [linux/s390x] }, { image: 'node:22-alpine', platforms: all }]";
    let catalogue = read(&[DESIGN, team]).unwrap();
    let of = |tag: &str| {
        catalogue
            .resolve(format!("node:{tag}").parse().unwrap())
            .options
            .platforms
            .unwrap()
            .to_string()
    };
    assert_eq!(
        [of("21-alpine"), of("22-alpine")],
        ["linux/amd64,linux/arm64,linux/s390x", "all"]
    );
}

#[test]
fn an_unknown_destination_is_reported_with_the_known_ones() {
    let problems = read(&[&DESIGN.replace("to: [private, public]", "to: [pubic]")]).unwrap_err();
    assert!(
        problems.contains(r#"no destination is called "pubic"; there are: private, public"#),
        "{problems}"
    );
}

#[test]
fn two_images_with_one_target_are_a_problem() {
    let text = "destinations: { one: { ecr: { repository: nomorelimit, tag: '{name}-{tag}' } } }\nimages: [{ image: a-b, tags: [c] }, { image: a, tags: [b-c] }]";
    let problems = read(&[text]).unwrap_err();
    assert!(
        problems.contains("both would become nomorelimit:a-b-c"),
        "{problems}"
    );
}

#[test]
fn an_image_is_resolved_by_the_catalogue_else_by_the_defaults() {
    let catalogue = read(&[DESIGN]).unwrap();
    assert_eq!(
        catalogue
            .resolve("grafana/grafana:11.2.0".parse().unwrap())
            .options
            .to,
        ["private", "public"]
    );
    let unknown = catalogue.resolve("redis:7".parse().unwrap()).options;
    assert_eq!(unknown.to, ["private"]);
    assert_eq!(
        unknown.platforms.unwrap().to_string(),
        "linux/amd64,linux/arm64"
    );
}
