//! Tags that selectors take from lists, from the list to the mirror.

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use embedded_cloud::Image;
use serde_json::{Value, json};
use tests::parts::tools::function;
use tests::world::{World, reason, statuses};
use tokio::process::Command;

/// A world in which nginx has these tags, all of one image, and a catalogue with these images.
async fn world(tags: &[&str], images: &str) -> World {
    let mut world = World::start().await;
    for tag in tags {
        world
            .cloud
            .hub
            .push("library/nginx", tag, &Image::docker(1, &[500]));
    }
    world.catalogue(&format!("images: {images}"));
    world
}

fn mirrored(world: &World) -> Vec<String> {
    world
        .cloud
        .ecr
        .region("us-east-1")
        .images("docker-hub/library/nginx")
        .into_keys()
        .collect()
}

/// What a registry answers when it is asked for tags.
type Answer = fn(&Uri) -> Response;

/// Serves `odd.example` with `answer` in this world.
async fn odd_registry(world: &mut World, answer: Answer) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    let serve = move |method: Method, uri: Uri| async move {
        match uri.path() {
            "/v2/" => StatusCode::OK.into_response(),
            _ if method == Method::GET => answer(&uri),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    };
    tokio::spawn(axum::serve(listener, Router::new().fallback(serve)).into_future());
    let known = world
        .environment()
        .find(|(name, _)| *name == "REPLICATOR_REGISTRY_ENDPOINTS")
        .map(|(_, value)| value.clone());
    let endpoints = format!(
        "{},odd.example={endpoint}",
        known.expect("the cloud has registries")
    );
    world.set("REPLICATOR_REGISTRY_ENDPOINTS", &endpoints);
    world.catalogue("destinations: { private: { ecr: { repository: '{registry}/{repository}' } } }\nimages: [{ image: odd.example/tool, tags: { glob: '*' } }]");
}

/// A page with these tags, and a `Link` where that is not empty.
fn page(tags: &[String], link: &str) -> Response {
    let body = json!({"name": "tool", "tags": tags}).to_string();
    if link.is_empty() {
        body.into_response()
    } else {
        ([("link", link)], body).into_response()
    }
}

fn numbered(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| format!("t{n:04}")).collect()
}

async fn replicator(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(function("replicator"));
    let output = command
        .env_clear()
        .envs(world.environment())
        .args(arguments)
        .output()
        .await
        .expect("the binary runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
    )
}

#[tokio::test]
async fn a_selection_is_copied_and_a_second_night_costs_one_list_and_no_pull() {
    let tags = [
        "1.26.2",
        "1.27.2",
        "1.27.3",
        "1.27.3-perl",
        "1.28.0-rc1",
        "latest",
    ];
    let world = world(
        &tags,
        "[{ image: nginx, tags: [latest, { semver: '>=1.27', newest: 5 }] }]",
    )
    .await;
    let report = world.refresh().await;
    let expected = [
        "docker.io/library/nginx:1.27.2",
        "docker.io/library/nginx:1.27.3",
        "docker.io/library/nginx:latest",
    ];
    assert_eq!(
        statuses(&report),
        expected.map(|image| format!("copied {image}"))
    );
    assert_eq!(mirrored(&world), ["1.27.2", "1.27.3", "latest"]);

    world
        .cloud
        .hub
        .push("library/nginx", "1.27.4", &Image::docker(1, &[500]));
    world.refresh().await;
    assert_eq!(mirrored(&world), ["1.27.2", "1.27.3", "1.27.4", "latest"]);

    world.cloud.counts.reset();
    let report = world.refresh().await;
    assert!(
        report["ok"] == true
            && statuses(&report)
                .iter()
                .all(|status| status.starts_with("unchanged")),
        "{report:#}"
    );
    let counts = &world.cloud.counts;
    assert_eq!(
        (
            counts.get("hub.tags"),
            counts.get("hub.manifest.head"),
            counts.get("hub.manifest.get")
        ),
        (1, 4, 0)
    );
}

#[tokio::test]
async fn a_long_list_comes_in_pages_and_two_entries_share_it() {
    let tags: Vec<String> = (0..2500).map(|n| format!("1.{n}")).collect();
    let images = "[{ image: nginx, tags: { glob: '*', newest: 1 } }, { image: nginx, tags: { regex: '1\\.[01]' } }]";
    let world = world(&tags.iter().map(String::as_str).collect::<Vec<_>>(), images).await;
    world.refresh().await;
    assert_eq!(mirrored(&world), ["1.0", "1.1", "1.2499"]);
    assert_eq!(world.cloud.counts.get("hub.tags"), 3);
    assert_eq!(
        world.cloud.hub.remaining(),
        99,
        "only the one manifest is a pull"
    );
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_one_failed_entry_and_hides_no_image() {
    let mut world = world(
        &["1.27.3", "stable"],
        "[{ image: nginx, tags: [stable, { glob: '1.27.*' }] }, { image: 'node:21' }]",
    )
    .await;
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::docker(2, &[500]));
    let topic = world.cloud.sns.create_topic("failures");
    world.set("REPLICATOR_FAILURE_TOPIC", &topic);
    world.cloud.hub.faults().status("tags", 403, 1);
    let report = world.refresh().await;
    assert_eq!(
        statuses(&report),
        [
            "copied docker.io/library/nginx:stable",
            "copied docker.io/library/node:21",
            "failed docker.io/library/nginx:{glob 1.27.*}"
        ]
    );
    let why = report["images"][2]["reason"].as_str().unwrap();
    assert!(
        why.starts_with("source: cannot list the tags of docker.io/library/nginx: access denied"),
        "{why}"
    );
    assert_eq!(
        (&report["ok"], mirrored(&world)),
        (&json!(false), vec!["stable".to_owned()])
    );
    let told = world.cloud.sns.published();
    assert_eq!(told.len(), 1);
    assert!(
        told[0]
            .message
            .contains("docker.io/library/nginx:{glob 1.27.*}"),
        "{told:?}"
    );
    assert_eq!(world.refresh().await["ok"], true);
}

#[tokio::test]
async fn troubles_stay_on_record_while_nobody_knows_which_tags_are_wanted() {
    let world = world(&["1", "2"], "[{ image: nginx, tags: { glob: '*' } }]").await;
    world.cloud.hub.faults().status("manifest.head", 403, 1);
    world.refresh().await;
    let failed = || {
        let tags = world
            .cloud
            .ecr
            .region("us-east-1")
            .resource_tags("docker-hub/library/nginx");
        tags.iter()
            .filter(|(key, value)| key.starts_with("replicator:tag:") && value.contains(" failed "))
            .count()
    };
    assert_eq!(failed(), 1);
    world.cloud.hub.faults().status("tags", 403, 1);
    world.refresh().await;
    assert_eq!(failed(), 1);
    world.refresh().await;
    assert_eq!(failed(), 0);
}

#[tokio::test]
async fn a_selector_that_takes_nothing_is_failed_and_names_what_there_is() {
    let world = world(
        &["1.27.3", "latest"],
        "[{ image: nginx, tags: { glob: '1.29.*' } }]",
    )
    .await;
    let report = world.refresh().await;
    assert_eq!(
        statuses(&report),
        ["failed docker.io/library/nginx:{glob 1.29.*}"]
    );
    assert_eq!(
        reason(&report),
        "source: cannot select tags of docker.io/library/nginx: not found: none of its 2 tags is taken: 1.27.3 does not match 1.29.*, latest does not match 1.29.*"
    );
}

#[tokio::test]
async fn a_selected_tag_in_the_place_of_a_named_image_is_failed_and_the_rest_is_copied() {
    let mut world = world(&["1", "2"], "[]").await;
    world.catalogue("destinations: { one: { ecr: { repository: docker-hub/library/nginx, tag: '{tag}' } } }\nimages: [{ image: other/nginx, tags: ['1'] }, { image: nginx, tags: { glob: '*' } }]");
    world
        .cloud
        .hub
        .push("other/nginx", "1", &Image::docker(2, &[500]));
    let report = world.refresh().await;
    assert_eq!(
        statuses(&report),
        [
            "failed docker.io/library/nginx:1",
            "copied docker.io/library/nginx:2",
            "copied docker.io/other/nginx:1"
        ]
    );
    assert!(
        reason(&report).contains("it is the place of docker.io/other/nginx:1"),
        "{}",
        reason(&report)
    );
}

#[tokio::test]
async fn an_inline_event_may_select_and_goes_where_the_catalogue_sends_its_images() {
    let world = world(&["1", "2"], "[{ image: nginx, tags: { glob: '2' } }]").await;
    let event = json!({"images": [{"image": "nginx", "tags": {"glob": "1"}}]});
    let report = world.refresh_with(event).await.unwrap();
    assert_eq!(statuses(&report), ["copied docker.io/library/nginx:1"]);
    assert_eq!(mirrored(&world), ["1"]);
}

#[tokio::test]
async fn a_build_gets_a_tag_of_a_selection_from_where_the_selection_sends_it() {
    let mut world = world(&["1.27.3", "9"], "[]").await;
    world.catalogue("destinations:\n  private: { ecr: { repository: 'docker-hub/{repository}' } }\n  other: { ecr: { repository: 'other/{name}' } }\ndefaults: { to: [private] }\nimages: [{ image: nginx, tags: { semver: '1', latest: 1 }, to: [other] }]");
    let report = world
        .ensure(json!({"images": ["nginx:1.27.3", "nginx:9"]}))
        .await;
    let destination = |index: usize| report["images"][index]["targets"][0]["destination"].clone();
    assert_eq!(
        (destination(0), destination(1)),
        (json!("other"), json!("private")),
        "{report:#}"
    );
    assert_eq!(
        world.cloud.counts.get("hub.tags"),
        0,
        "nothing is listed for one image"
    );
}

#[tokio::test]
async fn odd_pages_end_in_a_whole_list_or_in_an_error() {
    let full = |uri: &Uri| match uri.query().and_then(|query| query.split_once("last=")) {
        None => page(&numbered(0, 1000), ""),
        Some((_, "t0999")) => page(&numbered(1000, 1500), ""),
        Some(_) => page(&[], ""),
    };
    let all_at_once = |_: &Uri| page(&numbered(0, 1500), "");
    for answer in [full, all_at_once] {
        let mut world = World::start().await;
        odd_registry(&mut world, answer).await;
        let report = world.refresh().await;
        assert_eq!(
            statuses(&report).len(),
            1500,
            "each tag is asked for, and absent"
        );
        assert_eq!(statuses(&report)[1499], "failed odd.example/tool:t1499");
    }
    let cases: [(Answer, &str); 6] = [
        (
            |_| {
                page(
                    &numbered(0, 2),
                    "<http://127.0.0.2/v2/tool/tags/list>; rel=\"next\"",
                )
            },
            "failed: at another origin",
        ),
        (
            |_| page(&numbered(0, 2), "<?n=1000>; rel=next"),
            "failed: a page brings nothing new",
        ),
        (
            |_| "{\"name\":\"tool\"}".into_response(),
            "failed: missing field `tags`",
        ),
        (
            |_| page(&["not a tag".to_owned()], ""),
            "failed: the repository has no tags",
        ),
        (
            |_| "x".repeat(9_000_000).into_response(),
            "failed: it has more than 8388608 bytes",
        ),
        (
            |_| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")]).into_response(),
            "deferred: too many tag lists",
        ),
    ];
    for (answer, expected) in cases {
        let mut world = World::start().await;
        odd_registry(&mut world, answer).await;
        let report = world.refresh().await;
        let (status, why) = expected.split_once(": ").unwrap();
        assert_eq!(
            statuses(&report),
            [format!("{status} odd.example/tool:{{glob *}}")]
        );
        assert!(reason(&report).contains(why), "{}", reason(&report));
    }
}

#[tokio::test]
async fn a_plan_says_why_each_tag_is_taken_or_dropped() {
    let world = world(
        &["1.26.2", "1.27.3", "stable"],
        "[{ image: nginx, tags: { glob: '1.27.*' } }]",
    )
    .await;
    let (code, said) = replicator(&world, &["plan"]).await;
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "select  docker.io/library/nginx:{glob 1.27.*}  1 of 3 tags",
            "take    docker.io/library/nginx:1.27.3  matches 1.27.*",
            "drop    docker.io/library/nginx:1.26.2  does not match 1.27.*",
            "drop    docker.io/library/nginx:stable  does not match 1.27.*",
        ]
    );
    assert!(
        lines[4].starts_with("copy    docker.io/library/nginx:1.27.3  →  ") && lines.len() == 5,
        "{said}"
    );

    let (_, json) = replicator(&world, &["plan", "--json"]).await;
    let selections =
        serde_json::from_str::<Value>(&json).expect("one JSON document")["selections"].clone();
    assert_eq!(
        selections[0]["selection"],
        "docker.io/library/nginx:{glob 1.27.*}"
    );
    assert_eq!(
        selections[0]["tags"][0],
        json!({"tag": "1.27.3", "taken": true, "why": "matches 1.27.*"})
    );
    assert_eq!(selections[0]["reason"], Value::Null);
}

#[tokio::test]
async fn an_unreadable_list_is_no_good_plan_no_good_sync_and_no_good_status() {
    let world = world(&["1.27.3"], "[{ image: nginx, tags: { glob: '1.27.*' } }]").await;
    for command in ["plan", "sync", "status"] {
        world.cloud.hub.faults().status("tags", 403, 1);
        let (code, said) = replicator(&world, &[command]).await;
        assert_eq!(code, Some(1), "{command}: {said}");
        assert!(
            said.contains("cannot list the tags of docker.io/library/nginx: access denied"),
            "{command}: {said}"
        );
    }
    let (code, said) = replicator(&world, &["sync"]).await;
    assert_eq!(code, Some(0), "{said}");
}

/// A world with node:21 upstream, moved on from the image that is given.
async fn moved_on() -> (World, Image) {
    let (pinned, newer) = (
        Image::index(7, &["linux/amd64", "linux/arm64"], &[500], true),
        Image::docker(8, &[500]),
    );
    let world = World::start().await;
    world.cloud.hub.push("library/node", "21", &pinned);
    world.cloud.hub.push("library/node", "21", &newer);
    (world, pinned)
}

#[tokio::test]
async fn a_pin_is_mirrored_under_its_tag_or_after_its_digest_and_costs_nothing_again() {
    let (mut world, pinned) = moved_on().await;
    let digest = pinned.digest();
    let own_tag = digest.replacen(':', "_", 1);
    world.catalogue(&format!(
        "images: [{{ image: 'node@{digest}' }}, {{ image: 'node:21@{digest}' }}]"
    ));
    let queue = world.queue();
    let names = [
        format!("docker.io/library/node:21@{digest}"),
        format!("docker.io/library/node@{digest}"),
    ];
    assert_eq!(
        statuses(&world.refresh().await),
        [
            format!("deferred {}", names[0]),
            format!("deferred {}", names[1])
        ]
    );
    world.work_off(&queue).await;

    let ecr = world.cloud.ecr.region("us-east-1");
    let expected = [
        ("21".to_owned(), digest.clone()),
        (own_tag.clone(), digest.clone()),
    ];
    assert_eq!(ecr.images("docker-hub/library/node"), expected.into());
    let state = ecr.resource_tags("docker-hub/library/node");
    for tag in ["21", &own_tag] {
        assert!(
            state[&format!("replicator:tag:{tag}")].starts_with(&format!("{digest} ok 20")),
            "{state:?}"
        );
    }

    world.cloud.counts.reset();
    let report = world.refresh().await;
    assert_eq!(
        statuses(&report),
        [
            format!("unchanged {}", names[0]),
            format!("unchanged {}", names[1])
        ]
    );
    let uri = report["images"][1]["targets"][0]["uri"].as_str().unwrap();
    assert!(
        uri.ends_with(&format!("/docker-hub/library/node:{own_tag}")),
        "{uri}"
    );
    let counts = &world.cloud.counts;
    assert_eq!(
        (
            counts.get("hub.manifest.head"),
            counts.get("hub.manifest.get"),
            counts.get("hub.tags")
        ),
        (2, 0, 0)
    );
}

#[tokio::test]
async fn a_build_a_person_and_an_event_can_ask_for_a_pin() {
    let (world, pinned) = moved_on().await;
    let digest = pinned.digest();
    let name = format!("docker.io/library/node@{digest}");
    let report = world
        .ensure(json!({"images": [format!("node@{digest}")]}))
        .await;
    assert_eq!(statuses(&report), [format!("copied {name}")]);
    assert_eq!(report["images"][0]["targets"][0]["digest"], digest);
    assert_eq!(
        statuses(&world.refresh_images(&[&format!("node@{digest}")]).await),
        [format!("unchanged {name}")]
    );
    let (code, said) = replicator(&world, &["sync", &format!("node:20@{digest}")]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        world
            .cloud
            .ecr
            .region("us-east-1")
            .image("docker-hub/library/node", "20"),
        Some(digest)
    );
}

#[tokio::test]
async fn a_pin_that_upstream_lacks_is_said_before_anything_is_pulled() {
    let (world, _) = moved_on().await;
    let digest = format!("sha256:{}", "0".repeat(64));
    let report = world.refresh_images(&[&format!("node:21@{digest}")]).await;
    assert_eq!(
        statuses(&report),
        [format!("failed docker.io/library/node:21@{digest}")]
    );
    let expected = format!("source: cannot find docker.io/library/node@{digest}: not found");
    assert!(
        reason(&report).starts_with(&expected),
        "{}",
        reason(&report)
    );
    assert_eq!(world.cloud.counts.get("hub.manifest.get"), 0);
}

#[tokio::test]
async fn a_pin_never_takes_the_place_of_the_tag_that_the_catalogue_names() {
    let (mut world, pinned) = moved_on().await;
    world.catalogue("images: [{ image: 'node:21' }]");
    let digest = pinned.digest();
    let report = world
        .ensure(json!({"images": [format!("node:21@{digest}")]}))
        .await;
    assert_eq!(
        statuses(&report),
        [format!("failed docker.io/library/node:21@{digest}")]
    );
    let advice = format!(
        "it is the place of docker.io/library/node:21; ask for docker.io/library/node@{digest}"
    );
    assert!(reason(&report).contains(&advice), "{}", reason(&report));
    let report = world
        .ensure(json!({"images": [format!("node@{digest}")]}))
        .await;
    assert_eq!(report["ok"], true, "{report:#}");
}
