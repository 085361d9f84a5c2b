//! Tags that selectors take from tag lists.

use embedded_cloud::Image;
use serde_json::{Value, json};
use tests::world::{
    World, assert_reason, assert_statuses, count_status, reason, reason_of, statuses,
};

const TWO_DESTINATIONS: &str = "\
destinations:
  private: { ecr: { repository: 'docker-hub/{repository}' } }
  other: { ecr: { repository: 'other/{name}' } }
defaults: { to: [private] }
";

/// A world in which nginx has these tags, all of one image, and a catalogue with these images.
async fn world(tags: &[&str], images: &str) -> World {
    let mut world = World::start().await;
    for tag in tags {
        world.publish("library/nginx", tag, &Image::docker(1, &[500]));
    }
    world.set_catalogue(&format!("images: {images}"));
    world
}

fn mirrored_tags(world: &World) -> Vec<String> {
    world
        .ecr()
        .images("docker-hub/library/nginx")
        .into_keys()
        .collect()
}

#[tokio::test]
async fn a_selection_is_copied_and_a_second_refresh_costs_one_list_and_no_pull() {
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
    assert_eq!(mirrored_tags(&world), ["1.27.2", "1.27.3", "latest"]);

    world.publish("library/nginx", "1.27.4", &Image::docker(1, &[500]));
    world.refresh().await;
    assert_eq!(
        mirrored_tags(&world),
        ["1.27.2", "1.27.3", "1.27.4", "latest"]
    );

    world.cloud.counts.reset();
    let report = world.refresh().await;
    assert!(
        report["ok"] == true && count_status(&report, "unchanged") == 4,
        "{report:#}"
    );
    let counts = &world.cloud.counts;
    assert_eq!(counts.get("hub.tags"), 1);
    assert_eq!(counts.get("hub.manifest.head"), 4);
    assert_eq!(world.pulls(), 0);
}

#[tokio::test]
async fn a_long_list_is_read_in_pages_and_once_for_two_entries() {
    let tags: Vec<String> = (0..2500).map(|n| format!("1.{n}")).collect();
    let images = "[{ image: nginx, tags: { glob: '*', newest: 1 } }, { image: nginx, tags: { regex: '1\\.[01]' } }]";
    let world = world(&tags.iter().map(String::as_str).collect::<Vec<_>>(), images).await;
    world.refresh().await;
    assert_eq!(mirrored_tags(&world), ["1.0", "1.1", "1.2499"]);
    assert_eq!(world.count("hub.tags"), 3);
    assert_eq!(
        world.cloud.hub.remaining(),
        99,
        "only the manifest is a pull"
    );
}

#[tokio::test]
async fn an_unreadable_list_is_one_failed_entry_and_the_named_images_are_copied() {
    let mut world = world(
        &["1.27.3", "stable"],
        "[{ image: nginx, tags: [stable, { glob: '1.27.*' }] }, { image: 'node:21' }]",
    )
    .await;
    world.publish("library/node", "21", &Image::docker(2, &[500]));
    let topic = world.cloud.sns.create_topic("failures");
    world.set("REPLICATOR_FAILURE_TOPIC", &topic);
    world.cloud.hub.faults().status("tags", 403, 1);
    let report = world.refresh().await;
    assert_statuses(
        &report,
        &[
            "copied docker.io/library/nginx:stable",
            "copied docker.io/library/node:21",
            "failed docker.io/library/nginx:{glob 1.27.*}",
        ],
    );
    let why = reason_of(&report, 2);
    assert!(
        why.starts_with("source: cannot list the tags of docker.io/library/nginx: access denied"),
        "{why}"
    );
    assert_eq!(report["ok"], false);
    assert_eq!(mirrored_tags(&world), vec!["stable".to_owned()]);
    let messages = world.cloud.sns.published();
    assert_eq!(messages.len(), 1);
    assert!(
        messages[0]
            .message
            .contains("docker.io/library/nginx:{glob 1.27.*}"),
        "{messages:?}"
    );
    assert_eq!(world.refresh().await["ok"], true);
}

#[tokio::test]
async fn failures_stay_recorded_while_the_tag_list_is_unreadable() {
    let world = world(&["1", "2"], "[{ image: nginx, tags: { glob: '*' } }]").await;
    world.cloud.hub.faults().status("manifest.head", 403, 1);
    world.refresh().await;
    let failed = || {
        let tags = world.ecr().resource_tags("docker-hub/library/nginx");
        tags.iter()
            .filter(|(key, value)| {
                key.starts_with("replicator:tag:") && value.starts_with("- failed ")
            })
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
async fn a_selector_that_takes_no_tag_fails_and_names_the_tags() {
    let world = world(
        &["1.27.3", "latest"],
        "[{ image: nginx, tags: { glob: '1.29.*' } }]",
    )
    .await;
    let report = world.refresh().await;
    assert_statuses(&report, &["failed docker.io/library/nginx:{glob 1.29.*}"]);
    assert_eq!(
        reason(&report),
        "source: cannot select tags of docker.io/library/nginx: not found: none of its 2 tags is taken: 1.27.3 does not match 1.29.*, latest does not match 1.29.*"
    );
}

#[tokio::test]
async fn a_selected_tag_with_the_target_of_a_named_image_fails_and_the_rest_is_copied() {
    let mut world = world(&["1", "2"], "[]").await;
    world.set_catalogue("destinations: { one: { ecr: { repository: docker-hub/library/nginx, tag: '{tag}' } } }\nimages: [{ image: other/nginx, tags: ['1'] }, { image: nginx, tags: { glob: '*' } }]");
    world.publish("other/nginx", "1", &Image::docker(2, &[500]));
    let report = world.refresh().await;
    assert_statuses(
        &report,
        &[
            "failed docker.io/library/nginx:1",
            "copied docker.io/library/nginx:2",
            "copied docker.io/other/nginx:1",
        ],
    );
    assert_reason(&report, "docker.io/other/nginx:1");
}

#[tokio::test]
async fn a_selection_in_an_event_goes_to_the_destination_of_the_catalogue() {
    let mut world = world(&["1", "2"], "[]").await;
    world.set_catalogue(&format!(
        "{TWO_DESTINATIONS}images: [{{ image: nginx, tags: {{ glob: '*' }}, to: [other] }}]"
    ));
    let event = json!({"images": [{"image": "nginx", "tags": {"glob": "1"}}]});
    let report = world.refresh_with(event).await.unwrap();
    assert_statuses(&report, &["copied docker.io/library/nginx:1"]);
    let other: Vec<String> = world.ecr().images("other/nginx").into_keys().collect();
    assert_eq!(other, ["1"]);
    assert_eq!(world.mirrored("library/nginx", "1"), None);
}

#[tokio::test]
async fn a_build_gets_a_selected_tag_from_the_destination_of_the_selection() {
    let mut world = world(&["1.27.3", "9"], "[]").await;
    world.set_catalogue(&format!(
        "{TWO_DESTINATIONS}images: [{{ image: nginx, tags: {{ semver: '1', latest: 1 }}, to: [other] }}]"
    ));
    let report = world
        .ensure(json!({"images": ["nginx:1.27.3", "nginx:9"]}))
        .await;
    let destination = |index: usize| report["images"][index]["targets"][0]["destination"].clone();
    assert_eq!(destination(0), json!("other"), "{report:#}");
    assert_eq!(destination(1), json!("private"), "{report:#}");
    assert_eq!(
        world.count("hub.tags"),
        0,
        "no tags are listed for one image"
    );
}

#[tokio::test]
async fn a_plan_explains_why_each_tag_is_taken_or_dropped() {
    let world = world(
        &["1.26.2", "1.27.3", "stable"],
        "[{ image: nginx, tags: { glob: '1.27.*' } }]",
    )
    .await;
    let (code, output) = world.run_command(&["plan"]).await;
    assert_eq!(code, Some(0), "{output}");
    let lines: Vec<&str> = output.lines().collect();
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
        "{output}"
    );

    let (_, json) = world.run_command(&["plan", "--json"]).await;
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
async fn an_unreadable_list_makes_plan_sync_and_status_fail() {
    let world = world(&["1.27.3"], "[{ image: nginx, tags: { glob: '1.27.*' } }]").await;
    for command in ["plan", "sync", "status"] {
        world.cloud.hub.faults().status("tags", 403, 1);
        let (code, output) = world.run_command(&[command]).await;
        assert_eq!(code, Some(1), "{command}: {output}");
        assert!(
            output.contains("cannot list the tags of docker.io/library/nginx: access denied"),
            "{command}: {output}"
        );
    }
    let (code, output) = world.run_command(&["sync"]).await;
    assert_eq!(code, Some(0), "{output}");
}
