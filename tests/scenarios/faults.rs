//! What goes wrong gets a status and a reason of its own, leaves no half-made tag, hides no other image, and heals.

use std::time::{Duration, Instant, SystemTime};

use embedded_cloud::Image;
use serde_json::json;
use tests::world::{PASSWORD, World, reason, statuses};

/// A world with node:21 upstream, of one large layer.
async fn world() -> (World, Image) {
    let world = World::start().await;
    let image = Image::oci(1, &[300_000]);
    world.cloud.hub.push("library/node", "21", &image);
    (world, image)
}

fn mirrored(world: &World, tag: &str) -> Option<String> {
    world
        .cloud
        .ecr
        .region("us-east-1")
        .image("docker-hub/library/node", tag)
}

#[tokio::test]
async fn a_missing_tag_is_failed_and_the_others_are_copied() {
    let (world, image) = world().await;
    let report = world.refresh_images(&["node:99", "node:21"]).await;
    assert_eq!(
        statuses(&report),
        [
            "copied docker.io/library/node:21",
            "failed docker.io/library/node:99"
        ]
    );
    let why = report["images"][1]["reason"].as_str().unwrap();
    assert!(
        why.starts_with("source: cannot find docker.io/library/node:99: not found"),
        "{why}"
    );
    assert_eq!(report["ok"], false);
    assert_eq!(mirrored(&world, "21"), Some(image.digest()));
    let tags = world
        .cloud
        .ecr
        .region("us-east-1")
        .resource_tags("docker-hub/library/node");
    assert!(
        tags["replicator:tag:99"].starts_with("- failed 20"),
        "{tags:?}"
    );
    assert_eq!(tags["replicator:status"], "partial");
}

#[tokio::test]
async fn a_bad_credential_is_said_and_never_replaced_by_anonymous() {
    let (world, _) = world().await;
    world.cloud.secrets.put(
        "docker-hub",
        r#"{"username":"ci","password":"wrong-and-secret"}"#,
    );
    world
        .cloud
        .hub
        .push("library/redis", "7", &Image::oci(2, &[100]));
    let report = world.refresh_images(&["node:21", "redis:7"]).await;
    assert_eq!(
        statuses(&report),
        [
            "failed docker.io/library/node:21",
            "failed docker.io/library/redis:7"
        ]
    );
    assert!(
        reason(&report).contains("the credential is refused"),
        "{}",
        reason(&report)
    );
    assert!(!report.to_string().contains("wrong-and-secret"));
    assert_eq!(world.cloud.counts.sum("hub.manifest."), 0);
    assert_eq!(
        world.cloud.counts.get("secretsmanager.GetSecretValue"),
        2,
        "the secret is read again once"
    );
    assert_eq!(
        world.cloud.counts.get("hub.token"),
        2,
        "a refused login is not tried for each image"
    );

    world.cloud.secrets.put(
        "docker-hub",
        &json!({"username": "ci", "password": PASSWORD}).to_string(),
    );
    assert_eq!(
        statuses(&world.refresh_images(&["node:21"]).await),
        ["copied docker.io/library/node:21"]
    );
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_an_error_and_not_anonymous() {
    let (mut world, _) = world().await;
    world.set("REPLICATOR_DOCKER_HUB_SECRET", "no-such-secret");
    let report = world.refresh_images(&["node:21"]).await;
    assert!(
        reason(&report).starts_with("credentials: cannot read secret no-such-secret: not found"),
        "{}",
        reason(&report)
    );
    assert_eq!(world.cloud.counts.get("hub.token"), 0);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_for_now_costs_all_images_together_what_it_costs_one() {
    let (world, _) = world().await;
    let images: Vec<String> = (0..8).map(|number| format!("app{number}:1")).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    world.cloud.failures.fail_next(
        "secretsmanager.GetSecretValue",
        "InternalServiceError",
        10_000,
    );
    let report = world.refresh_images(&images).await;
    assert!(
        reason(&report).starts_with("credentials: cannot read secret docker-hub: "),
        "{}",
        reason(&report)
    );
    // Six tries of three calls, as for one image; not each image its own.
    let calls = world.cloud.counts.get("secretsmanager.GetSecretValue");
    assert!(calls <= 2 * 6 * 3, "{calls}");
}

#[tokio::test]
async fn a_secret_that_is_rotated_between_two_requests_is_read_again() {
    let (world, _) = world().await;
    let replicator = world.replicator();
    let wanted =
        |tag: &str| ensure::Wanted::parse(&json!({"images": [format!("node:{tag}")]})).unwrap();
    let soon = SystemTime::now() + Duration::from_mins(1);
    assert!(
        ensure::handle(&wanted("21"), "1", soon, &replicator)
            .await
            .unwrap()
            .ok
    );

    world.cloud.hub.add_user("ci", "rotated");
    world
        .cloud
        .secrets
        .put("docker-hub", r#"{"username":"ci","password":"rotated"}"#);
    world.cloud.clock.advance(Duration::from_secs(301));
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::oci(2, &[100]));
    let report = json!(
        ensure::handle(&wanted("21"), "2", soon, &replicator)
            .await
            .unwrap()
    );
    assert_eq!(
        statuses(&report),
        ["copied docker.io/library/node:21"],
        "{report:#}"
    );
}

#[tokio::test]
async fn a_denied_repository_is_failed_and_the_others_are_copied() {
    let (world, _) = world().await;
    world
        .cloud
        .hub
        .push("library/redis", "7", &Image::oci(2, &[100]));
    let ecr = world.cloud.ecr.region("us-east-1");
    ecr.create_repository("docker-hub/library/node", false);
    ecr.deny("docker-hub/library/node");
    let report = world.refresh_images(&["node:21", "redis:7"]).await;
    assert_eq!(
        statuses(&report),
        [
            "failed docker.io/library/node:21",
            "copied docker.io/library/redis:7"
        ]
    );
    let why = report["images"][0]["reason"].as_str().unwrap();
    assert!(
        why.starts_with("destination: ") && why.contains("access denied"),
        "{why}"
    );
}

#[tokio::test]
async fn an_immutable_tag_that_moved_is_an_explained_refusal() {
    let (world, image) = world().await;
    world
        .cloud
        .ecr
        .region("us-east-1")
        .create_repository("docker-hub/library/node", true);
    world.refresh_images(&["node:21"]).await;
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::oci(2, &[100]));
    world.cloud.counts.reset();
    let report = world.refresh_images(&["node:21"]).await;
    assert_eq!(statuses(&report), ["failed docker.io/library/node:21"]);
    assert_eq!(
        world.cloud.counts.get("hub.manifest.get"),
        0,
        "a refusal that is known beforehand costs no pull"
    );
    assert!(
        reason(&report).contains("the tag is immutable and stands for another digest"),
        "{}",
        reason(&report)
    );
    assert_eq!(report["images"][0]["targets"][0]["digest"], image.digest());
    assert_eq!(mirrored(&world, "21"), Some(image.digest()));
}

#[tokio::test]
async fn pulls_that_do_not_suffice_defer_without_asking_and_a_copy_makes_it_stale() {
    let (mut world, old) = world().await;
    world.catalogue(
        "images: [{ image: node, tags: ['21', '22', '23', '24', '25', '26', '27', '28'] }]",
    );
    world.refresh_images(&["node:21"]).await;
    for (seed, tag) in (21..=28).map(|tag: u64| (tag, tag.to_string())) {
        let tag = tag.as_str();
        world
            .cloud
            .hub
            .push("library/node", tag, &Image::oci(seed, &[100]));
    }
    world.cloud.hub.set_quota(1, 21_600);
    world.cloud.counts.reset();
    let report = world.refresh().await;
    let words: Vec<String> = statuses(&report)
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(words[0], "stale", "{report:#}");
    assert!(
        words[1..].iter().all(|word| word == "deferred"),
        "{report:#}"
    );
    assert!(
        reason(&report).contains("the pulls that are left do not suffice"),
        "{}",
        reason(&report)
    );
    assert_eq!(world.cloud.counts.get("hub.manifest.get"), 0);
    assert_eq!(mirrored(&world, "21"), Some(old.digest()));
    assert_eq!(mirrored(&world, "22"), None);
    assert_eq!(report["quota"]["remaining"], 0);

    world.cloud.clock.advance(Duration::from_secs(21_601));
    world.cloud.hub.set_quota(10, 21_600);
    assert_eq!(world.refresh().await["ok"], true);
}

#[tokio::test]
async fn the_abuse_limit_is_waited_for_as_long_as_the_server_asks() {
    let (world, _) = world().await;
    world.cloud.hub.limit_requests(2, 2);
    let begun = Instant::now();
    let report = world.refresh_images(&["node:21"]).await;
    assert_eq!(statuses(&report), ["copied docker.io/library/node:21"]);
    assert!(
        begun.elapsed() >= Duration::from_secs(4),
        "two waits of two seconds"
    );
}

#[tokio::test]
async fn an_abuse_limit_of_an_hour_is_not_waited_for() {
    let (world, _) = world().await;
    world.cloud.hub.limit_requests(1, 3600);
    let report = world.refresh_images(&["node:21"]).await;
    assert_eq!(statuses(&report), ["deferred docker.io/library/node:21"]);
    assert!(
        reason(&report).contains("too many requests"),
        "{}",
        reason(&report)
    );
}

#[tokio::test]
async fn ecrs_throttling_is_waited_out() {
    let (world, image) = world().await;
    world.cloud.ecr.throttle_put_image(2);
    assert_eq!(
        statuses(&world.refresh_images(&["node:21"]).await),
        ["copied docker.io/library/node:21"]
    );
    assert_eq!(mirrored(&world, "21"), Some(image.digest()));
}

#[tokio::test]
async fn wrong_bytes_never_complete_an_upload_and_the_side_at_fault_is_named() {
    let (world, image) = world().await;
    let layer = &image.layers()[0];
    world.cloud.hub.faults().corrupt_blob(layer, 1);
    let report = world.refresh_images(&["node:21"]).await;
    assert_eq!(statuses(&report), ["failed docker.io/library/node:21"]);
    let why = reason(&report);
    assert!(
        why.starts_with(&format!(
            "source: cannot get blob {layer}: the bytes do not match"
        )),
        "{why}"
    );
    let ecr = world.cloud.ecr.region("us-east-1");
    assert!(!ecr.blobs("docker-hub/library/node").contains(layer));
    assert_eq!(mirrored(&world, "21"), None);
    assert_eq!(
        statuses(&world.refresh_images(&["node:21"]).await),
        ["copied docker.io/library/node:21"]
    );
}

#[tokio::test]
async fn a_manifest_with_wrong_bytes_is_refused() {
    let (world, image) = world().await;
    world
        .cloud
        .hub
        .faults()
        .corrupt_manifest(&image.digest(), 1);
    let report = world.refresh_images(&["node:21"]).await;
    assert_eq!(statuses(&report), ["failed docker.io/library/node:21"]);
    assert!(
        reason(&report).starts_with("source: cannot get manifest"),
        "{}",
        reason(&report)
    );
}

#[tokio::test]
async fn a_blob_that_is_cut_in_the_middle_arrives_all_the_same() {
    let (world, image) = world().await;
    world
        .cloud
        .hub
        .faults()
        .cut_blob(&image.layers()[0], 100_000, 2);
    assert_eq!(
        statuses(&world.refresh_images(&["node:21"]).await),
        ["copied docker.io/library/node:21"]
    );
    assert_eq!(mirrored(&world, "21"), Some(image.digest()));
}

#[tokio::test]
async fn a_source_that_cuts_for_ever_fails_that_image_alone_and_heals() {
    let (world, image) = world().await;
    world
        .cloud
        .hub
        .push("library/redis", "7", &Image::oci(2, &[100]));
    world.cloud.hub.faults().cut_blob(&image.layers()[0], 0, 6);
    let report = world.refresh_images(&["node:21", "redis:7"]).await;
    assert_eq!(
        statuses(&report),
        [
            "failed docker.io/library/node:21",
            "copied docker.io/library/redis:7"
        ]
    );
    let why = report["images"][0]["reason"].as_str().unwrap();
    assert!(why.contains("the connection was interrupted"), "{why}");
    assert_eq!(mirrored(&world, "21"), None);
    assert_eq!(
        statuses(&world.refresh_images(&["node:21"]).await),
        ["copied docker.io/library/node:21"]
    );
}

#[tokio::test]
async fn an_upload_that_is_cut_starts_over_in_a_new_session() {
    let (world, image) = world().await;
    world.cloud.ecr.faults().cut_upload(50_000, 1);
    assert_eq!(
        statuses(&world.refresh_images(&["node:21"]).await),
        ["copied docker.io/library/node:21"]
    );
    assert_eq!(mirrored(&world, "21"), Some(image.digest()));
    assert_eq!(
        world.cloud.counts.get("ecr.upload.post"),
        3,
        "one for the configuration, two for the layer"
    );
}

#[tokio::test]
async fn a_tag_whose_answer_was_lost_is_found_although_it_cannot_be_put_again() {
    let (world, image) = world().await;
    let ecr = world.cloud.ecr.region("us-east-1");
    ecr.create_repository("docker-hub/library/node", true);
    ecr.faults().lose_responses(1);
    assert_eq!(
        statuses(&world.refresh_images(&["node:21"]).await),
        ["copied docker.io/library/node:21"]
    );
    assert_eq!(world.cloud.counts.get("ecr.manifest.put"), 2);
    assert_eq!(mirrored(&world, "21"), Some(image.digest()));
}

#[tokio::test]
async fn docker_hubs_pull_limit_is_met_once_for_all_images_of_a_run() {
    let (world, _) = world().await;
    for (seed, name) in [(2, "library/redis"), (3, "library/caddy")] {
        world.cloud.hub.push(name, "21", &Image::oci(seed, &[100]));
    }
    world.cloud.hub.refuse_pulls(100);
    let report = world
        .refresh_images(&["caddy:21", "node:21", "redis:21"])
        .await;
    assert!(
        statuses(&report)
            .iter()
            .all(|status| status.starts_with("deferred ")),
        "{report:#}"
    );
    assert!(
        reason(&report).contains("pull rate limit"),
        "{}",
        reason(&report)
    );
    assert!(
        (1..=3).contains(&world.cloud.hub.refused_pulls()),
        "what was refused is not asked for again"
    );
    world.cloud.hub.refuse_pulls(0);
    assert_eq!(
        world
            .refresh_images(&["caddy:21", "node:21", "redis:21"])
            .await["ok"],
        true
    );
}

#[tokio::test]
async fn content_that_the_registry_lost_is_sent_again() {
    let (world, image) = world().await;
    world.refresh_images(&["node:21"]).await;
    let ecr = world.cloud.ecr.region("us-east-1");
    ecr.delete_tag("docker-hub/library/node", "21");
    ecr.delete_blob("docker-hub/library/node", &image.layers()[0]);
    assert_eq!(
        statuses(&world.refresh_images(&["node:21"]).await),
        ["copied docker.io/library/node:21"]
    );
    assert!(
        ecr.blobs("docker-hub/library/node")
            .contains(&image.layers()[0])
    );
}

#[tokio::test]
async fn a_token_that_expires_under_way_is_renewed() {
    let (world, _) = world().await;
    let replicator = world.replicator();
    let wanted = ensure::Wanted::parse(&json!({"images": ["node:21"]})).unwrap();
    let soon = SystemTime::now() + Duration::from_mins(1);
    assert!(
        ensure::handle(&wanted, "1", soon, &replicator)
            .await
            .unwrap()
            .ok
    );
    world.cloud.clock.advance(Duration::from_hours(13));
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::oci(2, &[100]));
    let report = ensure::handle(&wanted, "2", soon, &replicator)
        .await
        .unwrap();
    assert_eq!(
        statuses(&json!(report)),
        ["copied docker.io/library/node:21"],
        "{:#}",
        json!(report)
    );
}

#[tokio::test]
async fn a_deadline_hands_the_message_back_and_the_next_run_finishes() {
    let (mut world, image) = world().await;
    let queue = world.queue();
    world.refresh_images(&["node:21"]).await;
    world
        .cloud
        .hub
        .faults()
        .stall_blob(&image.layers()[0], 1000, 1);
    let event = world.cloud.sqs.next_event(&queue, 1).unwrap();
    let batch = serde_json::from_value(event.clone()).unwrap();
    let deadline = SystemTime::now() + Duration::from_secs(5);
    let response = json!(
        replicate::handle(batch, deadline, &world.replicator())
            .await
            .response()
    );
    assert_eq!(
        response["batchItemFailures"][0]["itemIdentifier"],
        event["Records"][0]["messageId"]
    );
    assert_eq!(mirrored(&world, "21"), None);
    let tags = world
        .cloud
        .ecr
        .region("us-east-1")
        .resource_tags("docker-hub/library/node");
    assert!(tags["replicator:tag:21"].contains(" deferred "), "{tags:?}");

    world.cloud.sqs.settle(&queue, &event, &Ok(response));
    world.work_off(&queue).await;
    assert_eq!(mirrored(&world, "21"), Some(image.digest()));
    assert!(world.cloud.sqs.messages(&queue).is_empty());
}

#[tokio::test]
async fn a_message_that_can_never_succeed_is_recorded_and_does_not_come_back() {
    let (mut world, image) = world().await;
    let queue = world.queue();
    world
        .cloud
        .ecr
        .region("us-east-1")
        .create_repository("docker-hub/library/node", false);
    world.refresh_images(&["node:21"]).await;
    world.cloud.hub.delete_tag("library/node", "21");
    assert_eq!(
        world.replicate(&queue).await,
        Some(json!({"batchItemFailures": []})),
        "{}",
        image.digest()
    );
    let tags = world
        .cloud
        .ecr
        .region("us-east-1")
        .resource_tags("docker-hub/library/node");
    assert!(tags["replicator:tag:21"].contains(" failed "), "{tags:?}");
    assert!(world.cloud.sqs.messages(&queue).is_empty());
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_dropped() {
    let world = World::start().await;
    let record = |id: &str, body: &str| json!({"messageId": id, "body": body, "attributes": {"MessageGroupId": "g"}});
    let event = json!({"Records": [record("1", "hello"), record("2", r#"{"version":2}"#), record("3", "{}")]});
    let soon = SystemTime::now() + Duration::from_mins(1);
    let response = replicate::handle(
        serde_json::from_value(event).unwrap(),
        soon,
        &world.replicator(),
    )
    .await
    .response();
    assert_eq!(json!(response), json!({"batchItemFailures": []}));
    assert_eq!(world.cloud.counts.sum(""), 0);
}

#[tokio::test]
async fn one_bad_name_hides_no_image_of_a_build() {
    let (world, _) = world().await;
    let report = world
        .ensure(json!({"images": ["Not An Image", "node:21", "node", "node:99"]}))
        .await;
    assert_eq!(
        statuses(&report),
        [
            "failed Not An Image",
            "copied docker.io/library/node:21",
            "failed node",
            "failed docker.io/library/node:99"
        ]
    );
    assert_eq!(report["ok"], false);
}

#[tokio::test]
async fn a_build_may_use_an_older_copy_unless_it_says_no() {
    let (world, old) = world().await;
    world.refresh_images(&["node:21"]).await;
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::oci(2, &[100]));
    world.cloud.hub.set_quota(0, 21_600);
    for allow_stale in [true, false] {
        let report = world
            .ensure(json!({"images": ["node:21"], "allow_stale": allow_stale}))
            .await;
        assert_eq!(statuses(&report), ["stale docker.io/library/node:21"]);
        assert_eq!(report["ok"], allow_stale);
        assert_eq!(report["images"][0]["targets"][0]["digest"], old.digest());
    }
}
