//! An image from its event, through the queue, to the destination registry and the record.

use embedded_cloud::{ALIAS, Image, Registry};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::events::sample;
use tests::world::{PRIVATE, World, assert_reason, assert_statuses, count_status};

/// `registry` holds all of `image` under `tag`, byte for byte.
fn assert_holds(registry: &Registry, repository: &str, tag: &str, image: &Image) {
    assert_eq!(registry.image(repository, tag), Some(image.digest()));
    for manifest in image.manifests() {
        assert_eq!(
            registry.manifest(repository, &manifest.digest),
            Some(manifest.bytes),
            "{}",
            manifest.digest
        );
    }
    let blobs = registry.blobs(repository);
    assert!(
        image
            .blobs()
            .iter()
            .all(|(digest, _)| blobs.contains(digest))
    );
}

fn three_kinds() -> [(&'static str, Image); 3] {
    [
        ("single", Image::docker(1, &[3000, 500])),
        (
            "index",
            Image::index(2, &["linux/amd64", "linux/arm64/v8"], &[1500], true),
        ),
        (
            "list",
            Image::list(3, &["linux/amd64", "linux/arm/v7"], &[700]),
        ),
    ]
}

#[tokio::test]
async fn every_form_of_a_schedule_copies_to_private_and_public_ecr_through_the_queue() {
    for name in [
        "scheduled-event-rule",
        "scheduler-default-no-input",
        "scheduler-input-delivered",
    ] {
        let mut world = World::start().await;
        world.set_catalogue(&format!(
            "destinations:\n  private: {{ ecr: {{ repository: 'docker-hub/{{repository}}' }} }}\n  public: {{ ecr-public: {{ alias: {ALIAS}, repository: '{{name}}' }} }}\nimages: [{{ image: node, tags: [single, index, list], to: [private, public] }}]"
        ));
        let queue = world.add_queue();
        for (tag, image) in three_kinds() {
            world.publish("library/node", tag, &image);
        }

        let report = world.refresh_with(sample(name)).await.unwrap();
        assert_eq!(count_status(&report, "deferred"), 3, "{report:#}");
        assert_eq!(
            world.cloud.sqs.messages(&queue).len(),
            3,
            "one for each image, with both of its targets"
        );
        world.drain(&queue).await;

        for (tag, image) in three_kinds() {
            assert_holds(world.ecr(), "docker-hub/library/node", tag, &image);
            assert_holds(world.cloud.ecr_public.registry(), "node", tag, &image);
        }
        let tags = world.ecr().resource_tags("docker-hub/library/node");
        assert_eq!(tags["replicator:upstream"], "docker.io/library/node");
        assert_eq!(tags["replicator:status"], "ok");
        for (tag, image) in three_kinds() {
            let record = world.record("library/node", tag);
            let expected = format!("{} ok 20", image.digest());
            assert!(record.starts_with(&expected), "{record}");
        }
        for key in ["replicator:synced-at", "replicator:checked-at"] {
            let time: Timestamp = tags[key].parse().expect("a time");
            let age = world.cloud.clock.now().duration_since(time);
            assert!(age < SignedDuration::from_mins(1), "{key} was {age:#} ago");
        }
    }
}

#[tokio::test]
async fn images_of_two_repositories_fit_into_one() {
    let mut world = World::start().await;
    world.set_catalogue(
        "destinations: { single: { ecr: { repository: nomorelimit, tag: '{name}-{tag}' } } }\nimages: [{ image: ruby, tags: [2.7.1-slim] }, { image: node, tags: [21-alpine] }]",
    );
    world.publish("library/ruby", "2.7.1-slim", &Image::docker(1, &[100]));
    world.publish("library/node", "21-alpine", &Image::docker(2, &[100]));
    assert_eq!(world.refresh().await["ok"], true);
    let images = world.ecr().images("nomorelimit");
    assert_eq!(
        images.keys().collect::<Vec<_>>(),
        ["node-21-alpine", "ruby-2.7.1-slim"]
    );
    let tags = world.ecr().resource_tags("nomorelimit");
    assert_eq!(
        tags["replicator:upstream"],
        "docker.io/library/node docker.io/library/ruby"
    );
}

#[tokio::test]
async fn any_registry_can_be_a_source_and_any_a_destination() {
    let mut world = World::start().await;
    let open = world.cloud.open.address().to_owned();
    world.set_catalogue(&format!(
        "destinations: {{ lab: {{ registry: {{ host: '{open}', repository: 'mirror/{{repository}}' }} }} }}\nimages: [{{ image: 'quay.io/team/tool:1' }}]"
    ));
    let image = Image::index(5, &["linux/amd64"], &[100], false);
    world.cloud.quay.push("team/tool", "1", &image);
    let report = world.refresh().await;
    assert_statuses(&report, &["copied quay.io/team/tool:1"]);
    assert_eq!(
        report["images"][0]["targets"][0]["uri"],
        format!("{open}/mirror/team/tool:1")
    );
    assert_eq!(report["images"][0]["pulls"], 0);
    assert_eq!(report["quota"], Value::Null);
    assert_holds(&world.cloud.open, "mirror/team/tool", "1", &image);
    assert_statuses(&world.refresh().await, &["unchanged quay.io/team/tool:1"]);
}

#[tokio::test]
async fn an_image_of_another_registry_cannot_take_the_target_of_a_catalogue_image() {
    let mut world = World::start().await;
    world.set_catalogue("images: [{ image: 'node:21' }]");
    world.publish("library/node", "21", &Image::docker(1, &[100]));
    world
        .cloud
        .quay
        .push("library/node", "21", &Image::docker(2, &[100]));
    world.refresh().await;
    let report = world
        .ensure(json!({"images": ["quay.io/library/node:21"]}))
        .await;
    assert_statuses(&report, &["failed quay.io/library/node:21"]);
    assert_reason(&report, "no {registry}");
    let error = world
        .refresh_with(json!({"images": [{"image": "quay.io/library/node:21"}]}))
        .await
        .unwrap_err();
    assert!(
        error.contains("both would become docker-hub/library/node:21"),
        "{error}"
    );
}

#[tokio::test]
async fn an_unknown_event_is_refused_with_what_is_expected() {
    let world = World::start().await;
    let error = world.refresh_with(json!({"imagez": []})).await.unwrap_err();
    assert!(error.contains("neither a schedule nor"), "{error}");
    let error = world
        .refresh_with(json!({"images": [{"image": "node:21", "tagz": []}]}))
        .await
        .unwrap_err();
    assert!(error.contains("tagz") && error.contains("line"), "{error}");
    let error = world.refresh_with(json!({})).await.unwrap_err();
    assert!(error.contains("REPLICATOR_CATALOGUE"), "{error}");
}

#[tokio::test]
async fn ensure_returns_the_uri_in_the_functions_account_and_the_uri_with_the_digest() {
    let world = World::start().await;
    let image = Image::docker(1, &[100]);
    world.publish("library/node", "21", &image);
    let target =
        world.ensure(json!({"images": ["node:21"]})).await["images"][0]["targets"][0].clone();
    let repository = format!("{PRIVATE}/docker-hub/library/node");
    assert_eq!(
        target,
        json!({"destination": "private", "uri": format!("{repository}:21"), "digest": image.digest(),
               "pinned": format!("{repository}@{}", image.digest())})
    );
}
