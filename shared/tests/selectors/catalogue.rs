//! Selections of a catalogue, and the requests that they lead to.

use std::time::{Duration, Instant};

use image_replicator::catalogue::{Catalogue, Document, SelectionResult, TagLists};
use image_replicator::error::{Cause, Error, Side};
use image_replicator::image::reference::{ImageRef, RepositoryRef};
use image_replicator::request::resolve::{requests, upstream_of};
use image_replicator::request::{DestinationRoots, Request, Trigger, TriggerKind};

const TWO_DESTINATIONS: &str = "\
destinations:
  private: { registry: { host: private.lab, repository: 'hub/{repository}' } }
  public: { registry: { host: public.lab, repository: '{name}' } }
defaults: { to: [private] }
";

fn document(name: &str, text: &str) -> Document {
    Document::parse(name, text)
        .map_err(|problems| problems.to_string())
        .expect("it can be read")
}

fn catalogue(images: &str) -> Catalogue {
    read(images).expect("it makes sense")
}

fn read(images: &str) -> Result<Catalogue, String> {
    let text = format!("{TWO_DESTINATIONS}images:\n{images}");
    Catalogue::merge(&[Document::parse("doc", &text).map_err(|problems| problems.to_string())?])
        .map_err(|problems| problems.to_string())
}

fn repository(name: &str) -> RepositoryRef {
    image_replicator::image::reference::parse(name)
        .expect("it is a name")
        .repository
}

fn image(name: &str) -> ImageRef {
    name.parse().expect("it is an image")
}

fn lists(lists: &[(&str, &[&str])]) -> TagLists {
    let list = |(name, tags): &(&str, &[&str])| {
        (
            repository(name),
            Ok(tags.iter().map(|&tag| tag.to_owned()).collect()),
        )
    };
    lists.iter().map(list).collect()
}

fn unreadable() -> Error {
    Error::new(
        Side::Source,
        Cause::Unavailable,
        "list the tags of docker.io/library/nginx",
    )
}

fn places() -> DestinationRoots {
    let place = |host: &str| {
        Ok(RepositoryRef {
            registry: host.to_owned(),
            path: String::new(),
        })
    };
    [
        ("private".to_owned(), place("private.lab")),
        ("public".to_owned(), place("public.lab")),
    ]
    .into()
}

fn build_requests(catalogue: &Catalogue) -> Vec<Request> {
    let trigger = Trigger {
        kind: TriggerKind::Schedule,
        id: "e".to_owned(),
    };
    requests(catalogue, &catalogue.images, &places(), &trigger)
}

/// `0 docker.io/library/node:22 private` for each image.
fn lines(catalogue: &Catalogue) -> Vec<String> {
    let line = |entry: &image_replicator::catalogue::CatalogueImage| {
        format!(
            "{} {} {}",
            entry.options.priority,
            entry.image,
            entry.options.to.join("+")
        )
    };
    catalogue.images.iter().map(line).collect()
}

fn error_chain(selected: &SelectionResult) -> String {
    selected
        .error()
        .map(|error| error.chain())
        .unwrap_or_default()
}

#[test]
fn selected_images_join_named_ones_and_go_to_the_destinations_of_both() {
    let catalogue = catalogue(
        "  - { image: node, tags: [lts, 22, { semver: '>=20' }] }\n  - { image: node, tags: { glob: '22*' }, to: [public], priority: 5 }\n",
    );
    let (catalogue, selected) =
        catalogue.expand(&lists(&[("node", &["20", "22", "22-alpine", "lts", "18"])]));
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
    assert!(selected.iter().all(|selected| selected.error().is_none()));
}

#[test]
fn a_failed_list_is_an_error_of_its_selection_only() {
    let catalogue = catalogue(
        "  - { image: nginx, tags: [stable, { glob: '1.27.*' }] }\n  - { image: node, tags: { semver: '22' } }\n",
    );
    let mut lists = lists(&[("node", &["22"])]);
    lists.insert(repository("nginx"), Err(unreadable()));
    let (catalogue, selected) = catalogue.expand(&lists);
    assert_eq!(
        lines(&catalogue),
        [
            "0 docker.io/library/nginx:stable private",
            "0 docker.io/library/node:22 private"
        ]
    );
    assert_eq!(selected[0].name, "docker.io/library/nginx:{glob 1.27.*}");
    assert!(!selected[0].is_listed() && selected[1].is_listed());
    assert_eq!(
        error_chain(&selected[0]),
        "source: cannot list the tags of docker.io/library/nginx: the server is unavailable"
    );
}

#[test]
fn a_selector_that_takes_nothing_reports_examples_of_dropped_tags() {
    let catalogue = catalogue(
        "  - { image: nginx, tags: { glob: '9.*' } }\n  - { image: node, tags: { glob: '*' } }\n",
    );
    let (_, selected) = catalogue.expand(&lists(&[
        ("nginx", &["1.1", "1.2", "1.3", "latest"]),
        ("node", &[]),
    ]));
    assert_eq!(
        error_chain(&selected[0]),
        "source: cannot select tags of docker.io/library/nginx: not found: none of its 4 tags is taken: 1.3 does not match 9.*, 1.2 does not match 9.*, 1.1 does not match 9.*"
    );
    assert_eq!(
        error_chain(&selected[1]),
        "source: cannot select tags of docker.io/library/node: not found: the repository has no tags"
    );
}

#[test]
fn an_image_is_resolved_with_the_options_of_selections_that_may_take_it() {
    let catalogue = catalogue(
        "  - { image: node, tags: { semver: '>=20 <23', latest: 1 }, to: [public], priority: 3 }\n  - { image: node, tags: [22], to: [private] }\n",
    );
    let to = |name: &str| catalogue.resolve(image(name)).options.to;
    assert_eq!(to("node:21.5"), ["public"]);
    assert_eq!(to("node:22"), ["private", "public"]);
    assert_eq!(to("node:23"), ["private"], "by default");
    assert_eq!(catalogue.resolve(image("node:21.5")).options.priority, 3);
    assert!(catalogue.allows(&image("node:21.5")) && catalogue.allows(&image("node:22")));
    assert!(!catalogue.allows(&image("node:23")) && !catalogue.allows(&image("redis:21.5")));
}

#[test]
fn a_target_identifies_the_image_that_a_selection_may_take() {
    let catalogue =
        catalogue("  - { image: grafana/grafana, tags: { semver: '11' }, to: [public] }\n");
    let back =
        |uri: &str| upstream_of(&catalogue, &places(), &image(uri)).map(|image| image.to_string());
    assert_eq!(
        back("public.lab/grafana:11.2.0").as_deref(),
        Some("docker.io/grafana/grafana:11.2.0")
    );
    assert_eq!(
        back("public.lab/grafana:12").as_deref(),
        Some("docker.io/library/grafana:12"),
        "by the template"
    );
    assert_eq!(
        back("private.lab/hub/a/b:1").as_deref(),
        Some("docker.io/a/b:1")
    );
    assert_eq!(back("elsewhere.lab/grafana:11.2.0"), None);
}

#[test]
fn a_selected_tag_never_gets_the_target_of_a_named_image() {
    let catalogue = catalogue(
        "  - { image: a/tool, tags: ['1'], to: [public] }\n  - { image: b/tool, tags: { glob: '*' }, to: [public, private] }\n",
    );
    let (catalogue, _) = catalogue.expand(&lists(&[("b/tool", &["1", "2"])]));
    let requests = build_requests(&catalogue);
    let placed: Vec<_> = requests
        .iter()
        .map(|request| (request.targets.len(), request.unresolved.len()))
        .collect();
    assert_eq!(placed, [(1, 0), (1, 1), (2, 0)]);
    assert_eq!(
        requests[1].unresolved[0].chain(),
        "configuration: cannot use public.lab/tool:1 for docker.io/b/tool:1: invalid: it is the target of docker.io/a/tool:1; give one of them another name in the catalogue"
    );
}

#[test]
fn of_two_selected_tags_with_one_target_neither_is_copied_there() {
    let catalogue = catalogue(
        "  - { image: a/tool, tags: { glob: '*' }, to: [public] }\n  - { image: b/tool, tags: { glob: '1*' }, to: [public] }\n",
    );
    let (catalogue, _) =
        catalogue.expand(&lists(&[("a/tool", &["1", "2"]), ("b/tool", &["1", "3"])]));
    let refused: Vec<String> = build_requests(&catalogue)
        .iter()
        .flat_map(|request| &request.unresolved)
        .map(Error::chain)
        .collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(
        refused
            .iter()
            .all(|why| why.contains("the target of docker.io/a/tool:1 and of docker.io/b/tool:1"))
    );
}

#[test]
fn a_target_is_reserved_for_a_selection_that_could_not_be_listed() {
    let catalogue = catalogue(
        "  - { image: a/tool, tags: { semver: '1' }, to: [public] }\n  - { image: b/tool, tags: { glob: '*' }, to: [public] }\n",
    );
    let mut lists = lists(&[("b/tool", &["1.5", "2"])]);
    lists.insert(repository("a/tool"), Err(unreadable()));
    let (catalogue, _) = catalogue.expand(&lists);
    let refused: Vec<String> = build_requests(&catalogue)
        .iter()
        .flat_map(|request| &request.unresolved)
        .map(Error::chain)
        .collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].contains(
        "cannot use public.lab/tool:1.5 for docker.io/b/tool:1.5: invalid: it is the target of docker.io/a/tool:1.5"
    ));
}

#[test]
fn an_events_selection_uses_its_own_destinations_else_those_of_the_catalogue() {
    let team = document(
        "team",
        &format!(
            "{TWO_DESTINATIONS}images: [{{ image: node, tags: ['22', {{ glob: '20*' }}], to: [public] }}]"
        ),
    );
    let with_event = |event: &str| {
        Catalogue::with_event(std::slice::from_ref(&team), &document("event", event))
            .expect("it makes sense")
    };
    let list = lists(&[("node", &["18", "20.1", "22"])]);
    let (open, _) = with_event("images: [{ image: node, tags: { glob: '*' } }]").expand(&list);
    assert_eq!(
        lines(&open),
        [
            "0 docker.io/library/node:18 private",
            "0 docker.io/library/node:20.1 public",
            "0 docker.io/library/node:22 public"
        ]
    );
    let (stated, _) =
        with_event("images: [{ image: node, tags: { semver: '22' }, to: [private] }]")
            .expand(&list);
    assert_eq!(lines(&stated), ["0 docker.io/library/node:22 private"]);
    let (named, _) = with_event("images: [{ image: 'node:22' }]").expand(&TagLists::new());
    assert_eq!(
        lines(&named),
        ["0 docker.io/library/node:22 public"],
        "and the catalogue's own selections are not asked for"
    );
}

#[test]
fn an_events_image_never_gets_the_target_of_a_tag_that_the_catalogue_may_select() {
    let team = document(
        "team",
        &format!(
            "{TWO_DESTINATIONS}images: [{{ image: b/tool, tags: {{ semver: '1' }}, to: [public] }}]"
        ),
    );
    let refused = |event: &str| {
        let catalogue =
            Catalogue::with_event(std::slice::from_ref(&team), &document("event", event))
                .expect("it makes sense");
        build_requests(&catalogue)
            .iter()
            .flat_map(|request| &request.unresolved)
            .map(Error::chain)
            .collect::<Vec<_>>()
    };
    let why = refused("images: [{ image: 'a/tool:1', to: [public] }]");
    assert!(
        why.len() == 1 && why[0].contains("the target of docker.io/b/tool:1"),
        "{why:?}"
    );
    assert_eq!(
        refused("images: [{ image: 'a/tool:2', to: [public] }, { image: 'b/tool:1' }]"),
        Vec::<String>::new()
    );
}

#[test]
fn every_fault_of_a_selector_is_reported_with_its_line_and_key() {
    let problems = read(
        "  - image: node\n    tags:\n      - lts\n      - { semver: 'twenty',\n          exclude: ['[', x] }\n  - { image: redis, tags: { regex: '(' } }\n  - { image: mysql, tags: { latest: 3 } }\n  - { image: mongo, tags: { glob: '*' }, to: [nowhere] }\n",
    )
    .unwrap_err();
    for part in [
        "doc line 9: images[0].tags[1].semver: unexpected character 't'",
        "doc line 10: images[0].tags[1].exclude: error parsing glob '['",
        "doc line 11: images[1].tags.regex: regex parse error",
        "doc line 12: images[2].tags: say which tags: glob, regex or semver",
        "docker.io/library/mongo:{glob *}: to: no destination is called \"nowhere\"; there are: private, public",
    ] {
        assert!(problems.contains(part), "{part} in:\n{problems}");
    }
    for (tags, part) in [
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
        let problems = read(&format!("  - {{ image: node, tags: {tags} }}\n")).unwrap_err();
        assert!(
            problems.contains(part) && problems.contains("line 6"),
            "{part} in:\n{problems}"
        );
    }
}

#[test]
fn a_tag_that_looks_like_a_number_keeps_its_text() {
    let catalogue = read(
        "  # ä\n  - { image: node, tags: [1.10, 3.0, 007, 20240105, 7e99999, on, 0x1F, 1e3, &tag 1.20, '1.30'] }\n  - { image: redis, tags: [*tag, { glob: 1.0 }] }\n",
    );
    let tags: Vec<String> = catalogue
        .unwrap()
        .images
        .iter()
        .map(|entry| entry.image.tag().to_owned())
        .collect();
    assert_eq!(
        tags,
        [
            "007", "0x1F", "1.10", "1.20", "1.30", "1e3", "20240105", "3.0", "7e99999", "on",
            "1.20"
        ]
    );
}

#[test]
fn a_pin_has_no_other_tags_and_shares_no_target_with_its_tag() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let pins = read(&format!(
        "  - {{ image: 'node@{digest}' }}\n  - {{ image: 'node:21@{digest}' }}\n  - {{ image: node, tags: [22] }}\n"
    ));
    assert_eq!(
        lines(&pins.unwrap()),
        [
            format!("0 docker.io/library/node:21@{digest} private"),
            "0 docker.io/library/node:22 private".to_owned(),
            format!("0 docker.io/library/node@{digest} private"),
        ]
    );
    let tagged = read(&format!(
        "  - {{ image: 'node@{digest}', tags: [{{ glob: '*' }}] }}\n"
    ))
    .unwrap_err();
    assert!(
        tagged.starts_with(&format!(
            "doc line 6: images[0].tags: node@{digest} stays at its digest"
        )),
        "{tagged}"
    );
    let both = read(&format!(
        "  - {{ image: 'node:21@{digest}' }}\n  - {{ image: 'node:21' }}\n"
    ))
    .unwrap_err();
    let pair = format!("docker.io/library/node:21 and docker.io/library/node:21@{digest}");
    assert_eq!(
        both,
        format!("{pair}: destination private: both would become hub/library/node:21")
    );
    let malformed = read("  - { image: 'node@sha256:00' }\n").unwrap_err();
    assert!(
        malformed.starts_with(
            "doc line 6: images[0].image: \"node@sha256:00\" is not an image reference"
        ),
        "{malformed}"
    );
    let selection = catalogue("  - { image: node, tags: { glob: '*' }, to: [public] }\n");
    assert_eq!(
        selection
            .resolve(image(&format!("node:21@{digest}")))
            .options
            .to,
        ["private"],
        "a selector takes tags"
    );
}

/// Ten thousand tags of a thousand repositories. A step that compared each image with all others
/// would take minutes. The bound leaves room for a slow machine without optimization.
#[test]
fn ten_thousand_tags_become_requests_within_seconds() {
    let entry = |n: usize| {
        format!(
            "  - {{ image: 'quay.io/team/tool{n}', tags: [stable, {{ semver: '*', newest: 9 }}] }}\n"
        )
    };
    let catalogue = catalogue(&(0..1000).map(entry).collect::<String>());
    let tags: Vec<String> = (0..20).map(|n| format!("1.{n}")).collect();
    let lists: TagLists = (0..1000)
        .map(|n| {
            (
                repository(&format!("quay.io/team/tool{n}")),
                Ok(tags.clone()),
            )
        })
        .collect();
    let started = Instant::now();
    let (catalogue, _) = catalogue.expand(&lists);
    let requests = build_requests(&catalogue);
    let targets: usize = catalogue
        .images
        .iter()
        .map(|entry| catalogue.resolve(entry.image.clone()).options.to.len())
        .sum();
    let took = started.elapsed();
    assert_eq!((requests.len(), targets), (10_000, 10_000));
    assert!(requests.iter().all(|request| request.unresolved.is_empty()));
    assert!(took < Duration::from_secs(20), "{took:?}");
}
