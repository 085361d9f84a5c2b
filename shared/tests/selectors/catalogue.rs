//! Selections of a catalogue, and the requests that they lead to.

use std::time::{Duration, Instant};

use image_replicator::catalogue::{
    Catalogue, CatalogueImage, Document, Problems, SelectionResult, TagLists,
};
use image_replicator::error::{Cause, Error, Side};
use image_replicator::image::reference::{self, ImageRef, RepositoryRef};
use image_replicator::request::resolve::{requests, upstream_of};
use image_replicator::request::{DestinationRoots, Request, Trigger, TriggerKind};

const TWO_DESTINATIONS: &str = "\
destinations:
  private: { registry: { host: private.lab, repository: 'hub/{repository}' } }
  public: { registry: { host: public.lab, repository: '{name}' } }
defaults: { to: [private] }
";

fn document(name: &str, text: &str) -> Document {
    Document::parse(name, text).expect("it can be read")
}

/// The catalogue of the entries `images`, the first in line 6.
fn parse(images: &str) -> Result<Catalogue, Problems> {
    let text = format!("{TWO_DESTINATIONS}images:\n{images}");
    let document = Document::parse("doc", &text)?;
    Catalogue::merge(&[document])
}

fn catalogue(images: &str) -> Catalogue {
    parse(images).expect("it makes sense")
}

fn problems(images: &str) -> String {
    parse(images)
        .expect_err("the document is refused")
        .to_string()
}

/// The catalogue of an event's own images, with that of `team` as the base.
fn with_event(team: &str, event: &str) -> Catalogue {
    let text = format!("{TWO_DESTINATIONS}images:\n{team}");
    let team = document("team", &text);
    let event = document("event", event);
    Catalogue::with_event(&[team], &event).expect("it makes sense")
}

fn repository(name: &str) -> RepositoryRef {
    let parsed = reference::parse(name).expect("it is a name");
    parsed.repository
}

fn image(name: &str) -> ImageRef {
    name.parse().expect("it is an image")
}

/// The names of the destinations of `name`.
fn destinations_of(catalogue: &Catalogue, name: &str) -> Vec<String> {
    let resolved = catalogue.resolve(image(name));
    resolved.options.to
}

/// Lists of tags: a repository, and its tags with spaces between them.
fn lists(repositories: &[(&str, &str)]) -> TagLists {
    let mut lists = TagLists::new();
    for (name, tags) in repositories {
        let mut list = Vec::new();
        for tag in tags.split_whitespace() {
            list.push(tag.to_owned());
        }
        lists.insert(repository(name), Ok(list));
    }
    lists
}

/// The error of listing the tags of a repository.
fn unreadable() -> Error {
    Error::new(
        Side::Source,
        Cause::Unavailable,
        "list the tags of docker.io/library/nginx",
    )
}

fn expand(catalogue: Catalogue, lists: &TagLists) -> Catalogue {
    let (catalogue, _) = catalogue.expand(lists);
    catalogue
}

fn roots() -> DestinationRoots {
    let mut roots = DestinationRoots::new();
    for name in ["private", "public"] {
        let root = RepositoryRef {
            registry: format!("{name}.lab"),
            path: String::new(),
        };
        roots.insert(name.to_owned(), Ok(root));
    }
    roots
}

fn build_requests(catalogue: &Catalogue) -> Vec<Request> {
    let trigger = Trigger {
        kind: TriggerKind::Schedule,
        id: "e".to_owned(),
    };
    requests(catalogue, &catalogue.images, &roots(), &trigger)
}

/// The errors of all targets that cannot be used.
fn refused(catalogue: &Catalogue) -> Vec<String> {
    let mut errors = Vec::new();
    for request in build_requests(catalogue) {
        errors.extend(request.unresolved.iter().map(Error::chain));
    }
    errors
}

/// `0 docker.io/library/node:22 private` for each image.
fn lines(catalogue: &Catalogue) -> Vec<String> {
    let mut lines = Vec::new();
    for CatalogueImage { image, options } in &catalogue.images {
        let priority = options.priority;
        let to = options.to.join("+");
        lines.push(format!("{priority} {image} {to}"));
    }
    lines
}

fn error_chain(selected: &SelectionResult) -> String {
    let error = selected.error().expect("it takes nothing");
    error.chain()
}

#[test]
fn selected_images_join_named_ones_and_go_to_the_destinations_of_both() {
    let catalogue = catalogue(
        "\
- { image: node, tags: [lts, 22, { semver: '>=20' }] }
- { image: node, tags: { glob: '22*' }, to: [public], priority: 5 }
",
    );
    let list = lists(&[("node", "20 22 22-alpine lts 18")]);
    let (catalogue, selected) = catalogue.expand(&list);
    assert_eq!(
        lines(&catalogue),
        [
            "5 docker.io/library/node:22 private+public",
            "5 docker.io/library/node:22-alpine public",
            "0 docker.io/library/node:20 private",
            "0 docker.io/library/node:lts private",
        ]
    );
    assert_eq!(
        selected[0].to_string(),
        "\
select  docker.io/library/node:{semver >=20}  2 of 5 tags
take    docker.io/library/node:22  is within >=20
drop    docker.io/library/node:22-alpine  has the variant alpine; add a glob to select it
take    docker.io/library/node:20  is within >=20
drop    docker.io/library/node:18  is outside >=20
drop    docker.io/library/node:lts  has no version; the catalogue names it
"
    );
    for result in &selected {
        assert!(result.error().is_none(), "{result}");
    }
}

#[test]
fn a_failed_list_is_an_error_of_its_selection_only() {
    let catalogue = catalogue(
        "\
- { image: nginx, tags: [stable, { glob: '1.27.*' }] }
- { image: node, tags: { semver: '22' } }
",
    );
    let mut lists = lists(&[("node", "22")]);
    lists.insert(repository("nginx"), Err(unreadable()));
    let (catalogue, selected) = catalogue.expand(&lists);
    assert_eq!(
        lines(&catalogue),
        [
            "0 docker.io/library/nginx:stable private",
            "0 docker.io/library/node:22 private"
        ]
    );
    let [nginx, node] = &selected[..] else {
        panic!("two selections");
    };
    assert_eq!(nginx.name, "docker.io/library/nginx:{glob 1.27.*}");
    assert!(!nginx.is_listed());
    assert!(node.is_listed());
    assert_eq!(
        error_chain(nginx),
        "source: cannot list the tags of docker.io/library/nginx: the server is unavailable"
    );
}

#[test]
fn a_selector_that_takes_nothing_reports_examples_of_dropped_tags() {
    let catalogue = catalogue(
        "\
- { image: nginx, tags: { glob: '9.*' } }
- { image: node, tags: { glob: '*' } }
",
    );
    let lists = lists(&[("nginx", "1.1 1.2 1.3 latest"), ("node", "")]);
    let (_, selected) = catalogue.expand(&lists);
    assert_eq!(
        error_chain(&selected[0]),
        "source: cannot select tags of docker.io/library/nginx: not found: \
         none of its 4 tags is taken: \
         1.3 does not match 9.*, \
         1.2 does not match 9.*, \
         1.1 does not match 9.*"
    );
    assert_eq!(
        error_chain(&selected[1]),
        "source: cannot select tags of docker.io/library/node: not found: \
         the repository has no tags"
    );
}

#[test]
fn an_image_is_resolved_with_the_options_of_selections_that_may_take_it() {
    let catalogue = catalogue(
        "\
- image: node
  tags: { semver: '>=20 <23', latest: 1 }
  to: [public]
  priority: 3
- { image: node, tags: [22], to: [private] }
",
    );
    let to = |name: &str| destinations_of(&catalogue, name);
    assert_eq!(to("node:21.5"), ["public"]);
    assert_eq!(to("node:22"), ["private", "public"]);
    assert_eq!(to("node:23"), ["private"], "by default");
    let selectable = catalogue.resolve(image("node:21.5"));
    assert_eq!(selectable.options.priority, 3);
    let allows = |name: &str| catalogue.allows(&image(name));
    assert!(allows("node:21.5"));
    assert!(allows("node:22"));
    assert!(!allows("node:23"));
    assert!(!allows("redis:21.5"));
}

#[test]
fn a_target_identifies_the_image_that_a_selection_may_take() {
    let catalogue = catalogue("- { image: grafana/grafana, tags: { semver: '11' }, to: [public] }");
    let upstream = |uri: &str| upstream_of(&catalogue, &roots(), &image(uri));
    for (target, source) in [
        (
            "public.lab/grafana:11.2.0",
            "docker.io/grafana/grafana:11.2.0",
        ),
        // The selector does not take it, but the template names an official image.
        ("public.lab/grafana:12", "docker.io/library/grafana:12"),
        ("private.lab/hub/a/b:1", "docker.io/a/b:1"),
    ] {
        assert_eq!(upstream(target), Some(image(source)));
    }
    assert_eq!(upstream("elsewhere.lab/grafana:11.2.0"), None);
}

#[test]
fn a_selected_tag_never_gets_the_target_of_a_named_image() {
    let catalogue = catalogue(
        "\
- { image: a/tool, tags: ['1'], to: [public] }
- { image: b/tool, tags: { glob: '*' }, to: [public, private] }
",
    );
    let catalogue = expand(catalogue, &lists(&[("b/tool", "1 2")]));
    let requests = build_requests(&catalogue);
    let [named, refused, selected] = &requests[..] else {
        panic!("three requests");
    };
    assert_eq!(named.targets.len(), 1);
    assert!(named.unresolved.is_empty());
    assert_eq!(refused.targets.len(), 1);
    assert_eq!(refused.unresolved.len(), 1);
    assert_eq!(selected.targets.len(), 2);
    assert!(selected.unresolved.is_empty());
    assert_eq!(
        refused.unresolved[0].chain(),
        "configuration: cannot use public.lab/tool:1 for docker.io/b/tool:1: invalid: \
         it is the target of docker.io/a/tool:1; \
         give one of them another name in the catalogue"
    );
}

#[test]
fn of_two_selected_tags_with_one_target_neither_is_copied_there() {
    let catalogue = catalogue(
        "\
- { image: a/tool, tags: { glob: '*' }, to: [public] }
- { image: b/tool, tags: { glob: '1*' }, to: [public] }
",
    );
    let lists = lists(&[("a/tool", "1 2"), ("b/tool", "1 3")]);
    let refused = refused(&expand(catalogue, &lists));
    assert_eq!(refused.len(), 2, "{refused:?}");
    for error in &refused {
        let owners = "the target of docker.io/a/tool:1 and of docker.io/b/tool:1";
        assert!(error.contains(owners), "{error}");
    }
}

#[test]
fn a_target_is_reserved_for_a_selection_that_could_not_be_listed() {
    let catalogue = catalogue(
        "\
- { image: a/tool, tags: { semver: '1' }, to: [public] }
- { image: b/tool, tags: { glob: '*' }, to: [public] }
",
    );
    let mut lists = lists(&[("b/tool", "1.5 2")]);
    lists.insert(repository("a/tool"), Err(unreadable()));
    let refused = refused(&expand(catalogue, &lists));
    let [error] = &refused[..] else {
        panic!("one error: {refused:?}");
    };
    let expected = "cannot use public.lab/tool:1.5 for docker.io/b/tool:1.5: invalid: \
        it is the target of docker.io/a/tool:1.5";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn an_events_selection_uses_its_own_destinations_else_those_of_the_catalogue() {
    let team = "- { image: node, tags: ['22', { glob: '20*' }], to: [public] }";
    let list = lists(&[("node", "18 20.1 22")]);
    let open = with_event(team, "images: [{ image: node, tags: { glob: '*' } }]");
    assert_eq!(
        lines(&expand(open, &list)),
        [
            "0 docker.io/library/node:18 private",
            "0 docker.io/library/node:20.1 public",
            "0 docker.io/library/node:22 public"
        ]
    );
    let event = "images: [{ image: node, tags: { semver: '22' }, to: [private] }]";
    let stated = expand(with_event(team, event), &list);
    assert_eq!(lines(&stated), ["0 docker.io/library/node:22 private"]);
    // The catalogue's own selections need no list.
    let named = with_event(team, "images: [{ image: 'node:22' }]");
    let named = expand(named, &TagLists::new());
    assert_eq!(lines(&named), ["0 docker.io/library/node:22 public"]);
}

#[test]
fn an_events_image_never_gets_the_target_of_a_tag_that_the_catalogue_may_select() {
    let team = "- { image: b/tool, tags: { semver: '1' }, to: [public] }";
    let event = "images: [{ image: 'a/tool:1', to: [public] }]";
    let errors = refused(&with_event(team, event));
    let [error] = &errors[..] else {
        panic!("one error: {errors:?}");
    };
    let owner = "the target of docker.io/b/tool:1";
    assert!(error.contains(owner), "{error}");
    let event = "
images:
  - { image: 'a/tool:2', to: [public] }
  - { image: 'b/tool:1' }
";
    let errors = refused(&with_event(team, event));
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn every_fault_of_a_selector_is_reported_with_its_line_and_key() {
    let problems = problems(
        "\
- image: node
  tags:
    - lts
    - { semver: 'twenty',
        exclude: ['[', x] }
- { image: redis, tags: { regex: '(' } }
- { image: mysql, tags: { latest: 3 } }
- { image: mongo, tags: { glob: '*' }, to: [nowhere] }
",
    );
    for part in [
        "doc line 9: images[0].tags[1].semver: unexpected character 't'",
        "doc line 10: images[0].tags[1].exclude: error parsing glob '['",
        "doc line 11: images[1].tags.regex: regex parse error",
        "doc line 12: images[2].tags: say which tags: glob, regex or semver",
        "docker.io/library/mongo:{glob *}: to: \
         no destination is called \"nowhere\"; there are: private, public",
    ] {
        assert!(problems.contains(part), "{part} in:\n{problems}");
    }
}

#[test]
fn malformed_tags_are_reported_with_their_line() {
    for (tags, problem) in [
        ("{ glob: '*', newset: 3 }", "unknown field `newset`"),
        ("{ glob: '*', latest: 0 }", "expected a nonzero"),
        ("[{ glob: '*', newest: -1 }]", "line 6"),
        (
            "lts",
            "expected a list of tags and selectors, or one selector",
        ),
        (
            "{ glob: '*', exclude: 20 }",
            "expected a glob in quotes, or a list of globs",
        ),
        ("[[a]]", "expected a tag or a selector"),
    ] {
        let problems = problems(&format!("- {{ image: node, tags: {tags} }}\n"));
        assert!(problems.contains(problem), "{problem} in:\n{problems}");
        assert!(problems.contains("line 6"), "{problems}");
    }
}

#[test]
fn a_tag_that_looks_like_a_number_keeps_its_text() {
    let catalogue = catalogue(
        "\
# ä
- image: node
  tags: [1.10, 3.0, 007, 20240105, 7e99999, on, 0x1F, 1e3, &tag 1.20, '1.30']
- { image: redis, tags: [*tag, { glob: 1.0 }] }
",
    );
    let mut tags = Vec::new();
    for entry in &catalogue.images {
        tags.push(entry.image.tag());
    }
    assert_eq!(
        tags.join(" "),
        "007 0x1F 1.10 1.20 1.30 1e3 20240105 3.0 7e99999 on 1.20"
    );
}

#[test]
fn a_pin_is_an_image_beside_the_tags_of_its_repository() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let pins = catalogue(&format!(
        "\
- {{ image: 'node@{digest}' }}
- {{ image: 'node:21@{digest}' }}
- {{ image: node, tags: [22] }}
"
    ));
    assert_eq!(
        lines(&pins),
        [
            format!("0 docker.io/library/node:21@{digest} private"),
            "0 docker.io/library/node:22 private".to_owned(),
            format!("0 docker.io/library/node@{digest} private"),
        ]
    );
    let selection = catalogue("- { image: node, tags: { glob: '*' }, to: [public] }");
    let pin = format!("node:21@{digest}");
    let to = destinations_of(&selection, &pin);
    assert_eq!(to, ["private"], "a selector takes tags");
}

#[test]
fn a_pin_has_no_other_tags_and_shares_no_target_with_its_tag() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let entry = format!("- {{ image: 'node@{digest}', tags: [{{ glob: '*' }}] }}");
    let tagged = problems(&entry);
    let expected = format!("doc line 6: images[0].tags: node@{digest} stays at its digest");
    assert!(tagged.starts_with(&expected), "{tagged}");
    let both = problems(&format!(
        "\
- {{ image: 'node:21@{digest}' }}
- {{ image: 'node:21' }}
"
    ));
    assert_eq!(
        both,
        format!(
            "docker.io/library/node:21 and docker.io/library/node:21@{digest}: \
             destination private: both would become hub/library/node:21"
        )
    );
    let malformed = problems("- { image: 'node@sha256:00' }");
    let expected = r#"doc line 6: images[0].image: "node@sha256:00" is not an image reference"#;
    assert!(malformed.starts_with(expected), "{malformed}");
}

/// Ten thousand tags of a thousand repositories. A step that compared each image with all others
/// would take minutes. The bound leaves room for a slow machine without optimization.
#[test]
fn ten_thousand_tags_become_requests_within_seconds() {
    let mut entries = Vec::new();
    let mut lists = TagLists::new();
    let mut tags = Vec::new();
    for minor in 0..20 {
        tags.push(format!("1.{minor}"));
    }
    for number in 0..1000 {
        let name = format!("quay.io/team/tool{number}");
        let selection = "[stable, { semver: '*', newest: 9 }]";
        entries.push(format!("- {{ image: '{name}', tags: {selection} }}\n"));
        lists.insert(repository(&name), Ok(tags.clone()));
    }
    let catalogue = catalogue(&entries.concat());
    let started = Instant::now();
    let catalogue = expand(catalogue, &lists);
    let requests = build_requests(&catalogue);
    let mut targets = 0;
    for entry in &catalogue.images {
        let resolved = catalogue.resolve(entry.image.clone());
        targets += resolved.options.to.len();
    }
    let took = started.elapsed();
    assert_eq!(requests.len(), 10_000);
    assert_eq!(targets, 10_000);
    for request in &requests {
        assert!(request.unresolved.is_empty());
    }
    assert!(took < Duration::from_secs(20), "{took:?}");
}
