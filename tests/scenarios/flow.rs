//! The main job, from event to record.

use embedded_cloud::{ALIAS, Image, Registry};
use serde_json::{Value, json};
use tests::world::{PRIVATE, World, statuses};

fn event(name: &str) -> Value {
    let path = format!("{}/../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the sample is there");
    serde_json::from_str(&text).expect("the sample is JSON")
}

/// Whether `registry` holds all of `image` under `tag`, byte for byte.
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
async fn a_schedule_in_each_of_its_forms_reaches_private_and_public_ecr_through_the_queue() {
    for name in [
        "scheduled-event-rule",
        "scheduler-default-no-input",
        "scheduler-input-delivered",
    ] {
        let mut world = World::start().await;
        world.catalogue(&format!(
            "destinations:\n  private: {{ ecr: {{ repository: 'docker-hub/{{repository}}' }} }}\n  public: {{ ecr-public: {{ alias: {ALIAS}, repository: '{{name}}' }} }}\nimages: [{{ image: node, tags: [single, index, list], to: [private, public] }}]"
        ));
        let queue = world.queue();
        for (tag, image) in three_kinds() {
            world.cloud.hub.push("library/node", tag, &image);
        }

        let report = world.refresh_with(event(name)).await.unwrap();
        assert!(
            statuses(&report)
                .iter()
                .all(|status| status.starts_with("deferred")),
            "{report:#}"
        );
        assert_eq!(
            world.cloud.sqs.messages(&queue).len(),
            3,
            "one for each image, with both of its places"
        );
        world.work_off(&queue).await;

        for (tag, image) in three_kinds() {
            assert_holds(
                world.cloud.ecr.region("us-east-1"),
                "docker-hub/library/node",
                tag,
                &image,
            );
            assert_holds(world.cloud.ecr_public.registry(), "node", tag, &image);
        }
        let tags = world
            .cloud
            .ecr
            .region("us-east-1")
            .resource_tags("docker-hub/library/node");
        assert_eq!(tags["replicator:upstream"], "docker.io/library/node");
        assert_eq!(tags["replicator:status"], "ok");
        assert!(
            tags["replicator:tag:list"]
                .starts_with(&format!("{} ok 20", three_kinds()[2].1.digest()))
        );
        assert!(
            tags.contains_key("replicator:synced-at") && tags.contains_key("replicator:checked-at")
        );
    }
}

#[tokio::test]
async fn everything_fits_into_one_repository() {
    let mut world = World::start().await;
    world.catalogue(
        "destinations: { single: { ecr: { repository: nomorelimit, tag: '{name}-{tag}' } } }\nimages: [{ image: ruby, tags: [2.7.1-slim] }, { image: node, tags: [21-alpine] }]",
    );
    world
        .cloud
        .hub
        .push("library/ruby", "2.7.1-slim", &Image::docker(1, &[100]));
    world
        .cloud
        .hub
        .push("library/node", "21-alpine", &Image::docker(2, &[100]));
    assert_eq!(world.refresh().await["ok"], true);
    let images = world.cloud.ecr.region("us-east-1").images("nomorelimit");
    assert_eq!(
        images.keys().collect::<Vec<_>>(),
        ["node-21-alpine", "ruby-2.7.1-slim"]
    );
    let tags = world
        .cloud
        .ecr
        .region("us-east-1")
        .resource_tags("nomorelimit");
    assert_eq!(
        tags["replicator:upstream"],
        "docker.io/library/node docker.io/library/ruby"
    );
}

#[tokio::test]
async fn any_registry_can_be_a_source_and_any_a_destination() {
    let mut world = World::start().await;
    let open = world.cloud.open.address().to_owned();
    world.catalogue(&format!(
        "destinations: {{ lab: {{ registry: {{ host: '{open}', repository: 'mirror/{{repository}}' }} }} }}\nimages: [{{ image: 'quay.io/team/tool:1' }}]"
    ));
    let image = Image::index(5, &["linux/amd64"], &[100], false);
    world.cloud.quay.push("team/tool", "1", &image);
    let report = world.refresh().await;
    assert_eq!(
        statuses(&report),
        ["copied quay.io/team/tool:1"],
        "{report:#}"
    );
    assert_eq!(
        report["images"][0]["targets"][0]["uri"],
        format!("{open}/mirror/team/tool:1")
    );
    assert_eq!(report["images"][0]["pulls"], 0);
    assert_eq!(report["quota"], Value::Null);
    assert_holds(&world.cloud.open, "mirror/team/tool", "1", &image);
    assert_eq!(
        statuses(&world.refresh().await),
        ["unchanged quay.io/team/tool:1"]
    );
}

#[tokio::test]
async fn a_source_in_ecr_that_gives_no_token_is_the_sources_fault() {
    let mut world = World::start().await;
    let open = world.cloud.open.address().to_owned();
    world.catalogue(&format!(
        "destinations: {{ lab: {{ registry: {{ host: '{open}', repository: '{{repository}}' }} }} }}\nimages: [{{ image: '{PRIVATE}/team/tool:1' }}]"
    ));
    world
        .cloud
        .ecr
        .region("us-east-1")
        .push("team/tool", "1", &Image::docker(1, &[100]));
    world
        .cloud
        .failures
        .fail_next("ecr.api.GetAuthorizationToken", "AccessDeniedException", 10);
    let report = world.refresh().await;
    let why = report["images"][0]["reason"].as_str().unwrap();
    assert!(
        why.starts_with("source: cannot get the ECR token for us-east-1: access denied"),
        "{why}"
    );
    world
        .cloud
        .failures
        .fail_next("ecr.api.GetAuthorizationToken", "AccessDeniedException", 0);
    assert_eq!(
        statuses(&world.refresh().await),
        [format!("copied {PRIVATE}/team/tool:1")]
    );
}

#[tokio::test]
async fn a_new_repository_scans_expires_what_is_untagged_and_says_who_made_it() {
    let world = World::start().await;
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::docker(1, &[100]));
    world.refresh_images(&["node:21"]).await;
    let counts = &world.cloud.counts;
    assert_eq!(counts.get("ecr.api.CreateRepository"), 1);
    assert_eq!(counts.get("ecr.api.PutLifecyclePolicy"), 1);
    assert_eq!(
        world
            .cloud
            .ecr
            .region("us-east-1")
            .resource_tags("docker-hub/library/node")["created-by"],
        "image-replicator"
    );
}

#[tokio::test]
async fn an_owners_tags_are_left_alone_and_the_limit_of_fifty_holds() {
    let mut world = World::start().await;
    let ecr = world.cloud.ecr.region("us-east-1").clone();
    ecr.create_repository("docker-hub/library/node", false);
    let owners: Vec<String> = (0..20).map(|n| format!("team{n}")).collect();
    ecr.set_resource_tags(
        "docker-hub/library/node",
        &owners
            .iter()
            .map(|key| (key.as_str(), "ours"))
            .collect::<Vec<_>>(),
    );
    let tags: Vec<String> = (0..30).map(|n| format!("v{n}")).collect();
    for (seed, tag) in tags.iter().enumerate() {
        world
            .cloud
            .hub
            .push("library/node", tag, &Image::docker(seed as u64, &[50]));
    }
    world.catalogue(&json!({"images": [{"image": "node", "tags": tags}]}).to_string());
    assert_eq!(world.refresh().await["ok"], true);
    let kept = ecr.resource_tags("docker-hub/library/node");
    assert!(owners.iter().all(|owner| kept[owner] == "ours"));
    assert_eq!(kept.len(), 45, "{kept:?}");
}

#[tokio::test]
async fn a_second_delivery_of_a_message_costs_one_look() {
    let mut world = World::start().await;
    let queue = world.queue();
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::docker(1, &[100]));
    world.refresh_images(&["node:21"]).await;
    let event = world.cloud.sqs.next_event(&queue, 1).unwrap();
    let deliver = async || {
        let batch = serde_json::from_value(event.clone()).unwrap();
        let soon = std::time::SystemTime::now() + std::time::Duration::from_mins(1);
        json!(
            replicate::handle(batch, soon, &world.replicator())
                .await
                .response()
        )
    };
    assert_eq!(deliver().await, json!({"batchItemFailures": []}));
    world.cloud.counts.reset();
    assert_eq!(deliver().await, json!({"batchItemFailures": []}));
    assert_eq!(
        world.cloud.counts.sum("hub.manifest.get") + world.cloud.counts.sum("cdn."),
        0
    );
    assert_eq!(world.cloud.counts.sum("ecr.upload."), 0);
}

#[tokio::test]
async fn a_message_that_waited_never_moves_a_tag_backwards() {
    let mut world = World::start().await;
    let queue = world.queue();
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::docker(1, &[100]));
    world.refresh_images(&["node:21"]).await;
    let newer = Image::docker(2, &[100]);
    world.cloud.hub.push("library/node", "21", &newer);
    world.work_off(&queue).await;
    assert_eq!(
        world
            .cloud
            .ecr
            .region("us-east-1")
            .image("docker-hub/library/node", "21"),
        Some(newer.digest())
    );
}

#[tokio::test]
async fn nobody_takes_the_place_of_an_image_of_another_registry() {
    let mut world = World::start().await;
    world.catalogue("images: [{ image: 'node:21' }]");
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::docker(1, &[100]));
    world
        .cloud
        .quay
        .push("library/node", "21", &Image::docker(2, &[100]));
    world.refresh().await;
    let report = world
        .ensure(json!({"images": ["quay.io/library/node:21"]}))
        .await;
    assert_eq!(statuses(&report), ["failed quay.io/library/node:21"]);
    assert!(
        report["images"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("no {registry}"),
        "{report:#}"
    );
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
async fn an_event_that_is_none_of_ours_is_refused_with_what_is_wanted() {
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
async fn the_uri_names_the_functions_own_account_and_is_pinned() {
    let world = World::start().await;
    let image = Image::docker(1, &[100]);
    world.cloud.hub.push("library/node", "21", &image);
    let target =
        world.ensure(json!({"images": ["node:21"]})).await["images"][0]["targets"][0].clone();
    let repository = format!("{PRIVATE}/docker-hub/library/node");
    assert_eq!(
        target,
        json!({"destination": "private", "uri": format!("{repository}:21"), "digest": image.digest(),
               "pinned": format!("{repository}@{}", image.digest())})
    );
}
